"""A file that a program sends, and the fields beside it: a multipart body, read from where it is kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from billing_core.errors import Invalid
from billing_core.text import control_character
from billing_core.web.requests import multipart
from billing_core.web.requests.kept_bodies import KeptBody, body_of
from billing_core.web.requests.mistakes import REQUIRED

FILE: Final = "file"
LONGEST_FIELD: Final = 64 * 1024
LONGEST_FILE_NAME: Final = 255
_LONGEST_NAME: Final = 200


@dataclass(frozen=True)
class Upload:
    """What was sent. ``fields``: by their names, unknown ones too. ``file_name``: without folders. ``size`` in bytes.
    ``chunks`` gives the file from its beginning each time, a bounded piece at a time, until the request is answered.
    """

    fields: dict[str, str]
    file_name: str
    size: int
    chunks: Callable[[], Iterator[bytes]]


async def uploaded(request: Request) -> Upload:
    """The one file of a request, in the part named ``file``, and its fields. Invalid where it is anything else."""
    content_type = request.headers.get("content-type", "")
    if not multipart.is_multipart(content_type):
        raise _invalid("body", f"must be sent with Content-Type: {multipart.KIND}")
    return await run_in_threadpool(_read, content_type, body_of(request.scope))


GivenUpload = Annotated[Upload, Depends(uploaded)]


def _read(content_type: str, body: KeptBody) -> Upload:
    fields: dict[str, str] = {}
    file_name, size = None, 0
    try:
        for part, content in multipart.parts(content_type, body.pieces()):
            name = _checked("body", part.name, _LONGEST_NAME)
            if name in fields or (name == FILE and file_name is not None):
                raise _invalid(name, "is given more than once")
            if name == FILE:
                file_name = _file_name(part)
                size = sum(map(len, content))
            elif part.file_name is not None:
                raise _invalid(name, f"must not be a file: the one file is {FILE}")
            else:
                fields[name] = _field(name, content)
    except multipart.Malformed as problem:
        raise _invalid("body", str(problem)) from None
    if file_name is None:
        raise _invalid(FILE, REQUIRED)

    def chunks() -> Iterator[bytes]:
        for part, content in multipart.parts(content_type, body.pieces()):
            if part.name == FILE:
                yield from filter(None, content)
                return

    return Upload(fields, file_name, size, chunks)


def _file_name(part: multipart.Part) -> str:
    if part.file_name is None:
        raise _invalid(FILE, "must be a file: it needs a file name in its Content-Disposition")
    # Of either kind of folder, whatever the client runs on.
    name = part.file_name.replace("\\", "/").rpartition("/")[2].strip()
    if not name:
        raise _invalid(FILE, "needs a file name")
    return _checked(FILE, name, LONGEST_FILE_NAME)


def _field(name: str, content: Iterator[bytes]) -> str:
    sent = bytearray()
    for piece in content:
        sent += piece
        if len(sent) > LONGEST_FIELD:
            raise _invalid(name, f"may have at most {LONGEST_FIELD:,} bytes")
    try:
        value = sent.decode()
    except UnicodeDecodeError:
        raise _invalid(name, "is not UTF-8") from None
    if character := control_character(value):
        raise _invalid(name, f"contains {character}")
    return value


def _checked(about: str, name: str, longest: int) -> str:
    """A name that may be quoted and kept."""
    if not name or len(name) > longest:
        raise _invalid(about, f"has a name that is empty or longer than {longest} characters")
    if character := control_character(name):
        raise _invalid(about, f"has a name that contains {character}")
    return name


def _invalid(name: str, reason: str) -> Invalid:
    return Invalid(f"{name}: {reason}", fields={name: reason})

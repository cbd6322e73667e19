"""The parts of a multipart body, as they pass by: none of them is held in memory."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

KIND: Final = "multipart/form-data"
# Each is work, however little is in it.
MOST_PARTS: Final = 101
_FIRST_WITHIN: Final = 4096
# A body as it is: the others would have to be decoded, and nobody sends them (RFC 7578, 4.7).
_AS_IT_IS: Final = (b"", b"binary", b"8bit", b"7bit")

# In the place of a file name's digest.
_NO_FILE: Final = bytes(hashlib.sha256().digest_size)


class Malformed(Exception):
    """What is wrong with a multipart body, as follows upon the name of what is wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one part says of itself. ``file_name``: as the client wrote it; None where the part is no file."""

    name: str
    file_name: str | None


def is_multipart(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == KIND


def parts(content_type: str, pieces: Iterable[bytes]) -> Iterator[tuple[Part, Iterator[bytes]]]:
    """Each part and its content, which must be taken before the next. Malformed where the body is not whole."""
    for part, found in groupby(_pieces_of_parts(content_type, pieces), key=itemgetter(0)):
        yield part, (piece for _, piece in found)


def digest(content_type: str, pieces: Iterable[bytes]) -> bytes:
    """Of what the parts say and hold, in their order, whatever stands between them. Malformed as with ``parts``."""
    whole = hashlib.sha256()
    for part, content in parts(content_type, pieces):
        of_content = hashlib.sha256()
        for piece in content:
            of_content.update(piece)
        # Digests, which are of one length: where one text ends and the next begins is no question.
        whole.update(hashlib.sha256(part.name.encode()).digest())
        whole.update(_NO_FILE if part.file_name is None else hashlib.sha256(part.file_name.encode()).digest())
        whole.update(of_content.digest())
    return whole.digest()


def _pieces_of_parts(content_type: str, pieces: Iterable[bytes]) -> Iterator[tuple[Part, bytes]]:
    """Each part first with nothing, then with what it holds, piece by piece."""
    reader = _Reader(content_type)
    for piece in pieces:
        yield from reader.read(piece)
        if reader.complete:
            # What follows belongs to nobody.
            return
    raise Malformed("ends before its last part does")


class _Reader:
    def __init__(self, content_type: str) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise Malformed("needs a boundary in its Content-Type")
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._add_to_name,
            "on_header_value": self._add_to_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._add_data,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError:
            raise Malformed("has too long a boundary") from None
        self.complete = False
        self._count = self._bytes = 0
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._part: Part | None = None
        self._read: list[tuple[Part, bytes]] = []

    def read(self, piece: bytes) -> list[tuple[Part, bytes]]:
        """What the next piece of the body has of its parts."""
        self._read = []
        try:
            self._parser.write(piece)
        except FormParserError:
            raise Malformed("is not multipart with its boundary") from None
        self._bytes += len(piece)
        if not self._count and self._bytes > _FIRST_WITHIN:
            # Empty lines before the first part are taken one character at a time.
            raise Malformed("does not begin with its boundary")
        return self._read

    def _begin(self) -> None:
        self._count += 1
        if self._count > MOST_PARTS:
            raise Malformed(f"has more than {MOST_PARTS} parts")
        self._headers = {}

    def _add_to_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        name = self._name.lower()
        if name in self._headers:
            raise Malformed("has a part with a header twice")
        self._headers[name] = self._value
        self._name = self._value = b""

    def _end_headers(self) -> None:
        _, told = parse_options_header(self._headers.get(b"content-disposition"))
        if self._headers.get(b"content-transfer-encoding", b"").strip().lower() not in _AS_IT_IS:
            raise Malformed("has a part with a Content-Transfer-Encoding: send it as it is")
        if b"name" not in told:
            raise Malformed("has a part without a name in its Content-Disposition")
        file_name = told.get(b"filename")
        self._part = Part(_text(told[b"name"]), None if file_name is None else _text(file_name))
        self._read.append((self._part, b""))

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._part is not None:
            self._read.append((self._part, data[start:end]))

    def _end(self) -> None:
        self.complete = True


def _text(sent: bytes) -> str:
    try:
        return sent.decode()
    except UnicodeDecodeError:
        raise Malformed("has a part whose name is not UTF-8") from None

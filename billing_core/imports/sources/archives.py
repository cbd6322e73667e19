"""What is packed in a file: each file of an archive, each sheet of a workbook, is an upload of its own."""

import gzip
import posixpath
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from billing_core.errors import Invalid
from billing_core.imports.sources import unpacking
from billing_core.imports.sources.forms import form_of
from billing_core.imports.sources.layout import Form
from billing_core.imports.sources.limits import MOST_MEMBERS


@dataclass(frozen=True, slots=True)
class Content:
    """A file that may be in an archive: its name, and its bytes."""

    file_name: str
    stream: BinaryIO


@contextmanager
def contents(file_name: str, stream: BinaryIO) -> Iterator[Iterator[Content]]:
    """The file itself, or what is packed in it, one after the other: each is read before the next is asked for."""
    form = _form(stream)
    if form is Form.GZIP:
        stream.seek(0)
        # By what it has shrunk to so far: what was made to fill a disk is found out at its beginning.
        with unpacking.metered(cast("BinaryIO", gzip.GzipFile(fileobj=stream)), stream.tell) as unpacked:
            yield iter([Content(_without_ending(file_name), unpacked)])
    elif form is Form.ZIP:
        with zipfile.ZipFile(stream) as archive:
            yield _members(archive)
    else:
        if stream.seekable():
            stream.seek(0)
        yield iter([Content(file_name, stream)])


def _form(stream: BinaryIO) -> Form:
    """What cannot be read is told when it is read, and what comes but once is not looked into."""
    if not stream.seekable():
        return Form.TEXT
    try:
        return form_of(stream)
    except Invalid:
        return Form.TEXT


def members(stream: BinaryIO) -> list[str]:
    """The files in a ZIP archive; empty for any other file."""
    if _form(stream) is not Form.ZIP:
        return []
    with zipfile.ZipFile(stream) as archive:
        return [posixpath.basename(info.filename) for info in _files(archive)]


def _members(archive: zipfile.ZipFile) -> Iterator[Content]:
    for info in _files(archive):
        with unpacking.opened(archive, info.filename) as unpacked:
            yield Content(posixpath.basename(info.filename), unpacked)


def _files(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    found = [
        info
        for info in archive.infolist()
        if not info.is_dir() and not info.filename.startswith("__MACOSX/") and not _base(info).startswith(".")
    ]
    if not found:
        raise Invalid("The ZIP file holds no files.")
    if len(found) > MOST_MEMBERS:
        raise Invalid(f"The ZIP file holds {len(found):,} files; at most {MOST_MEMBERS} are taken at once.")
    unpacking.refuse_large(sum(info.file_size for info in found), sum(info.compress_size for info in found))
    return found


def _base(info: zipfile.ZipInfo) -> str:
    return posixpath.basename(info.filename)


def _without_ending(file_name: str) -> str:
    return file_name[:-3] if file_name.lower().endswith(".gz") else file_name

"""Files in the database, in parts of about a megabyte: written and read one part at a time, never whole in memory.

Each part is a short transaction of its own. One for all would hold up every other writer of SQLite for as long as a
file takes.
"""

import hashlib
import io
import itertools
from collections.abc import Collection, Iterator
from typing import BinaryIO, Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.database.upserts import insert_into
from billing_core.imports.models import Holds, ImportFilePart

PART_BYTES: Final = 1_048_576
# What nobody needs of a file that is imported; the rows that were left out are still to be repaired.
IMPORTED: Final = (Holds.RECEIVED, Holds.GONE)
# Deleted in one transaction, which takes SQLite some milliseconds.
_DELETED_TOGETHER: Final = 32


def store(sessions: Sessions, file_id: int, holds: Holds, content: BinaryIO) -> int:
    """Write all that the stream has left, and return its size in bytes. Replaces what a former attempt has written.

    Every part but the last is full, so that a place in the file tells its part.
    """
    number = size = 0
    while part := content.read(PART_BYTES):
        with sessions.begin() as session:
            _put(session, file_id, holds, number, part)
        number, size = number + 1, size + len(part)
    _delete(sessions, file_id, holds, first=number)
    return size


def add(session: Session, file_id: int, holds: Holds, content: BinaryIO) -> None:
    """Write all of the stream, of which the file has nothing yet, together with what else the transaction writes."""
    content.seek(0)
    for number, part in enumerate(iter(lambda: content.read(PART_BYTES), b"")):
        _put(session, file_id, holds, number, part)


def _put(session: Session, file_id: int, holds: Holds, number: int, part: bytes) -> None:
    row = insert_into(session, ImportFilePart).values(file_id=file_id, holds=holds, number=number, content=part)
    key = (ImportFilePart.file_id, ImportFilePart.holds, ImportFilePart.number)
    session.execute(row.on_conflict_do_update(index_elements=key, set_={"content": row.excluded.content}))


def remove(sessions: Sessions, file_id: int, whose: Collection[Holds] = tuple(Holds)) -> None:
    """Delete the parts of the file that hold one of these, otherwise all."""
    for holds in whose:
        _delete(sessions, file_id, holds)


def _delete(sessions: Sessions, file_id: int, holds: Holds, *, first: int = 0) -> None:
    part = ImportFilePart
    of_file = (part.file_id == file_id, part.holds == holds)
    with sessions() as session:
        last = session.scalar(select(func.max(part.number)).where(*of_file))
    for start in range(first, -1 if last is None else last + 1, _DELETED_TOGETHER):
        together = (part.number >= start, part.number < start + _DELETED_TOGETHER)
        with sessions.begin() as session:
            session.execute(delete(part).where(*of_file, *together))


def read(sessions: Sessions, file_id: int, holds: Holds) -> Iterator[bytes]:
    """As ``chunks``, each in a transaction of its own."""
    for number in itertools.count():
        with sessions() as session:
            content = _part(session, file_id, holds, number)
        if content is None:
            return
        yield content


def chunks(session: Session, file_id: int, holds: Holds) -> Iterator[bytes]:
    """The file from its beginning, to be sent."""
    number = 0
    while (content := _part(session, file_id, holds, number)) is not None:
        yield content
        number += 1


class Stored(io.RawIOBase):
    """A received file of ``size`` bytes as a seekable stream; it holds one part in memory.

    Its reads are transactions of their own: whoever reads a file for long holds none open meanwhile.
    """

    def __init__(self, sessions: Sessions, file_id: int, size: int) -> None:
        super().__init__()
        self._sessions, self._file_id, self._size = sessions, file_id, size
        self._place = 0
        self._number, self._content = -1, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        number, within = divmod(self._place, PART_BYTES)
        if self._place >= self._size:
            return 0
        if number != self._number:
            with self._sessions() as session:
                content = _part(session, self._file_id, Holds.RECEIVED, number)
            if content is None:
                raise FileNotFoundError("A part of the file is no longer there")
            self._number, self._content = number, content
        piece = self._content[within : within + len(buffer)]
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)


def opened(sessions: Sessions, file_id: int, size: int) -> BinaryIO:
    """A received file, buffered as an opened one would be."""
    return io.BufferedReader(Stored(sessions, file_id, size))


def _part(session: Session, file_id: int, holds: Holds, number: int) -> bytes | None:
    part = ImportFilePart
    return session.scalar(
        select(part.content).where(part.file_id == file_id, part.holds == holds, part.number == number)
    )


def checksum(stream: BinaryIO) -> str:
    """Of all that a seekable stream holds."""
    digest = hashlib.sha256()
    stream.seek(0)
    while chunk := stream.read(PART_BYTES):
        digest.update(chunk)
    return digest.hexdigest()

"""Members of archives and workbooks, piece by piece, and no more of them than the limits allow."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, cast

from billing_core.errors import Invalid
from billing_core.imports.sources.limits import ANY_RATIO, MOST_SHRUNK, MOST_UNPACKED

_PIECE: Final = 262_144
_FAULTS: Final = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, RuntimeError)
_DAMAGED: Final = "The file is damaged or not whole. Get it again."


def pieces(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """The member's content. Invalid where it is damaged, protected, or unpacks to more than a table does."""
    with opened(archive, name) as member:
        while piece := member.read(_PIECE):
            yield piece


def whole(archive: zipfile.ZipFile, name: str, *, most: int) -> bytes:
    """A small member; Invalid where it is not small."""
    with opened(archive, name) as member:
        content = member.read(most + 1)
    if len(content) > most:
        raise Invalid(
            f"The workbook's part {name} is larger than {most // 1_048_576:,} MB: no usual workbook has that."
        )
    return content


def opened(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    """The member as a seekable stream that keeps to the limits."""
    try:
        info = archive.getinfo(name)
        if info.flag_bits & 1:
            raise Invalid("The file is protected by a password. Save it without one and try again.")
        refuse_large(info.file_size, info.compress_size)
        # It says itself how large it is, and ends there: more is damage.
        return metered(cast("BinaryIO", archive.open(info)), lambda: info.compress_size)
    except KeyError:
        raise Invalid(f"The file is damaged: its part {name} is not there.") from None
    except _FAULTS:
        raise Invalid(_DAMAGED) from None


def metered(stream: BinaryIO, packed: Callable[[], int]) -> BinaryIO:
    """What a packed stream unpacks to, within the limits. ``packed``: how many bytes of it have been read, or all."""
    return io.BufferedReader(_Metered(stream, packed), _PIECE)


def refuse_large(size: int, packed: int) -> None:
    """Invalid where so many bytes may not come of so many."""
    most = min(MOST_UNPACKED, max(ANY_RATIO, packed * MOST_SHRUNK))
    if size > most:
        raise Invalid(
            f"Unpacked, the file is larger than {most // 1_048_576:,} MB: no usual table shrinks as far. "
            "Send it in several files."
        )


class _Metered(io.RawIOBase):
    """A packed stream as it is read. Says in words what is wrong with it."""

    def __init__(self, stream: BinaryIO, packed: Callable[[], int]) -> None:
        super().__init__()
        self._stream, self._packed = stream, packed

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._stream.close()
        super().close()

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """To the end by reading all of it: only so do the limits hold."""
        if whence == io.SEEK_END:
            while self.read(_PIECE):
                pass
        try:
            return self._stream.seek(offset, whence if whence != io.SEEK_END else io.SEEK_CUR)
        except _FAULTS:
            raise Invalid(_DAMAGED) from None

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            piece = self._stream.read(len(buffer))
        except EOFError:
            raise Invalid("The file ends before it is whole: it was cut off. Get it again.") from None
        except _FAULTS:
            raise Invalid(_DAMAGED) from None
        refuse_large(self._stream.tell(), self._packed())
        buffer[: len(piece)] = piece
        return len(piece)

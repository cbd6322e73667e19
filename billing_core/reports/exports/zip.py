"""Several files as one ZIP, without ever holding one of them whole."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo


class _Outlet:
    """Receives what the archive writes, to be taken in pieces; like a pipe, it cannot seek."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing is buffered here: ``taken`` returns it all."""

    def taken(self) -> bytes:
        waiting = b"".join(self._pieces)
        self._pieces.clear()
        return waiting


def zipped(files: Iterable[tuple[str, datetime, Iterator[bytes]]], *, zip64: bool = True) -> Iterator[bytes]:
    """Packs (name, time, chunks) of each file, in order. Without ``zip64`` no file may exceed two gigabytes."""
    outlet = _Outlet()
    with ZipFile(outlet, "w", ZIP_DEFLATED) as archive:  # type: ignore[call-overload]  # it writes and flushes, no more
        for name, moment, chunks in files:
            entry = ZipInfo(name, moment.timetuple()[:6])
            entry.compress_type = ZIP_DEFLATED
            # Its size is not known before it is written.
            with archive.open(entry, "w", force_zip64=zip64) as packed:
                for chunk in chunks:
                    packed.write(chunk)
                    if ready := outlet.taken():
                        yield ready
    yield outlet.taken()

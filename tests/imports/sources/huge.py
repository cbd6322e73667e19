"""``python -m tests.imports.sources.huge 64``: files made to fill memory, each of so many megabytes and never whole in
memory, read in a process of its own. Prints of each, as JSON: what was said of it, seconds, and megabytes that the
process grew by.
"""

import gzip
import io
import json
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import BinaryIO

from billing_core.errors import Invalid
from billing_core.imports import sources
from tests.imports.sources.workbooks import ods, xlsx

MEGABYTE = 1_048_576
HEADER = b"order_number,sku,quantity\n"
GOOD = xlsx({"Sheet1": [["order_number", "sku", "quantity"], ["O1", "A", 3], ["O2", "B", 4.5]]})
GOOD_ODS = ods("<table:table-cell><text:p>HERE</text:p></table:table-cell>")
REMARKED = ods("<table:table-cell><!--HERE--><text:p>x</text:p></table:table-cell>")
SHEET, SHARED, STYLES = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml"


class Generated(io.RawIOBase):
    """``start``, then ``piece`` again and again for ``size`` bytes, then ``end``."""

    def __init__(self, start: bytes, piece: bytes, size: int, end: bytes = b"") -> None:
        super().__init__()
        self._start, self._end = start, end
        self._pieces = piece * max(1, MEGABYTE // len(piece))
        self._until = len(start) + size // len(piece) * len(piece)
        self._size = self._until + len(end)
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._place < len(self._start):
            piece = self._start[self._place :]
        elif self._place < self._until:
            within = (self._place - len(self._start)) % len(self._pieces)
            piece = self._pieces[within : within + self._until - self._place]
        else:
            piece = self._end[self._place - self._until :]
        piece = piece[: len(buffer)]
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)


def text(start: bytes, piece: bytes, end: bytes = b"") -> Callable[[int], BinaryIO]:
    return lambda size: io.BufferedReader(Generated(start, piece, size, end))


def packed(piece: bytes) -> Callable[[int], BinaryIO]:
    """A gzip that unpacks to so much."""
    member = gzip.compress(piece * (MEGABYTE // len(piece)))
    return lambda size: io.BufferedReader(Generated(b"", member, size // MEGABYTE * len(member)))


def workbook(book: bytes, part: str, before: str, piece: str, after: str = "") -> Callable[[int], BinaryIO]:
    """One of whose parts has the piece again and again, after the first occurrence of ``before``. It is not compressed,
    as what shrinks far is refused for that alone.
    """

    def made(size: int) -> BinaryIO:
        target = tempfile.TemporaryFile()  # noqa: SIM115  whoever reads it closes it
        with zipfile.ZipFile(io.BytesIO(book)) as source, zipfile.ZipFile(target, "w") as copy:
            for name in source.namelist():
                content = source.read(name)
                with copy.open(name, "w", force_zip64=True) as written:
                    if name == part:
                        place = content.index(before.encode()) + len(before)
                        written.write(content[:place])
                        for _ in range(size // MEGABYTE):
                            written.write(piece.encode() * (MEGABYTE // len(piece)))
                        written.write(after.encode() + content[place:])
                    else:
                        written.write(content)
        return target

    return made


TOO_LONG = "longer than 131,072 characters"
CASES: dict[str, tuple[Callable[[int], BinaryIO], str]] = {
    "a cell in quotes": (text(HEADER + b'O1,"', b"x", b'",1\n'), f"Line 2, column “sku”: the cell is {TOO_LONG}"),
    "a quote left open": (text(HEADER + b'O1,"', b"O2,B,2\n"), f"Line 2, column “sku”: the cell is {TOO_LONG}"),
    "a cell without quotes": (text(HEADER + b"O1,A,", b"x"), f"Line 2, column “quantity”: the cell is {TOO_LONG}"),
    "a line without separator": (text(b"", b"x"), TOO_LONG),
    "a name of a column": (text(b"sku,", b"x", b"\nA,1\n"), TOO_LONG),
    "columns": (text(b"", b"a,", b"\n1,2\n"), "Line 1 is longer than 2,000,000 characters: no table is as wide"),
    "columns in a row": (text(HEADER, b"a,", b"\n"), "Line 2 is longer than 2,000,000 characters: no table is as wide"),
    "a line of UTF-16": (text(b"\xff\xfe", b"x\0"), TOO_LONG),
    "a line of other letters": (text(b"", b"\xe9\xe8 "), TOO_LONG),
    "blank rows": (text(b"", b",,\n"), "The first 10,000 lines of the file are blank"),
    "blank lines": (text(b"", b"\n"), "The first 10,000 lines of the file are blank"),
    "zeros": (text(b"", b"\0"), "it contains binary data"),
    "a gzip of zeros": (packed(b"\0"), "it contains binary data"),
    "a gzip of a line": (packed(b"O1,A,1\n" * 8), "Unpacked, the file is larger than 32 MB"),
    "a text of a workbook": (workbook(GOOD, SHEET, "<sheetData>", "x"), "is longer than any usual one"),
    "a shared text": (workbook(GOOD, SHARED, "<t>O1", "x"), TOO_LONG),
    "cells of a workbook's row": (
        workbook(GOOD, SHEET, '<row r="2" spans="1:3">', '<c r="A2"/>'),
        "Row 2 of the sheet is longer than any usual one",
    ),
    "cells without a place": (
        workbook(GOOD, SHEET, '<row r="2" spans="1:3">', "<c/>"),
        "Row 2 of the sheet is longer than any usual one",
    ),
    "looks": (workbook(GOOD, STYLES, "<cellXfs", "<xf/>"), "is larger than 16 MB: no usual workbook has that"),
    "a paragraph": (workbook(GOOD_ODS, "content.xml", "HERE", "x"), TOO_LONG),
    "paragraphs": (workbook(GOOD_ODS, "content.xml", "HERE</text:p>", "<text:p/>"), TOO_LONG),
    "blanks": (workbook(GOOD_ODS, "content.xml", "HERE", '<text:s text:c="999"/>'), TOO_LONG),
    "a tag": (workbook(GOOD_ODS, "content.xml", "<table:table-cell", " "), "a part that is longer than any usual one"),
    "a remark": (workbook(REMARKED, "content.xml", "HERE", "> "), "a part that is longer than any usual one"),
    "sheets": (
        workbook(GOOD_ODS, "content.xml", "<office:spreadsheet>", '<table:table table:name="x"/>'),
        "more than 1,000 sheets",
    ),
}


def read(stream: BinaryIO) -> str:
    """What is said of the file; empty where it is read to its end."""
    try:
        with sources.contents("export", stream) as found:
            for one in found:
                layout = sources.read_layout(one.stream)
                for _batch in sources.batches(one.stream, layout):
                    pass
    except Invalid as refusal:
        return str(refusal)
    return ""


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


def results(megabytes: int) -> Iterator[dict[str, object]]:
    for warm in (HEADER + b"O1,A,1\n", GOOD, GOOD_ODS):
        read(io.BytesIO(warm))
    for name, (make, _) in CASES.items():
        with make(megabytes * MEGABYTE) as stream:
            idle, began = peak_mb(), time.process_time()
            said = read(stream)
            yield {"name": name, "said": said, "seconds": time.process_time() - began, "mb": peak_mb() - idle}


if __name__ == "__main__":
    for result in results(int(sys.argv[1])):
        sys.stdout.write(f"{json.dumps(result)}\n")

"""Sheets of OpenDocument, row by row, in bounded memory."""

import re
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import BinaryIO, Final

from billing_core.errors import Invalid
from billing_core.imports.sources import markup, unpacking
from billing_core.imports.sources.cell_texts import NumberCell, duration, number
from billing_core.imports.sources.layout import Notes
from billing_core.imports.sources.limits import MOST_COLUMNS, MOST_SHEETS
from billing_core.imports.sources.shared_texts import within_length, within_limit

# As many as a sheet of LibreOffice or Excel can have; how often a row is repeated is a mere figure in the file.
_MOST_ROWS: Final = 1_048_576
_TIME: Final = re.compile(r"(-?)PT(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})(?:[.,]([0-9]{1,9}))?S)?")
NumberedRow = tuple[int, list[str]]


class Workbook:
    """Open while its stream is."""

    def __init__(self, stream: BinaryIO) -> None:
        try:
            self._archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            raise Invalid(markup.DAMAGED) from None
        if "META-INF/manifest.xml" in self._archive.namelist():
            manifest = unpacking.whole(self._archive, "META-INF/manifest.xml", most=1_048_576)
            if b"encryption-data" in manifest:
                raise Invalid("The workbook is protected by a password. Save it without one and try again.")
        self._sheets: list[str] | None = None

    @property
    def sheets(self) -> list[str]:
        if self._sheets is None:
            content = _Content(None, Notes())
            for _row in content.rows(unpacking.pieces(self._archive, "content.xml")):
                pass
            self._sheets = content.sheets
        return self._sheets

    def rows(self, sheet: str, notes: Notes) -> Iterator[NumberedRow]:
        """The rows with cells, each with its number."""
        if sheet not in self.sheets:
            raise Invalid(f"The workbook has no sheet “{sheet}”. Its sheets are: {', '.join(self.sheets)}.")
        return _Content(sheet, notes).rows(unpacking.pieces(self._archive, "content.xml"))

    def close(self) -> None:
        self._archive.close()


class _Content:
    """The part that holds all sheets; rows of one of them are kept, until they are handed on."""

    def __init__(self, wanted: str | None, notes: Notes) -> None:
        self._wanted, self._notes = wanted, notes
        self.sheets: list[str] = []
        self._inside = False
        self._line = 0
        self._times = 1
        self._row: list[str] = []
        self._blanks = 0
        self._cell: markup.Attributes | None = None
        self._paragraphs: list[str] = []
        self._length = 0
        self._unseen = 0
        self._ready: list[tuple[int, int, list[str]]] = []

    def rows(self, pieces: Iterator[bytes]) -> Iterator[NumberedRow]:
        parser = markup.parser(self._start, self._end, self._text)
        for _ in markup.fed(parser, pieces):
            yield from self._handed_on()

    def _handed_on(self) -> Iterator[NumberedRow]:
        ready, self._ready = self._ready, []
        for line, times, row in ready:
            if line + times > _MOST_ROWS + 1:
                raise Invalid(f"The sheet has more than {_MOST_ROWS:,} rows.")
            for again in range(times):
                yield line + again, list(row)

    def _start(self, name: str, attributes: markup.Attributes) -> None:
        if name == "table" and "table:name" in attributes:
            if len(self.sheets) == MOST_SHEETS:
                raise Invalid(f"The workbook has more than {MOST_SHEETS:,} sheets.")
            self.sheets.append(attributes["table:name"])
            self._inside = self.sheets[-1] == self._wanted and self.sheets.count(self._wanted) == 1
            self._line = 0
        elif not self._inside:
            return
        elif name == "table-row":
            self._row, self._blanks, self._times = [], 0, _times(attributes, "table:number-rows-repeated")
        elif name in ("table-cell", "covered-table-cell"):
            self._cell, self._paragraphs, self._length = attributes, [], 0
        elif self._cell is not None:
            self._in_cell(name, attributes)

    def _in_cell(self, name: str, attributes: markup.Attributes) -> None:
        if name == "annotation":
            self._unseen += 1
        elif self._unseen:
            return
        elif name == "p":
            self._longer_by(1)
            self._paragraphs.append("")
        elif name in ("s", "tab", "line-break") and self._paragraphs:
            signs = {"s": " " * min(_times(attributes, "text:c"), 1_000), "tab": "\t", "line-break": "\n"}
            self._longer_by(len(signs[name]))
            self._paragraphs[-1] += signs[name]

    def _text(self, piece: str) -> None:
        if self._cell is not None and self._paragraphs and not self._unseen:
            self._longer_by(len(piece))
            self._paragraphs[-1] += piece

    def _longer_by(self, characters: int) -> None:
        """Invalid where the cell is longer than any may be; each paragraph ends with a line break."""
        self._length += characters
        within_length(self._length - 1)

    def _end(self, name: str) -> None:
        if name == "table":
            self._inside = False
        elif not self._inside:
            return
        elif name == "annotation":
            self._unseen -= 1
        elif name in ("table-cell", "covered-table-cell") and self._cell is not None:
            self._keep(self._value(self._cell), _times(self._cell, "table:number-columns-repeated"))
            self._cell = None
        elif name == "table-row":
            if self._row:
                self._ready.append((self._line + 1, self._times, self._row))
            self._line += self._times

    def _keep(self, value: str, times: int) -> None:
        """Blank cells are counted, and kept once another follows: a row ends with thousands of them."""
        if not value:
            self._blanks += times
            return
        if len(self._row) + self._blanks + times > MOST_COLUMNS:
            raise Invalid(f"The sheet has more than {MOST_COLUMNS:,} columns.")
        self._row += [""] * self._blanks + [value] * times
        self._blanks = 0

    def _value(self, cell: markup.Attributes) -> str:
        kind = cell.get("office:value-type", "")
        if cell.get("calcext:value-type") == "error":
            self._notes.no_value("an error such as #REF!", f"in row {self._line + 1}")
            return ""
        if kind in ("float", "currency"):
            return number(cell.get("office:value", ""))
        if kind == "percentage":
            return NumberCell(f"{_percent(cell.get('office:value', ''))}%")
        if kind == "date":
            return cell.get("office:date-value", "").replace("T", " ").removesuffix(" 00:00:00")
        if kind == "time":
            return _time(cell.get("office:time-value", ""))
        if kind == "boolean":
            return cell.get("office:boolean-value", "").upper()
        text = cell.get("office:string-value") or "\n".join(self._paragraphs)
        if "table:formula" in cell and not kind:
            self._notes.no_value("a formula without its result", f"in row {self._line + 1}")
        return within_limit(text)


def _times(attributes: markup.Attributes, name: str) -> int:
    written = attributes.get(name, "1")
    return int(written) if written.isdecimal() and len(written) < 9 else 1


def _percent(value: str) -> str:
    try:
        return number(str(Decimal(value) * 100))
    except InvalidOperation:
        return value


def _time(written: str) -> str:
    """``PT10H30M00S`` as ``10:30:00``."""
    match = _TIME.fullmatch(written)
    if match is None:
        return written
    sign, hours, minutes, seconds, fraction = match.groups(default="0")
    value = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(f"{seconds}.{fraction}"))
    return f"{'-' if sign == '-' else ''}{duration(value)}"

"""Excel workbooks as they come from any program: rows of a sheet as texts, one after the other, in bounded memory.

Most cells are written alike: a pattern reads them, many times as fast as a parser. Each row that has another cell is
read by a parser. Formulas have the value that was last computed; nothing outside of the file is looked at.
"""

import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from billing_core.errors import Invalid
from billing_core.imports.sources import markup, unpacking
from billing_core.imports.sources.cell_texts import Look, look_of, written
from billing_core.imports.sources.layout import Notes
from billing_core.imports.sources.limits import MOST_COLUMNS, MOST_SHEETS
from billing_core.imports.sources.shared_texts import SharedTexts, shown, within_limit, within_text

_SMALL_PART: Final = 16_777_216
# Of a row as it is written in XML.
_LONGEST_ROW: Final = 16_777_216
_CELL: Final = re.compile(
    r'<c r="([A-Z]{1,3})[0-9]+"((?: [a-z]+="[^"<&]*")*+)(?:/>|>'
    r"(?:(<f)[^<>]*(?:/>|>[^<]*</f>))?(?:<v(?:/>|>([^<]*)</v>)|<is><t(?: [^<>]*)?(?:/>|>([^<]*)</t>)</is>)?</c>)"
)
_ROW_NUMBER: Final = re.compile(r'\br="([0-9]{1,7})"')
_ATTRIBUTE: Final = re.compile(r'\b([a-z]+)="([^"]*)"')
_MOST_READERS: Final = 10_000
_ERRORS: Final = "an error such as #REF!"
_NO_RESULT: Final = "a formula without its result"
NumberedRow = tuple[int, list[str]]


class Workbook:
    """Open while its stream is. ``sheets``: the names of those that can be seen, in order."""

    def __init__(self, stream: BinaryIO) -> None:
        try:
            self._archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            raise Invalid(markup.DAMAGED) from None
        self._path = self._main_part()
        targets = self._relations(self._path)
        self._parts: dict[str, str] = {}
        self.sheets: list[str] = []
        self._from_1904 = False
        for _around, name, attributes in self._elements(self._path):
            if name == "workbookPr":
                self._from_1904 = attributes.get("date1904") in ("1", "true")
            elif name == "sheet":
                kind, target = targets.get(attributes.get("id", ""), ("", ""))
                if len(self._parts) == MOST_SHEETS:
                    raise Invalid(f"The workbook has more than {MOST_SHEETS:,} sheets.")
                if kind == "worksheet":
                    self._parts[attributes.get("name", "")] = target
                    if attributes.get("state", "visible") == "visible":
                        self.sheets.append(attributes.get("name", ""))
        shared = next((target for kind, target in targets.values() if kind == "sharedStrings"), None)
        styles = next((target for kind, target in targets.values() if kind == "styles"), None)
        self._looks = self._read_looks(styles) if styles else []
        self._shared = SharedTexts(unpacking.pieces(self._archive, shared) if shared else iter(()))

    def rows(self, sheet: str, notes: Notes) -> Iterator[NumberedRow]:
        """The rows with cells, each with its number. Invalid where there is no such sheet."""
        if sheet not in self._parts:
            raise Invalid(f"The workbook has no sheet “{sheet}”. Its sheets are: {', '.join(self.sheets)}.")
        cells = _Cells(self._shared, self._looks, self._from_1904, notes)
        return cells.rows(markup.usual(unpacking.pieces(self._archive, self._parts[sheet])))

    def close(self) -> None:
        self._shared.close()
        self._archive.close()

    def _main_part(self) -> str:
        kinds = self._relations("")
        found = next((target for kind, target in kinds.values() if kind == "officeDocument"), "xl/workbook.xml")
        if found not in self._archive.namelist():
            raise Invalid("This is no workbook, or it is damaged. Save the table as an Excel workbook or as CSV.")
        return found

    def _relations(self, part: str) -> dict[str, tuple[str, str]]:
        """What a part refers to within the file: by id its kind and path."""
        folder, name = posixpath.split(part)
        path = posixpath.join(folder, "_rels", f"{name}.rels")
        if path not in self._archive.namelist():
            return {}
        return {
            attributes.get("Id", ""): (
                posixpath.basename(attributes.get("Type", "")),
                posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", ""))).lstrip("/"),
            )
            for _around, name, attributes in self._elements(path)
            if name == "Relationship" and attributes.get("TargetMode") != "External"
        }

    def _elements(self, part: str) -> list[tuple[str, str, markup.Attributes]]:
        return markup.elements(unpacking.whole(self._archive, part, most=_SMALL_PART))

    def _read_looks(self, part: str) -> list[Look]:
        """What the numbers of each style are, by the style's number."""
        found = self._elements(part)
        codes = {
            attributes.get("numFmtId"): attributes.get("formatCode", "")
            for around, name, attributes in found
            if (around, name) == ("numFmts", "numFmt")
        }
        formats = [
            attributes.get("numFmtId", "0") for around, name, attributes in found if (around, name) == ("cellXfs", "xf")
        ]
        return [look_of(int(number) if number.isdecimal() else 0, codes.get(number)) for number in formats]


def _too_wide() -> Invalid:
    return Invalid(f"The sheet has more than {MOST_COLUMNS:,} columns.")


class _Places(dict[str, int]):
    """A column's letters -> its place from 0."""

    def __missing__(self, letters: str) -> int:
        place = 0
        for letter in letters:
            place = place * 26 + ord(letter) - 64
        if place > MOST_COLUMNS:
            raise _too_wide()
        self[letters] = place - 1
        return place - 1


_PLACES: Final = _Places()


class _Readers(dict[str, Callable[[str], str]]):
    """The attributes of a cell as they are written -> what makes a text of its value."""

    def __init__(self, cells: "_Cells") -> None:
        super().__init__()
        self._cells = cells

    def __missing__(self, written_attributes: str) -> Callable[[str], str]:
        if len(self) > _MOST_READERS:
            self.clear()
        attributes = dict(_ATTRIBUTE.findall(written_attributes))
        self[written_attributes] = reader = self._cells.reader(attributes.get("t", "n"), attributes.get("s", "0"))
        return reader


class _Cells:
    """Cells of one sheet to texts."""

    def __init__(self, shared: SharedTexts, looks: list[Look], from_1904: bool, notes: Notes) -> None:
        self._shared, self._looks, self._from_1904, self._notes = shared, looks, from_1904, notes
        self._readers = _Readers(self)
        self._line = 0

    def reader(self, kind: str, style: str) -> Callable[[str], str]:
        """What makes a text of the value of a cell of this type and style."""
        if kind == "s":
            return self._shared_text
        if kind == "e":
            return self._error
        if kind in ("str", "inlineStr"):
            return lambda value: within_limit(shown(value))
        if kind == "b":
            return lambda value: "TRUE" if value == "1" else "FALSE"
        if kind == "d":
            return lambda value: value.replace("T", " ").removesuffix(" 00:00:00").removesuffix(" 00:00:00.000")
        number = int(style) if style.isdecimal() else 0
        look = self._looks[number] if number < len(self._looks) else Look.NUMBER
        if look is Look.NUMBER:
            return lambda value: value if len(value) < 16 and value.isdecimal() else written(value, look, False)
        return lambda value: written(value, look, self._from_1904)

    def _shared_text(self, value: str) -> str:
        try:
            return self._shared[int(value)]
        except ValueError:
            raise Invalid(markup.DAMAGED) from None

    def _error(self, _value: str) -> str:
        self._notes.no_value(_ERRORS, f"in row {self._line}")
        return ""

    def rows(self, pieces: Iterator[bytes]) -> Iterator[NumberedRow]:
        """Those that have cells. ``pieces`` are the part of the sheet."""
        rest = b""
        for piece in pieces:
            *whole, rest = (rest + piece).split(b"</row>")
            if len(rest) > _LONGEST_ROW:
                raise Invalid(f"Row {self._line + 1} of the sheet is longer than any usual one. Is a cell too long?")
            for part in whole:
                row = self._row(part.decode("utf-8", "replace"))
                if row:
                    yield self._line, row
            if b"</sheetData>" in rest:
                return

    def _row(self, part: str) -> list[str]:
        start = part.rfind("<row")
        opened = part.find(">", start)
        if start < 0 or opened < 0:
            raise Invalid(markup.DAMAGED)
        number = _ROW_NUMBER.search(part, start, opened)
        line = int(number[1]) if number else self._line + 1 + part.count("<row", 0, start)
        if line <= self._line:
            raise Invalid(markup.DAMAGED)
        self._line = line
        cells = part.count("<c ", opened) + part.count("<c>", opened)
        if cells > MOST_COLUMNS:
            raise _too_wide()
        found = _CELL.findall(part, opened)
        if len(found) != cells:
            return self._parsed(part[start:])
        row: list[str] = []
        readers = self._readers
        for letters, attributes, formula, value, text in found:
            place = _PLACES[letters]
            if len(row) != place:
                row.extend(_blanks(place - len(row)))
            if value or text:
                row.append(readers[attributes](value or text))
            else:
                row.append("")
                if formula:
                    self._notes.no_value(_NO_RESULT, f"in row {self._line}")
        return row

    def _parsed(self, part: str) -> list[str]:
        """A row that has a cell which the pattern does not know."""
        return _ParsedRow(self).read(part)

    def value(self, attributes: markup.Attributes, value: str, *, formula: bool) -> str:
        """The text of a parsed cell."""
        kind = attributes.get("t", "n")
        if not value:
            if formula:
                self._notes.no_value(_NO_RESULT, f"in row {self._line}")
            return ""
        read = self.reader(kind, attributes.get("s", "0"))
        return value if kind in ("str", "inlineStr") else read(value)


def _blanks(missing: int) -> list[str]:
    """The cells that a row leaves out. Two of one column would move those after them."""
    if missing < 0:
        raise Invalid(markup.DAMAGED)
    return [""] * missing


class _ParsedRow:
    """One row by a parser."""

    def __init__(self, cells: _Cells) -> None:
        self._cells = cells
        self._row: list[str] = []
        self._within: list[str] = []
        self._attributes: markup.Attributes = {}
        self._formula = False
        self._value: list[str] = []

    def read(self, part: str) -> list[str]:
        made = markup.parser(self._start, self._end, self._text)
        markup.feed(made, f"{part}</row>", last=True)
        return self._row

    def _start(self, name: str, attributes: markup.Attributes) -> None:
        if name == "c" and self._within == ["row"]:
            self._attributes, self._formula, self._value = attributes, False, []
        elif name == "f" and self._within == ["row", "c"]:
            self._formula = True
        self._within.append(name)

    def _text(self, piece: str) -> None:
        if self._within == ["row", "c", "v"] or (self._within[2:3] == ["is"] and within_text(self._within)):
            self._value.append(piece)

    def _end(self, name: str) -> None:
        self._within.pop()
        if name != "c" or self._within != ["row"]:
            return
        letters = self._attributes.get("r", "").rstrip("0123456789")
        place = _PLACES[letters] if letters else len(self._row)
        if place >= MOST_COLUMNS:
            raise _too_wide()
        self._row.extend(_blanks(place - len(self._row)))
        value = "".join(self._value)
        self._row.append(self._cells.value(self._attributes, within_limit(value), formula=self._formula))

"""Tables of any length as sheets of a workbook: frozen headers, filters, numbers as numbers, text as text.

XlsxWriter writes the frame: styles, headers, filters, the summary. It takes many times as long for a cell as writing
the XML does, and must finish before the file can begin; so the rows are streamed into the frame.
"""

import enum
import io
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any
from zipfile import ZipFile

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from billing_core.money import Money, decimal_places
from billing_core.reports.exports.xlsx_rows import Around, Content, around_number, around_text, written
from billing_core.reports.exports.zip import zipped

# Excel's limit of rows in a sheet, less the header.
MOST_ROWS = 1_048_575
_LAST_ROW = re.compile(rb'<row r="[0-9]+"[^>]*>((?:<c [^>]*/>)*)</row>(?=</sheetData>)')
_STYLED = re.compile(rb'<c r="([A-Z]+)[0-9]+" s="([0-9]+)"/>')


class Kind(enum.Enum):
    TEXT = enum.auto()
    DAY = enum.auto()
    NUMBER = enum.auto()
    COUNT = enum.auto()
    AMOUNT = enum.auto()


# Title, width and kind of each.
Columns = Sequence[tuple[str, int, Kind]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """``count`` of ``rows``, for which the frame leaves room."""

    name: str
    columns: Columns
    count: int
    rows: Iterator[Sequence[Content]]


class Styles:
    """How each kind of value is formatted, and how to write one value by its type. ``currency`` sets the decimals of
    amounts; without one, amounts show two, and a third where they have it.
    """

    def __init__(self, book: Workbook, currency: str) -> None:
        self.title: Format = book.add_format({"bold": True, "font_size": 16})
        self.heading: Format = book.add_format({"bold": True, "bottom": 1, "bg_color": "#EEF2F6", "text_wrap": True})
        self.bold: Format = book.add_format({"bold": True})
        self.muted: Format = book.add_format({"font_color": "#5B6670"})
        amount = _amounts(currency)
        self.amount: Format = book.add_format({"num_format": amount})
        self.total: Format = book.add_format({"num_format": amount, "bold": True, "top": 1})
        self.number: Format = book.add_format({"num_format": "#,##0.######"})
        self.count: Format = book.add_format({"num_format": "#,##0"})
        self.day: Format = book.add_format({"num_format": "yyyy-mm-dd", "align": "left"})
        self.of = {
            Kind.TEXT: book.add_format({"align": "left"}),
            Kind.DAY: self.day,
            Kind.NUMBER: self.number,
            Kind.COUNT: self.count,
            Kind.AMOUNT: self.amount,
        }

    def cell(self, sheet: Worksheet, row: int, column: int, value: Any) -> None:
        match value:
            case Money():
                sheet.write_number(row, column, value.amount, self.amount)
            case Decimal():
                sheet.write_number(row, column, value, self.number)
            case int():
                sheet.write_number(row, column, value, self.count)
            case date():
                sheet.write_datetime(row, column, value, self.day)
            case _:
                # Written as text, whatever it begins with: it is never read as a formula, nor as XlsxWriter's XML.
                written_as = f" {value}" if str(value).startswith("<r>") else str(value)
                sheet.write_string(row, column, written_as)


Summary = Callable[[Worksheet, Styles], None]


def sheets(name: str, columns: Columns, count: int, rows: Iterator[Sequence[Content]]) -> Iterator[Sheet]:
    """One sheet, and further ones where Excel's row limit is reached. Each continues where the one before ended."""
    for number, start in enumerate(range(0, max(count, 1), MOST_ROWS), 1):
        here = min(count - start, MOST_ROWS)
        yield Sheet(name if number == 1 else f"{name} {number}", columns, here, islice(rows, MOST_ROWS))


def workbook(
    tables: Sequence[Sheet], *, title: str, made_at: datetime, currency: str = "", summary: Summary | None = None
) -> Iterator[bytes]:
    """The file in chunks, while its rows are read; ``summary`` writes a sheet before those of the tables."""
    with ZipFile(_frame(tables, title, made_at, currency, summary)) as frame:
        files = ((name, made_at, chunks) for name, chunks in _filled(frame, tables, 2 if summary else 1))
        # Not every spreadsheet program reads ZIP64, and a full sheet normally has less than a gigabyte.
        yield from zipped(files, zip64=False)


def _filled(frame: ZipFile, tables: Sequence[Sheet], first: int) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The frame's files with the rows in their place; ``first`` is the number of the first table's sheet."""
    of_file = {f"xl/worksheets/sheet{number}.xml": sheet for number, sheet in enumerate(tables, first)}
    for name in frame.namelist():
        content = frame.read(name)
        sheet = of_file.get(name)
        if sheet is None or not sheet.count:
            yield name, iter((content,))
            continue
        before, last_row, behind = _LAST_ROW.split(content)
        yield name, chain((before,), written(_around(sheet, last_row), sheet.rows, first=2), (behind,))


def _around(sheet: Sheet, last_row: bytes) -> list[Around]:
    """What stands around the cells of each column, with the styles that XlsxWriter gave to the cells of one row."""
    styled = [(column.decode(), style.decode()) for column, style in _STYLED.findall(last_row)]
    return [
        around_text(column, style) if kind is Kind.TEXT else around_number(column, style)
        for (column, style), (_, _, kind) in zip(styled, sheet.columns, strict=True)
    ]


def _frame(
    tables: Sequence[Sheet], title: str, made_at: datetime, currency: str, summary: Summary | None
) -> io.BytesIO:
    """The workbook without the rows of its tables."""
    content = io.BytesIO()
    with (
        tempfile.TemporaryDirectory(prefix="billing-workbook-") as folder,
        # Without constant memory, XlsxWriter would look at each row that is not there yet.
        Workbook(content, {"constant_memory": True, "tmpdir": folder}) as book,
    ):
        book.set_properties({"title": title, "created": made_at.replace(tzinfo=None)})
        styles = Styles(book, currency)
        if summary is not None:
            summary(book.add_worksheet("Summary"), styles)
        for sheet in tables:
            _table(book.add_worksheet(sheet.name), sheet, styles)
    return content


def _table(sheet: Worksheet, table: Sheet, styles: Styles) -> None:
    """A frozen header and filters. The last row's cells only carry styles, and are replaced by the rows."""
    for number, (title, width, _) in enumerate(table.columns):
        sheet.set_column(number, number, width)
        sheet.write_string(0, number, title, styles.heading)
    if table.count:
        for number, (_, _, kind) in enumerate(table.columns):
            sheet.write_blank(table.count, number, None, styles.of[kind])
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.autofilter(0, 0, max(table.count, 1), len(table.columns) - 1)


def _amounts(currency: str) -> str:
    if not currency:
        return "#,##0.00#"
    places = decimal_places(currency)
    return "#,##0" + (f".{'0' * places}" if places else "")

"""Reports as a workbook: summary, orders, charges, questions. Numbers are numbers, dates are dates, text is text.

XlsxWriter writes the frame: styles, headers, filters, the summary. It takes many times as long for a cell as the
cell's XML does, and must end before the file can begin; so the rows flow into the frame while it is sent.
"""

import enum
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal
from itertools import chain, islice
from typing import Any
from zipfile import ZipFile

from sqlalchemy.orm import Session
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from billing_core.businesses.queries import default_business
from billing_core.money import PRICE_PLACES, QUANTITY_PLACES, Money, decimal_places
from billing_core.reports import contents, exporting_rows
from billing_core.reports.exporting_rows import scaled, trimmed
from billing_core.reports.exporting_zip import zipped
from billing_core.reports.queries import Report
from billing_core.reports.wording import cost_type_words, question_words
from billing_core.reports.xlsx_rows import Around, Content, around_number, around_text, day, text, written

# What a sheet holds in Excel, without its header.
MOST_ROWS = 1_048_575
_LAST_ROW = re.compile(rb'<row r="[0-9]+"[^>]*>((?:<c [^>]*/>)*)</row>(?=</sheetData>)')
_STYLED = re.compile(rb'<c r="([A-Z]+)[0-9]+" s="([0-9]+)"/>')


class _Kind(enum.Enum):
    TEXT = enum.auto()
    DAY = enum.auto()
    NUMBER = enum.auto()
    COUNT = enum.auto()
    AMOUNT = enum.auto()


_Columns = Sequence[tuple[str, int, _Kind]]
_ORDERS: _Columns = (
    ("Order", 18, _Kind.TEXT),
    ("Reference", 18, _Kind.TEXT),
    ("Date", 12, _Kind.DAY),
    ("Status", 12, _Kind.TEXT),
    ("Ship to", 26, _Kind.TEXT),
    ("Address", 30, _Kind.TEXT),
    ("Items", 10, _Kind.NUMBER),
    ("Lines", 8, _Kind.COUNT),
    ("Amount", 14, _Kind.AMOUNT),
)
_CHARGES: _Columns = (
    ("Order", 18, _Kind.TEXT),
    ("Reference", 18, _Kind.TEXT),
    ("Date", 12, _Kind.DAY),
    ("Service", 28, _Kind.TEXT),
    ("Charged by", 20, _Kind.TEXT),
    ("Quantity", 12, _Kind.NUMBER),
    ("Unit price", 12, _Kind.NUMBER),
    ("Tier", 6, _Kind.COUNT),
    ("Bound", 10, _Kind.TEXT),
    ("Condition", 40, _Kind.TEXT),
    ("Amount", 14, _Kind.AMOUNT),
)
_QUESTIONS: _Columns = (
    ("Order", 18, _Kind.TEXT),
    ("Question", 44, _Kind.TEXT),
    ("Service", 28, _Kind.TEXT),
    ("SKU", 22, _Kind.TEXT),
)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """``count`` of ``rows``, for which the frame keeps room."""

    name: str
    columns: _Columns
    count: int
    rows: Iterator[Sequence[Content]]


def workbook(session: Session, report: Report) -> Iterator[bytes]:
    """The file in chunks, while its rows are read."""
    sheets = list(_sheets(session, report))
    with ZipFile(_frame(session, report, sheets)) as frame:
        files = ((name, report.created_at, chunks) for name, chunks in _filled(frame, sheets))
        # Not every spreadsheet program reads ZIP64, and a full sheet of usual rows has less than a gigabyte.
        yield from zipped(files, zip64=False)


def _sheets(session: Session, report: Report) -> Iterator[_Sheet]:
    tables = [
        ("Orders", _ORDERS, report.order_count, _order_rows(session, report)),
        ("Charges", _CHARGES, report.charge_count, _charge_rows(session, report)),
    ]
    if report.question_count:
        tables.append(("Questions", _QUESTIONS, report.question_count, _question_rows(session, report)))
    for name, columns, count, rows in tables:
        # Further sheets where Excel's rows do not suffice. They read on where the one before has ended.
        for number, start in enumerate(range(0, max(count, 1), MOST_ROWS), 1):
            here = min(count - start, MOST_ROWS)
            yield _Sheet(name if number == 1 else f"{name} {number}", columns, here, islice(rows, MOST_ROWS))


def _filled(frame: ZipFile, sheets: Sequence[_Sheet]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The frame's files with the rows in their place; the summary is the first sheet."""
    tables = {f"xl/worksheets/sheet{number}.xml": sheet for number, sheet in enumerate(sheets, 2)}
    for name in frame.namelist():
        content = frame.read(name)
        sheet = tables.get(name)
        if sheet is None or not sheet.count:
            yield name, iter((content,))
            continue
        before, last_row, behind = _LAST_ROW.split(content)
        yield name, chain((before,), written(_around(sheet, last_row), sheet.rows, first=2), (behind,))


def _around(sheet: _Sheet, last_row: bytes) -> list[Around]:
    """What stands around the cells of each column, with the styles that XlsxWriter gave to the cells of one row."""
    styled = [(column.decode(), style.decode()) for column, style in _STYLED.findall(last_row)]
    return [
        around_text(column, style) if kind is _Kind.TEXT else around_number(column, style)
        for (column, style), (_, _, kind) in zip(styled, sheet.columns, strict=True)
    ]


def _frame(session: Session, report: Report, sheets: Sequence[_Sheet]) -> io.BytesIO:
    """The workbook without the rows of its tables."""
    content = io.BytesIO()
    with (
        tempfile.TemporaryDirectory(prefix="billing-workbook-") as folder,
        # Without constant memory, XlsxWriter would look at each row that is not there yet.
        Workbook(content, {"constant_memory": True, "tmpdir": folder}) as book,
    ):
        book.set_properties({"title": f"Billing report {report.id}", "created": report.created_at.replace(tzinfo=None)})
        styles = _Styles(book, report.currency)
        _summary(session, report, book.add_worksheet("Summary"), styles)
        for sheet in sheets:
            _table(book.add_worksheet(sheet.name), sheet, styles)
    return content


class _Styles:
    """How each kind of value is shown, and a way to write one value as what it is."""

    def __init__(self, book: Workbook, currency: str) -> None:
        places = decimal_places(currency)
        self.title: Format = book.add_format({"bold": True, "font_size": 16})
        self.heading: Format = book.add_format({"bold": True, "bottom": 1, "bg_color": "#EEF2F6", "text_wrap": True})
        self.bold: Format = book.add_format({"bold": True})
        self.muted: Format = book.add_format({"font_color": "#5B6670"})
        amount = "#,##0" + (f".{'0' * places}" if places else "")
        self.amount: Format = book.add_format({"num_format": amount})
        self.total: Format = book.add_format({"num_format": amount, "bold": True, "top": 1})
        self.number: Format = book.add_format({"num_format": "#,##0.######"})
        self.count: Format = book.add_format({"num_format": "#,##0"})
        self.day: Format = book.add_format({"num_format": "yyyy-mm-dd", "align": "left"})
        self.of = {
            _Kind.TEXT: book.add_format({"align": "left"}),
            _Kind.DAY: self.day,
            _Kind.NUMBER: self.number,
            _Kind.COUNT: self.count,
            _Kind.AMOUNT: self.amount,
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


def _table(sheet: Worksheet, table: _Sheet, styles: _Styles) -> None:
    """A frozen header and filters. The cells of the last row hold their styles alone, and give way to the rows."""
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


def _summary(session: Session, report: Report, sheet: Worksheet, styles: _Styles) -> None:
    for column, width in enumerate((30, 30, 14, 10, 16)):
        sheet.set_column(column, column, width)
    sheet.write_string(0, 0, "Billing report", styles.title)
    facts: list[tuple[str, Any]] = [
        ("Billed by", default_business(session).name),
        ("Customer", report.customer_name),
        ("From", report.period_start),
        ("To", report.period_end),
        ("Report", report.id),
        ("Version", report.version),
        ("Made on (UTC)", report.created_at.astimezone(UTC).date()),
        ("Made by", report.created_by),
        ("Orders", report.order_count),
        ("Open questions", report.question_count),
        ("Currency", report.currency),
        ("Total", report.total),
    ]
    for row, (label, value) in enumerate(facts, 2):
        sheet.write_string(row, 0, label, styles.muted)
        styles.cell(sheet, row, 1, value)

    row = len(facts) + 3
    for column, title in enumerate(("Service", "Charged by", "Quantity", "Orders", f"Amount ({report.currency})")):
        sheet.write_string(row, column, title, styles.heading)
    for total in contents.service_totals(session, report):
        row += 1
        amount = Money(total.amount_minor, report.currency)
        values = (total.service_name, cost_type_words(total.cost_type), total.quantity, total.order_count, amount)
        for column, value in enumerate(values):
            styles.cell(sheet, row, column, value)
    sheet.write_string(row + 1, 0, "Total", styles.bold)
    sheet.write_number(row + 1, 4, report.total.amount, styles.total)


def _order_rows(session: Session, report: Report) -> Iterator[Sequence[Content]]:
    places = decimal_places(report.currency)
    for batch in exporting_rows.batches(session, exporting_rows.orders(report)):
        for _, number, reference, ordered_on, status, name, address, items, lines, minor in batch:
            yield (
                *(text(number), text(reference), day(ordered_on), text(status.value), text(name), text(address)),
                *(trimmed(items, QUANTITY_PLACES), str(lines), scaled(minor, places)),
            )


def _charge_rows(session: Session, report: Report) -> Iterator[Sequence[Content]]:
    places = decimal_places(report.currency)
    services = {
        total.service_id: (text(total.service_name), text(cost_type_words(total.cost_type)))
        for total in contents.service_totals(session, report)
    }
    for order, charges in exporting_rows.by_order(session, report, exporting_rows.explained_charges(report)):
        _, number, reference, ordered_on, *_ = order
        of_order = text(number), text(reference), day(ordered_on)
        for _, service_id, quantity, price, tier, bound, matched, minor in charges:
            yield (
                *(*of_order, *services[service_id], trimmed(quantity, QUANTITY_PLACES), trimmed(price, PRICE_PLACES)),
                *(tier and str(tier), text(bound), text(matched), scaled(minor, places)),
            )


def _question_rows(session: Session, report: Report) -> Iterator[Sequence[Content]]:
    for batch in exporting_rows.batches(session, exporting_rows.questions(report)):
        for _, number, service, sku, kind in batch:
            yield text(number), text(question_words(kind)), text(service), text(sku)

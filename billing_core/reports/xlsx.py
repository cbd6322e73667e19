"""Reports as a workbook: summary, orders, charges, questions. Numbers are numbers, dates are dates, text is text."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from billing_core.businesses.queries import default_business
from billing_core.money import PRICE_PLACES, QUANTITY_PLACES, Money, decimal_places
from billing_core.reports import contents, exporting_rows
from billing_core.reports.queries import Report
from billing_core.reports.wording import cost_type_words, question_words

# What a sheet holds in Excel, without its header.
MOST_ROWS = 1_048_575
_CHUNK = 256 * 1024
_ORDERS = (
    ("Order", 18),
    ("Reference", 18),
    ("Date", 12),
    ("Status", 12),
    ("Ship to", 26),
    ("Address", 30),
    ("Items", 10),
    ("Lines", 8),
    ("Amount", 14),
)
_CHARGES = (
    ("Order", 18),
    ("Reference", 18),
    ("Date", 12),
    ("Service", 28),
    ("Charged by", 20),
    ("Quantity", 12),
    ("Unit price", 12),
    ("Tier", 6),
    ("Bound", 10),
    ("Condition", 40),
    ("Amount", 14),
)
_QUESTIONS = (("Order", 18), ("Question", 44), ("Service", 28), ("SKU", 22))


def workbook(session: Session, report: Report) -> Iterator[bytes]:
    """The file in chunks. It is written to disk first, row by row: a workbook's end decides its beginning."""
    with tempfile.TemporaryDirectory(prefix="billing-workbook-") as folder:
        file = Path(folder) / "report.xlsx"
        _write(session, report, file, folder)
        with file.open("rb") as written:
            while chunk := written.read(_CHUNK):
                yield chunk


def _write(session: Session, report: Report, file: Path, folder: str) -> None:
    options = {
        "constant_memory": True,
        "tmpdir": folder,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with Workbook(str(file), options) as book:
        book.set_properties({"title": f"Billing report {report.id}", "created": report.created_at.replace(tzinfo=None)})
        sheets = _Sheets(book, report.currency)
        _summary(session, report, sheets)
        sheets.table("Orders", _ORDERS, _order_rows(session, report))
        sheets.table("Charges", _CHARGES, _charge_rows(session, report))
        if report.question_count:
            sheets.table("Questions", _QUESTIONS, _question_rows(session, report))


class _Sheets:
    """Adds sheets to a book and writes each kind of value as what it is."""

    def __init__(self, book: Workbook, currency: str) -> None:
        self.book = book
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

    def table(self, name: str, columns: Sequence[tuple[str, int]], rows: Iterable[Sequence[Any]]) -> None:
        """A sheet with a frozen header and filters; further sheets where Excel's rows do not suffice."""
        number, sheet = 0, self._empty_table(name, columns)
        sheets = 1
        for row in rows:
            if number == MOST_ROWS:
                self._filters(sheet, columns, number)
                sheets += 1
                number, sheet = 0, self._empty_table(f"{name} {sheets}", columns)
            number += 1
            for column, value in enumerate(row):
                self.cell(sheet, number, column, value)
        self._filters(sheet, columns, number)

    def cell(self, sheet: Worksheet, row: int, column: int, value: Any) -> None:
        match value:
            case None | "":
                return
            case Money():
                sheet.write_number(row, column, value.amount, self.amount)
            case Decimal():
                sheet.write_number(row, column, value, self.number)
            case int():
                sheet.write_number(row, column, value, self.count)
            case date():
                sheet.write_datetime(row, column, value, self.day)
            case _:
                # Written as text, whatever it begins with: it is never read as a formula.
                sheet.write_string(row, column, str(value))

    def _empty_table(self, name: str, columns: Sequence[tuple[str, int]]) -> Worksheet:
        sheet = self.book.add_worksheet(name)
        for number, (title, width) in enumerate(columns):
            sheet.set_column(number, number, width)
            sheet.write_string(0, number, title, self.heading)
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        return sheet

    @staticmethod
    def _filters(sheet: Worksheet, columns: Sequence[tuple[str, int]], rows: int) -> None:
        sheet.autofilter(0, 0, max(rows, 1), len(columns) - 1)


def _summary(session: Session, report: Report, sheets: _Sheets) -> None:
    sheet = sheets.book.add_worksheet("Summary")
    for column, width in enumerate((30, 30, 14, 10, 16)):
        sheet.set_column(column, column, width)
    sheet.write_string(0, 0, "Billing report", sheets.title)
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
        sheet.write_string(row, 0, label, sheets.muted)
        sheets.cell(sheet, row, 1, value)

    row = len(facts) + 3
    for column, title in enumerate(("Service", "Charged by", "Quantity", "Orders", f"Amount ({report.currency})")):
        sheet.write_string(row, column, title, sheets.heading)
    for total in contents.service_totals(session, report):
        row += 1
        amount = Money(total.amount_minor, report.currency)
        values = (total.service_name, cost_type_words(total.cost_type), total.quantity, total.order_count, amount)
        for column, value in enumerate(values):
            sheets.cell(sheet, row, column, value)
    sheet.write_string(row + 1, 0, "Total", sheets.bold)
    sheet.write_number(row + 1, 4, report.total.amount, sheets.total)


def _order_rows(session: Session, report: Report) -> Iterator[Sequence[Any]]:
    for batch in exporting_rows.batches(session, exporting_rows.orders(report)):
        for _, number, reference, day, status, name, address, items, lines, minor in batch:
            total = Money(minor, report.currency)
            yield number, reference, day, status.value, name, address, _quantity(items), lines, total


def _charge_rows(session: Session, report: Report) -> Iterator[Sequence[Any]]:
    services = {
        total.service_id: (total.service_name, cost_type_words(total.cost_type))
        for total in contents.service_totals(session, report)
    }
    for order, charges in exporting_rows.by_order(session, report, exporting_rows.explained_charges(report)):
        _, number, reference, day, *_ = order
        for _, service_id, quantity, price, tier, bound, matched, minor in charges:
            unit_price = Decimal(price).scaleb(-PRICE_PLACES)
            yield (
                *(number, reference, day, *services[service_id], _quantity(quantity), unit_price),
                *(tier, bound, matched, Money(minor, report.currency)),
            )


def _question_rows(session: Session, report: Report) -> Iterator[Sequence[Any]]:
    for batch in exporting_rows.batches(session, exporting_rows.questions(report)):
        for _, number, service, sku, kind in batch:
            yield number, question_words(kind), service, sku


def _quantity(stored: int) -> Decimal:
    return Decimal(stored).scaleb(-QUANTITY_PLACES)

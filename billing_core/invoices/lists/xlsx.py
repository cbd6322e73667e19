"""The list of invoices as a workbook: the sums per currency, and a row for each invoice."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session
from xlsxwriter.worksheet import Worksheet

from billing_core.dates import Day, usual_day
from billing_core.identity import Actor, Permission
from billing_core.invoices import queries
from billing_core.invoices.lists.csv import amounts, each
from billing_core.invoices.queries import InvoiceFilter
from billing_core.invoices.rows import CurrencyTotal, InvoiceRow
from billing_core.money import Money
from billing_core.reports.exports import xlsx_tables
from billing_core.reports.exports.formats import MEDIA_TYPES, Download, Format
from billing_core.reports.exports.xlsx_rows import Content, day, text
from billing_core.reports.exports.xlsx_tables import Columns, Kind, Styles

_SHEET: Columns = (
    ("Number", 18, Kind.TEXT),
    ("Status", 11, Kind.TEXT),
    ("Business", 22, Kind.TEXT),
    ("Customer", 28, Kind.TEXT),
    ("E-mail", 28, Kind.TEXT),
    ("Issued", 12, Kind.DAY),
    ("Due", 12, Kind.DAY),
    ("Days late", 9, Kind.COUNT),
    ("Currency", 9, Kind.TEXT),
    ("Net", 14, Kind.AMOUNT),
    ("Tax", 14, Kind.AMOUNT),
    ("Total", 14, Kind.AMOUNT),
    ("Paid", 14, Kind.AMOUNT),
    ("Refunded", 14, Kind.AMOUNT),
    ("Amount due", 14, Kind.AMOUNT),
    ("Reference", 18, Kind.TEXT),
)


def workbook(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day, now: datetime) -> Download:
    """Every matching invoice in the requested order; the first sheet has the sums."""
    actor.require(Permission.EXPORT)
    sums = queries.totals(session, actor, filters, today=today)
    rows = (_row(row, business, today) for row, business in each(session, actor, filters, today=today))
    count = sum(one.invoices for one in sums)
    tables = list(xlsx_tables.sheets("Invoices", _SHEET, count, rows))

    def summary(sheet: Worksheet, styles: Styles) -> None:
        _summary(sheet, styles, sums, today)

    chunks = xlsx_tables.workbook(tables, title="Invoices", made_at=now, summary=summary)
    return Download("invoices.xlsx", MEDIA_TYPES[Format.XLSX], chunks)


def _row(row: InvoiceRow, business: str, today: Day) -> Sequence[Content]:
    late = row.days_late(today)
    return (
        *(text(row.number), text(row.status(today).value), text(business)),
        *(text(row.customer_name), text(row.customer_email), day(row.issued_on), day(row.due_on)),
        *(None if late is None else str(late), text(row.currency)),
        *amounts(row),
        text(row.reference),
    )


def _summary(sheet: Worksheet, styles: Styles, sums: Sequence[CurrencyTotal], today: Day) -> None:
    for column, width in enumerate((16, 12, 18, 18)):
        sheet.set_column(column, column, width)
    sheet.write_string(0, 0, "Invoices", styles.title)
    sheet.write_string(2, 0, "As of", styles.muted)
    styles.cell(sheet, 2, 1, usual_day(today))
    for column, title in enumerate(("Currency", "Invoices", "Total", "Amount due")):
        sheet.write_string(4, column, title, styles.heading)
    for row, one in enumerate(sums, 5):
        money = (Money(one.total_minor, one.currency), Money(one.due_minor, one.currency))
        for column, value in enumerate((one.currency, one.invoices, *money)):
            styles.cell(sheet, row, column, value)

"""The list of invoices as a workbook: the sums per currency, and a row for each invoice."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session
from xlsxwriter.worksheet import Worksheet

from billing_core.businesses import queries as businesses
from billing_core.dates import Day, usual_day
from billing_core.identity import Actor, Permission
from billing_core.invoices.lists import settled, taxes
from billing_core.invoices.lists.csv import in_major_units
from billing_core.invoices.lists.settled import Settled
from billing_core.invoices.queries import InvoiceFilter
from billing_core.invoices.rows import InvoiceRow
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
    ("Credited", 14, Kind.AMOUNT),
    ("Of it for early payment", 14, Kind.AMOUNT),
    ("Written off", 14, Kind.AMOUNT),
    ("Not due", 14, Kind.AMOUNT),
)
# Total − paid − credited − written off − not due = due, whatever the currency.
_SUMMED: Final = (
    ("Total", "total_minor"),
    ("Amount due", "due_minor"),
    ("Net", "subtotal_minor"),
    ("Tax", "tax_minor"),
    ("Paid", "paid_minor"),
    ("Refunded", "refunded_minor"),
    ("Credited", "credited_minor"),
    ("Of it for early payment", "early_payment_minor"),
    ("Written off", "written_off_minor"),
    ("Not due", "not_due_minor"),
)


def workbook(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day, now: datetime) -> Download:
    """Every matching invoice in the requested order; sums on the first sheet, tax by rate on the last."""
    actor.require(Permission.EXPORT)
    sums = settled.sums(session, actor, filters, today=today)
    names = businesses.names(session)
    found = settled.each(session, actor, filters, today=today)
    rows = (_row(row, amounts, names[row.business_id], today) for row, amounts in found)
    count = sum(invoices for _, invoices, _ in sums)
    tables = list(xlsx_tables.sheets("Invoices", _SHEET, count, rows))
    tables += taxes.sheets(session, actor, filters, today=today)

    def summary(sheet: Worksheet, styles: Styles) -> None:
        _summary(sheet, styles, sums, today)

    chunks = xlsx_tables.workbook(tables, title="Invoices", made_at=now, summary=summary)
    return Download("invoices.xlsx", MEDIA_TYPES[Format.XLSX], chunks)


def _row(row: InvoiceRow, amounts: Settled, business: str, today: Day) -> Sequence[Content]:
    late = row.days_late(today)
    written = in_major_units(amounts, row.currency)
    return (
        *(text(row.number), text(row.status(today).value), text(business)),
        *(text(row.customer_name), text(row.customer_email), day(row.issued_on), day(row.due_on)),
        *(None if late is None else str(late), text(row.currency)),
        *written[:6],
        text(row.reference),
        *written[6:],
    )


def _summary(sheet: Worksheet, styles: Styles, sums: Sequence[tuple[str, int, Settled]], today: Day) -> None:
    titles = ("Currency", "Invoices", *(title for title, _ in _SUMMED))
    for column in range(len(titles)):
        sheet.set_column(column, column, 16 if column else 12)
    sheet.write_string(0, 0, "Invoices", styles.title)
    sheet.write_string(2, 0, "As of", styles.muted)
    styles.cell(sheet, 2, 1, usual_day(today))
    for column, title in enumerate(titles):
        sheet.write_string(4, column, title, styles.heading)
    for row, (currency, invoices, amounts) in enumerate(sums, 5):
        money = (Money(getattr(amounts, name), currency) for _, name in _SUMMED)
        for column, value in enumerate((currency, invoices, *money)):
            styles.cell(sheet, row, column, value)

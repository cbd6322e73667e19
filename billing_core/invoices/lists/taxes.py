"""What the invoices that match come to at each tax rate: a row for each invoice and rate, as they print it."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.dates import Day
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, queries
from billing_core.invoices.content.tax_rows import InvoiceTax
from billing_core.invoices.models import Invoice
from billing_core.invoices.queries import InvoiceFilter
from billing_core.reports.exports import rows as exports_rows
from billing_core.reports.exports import tables
from billing_core.reports.exports.formats import Download
from billing_core.reports.exports.tables import amount, amount_column, day_column, number_column, plain, text_column
from billing_core.reports.exports.xlsx_tables import Sheet

COLUMNS: Final = (
    text_column("invoice_id", "Invoice id", 22),
    text_column("invoice_number", "Number"),
    text_column("status", "Status", 11),
    text_column("business", "Business", 22),
    number_column("customer_id", "Customer id"),
    text_column("customer_name", "Customer", 28),
    text_column("customer_country", "Country", 9),
    text_column("customer_tax_id", "Tax id"),
    day_column("issued_date", "Issued"),
    text_column("currency", "Currency", 9),
    number_column("tax_rate", "Tax %"),
    text_column("zero_tax_reason", "Reason for 0 %", 24),
    amount_column("net_amount", "Net"),
    amount_column("tax_amount", "Tax"),
    amount_column("total_amount", "Total"),
)
_SELECTED: Final = (
    Invoice.public_id,
    Invoice.number,
    Invoice.business_id,
    Invoice.customer_id,
    Invoice.customer_name,
    Invoice.customer_country,
    Invoice.customer_tax_id,
    Invoice.issued_on,
    Invoice.currency,
    Invoice.zero_tax_reason,
    InvoiceTax.tax_rate,
    InvoiceTax.net_minor,
    InvoiceTax.tax_minor,
)


def as_csv(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day, for_excel: bool = False) -> Download:
    """In the order of the list of invoices."""
    rows = _rows(session, actor, filters, today)
    return tables.as_csv("invoice-taxes", COLUMNS, rows, for_excel=for_excel)


def sheets(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day) -> list[Sheet]:
    """The same beside the list of invoices in its workbook."""
    of_invoice = InvoiceTax.invoice_id == Invoice.id
    matching = queries.matching(session, actor, filters, today)
    count = session.scalar(select(func.count()).select_from(Invoice).join(InvoiceTax, of_invoice).where(*matching))
    return tables.as_sheets("Tax by rate", COLUMNS, count or 0, _rows(session, actor, filters, today))


def _rows(session: Session, actor: Actor, filters: InvoiceFilter, today: Day) -> Iterator[Sequence[Any]]:
    actor.require(Permission.EXPORT)
    status = lifecycle.status_sql(today).label("status")
    statement = (
        queries.listing(session, actor, filters, today=today, columns=(*_SELECTED, status))
        .join(InvoiceTax, InvoiceTax.invoice_id == Invoice.id)
        .order_by(InvoiceTax.tax_rate)
    )
    return _written(session, statement)


def _written(session: Session, statement: Any) -> Iterator[Sequence[Any]]:
    names = businesses.names(session)
    for row in exports_rows.each(session, statement):
        net, tax, total = (
            amount(minor, row.currency) for minor in (row.net_minor, row.tax_minor, row.net_minor + row.tax_minor)
        )
        yield (
            *(row.public_id, row.number, row.status, names[row.business_id], row.customer_id, row.customer_name),
            *(row.customer_country, row.customer_tax_id, row.issued_on, row.currency, plain(row.tax_rate)),
            *("" if row.tax_rate else row.zero_tax_reason, net, tax, total),
        )

"""The list of invoices as CSV, streamed with the page's filters."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.dates import Day
from billing_core.identity import Actor, Permission
from billing_core.invoices import queries
from billing_core.invoices.queries import InvoiceFilter
from billing_core.invoices.rows import InvoiceRow
from billing_core.money import decimal_places
from billing_core.reports.exports import rows as exports_rows
from billing_core.reports.exports.formats import Download, csv_list
from billing_core.reports.exports.json import instant
from billing_core.reports.exports.rows import scaled

CSV_COLUMNS = (
    "invoice_id",
    "invoice_number",
    "status",
    "business",
    "customer_id",
    "customer_name",
    "customer_email",
    "issued_date",
    "due_date",
    "days_late",
    "currency",
    "amount",
    "tax_amount",
    "total_amount",
    "amount_paid",
    "amount_refunded",
    "amount_due",
    "reference",
    "sent_at",
    "viewed_at",
    "created_at",
)


def as_csv(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day, for_excel: bool = False) -> Download:
    """Every matching invoice in the requested order: the page's list without its limit."""
    actor.require(Permission.EXPORT)
    rows = (_row(row, business, today) for row, business in each(session, actor, filters, today=today))
    return csv_list("invoices.csv", CSV_COLUMNS, rows, for_excel=for_excel)


def each(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day) -> Iterator[tuple[InvoiceRow, str]]:
    """The matching invoices, each with the name of our business; only one batch is in memory."""
    names = {business.id: business.name for business in businesses.every(session)}
    for columns in exports_rows.each(session, queries.listing(actor, filters, today=today)):
        row = InvoiceRow(*columns)
        yield row, names[row.business_id]


def amounts(row: InvoiceRow) -> tuple[str, ...]:
    """Net, tax, total, paid, refunded and due, in major units."""
    places = decimal_places(row.currency)
    minors = (row.subtotal_minor, row.tax_minor, row.total_minor, row.paid_minor, row.refunded_minor, row.due_minor)
    return tuple(scaled(minor, places) for minor in minors)


def _row(row: InvoiceRow, business: str, today: Day) -> Sequence[Any]:
    return (
        *(row.public_id, row.number, row.status(today).value, business),
        *(row.customer_id, row.customer_name, row.customer_email),
        *(row.issued_on.isoformat(), row.due_on.isoformat(), row.days_late(today), row.currency),
        *amounts(row),
        *(row.reference, instant(row.sent_at), instant(row.viewed_at), instant(row.created_at)),
    )

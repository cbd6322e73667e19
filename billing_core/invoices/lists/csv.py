"""The list of invoices as CSV, streamed with the page's filters."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.dates import Day
from billing_core.identity import Actor, Permission
from billing_core.invoices.lists import settled
from billing_core.invoices.lists.settled import Settled
from billing_core.invoices.queries import InvoiceFilter
from billing_core.invoices.rows import InvoiceRow
from billing_core.money import decimal_places
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
    "amount_credited",
    "early_payment_discount",
    "amount_written_off",
    "amount_not_due",
)


def as_csv(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day, for_excel: bool = False) -> Download:
    """Every matching invoice in the requested order: the page's list without its limit."""
    actor.require(Permission.EXPORT)
    names = businesses.names(session)
    found = settled.each(session, actor, filters, today=today)
    rows = (_row(row, amounts, names[row.business_id], today) for row, amounts in found)
    return csv_list("invoices.csv", CSV_COLUMNS, rows, for_excel=for_excel)


def in_major_units(amounts: Settled, currency: str) -> list[str]:
    """Net, tax, total, paid, refunded and due; then credited, taken off for early payment, written off and not due."""
    places = decimal_places(currency)
    return [scaled(minor, places) for minor in amounts]


def _row(row: InvoiceRow, amounts: Settled, business: str, today: Day) -> Sequence[Any]:
    written = in_major_units(amounts, row.currency)
    return (
        *(row.public_id, row.number, row.status(today).value, business),
        *(row.customer_id, row.customer_name, row.customer_email),
        *(row.issued_on.isoformat(), row.due_on.isoformat(), row.days_late(today), row.currency),
        *written[:6],
        *(row.reference, instant(row.sent_at), instant(row.viewed_at), instant(row.created_at)),
        *written[6:],
    )

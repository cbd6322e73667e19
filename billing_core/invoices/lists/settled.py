"""How invoices were settled: total − credited − written off − paid − not due = due, in every row and in every sum."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import BigInteger, ColumnElement, case, cast, func, select
from sqlalchemy.orm import Session

from billing_core.dates import Day
from billing_core.identity import Actor
from billing_core.invoices import queries
from billing_core.invoices.models import CreditNote, Invoice
from billing_core.invoices.queries import InvoiceFilter
from billing_core.invoices.rows import InvoiceRow
from billing_core.reports.exports import rows as exports_rows


class Settled(NamedTuple):
    """Of one invoice, or the sums of a list, in minor units. ``early_payment_minor`` of what was credited was taken off
    for paying early. ``not_due_minor``: of drafts, and what cancelling took back. What was refunded had been paid, and
    lowers nothing that is due.
    """

    subtotal_minor: int
    tax_minor: int
    total_minor: int
    paid_minor: int
    refunded_minor: int
    due_minor: int
    credited_minor: int
    early_payment_minor: int
    written_off_minor: int
    not_due_minor: int


_EARLY_PAYMENT = (
    # PostgreSQL adds up as decimals.
    select(cast(func.coalesce(func.sum(CreditNote.total_minor), 0), BigInteger))
    .where(CreditNote.invoice_id == Invoice.id, CreditNote.early_payment, CreditNote.withdrawn_at.is_(None))
    .correlate(Invoice)
    .scalar_subquery()
)
_OF_INVOICE: dict[str, ColumnElement[int]] = {
    # Credit notes are looked for only where there are some.
    "early_payment_minor": case((Invoice.credited_minor > 0, _EARLY_PAYMENT), else_=0),
    "not_due_minor": Invoice.total_minor
    - Invoice.paid_minor
    - Invoice.credited_minor
    - Invoice.written_off_minor
    - Invoice.due_minor,
}
_COLUMNS = [_OF_INVOICE[name] if name in _OF_INVOICE else getattr(Invoice, name) for name in Settled._fields]


def each(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day) -> Iterator[tuple[InvoiceRow, Settled]]:
    """The matching invoices in the requested order; only one batch is in memory."""
    listed = len(queries.ROW)
    statement = queries.listing(session, actor, filters, today=today).add_columns(*_COLUMNS)
    for row in exports_rows.each(session, statement):
        yield InvoiceRow(*row[:listed]), Settled(*row[listed:])


def sums(session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day) -> list[tuple[str, int, Settled]]:
    """(currency, number of invoices, their sums) of all that match."""
    statement = (
        select(Invoice.currency, func.count(), *(func.sum(column) for column in _COLUMNS))
        .where(*queries.matching(session, actor, filters, today))
        .group_by(Invoice.currency)
        .order_by(Invoice.currency)
    )
    return [
        (currency, count, Settled(*(int(minor) for minor in minors)))
        for currency, count, *minors in session.execute(statement)
    ]

"""The list of payments as CSV, streamed with the page's filters."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.money import decimal_places
from billing_core.payments import queries
from billing_core.payments.queries import PaymentFilter, PaymentRow
from billing_core.reports.exports import rows
from billing_core.reports.exports.formats import Download, csv_list
from billing_core.reports.exports.json import instant
from billing_core.reports.exports.rows import scaled

COLUMNS = (
    "payment_id",
    "received_on",
    "customer_id",
    "customer_name",
    "method",
    "reference",
    "currency",
    "amount",
    "fee",
    "paid_invoices",
    "kept_as_credit",
    "note",
    "recorded_by",
    "recorded_at",
    "undone_at",
    "undone_reason",
    "gateway_key",
    "charged_back",
)


def as_csv(session: Session, actor: Actor, filters: PaymentFilter, *, for_excel: bool = False) -> Download:
    """Every payment that matches, in the requested order; undone ones say when and why."""
    actor.require(Permission.EXPORT)
    payments = (_row(PaymentRow(*columns)) for columns in rows.each(session, queries.listing(actor, filters)))
    return csv_list("payments.csv", COLUMNS, payments, for_excel=for_excel)


def _row(payment: PaymentRow) -> Sequence[Any]:
    places = decimal_places(payment.currency)
    amounts = (payment.amount_minor, payment.fee_minor, int(payment.allocated_minor), int(payment.kept_minor))
    return (
        *(payment.public_id, payment.received_on.isoformat(), payment.customer_id, payment.customer_name),
        *(payment.method.value, payment.reference, payment.currency),
        *(scaled(minor, places) for minor in amounts),
        *(payment.note, payment.created_by, instant(payment.created_at)),
        *(instant(payment.undone_at), payment.undone_reason, payment.gateway_key),
        scaled(int(payment.charged_back_minor), places),
    )

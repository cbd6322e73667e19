"""Reads of what banks took back of payments."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.customers.queries import visible_to
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice
from billing_core.payments.models import Chargeback, ChargebackSource, Payment


@dataclass(frozen=True, slots=True)
class ChargebackRow:
    """A part of what a bank took back; ``returned_on``: since then it is here again."""

    id: int
    source: ChargebackSource
    invoice_id: int | None
    invoice_number: str | None
    currency: str
    amount_minor: int
    written_off: bool
    taken_on: date
    returned_on: date | None
    created_at: datetime
    returned_at: datetime | None
    created_by: str


def of_payment(session: Session, actor: Actor, payment_id: int, *, limit: int = 100) -> list[ChargebackRow]:
    """What banks took back of a payment, oldest first."""
    actor.require(Permission.PAYMENT_READ)
    columns: tuple[Any, ...] = (
        *(Chargeback.id, Chargeback.source, Chargeback.invoice_id, Invoice.number, Chargeback.currency),
        *(Chargeback.amount_minor, Chargeback.write_off_entry_id.is_not(None), Chargeback.taken_on),
        *(Chargeback.returned_on, Chargeback.created_at, Chargeback.returned_at, Chargeback.created_by),
    )
    statement = (
        select(*columns)
        .join(Payment, Payment.id == Chargeback.payment_id)
        .outerjoin(Invoice, Invoice.id == Chargeback.invoice_id)
        .where(Chargeback.payment_id == payment_id, visible_to(actor, Payment.customer_id))
        .order_by(Chargeback.id)
        .limit(limit)
    )
    return [ChargebackRow(*row) for row in session.execute(statement)]

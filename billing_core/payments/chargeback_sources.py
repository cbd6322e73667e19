"""Where a payment's money is when its payer's bank takes it back.

First what of it is still kept as credit, so that no invoice is due again that need not be; then the invoices that it
paid, the newest first; then invoices that were paid with its credit since. What was given back before is a loss.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.identity import Actor
from billing_core.invoices import queries as invoices
from billing_core.invoices.models import Invoice
from billing_core.payments import credit, refunds
from billing_core.payments.models import (
    Allocation,
    AllocationKind,
    Chargeback,
    ChargebackSource,
    Payment,
    Refund,
    RefundSource,
)

CREDIT, INVOICE, LOSS = ChargebackSource.CREDIT, ChargebackSource.INVOICE, ChargebackSource.LOSS


@dataclass(frozen=True, slots=True)
class Part:
    """So much of an allocation; without one, of the customer's credit or, where that is not there, of nothing."""

    source: ChargebackSource
    amount_minor: int
    allocation: Allocation | None = None


def parts(session: Session, actor: Actor, payment: Payment, amount: int) -> Iterator[Part]:
    """Each is recorded before the next is looked for."""
    left, of_credit = amount, _became_credit(session, payment)
    available = credit.balance(session, payment.business_id, payment.customer_id, payment.currency).minor
    if kept := max(min(left, of_credit, available), 0):
        left -= kept
        of_credit -= kept
        yield Part(CREDIT, kept)
    for allocation in _allocations(session, payment):
        invoice = invoices.for_change(session, actor, allocation.invoice_id)
        own = allocation.payment_id == payment.id
        most = _not_refunded(session, payment, invoice) if own else of_credit
        possible = min(left, allocation.amount_minor, most, refunds.in_money(session, invoice))
        if possible > 0:
            left -= possible
            of_credit -= 0 if own else possible
            yield Part(INVOICE, possible, allocation)
    if left:
        yield Part(LOSS, left)


def taken_of(session: Session, payment_id: int) -> int:
    """What banks have taken back of a payment and not returned, in minor units."""
    taken = (Chargeback.payment_id == payment_id, Chargeback.returned_at.is_(None))
    return _sum(session, Chargeback.amount_minor, *taken)


def _became_credit(session: Session, payment: Payment) -> int:
    """What of the payment became the customer's credit, also by a refund that was kept, less what left that again."""
    own = (Allocation.payment_id == payment.id, Allocation.undone_at.is_(None))
    pays = _sum(session, Allocation.amount_minor, *own)
    paid_out = _sum(session, Refund.amount_minor, Refund.payment_id == payment.id, Refund.source == RefundSource.CREDIT)
    refunded_as_credit = _sum(
        session,
        Refund.amount_minor,
        Refund.source == RefundSource.INVOICE,
        Refund.method.is_(None),
        Refund.invoice_id.in_(select(Allocation.invoice_id).where(*own)),
    )
    return payment.amount_minor - pays - paid_out - taken_of(session, payment.id) + refunded_as_credit


def _allocations(session: Session, payment: Payment) -> list[Allocation]:
    """Its own that stand, and those from credit of the same account; each the newest first."""
    own, from_credit = Allocation.payment_id == payment.id, Allocation.kind == AllocationKind.CREDIT
    statement = (
        select(Allocation)
        .join(Invoice, Invoice.id == Allocation.invoice_id)
        .where(
            Allocation.undone_at.is_(None),
            or_(own, from_credit),
            Invoice.customer_id == payment.customer_id,
            Invoice.business_id == payment.business_id,
            Invoice.currency == payment.currency,
        )
        .order_by(case((own, 0), else_=1), Allocation.id.desc())
    )
    return list(session.scalars(statement))


def _not_refunded(session: Session, payment: Payment, invoice: Invoice) -> int:
    """What the payment paid of the invoice, less what of it went back through the gateway."""
    pays = (Allocation.payment_id == payment.id, Allocation.invoice_id == invoice.id, Allocation.undone_at.is_(None))
    back = (Refund.payment_id == payment.id, Refund.invoice_id == invoice.id)
    return _sum(session, Allocation.amount_minor, *pays) - _sum(session, Refund.amount_minor, *back)


def _sum(session: Session, amount: InstrumentedAttribute[int], *conditions: ColumnElement[bool]) -> int:
    return int(session.scalar(select(func.coalesce(func.sum(amount), 0)).where(*conditions)) or 0)

"""Disputes: a customer has asked their bank for the money back. We record what is reported; people respond there."""

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle
from billing_core.invoices.models import EventKind
from billing_core.money import Money
from billing_core.online_payments import cases
from billing_core.online_payments.cases import Cause
from billing_core.online_payments.models import CaseKind, Dispute, DisputeState
from billing_core.online_payments.webhooks.events import Disputed
from billing_core.payments import received
from billing_core.payments.models import Payment

OPEN = DisputeState.OPEN


def note(
    session: Session, actor: Actor, payment: Payment, invoice_id: int | None, event: Disputed, *, now: datetime
) -> Dispute:
    """Record this event's dispute, unless a newer event is recorded. Once closed, a dispute is not reopened.

    The caller has locked the customer. A lost one opens a case: the money is gone, and our books do not show it yet.
    """
    actor.require(Permission.PAYMENT_WRITE)
    dispute = session.scalars(select(Dispute).where(Dispute.gateway_id == event.gateway_id)).one_or_none()
    if dispute is None:
        dispute = Dispute(
            gateway_id=event.gateway_id,
            payment_id=payment.id,
            currency=event.currency,
            amount_minor=event.amount_minor,
            reason=event.reason,
            state=OPEN,
            opened_at=event.opened_at,
            told_at=event.at,
        )
        session.add(dispute)
        session.flush()
        _tell(session, actor, dispute, invoice_id, EventKind.DISPUTED, now)
    newer = dispute.state is OPEN or event.at > dispute.told_at
    if event.state is not OPEN and newer:
        dispute.state, dispute.closed_at, dispute.told_at = event.state, event.at, event.at
        _tell(session, actor, dispute, invoice_id, EventKind.DISPUTE_CLOSED, now)
        if event.state is DisputeState.LOST:
            _open_case(session, actor, payment, invoice_id, dispute, now)
    session.flush()
    return dispute


def take_back(session: Session, actor: Actor, case_id: int, *, today: date, now: datetime) -> None:
    """Record a chargeback: the payment is undone in our books, and its invoices are due again.

    Settles the case of the lost dispute. Conflict where only a part of the payment went back.
    """
    actor.require(Permission.PAYMENT_WRITE)
    case = cases.settle(session, actor, case_id, settlement="The payment is taken back, its invoices are due", now=now)
    if case.kind is not CaseKind.DISPUTE_LOST or case.payment_id is None:
        raise Conflict("Only a lost dispute takes a payment back")
    payment = session.get_one(Payment, case.payment_id)
    if case.amount_minor != payment.amount_minor:
        whole = Money(payment.amount_minor, payment.currency)
        raise Conflict(f"Only a part of the payment of {whole} went back: write it off or ask for it, and note that")
    why = "The bank has given it back to the payer: the dispute is lost"
    received.undo(session, actor, payment.id, reason=why, today=today, now=now, charged_back=True)


def _tell(
    session: Session, actor: Actor, dispute: Dispute, invoice_id: int | None, kind: EventKind, now: datetime
) -> None:
    data = {"amount_minor": dispute.amount_minor, "currency": dispute.currency, "reason": dispute.reason}
    facts = {**data, "state": dispute.state.value, "dispute_id": dispute.id}
    if invoice_id is not None:
        lifecycle.note(session, actor, invoice_id, kind, facts, now=now)
    label = str(Money(dispute.amount_minor, dispute.currency))
    audit.record(session, actor, f"payment.{kind.value}", ("dispute", dispute.id), label=label, after=facts, now=now)


def _open_case(
    session: Session, actor: Actor, payment: Payment, invoice_id: int | None, dispute: Dispute, now: datetime
) -> None:
    cause = Cause(
        key=f"dispute:{dispute.gateway_id}",
        kind=CaseKind.DISPUTE_LOST,
        customer_id=payment.customer_id,
        invoice_id=invoice_id,
        payment_id=payment.id,
        currency=dispute.currency,
        amount_minor=dispute.amount_minor,
        said=f"The bank has given {Money(dispute.amount_minor, dispute.currency)} of the payment {payment.reference} "
        "back to the payer for good: the dispute is lost. Record what went back, or ask for the money again",
    )
    cases.open_case(session, actor, cause, now=now)

"""Disputes: a customer has asked their bank for the money back. We record what is reported; people respond there."""

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle
from billing_core.invoices.models import EventKind
from billing_core.ledger import service as ledger
from billing_core.ledger.models import Account, EntryKind
from billing_core.ledger.service import Entry, Side
from billing_core.money import Money
from billing_core.online_payments import cases
from billing_core.online_payments.cases import Cause
from billing_core.online_payments.models import CaseKind, Dispute, DisputeState, PaymentCase
from billing_core.online_payments.webhooks.facts import Disputed
from billing_core.payments import chargebacks
from billing_core.payments.chargebacks import TakenBack
from billing_core.payments.models import Payment

OPEN, WON, LOST = DisputeState.OPEN, DisputeState.WON, DisputeState.LOST


def note(
    session: Session,
    actor: Actor,
    payment: Payment,
    invoice_id: int | None,
    event: Disputed,
    *,
    today: date,
    now: datetime,
) -> Dispute:
    """Record this event's dispute, unless a newer event is recorded. Once closed, a dispute is not reopened.

    The caller has locked the customer. A lost one opens a case: the money is gone, and our books do not show it yet.
    One that is won after all settles it, and what was taken back comes back.
    """
    actor.require(Permission.PAYMENT_WRITE)
    dispute = session.scalars(select(Dispute).where(Dispute.gateway_id == event.gateway_id)).one_or_none()
    if dispute is None:
        dispute = Dispute(
            gateway_id=event.gateway_id,
            payment_id=payment.id,
            currency=event.currency,
            amount_minor=event.amount_minor,
            fee_minor=0,
            reason=event.reason,
            state=OPEN,
            opened_at=event.opened_at,
            told_at=event.at,
        )
        session.add(dispute)
        session.flush()
        _tell(session, actor, dispute, invoice_id, EventKind.DISPUTED, now)
    if event.at >= dispute.told_at and event.fee_minor is not None:
        _post_fee(session, actor, payment, dispute, event.fee_minor, today=today, now=now)
    newer = dispute.state is OPEN or event.at > dispute.told_at
    if event.state is not OPEN and newer:
        changed = dispute.state is not event.state
        dispute.state, dispute.closed_at, dispute.told_at = event.state, event.at, event.at
        if changed:
            _tell(session, actor, dispute, invoice_id, EventKind.DISPUTE_CLOSED, now)
            if dispute.state is LOST:
                _open_case(session, actor, payment, invoice_id, dispute, now)
            else:
                _come_back(session, actor, dispute, today=today, now=now)
    session.flush()
    return dispute


def take_back(session: Session, actor: Actor, case_id: int, *, lost: bool = False, today: date, now: datetime) -> None:
    """Book what the bank of a lost dispute has taken: what it had paid is due again or, where it is ``lost``, written
    off. Settles the case.
    """
    actor.require(Permission.PAYMENT_WRITE)
    how = "is written off" if lost else "is due again"
    settlement = f"What went back is booked, and what it had paid {how}"
    case = cases.settle(session, actor, case_id, settlement=settlement, now=now)
    if case.kind is not CaseKind.DISPUTE_LOST or case.payment_id is None:
        raise Conflict("Only a lost dispute takes a payment back")
    payment = session.get_one(Payment, case.payment_id)
    if case.currency != payment.currency:
        raise Conflict(
            f"The payment is in {payment.currency}, and the bank took {case.currency}: note what became of it"
        )
    why = "The bank has given it back to the payer: the dispute is lost"
    taken = TakenBack(case.key, case.amount_minor, why, lost)
    chargebacks.take_back(session, actor, payment.id, taken, today=today, now=now)


def _key(dispute: Dispute) -> str:
    """Of its case, and of what is booked by that."""
    return f"dispute:{dispute.gateway_id}"


def _come_back(session: Session, actor: Actor, dispute: Dispute, *, today: date, now: datetime) -> None:
    """It was lost, and is won after all: nothing is to be settled any more."""
    waiting = select(PaymentCase.id).where(PaymentCase.key == _key(dispute), PaymentCase.settled_at.is_(None))
    for case_id in session.scalars(waiting).all():
        settlement = "The dispute is won after all, and the money is here again"
        cases.settle(session, actor, case_id, settlement=settlement, now=now)
    chargebacks.give_back(session, actor, _key(dispute), today=today, now=now)


def _post_fee(
    session: Session, actor: Actor, payment: Payment, dispute: Dispute, fee_minor: int, *, today: date, now: datetime
) -> None:
    """What the gateway keeps changes with the dispute; only the difference is posted."""
    more = fee_minor - dispute.fee_minor
    if not more or dispute.currency != payment.currency:
        return
    entry = Entry(
        business_id=payment.business_id,
        customer_id=payment.customer_id,
        currency=payment.currency,
        kind=EntryKind.FEE,
        document=f"dispute:{dispute.id}",
        effective_on=today,
        sides=[Side(Account.FEES, more, payment.method), Side(Account.CASH, -more, payment.method)],
        memo=f"Fee of the dispute {dispute.gateway_id}",
    )
    ledger.post(session, actor, entry, now=now)
    dispute.fee_minor = fee_minor
    audit.record(
        session,
        actor,
        "payment.note_fee",
        ("dispute", dispute.id),
        label=str(Money(dispute.amount_minor, dispute.currency)),
        after={"fee_minor": fee_minor, "currency": dispute.currency},
        now=now,
    )


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
        key=_key(dispute),
        kind=CaseKind.DISPUTE_LOST,
        customer_id=payment.customer_id,
        invoice_id=invoice_id,
        payment_id=payment.id,
        currency=dispute.currency,
        amount_minor=dispute.amount_minor,
        said=f"The bank has given {Money(dispute.amount_minor, dispute.currency)} of the payment {payment.reference} "
        "back to the payer for good: the dispute is lost. Book it, so that it is due again or a loss",
    )
    case = cases.open_case(session, actor, cause, now=now)
    if case.settled_at is not None:
        # It was lost, won, and is lost again.
        cases.open_again(session, actor, case, now=now)

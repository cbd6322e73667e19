"""Refunding through the gateway: record the request, ask the gateway, record the result.

The gateway's own event may come before our record or after it: both end in the same function, with one effect.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses import queries as businesses
from billing_core.customers.queries import visible_to
from billing_core.database import Sessions
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices.content.totals import Share
from billing_core.invoices.payment_links import Mode
from billing_core.money import Money
from billing_core.online_payments import cases
from billing_core.online_payments.cases import Cause
from billing_core.online_payments.gateway import Declined, Gateway, GatewayRefund, PaymentDetails
from billing_core.online_payments.models import CaseKind, RefundRequest, RefundRequestState
from billing_core.online_payments.webhooks import deferred, refund_recording
from billing_core.payments import chargeback_sources
from billing_core.payments import queries as payments
from billing_core.payments.models import Allocation, Payment
from billing_core.text import reason_of

# The same refund requested again within this time is a double click.
ONE_REQUEST: Final = timedelta(minutes=15)
ASKED, DONE, REFUSED = RefundRequestState.ASKED, RefundRequestState.DONE, RefundRequestState.REFUSED


class NoCharge(Conflict):
    """The gateway names no charge of the payment, so that it cannot refund one."""

    def __init__(self) -> None:
        super().__init__("The gateway names no charge of this payment: refund it there")


@dataclass(frozen=True, slots=True)
class Refundable:
    """What can still be refunded of a payment through its gateway. ``problem``: why nothing can; empty where it can.
    ``unanswered``: a requested refund whose outcome the gateway has not reported.
    """

    payment_id: int
    left: Money
    problem: str = ""
    unanswered: Money | None = None


def refundable(session: Session, actor: Actor, payment_id: int) -> Refundable:
    """How much can be refunded of a payment; NotFound where there is none."""
    actor.require(Permission.PAYMENT_READ)
    visible = select(Payment).where(Payment.id == payment_id, visible_to(actor, Payment.customer_id))
    payment = session.scalars(visible).one_or_none()
    if payment is None:
        raise NotFound(f"There is no payment {payment_id}")
    left = _left(session, payment)
    waiting = _unanswered(session, payment_id)
    unanswered = Money(waiting.amount_minor, waiting.currency) if waiting else None
    return Refundable(payment_id, left, _problem(session, payment, left), unanswered)


def refund(
    sessions: Sessions,
    actor: Actor,
    gateway: Gateway,
    payment_id: int,
    *,
    amount_minor: int,
    reason: str,
    now: datetime,
) -> int:
    """Refund a payment, or a part of it, through its gateway; returns the request's id.

    ``Declined`` where the gateway refused. After any other ``UpstreamFailed`` it is unknown whether money went back:
    repeating the call makes no second refund.
    """
    actor.require(Permission.PAYMENT_WRITE)
    why = reason_of(reason)
    with sessions.begin() as session:
        payment = payments.for_change(session, actor, payment_id)
        _check(session, payment, amount_minor)
        _check_mode(payment, gateway.mode)
        gateway_key, intent_id = payment.gateway_key or "", payment.intent_id
    if not intent_id:
        intent_id = _ask_for_intent(sessions, actor, gateway, payment_id, gateway_key, now)
    with sessions.begin() as session:
        request_id = ask(session, actor, payment_id, amount_minor=amount_minor, reason=why, now=now).id
    _make(sessions, actor, gateway, request_id, intent_id, now)
    return request_id


def make(
    sessions: Sessions,
    actor: Actor,
    gateway: Gateway,
    request_id: int,
    *,
    refused: Callable[[Session], None] | None = None,
    now: datetime,
) -> None:
    """Make a refund that was asked for, under its own key; nothing where the gateway's answer is known. ``refused``:
    done instead, in the transaction that notes a refusal. Fails as ``refund`` does; where there is no charge to refund,
    that is a refusal with a case, as it would be no other the next time.
    """
    actor.require(Permission.PAYMENT_WRITE)
    with sessions.begin() as session:
        payment = payments.for_change(session, actor, session.get_one(RefundRequest, request_id).payment_id)
        if session.get_one(RefundRequest, request_id, populate_existing=True).state is not ASKED:
            return
        _check_mode(payment, gateway.mode)
        payment_id, gateway_key, intent_id = payment.id, payment.gateway_key or "", payment.intent_id
    if not intent_id:
        try:
            intent_id = _ask_for_intent(sessions, actor, gateway, payment_id, gateway_key, now)
        except (NoCharge, Declined, Invalid) as refusal:
            with sessions.begin() as session:
                _give_up(session, actor, request_id, str(refusal), refused, now)
            raise
    _make(sessions, actor, gateway, request_id, intent_id, now, refused)


def ask(
    session: Session,
    actor: Actor,
    payment_id: int,
    *,
    amount_minor: int,
    reason: str,
    now: datetime,
    parts: Sequence[Share] | None = None,
) -> RefundRequest:
    """Write down that a refund is to be made, which ``refund`` makes: a new request, or one that was never answered.
    ``parts``: what it credits of the invoice, which adds up to the amount; None: the same share of all.
    """
    actor.require(Permission.PAYMENT_WRITE)
    why = reason_of(reason)
    payment = payments.for_change(session, actor, payment_id)
    _check(session, payment, amount_minor)
    waiting = _unanswered(session, payment_id)
    if waiting is not None and waiting.amount_minor != amount_minor:
        amount = Money(waiting.amount_minor, waiting.currency)
        raise Conflict(f"A refund of {amount} was asked for, and the gateway has not answered: repeat that one first")
    if waiting is None:
        _refuse_twice(session, actor, payment, amount_minor, why, now)
        waiting = RefundRequest(
            payment_id=payment.id,
            invoice_id=session.scalar(
                select(func.min(Allocation.invoice_id)).where(
                    Allocation.payment_id == payment.id, Allocation.undone_at.is_(None)
                )
            ),
            currency=payment.currency,
            amount_minor=amount_minor,
            reason=why,
            parts=None if parts is None else refund_recording.kept_parts(parts),
            created_at=now,
            created_by_id=actor.user_id,
            created_by=actor.name,
        )
        session.add(waiting)
        session.flush()
        audit.record(
            session,
            actor,
            "payment.ask_refund",
            ("payment", payment.id),
            label=str(Money(amount_minor, payment.currency)),
            after={"amount_minor": amount_minor, "currency": payment.currency, "reason": why},
            now=now,
        )
    return waiting


def _ask_for_intent(
    sessions: Sessions, actor: Actor, gateway: Gateway, payment_id: int, gateway_key: str, now: datetime
) -> str:
    """The charge of a payment that is not known until the gateway is asked."""
    details = gateway.details(gateway_key)
    with sessions.begin() as session:
        return _name(session, actor, payment_id, details, now)


def _make(
    sessions: Sessions,
    actor: Actor,
    gateway: Gateway,
    request_id: int,
    intent_id: str,
    now: datetime,
    refused: Callable[[Session], None] | None = None,
) -> None:
    with sessions() as session:
        request = session.get_one(RefundRequest, request_id)
    try:
        # Repeats the earlier request: the same key means the same request.
        answer = gateway.refund(
            intent_id, request.amount_minor, request.currency, reason=request.reason, key=request.public_id
        )
    except (Declined, Invalid) as refusal:
        with sessions.begin() as session:
            if _note_refusal(session, actor, request_id, str(refusal), now) and refused is not None:
                refused(session)
        raise
    with sessions.begin() as session:
        _record(session, actor, request_id, answer, now)


def _record(session: Session, actor: Actor, request_id: int, answer: GatewayRefund, now: datetime) -> None:
    payment = payments.for_change(session, actor, session.get_one(RefundRequest, request_id).payment_id)
    today = businesses.day_at(session, payment.business_id, now=now)
    request = session.get_one(RefundRequest, request_id, populate_existing=True)
    deferred.name(session, payment, charge_id=answer.charge_id, now=now)
    refund_recording.note_refunded(
        session,
        actor,
        payment.id,
        answer.refunded_minor,
        reason=request.reason,
        refunded_on=today,
        today=today,
        now=now,
        request=request,
    )
    _trace(session, actor, request, {"refund": answer.refund_id, "request_id": answer.request_id}, now)


def _note_refusal(session: Session, actor: Actor, request_id: int, reason: str, now: datetime) -> bool:
    """Whether it was not known before."""
    payments.for_change(session, actor, session.get_one(RefundRequest, request_id).payment_id)
    request = session.get_one(RefundRequest, request_id, with_for_update=True, populate_existing=True)
    if request.state is not ASKED:
        return False
    request.state, request.last_error = REFUSED, reason[:500]
    _trace(session, actor, request, {"reason": reason[:500]}, now)
    return True


def _give_up(
    session: Session,
    actor: Actor,
    request_id: int,
    reason: str,
    refused: Callable[[Session], None] | None,
    now: datetime,
) -> None:
    """Once: a person looks whether the money should go back in another way."""
    if not _note_refusal(session, actor, request_id, reason, now):
        return
    if refused is not None:
        refused(session)
    request = session.get_one(RefundRequest, request_id)
    payment = payments.for_change(session, actor, request.payment_id)
    amount = Money(request.amount_minor, request.currency)
    cause = Cause(
        key=f"refund_without_charge:{request.public_id}",
        kind=CaseKind.REFUND_FAILED,
        customer_id=payment.customer_id,
        invoice_id=request.invoice_id,
        payment_id=payment.id,
        currency=request.currency,
        amount_minor=request.amount_minor,
        said=f"{amount} could not be refunded ({reason}). It counts for what the customer owes, or is their credit: "
        "pay it back in another way, and note how",
    )
    cases.open_case(session, actor, cause, now=now)


def _name(session: Session, actor: Actor, payment_id: int, details: PaymentDetails, now: datetime) -> str:
    """Store the gateway's ids of the payment; Conflict where there is no charge to refund."""
    payment = payments.for_change(session, actor, payment_id)
    deferred.name(session, payment, intent_id=details.intent_id, charge_id=details.charge_id, now=now)
    if not payment.intent_id:
        raise NoCharge
    return payment.intent_id


def _check(session: Session, payment: Payment, amount_minor: int) -> None:
    left = _left(session, payment)
    if problem := _problem(session, payment, left):
        raise Conflict(problem)
    if not 0 < amount_minor <= left.minor:
        raise Invalid(f"{left} can be refunded", fields={"amount": f"must be more than 0 and at most {left}"})


def _check_mode(payment: Payment, mode: Mode) -> None:
    """Another mode's gateway would answer that there is no such payment."""
    if payment.mode not in (None, mode):
        raise Conflict(
            f"This payment was collected in {payment.mode} mode, and refunds go through {mode} mode now: "
            "refund it where it was collected"
        )


def _problem(session: Session, payment: Payment, left: Money) -> str:
    if payment.gateway_key is None:
        return "This payment did not come in through a gateway"
    if payment.undone_at is not None:
        return "This payment was undone"
    if left.minor <= 0:
        # A bank may have taken back what was not refunded.
        return "All of this payment was refunded already"
    if refund_recording.one_failed(session, payment.id) and _unanswered(session, payment.id) is None:
        # The same card would hardly accept another, and the gateway's total would be less than our books'.
        return "A refund of this payment did not reach the payer: pay the rest back in another way as well"
    return ""


def _left(session: Session, payment: Payment) -> Money:
    gone = refund_recording.recorded(session, payment.id) + chargeback_sources.taken_of(session, payment.id)
    return Money(max(payment.amount_minor - gone, 0), payment.currency)


def _unanswered(session: Session, payment_id: int) -> RefundRequest | None:
    statement = select(RefundRequest).where(RefundRequest.payment_id == payment_id, RefundRequest.state == ASKED)
    return session.scalars(statement.order_by(RefundRequest.id).limit(1)).one_or_none()


def _refuse_twice(session: Session, actor: Actor, payment: Payment, amount_minor: int, why: str, now: datetime) -> None:
    """The gateway's event may have completed a request whose answer was lost; repeating it means that same request."""
    same = select(RefundRequest.id).where(
        RefundRequest.payment_id == payment.id,
        RefundRequest.state == DONE,
        RefundRequest.amount_minor == amount_minor,
        RefundRequest.reason == why,
        RefundRequest.created_by == actor.name,
        RefundRequest.created_at > now - ONE_REQUEST,
    )
    if session.scalar(same.limit(1)) is not None:
        amount = Money(amount_minor, payment.currency)
        raise Conflict(
            f"{amount} of this payment was refunded a moment ago. To refund as much again, give another reason"
        )


def _trace(session: Session, actor: Actor, request: RefundRequest, facts: dict[str, str], now: datetime) -> None:
    amount = Money(request.amount_minor, request.currency)
    after = {"state": request.state.value, **facts}
    audit.record(
        session,
        actor,
        "payment.refund_answered",
        ("payment", request.payment_id),
        label=str(amount),
        after=after,
        now=now,
    )

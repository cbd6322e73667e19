"""Refunds to the card of days that are not used, when a subscription is cancelled.

They are asked for in the transaction of the cancellation and made after it. Whoever is killed between is found, and the
refund made under its own key, which has no second effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.errors import BillingError, Conflict, UpstreamFailed
from billing_core.identity import Actor
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.languages.formats import writing
from billing_core.online_payments import refunding
from billing_core.online_payments.gateway import Declined, Gateway
from billing_core.online_payments.models import RefundRequest, RefundRequestState
from billing_core.payments.models import Allocation, AllocationKind, Payment
from billing_core.subscriptions import calendar, queries
from billing_core.subscriptions.changes import unused
from billing_core.subscriptions.changes.unused import Credit
from billing_core.subscriptions.lifecycle import CANCELED
from billing_core.subscriptions.models import Subscription, SubscriptionCharge

log = structlog.get_logger()

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Refund:
    """What was asked to go back, for these credits of an invoice."""

    request_id: int
    credits: tuple[Credit, ...]


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A refund that a cancellation asked for, and of which it is not known what came."""

    request_id: int
    subscription_id: int
    invoice_id: int


def because(invoice: Invoice) -> str:
    return writing(invoice.language).gettext("The subscription was cancelled")


def ask(session: Session, actor: Actor, given: Sequence[Credit], mode: Mode, *, now: datetime) -> list[Refund]:
    """Of each invoice that one payment through the gateway has paid: the credits count as given from now on. What was
    paid otherwise is left to become credit.
    """
    found = []
    for invoice_id in dict.fromkeys(one.invoice_id for one in given):
        theirs = tuple(one for one in given if one.invoice_id == invoice_id)
        invoice = session.get_one(Invoice, invoice_id)
        amount = sum(one.gross_minor for one in theirs)
        payment_id = _payment(session, actor, invoice, amount, mode)
        if payment_id is not None:
            reason = because(invoice)
            request = refunding.ask(session, actor, payment_id, amount_minor=amount, reason=reason, now=now)
            found.append(Refund(request.id, theirs))
    for refund in found:
        _mark(session, refund.credits, 1)
    return found


def make(
    sessions: Sessions, actor: Actor, gateway: Gateway, subscription_id: int, wanted: Refund, *, now: datetime
) -> None:
    """Where the gateway refuses, it becomes the customer's credit; where it does not answer, the refund stays asked
    for, to be repeated.
    """
    try:
        refunding.make(sessions, actor, gateway, wanted.request_id, now=now)
    except Declined as refusal:
        log.warning("refund_refused", request_id=wanted.request_id, because=str(refusal))
        with sessions.begin() as session:
            subscription = queries.for_change(session, actor, subscription_id)
            _mark(session, wanted.credits, -1)
            _give(session, actor, subscription, wanted.credits, now)
    except UpstreamFailed as failure:
        log.warning("refund_waits", request_id=wanted.request_id, because=str(failure))


def unfinished(session: Session, *, before: datetime, limit: int = 100) -> list[Unanswered]:
    """Those that cancellations before then have asked for, in the same instant; what a person asks for is theirs to
    repeat.
    """
    statement = (
        select(RefundRequest.id, Subscription.id, func.max(SubscriptionCharge.invoice_id))
        .join(Allocation, Allocation.payment_id == RefundRequest.payment_id)
        .join(SubscriptionCharge, SubscriptionCharge.invoice_id == Allocation.invoice_id)
        .join(Subscription, Subscription.id == SubscriptionCharge.subscription_id)
        .where(
            RefundRequest.state == RefundRequestState.ASKED,
            RefundRequest.created_at < before,
            RefundRequest.created_at == Subscription.canceled_at,
            Allocation.undone_at.is_(None),
            Subscription.state == CANCELED,
            SubscriptionCharge.period_number == Subscription.period_number,
            SubscriptionCharge.credited_minor > 0,
        )
        .group_by(RefundRequest.id, Subscription.id)
    )
    return [Unanswered(*row) for row in session.execute(statement.order_by(RefundRequest.id).limit(limit))]


def complete_unfinished(sessions: Sessions, actor: Actor, gateway: Gateway, *, before: datetime, now: datetime) -> int:
    """Make those that were cut off; how many there were."""
    with sessions() as session:
        found = unfinished(session, before=before)
    for one in found:
        try:
            _complete(sessions, actor, gateway, one, now)
        except BillingError as failure:
            log.warning("refund_waits", request_id=one.request_id, because=str(failure))
    return len(found)


def _complete(sessions: Sessions, actor: Actor, gateway: Gateway, one: Unanswered, now: datetime) -> None:
    try:
        refunding.make(sessions, actor, gateway, one.request_id, now=now)
    except Declined as refusal:
        log.warning("refund_refused", request_id=one.request_id, because=str(refusal))
        with sessions.begin() as session:
            subscription = queries.for_change(session, actor, one.subscription_id)
            given = _taken_back(session, subscription, one)
            _give(session, actor, subscription, given, now)


def _taken_back(session: Session, subscription: Subscription, one: Unanswered) -> list[Credit]:
    """The credits for which a refund was asked, computed again as on the day of the cancellation, and counted as given
    no more. Conflict where they come to anything else by now.
    """
    assert subscription.canceled_at is not None and subscription.period_number is not None  # noqa: S101, PT018  # it asked
    first_unused = calendar.local(subscription.canceled_at, subscription.zone)[0] + _ONE_DAY
    marked = select(SubscriptionCharge).where(
        SubscriptionCharge.subscription_id == subscription.id,
        SubscriptionCharge.period_number == subscription.period_number,
        SubscriptionCharge.invoice_id == one.invoice_id,
        SubscriptionCharge.last_day >= first_unused,
        SubscriptionCharge.credited_minor > 0,
    )
    for charge in session.scalars(marked):
        charge.credited_minor = 0
    session.flush()
    of_period = unused.of_period(session, subscription, subscription.period_number, first_unused)
    found = [credit for credit in of_period if credit.invoice_id == one.invoice_id]
    if sum(credit.gross_minor for credit in found) != session.get_one(RefundRequest, one.request_id).amount_minor:
        raise Conflict("What was to be refunded has changed since: credit it by hand")
    return found


def _give(session: Session, actor: Actor, subscription: Subscription, given: Sequence[Credit], now: datetime) -> None:
    today = calendar.local(now, subscription.zone)[0]
    unused.give(session, actor, subscription, given, today=today, now=now)


def _payment(session: Session, actor: Actor, invoice: Invoice, amount_minor: int, mode: Mode) -> int | None:
    """One that was collected for it, and of which so much can go back."""
    if invoice.state is not InvoiceState.PAID or not amount_minor:
        return None
    of_invoice = (
        select(Payment.id)
        .join(Allocation, Allocation.payment_id == Payment.id)
        .where(
            Allocation.invoice_id == invoice.id,
            Allocation.kind == AllocationKind.PAYMENT,
            Allocation.undone_at.is_(None),
            Allocation.amount_minor - invoice.refunded_minor >= amount_minor,
            Payment.gateway_key.is_not(None),
            Payment.mode.is_(None) | (Payment.mode == mode),
        )
    )
    for payment_id in session.scalars(of_invoice.order_by(Payment.id)):
        possible = refunding.refundable(session, actor, payment_id)
        if not possible.problem and possible.unanswered is None and possible.left.minor >= amount_minor:
            return payment_id
    return None


def _mark(session: Session, given: Sequence[Credit], sign: int) -> None:
    """Count them as credited, or no more."""
    for one in given:
        charge = session.get_one(SubscriptionCharge, one.charge_id)
        charge.credited_minor += sign * one.net_minor
    session.flush()

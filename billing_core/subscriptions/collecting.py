"""Collecting what invoices of subscriptions ask for, from the payment method on file.

An attempt is written before the charge, and what came of it afterwards, each in a transaction of its own. Meanwhile the
invoice is due again only minutes later, for whoever comes after a crash: the same attempt is charged again under the
same key, which has no second effect. Retries come 1, 3, 5 and 7 days after the first failure; what a bank will never
allow is not tried again, and is given up when the others would be.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.database import Sessions
from billing_core.errors import BillingError, Conflict
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.mailing import service as mailing
from billing_core.online_payments.gateway import Charged, Gateway
from billing_core.online_payments.links import workflow as links
from billing_core.online_payments.models import AttemptState, ChargeAttempt
from billing_core.online_payments.off_session import attempts
from billing_core.online_payments.stripe import limits
from billing_core.payments import credit
from billing_core.subscriptions import invoicing, lifecycle, queries
from billing_core.subscriptions.lifecycle import ACTIVE, CANCELED, PAST_DUE, UNPAID
from billing_core.subscriptions.models import (
    ChangeState,
    InvoiceKind,
    Subscription,
    SubscriptionChange,
    SubscriptionInvoice,
)
from billing_core.subscriptions.telling import letters

log = structlog.get_logger()

# A charge answers within seconds: what has not by then was cut off.
CUT_OFF_AFTER: Final = timedelta(minutes=10)
# Days after the first failure.
RETRIES: Final = (1, 3, 5, 7)


@dataclass(frozen=True, slots=True)
class Collected:
    """What one attempt came to; ``attempt`` None: there was no payment method, and the customer was written to."""

    invoice_id: int
    attempt: str | None
    outcome: AttemptState | None


def due(session: Session, *, now: datetime, limit: int, within: range | None = None) -> Sequence[int]:
    """The invoices of subscriptions that are to be charged by now, the longest due first; ``within``: of these ids
    alone.
    """
    statement = select(SubscriptionInvoice.id).where(SubscriptionInvoice.collect_at <= now)
    if within is not None:
        statement = statement.where(SubscriptionInvoice.id >= within.start, SubscriptionInvoice.id < within.stop)
    return session.scalars(
        statement.order_by(SubscriptionInvoice.collect_at, SubscriptionInvoice.id).limit(limit)
    ).all()


def due_chunks(session: Session, *, now: datetime, size: int, limit: int) -> list[range]:
    """The ranges of ``size`` ids in which something is to be charged by now, the oldest first."""
    place = SubscriptionInvoice.id // size
    statement = select(place).distinct().where(SubscriptionInvoice.collect_at <= now)
    return [range(one * size, (one + 1) * size) for one in session.scalars(statement.order_by(place).limit(limit))]


def collect(sessions: Sessions, actor: Actor, gateway: Gateway, billed_id: int, *, now: datetime) -> Collected | None:
    """Charge what is due on one of them; None where nothing is any more, or somebody else is doing it."""
    actor.require(Permission.PAYMENT_WRITE)
    with sessions.begin() as session:
        begun = _begin(session, actor, billed_id, now)
    if begun is None:
        return None
    invoice_id, attempt_id = begun
    if attempt_id is None:
        have_link(sessions, actor, gateway, invoice_id, now)
        with sessions.begin() as session:
            _ask_to_pay(session, actor, billed_id, now)
        return Collected(invoice_id, None, None)
    charged = attempts.charge(sessions, gateway, attempt_id)
    with sessions.begin() as session:
        attempt = attempts.record(session, actor, attempt_id, charged, now=now)
        found = Collected(invoice_id, attempt.public_id, attempt.state)
        if found.outcome is AttemptState.SUCCEEDED:
            _react(session, actor, billed_id, attempt, now)
    if found.outcome is not AttemptState.SUCCEEDED:
        # The mail is put in with what the failure does, and leads to a link: whoever is cut off here is found, and the
        # outcome of the attempt known.
        have_link(sessions, actor, gateway, invoice_id, now)
        with sessions.begin() as session:
            _react(session, actor, billed_id, attempts.one(session, actor, attempt_id), now)
    return found


def record_first(
    session: Session, actor: Actor, billed: SubscriptionInvoice, attempt_id: int, charged: Charged, *, now: datetime
) -> None:
    """Record a charge that succeeded for an invoice which waited for it: send that, and have the money pay it.

    The gateway's event may have done so before, or have kept the money as credit; and credit may have come or gone
    meanwhile. What is left to pay is collected.
    """
    attempt = session.get_one(ChargeAttempt, attempt_id, populate_existing=True)
    invoice = session.get_one(Invoice, attempt.invoice_id, populate_existing=True)
    if invoice.state is InvoiceState.DRAFT:
        expected = min(attempt.amount_minor, invoice.total_minor) if attempt.state is AttemptState.STARTED else 0
        invoice = invoicing.send(session, actor, invoice.id, kept_minor=expected, now=now)
    attempts.record(session, actor, attempt_id, charged, now=now)
    session.refresh(invoice)
    credit.spend(session, actor, invoice, today=invoice.issued_on, now=now)
    billed.attempt_id = None
    session.refresh(invoice)
    if invoice.due_minor:
        billed.collect_at = now


def unanswered(session: Session, subscription_id: int, mode: Mode | None) -> SubscriptionInvoice | None:
    """What a change of the subscription is charged for, where nothing is heard of that while the product collects in
    this mode.
    """
    statement = (
        select(SubscriptionInvoice)
        .join(SubscriptionChange, SubscriptionChange.id == SubscriptionInvoice.change_id)
        .where(
            SubscriptionInvoice.subscription_id == subscription_id,
            SubscriptionInvoice.kind != InvoiceKind.OTHER,
            SubscriptionChange.subscription_id == subscription_id,
            SubscriptionChange.state == ChangeState.CHARGING,
        )
    )
    billed = session.scalars(statement).one_or_none()
    if billed is None or billed.invoice_id is None or not attempts.running(session, billed.invoice_id):
        return None
    return None if attempts.running(session, billed.invoice_id, answered_in=mode) else billed


class CutOff(Protocol):
    """Reads what was begun before then, beyond the id ``after``: some, the oldest first, each with another id."""

    def __call__(self, session: Session, *, before: datetime, after: int) -> Mapping[int, int]: ...


def each_cut_off(sessions: Sessions, read: CutOff, *, before: datetime) -> Iterator[tuple[int, int]]:
    """All of them once: those that cannot be completed, however many, keep none of the others waiting."""
    after = 0
    while True:
        with sessions() as session:
            found = read(session, before=before, after=after)
        if not found:
            return
        yield from found.items()
        after = max(found)


def settle(session: Session, actor: Actor, subscription: Subscription, *, now: datetime) -> None:
    """Bring a locked subscription back once everything that it was billed is paid."""
    owed = _owed().where(SubscriptionInvoice.subscription_id == subscription.id)
    if subscription.state in (PAST_DUE, UNPAID) and session.scalar(owed.limit(1)) is None:
        lifecycle.move(session, actor, subscription, ACTIVE, now=now)


def _begin(session: Session, actor: Actor, billed_id: int, now: datetime) -> tuple[int, int | None] | None:
    """Write the attempt down, or find the one that was cut off; its invoice's id, and its own."""
    billed = session.get_one(SubscriptionInvoice, billed_id)
    subscription = queries.for_change(session, actor, billed.subscription_id)
    session.refresh(billed)
    if billed.collect_at is None or billed.collect_at > now or billed.invoice_id is None:
        return None
    if billed.attempt_id is not None:
        billed.collect_at = now + CUT_OFF_AFTER
        return billed.invoice_id, billed.attempt_id
    if queries.is_charging(session, subscription.id):
        # The change that is being charged may lower what is due.
        billed.collect_at = now + CUT_OFF_AFTER
        return None
    invoice = session.get_one(Invoice, billed.invoice_id, populate_existing=True)
    is_over = subscription.state is CANCELED
    if invoice.state is not InvoiceState.OPEN or not invoice.due_minor or (is_over and billed.failures):
        billed.collect_at = None
        settle(session, actor, subscription, now=now)
        return None
    if billed.gives_up_at is not None:
        _give_up(session, actor, subscription, billed, now)
        return None
    # Nobody's card is charged any more once it is cancelled: what has not been asked for yet is asked for.
    # Nor for what Stripe takes from none: it is no failure of the card's.
    chargeable = not is_over and not limits.refusal(invoice.due_minor, invoice.currency)
    method_id = queries.payment_method(session, subscription) if chargeable else None
    billed.collect_at = now + CUT_OFF_AFTER
    if method_id is None:
        return invoice.id, None
    try:
        billed.attempt_id = attempts.begin(session, actor, invoice.id, method_id, now=now)
    except Conflict as refusal:
        # Somebody else is charging it, by hand.
        log.warning("charge_waits", subscription_invoice_id=billed.id, because=str(refusal))
        return None
    return invoice.id, billed.attempt_id


def _last_retry(failed_at: datetime) -> datetime:
    return failed_at + timedelta(days=RETRIES[-1])


def _react(session: Session, actor: Actor, billed_id: int, attempt: ChargeAttempt, now: datetime) -> None:
    """Once for each attempt."""
    billed = session.get_one(SubscriptionInvoice, billed_id)
    subscription = queries.for_change(session, actor, billed.subscription_id)
    session.refresh(billed)
    if billed.attempt_id != attempt.id:
        return
    billed.attempt_id = None
    if attempt.state is AttemptState.SUCCEEDED:
        billed.collect_at = billed.gives_up_at = None
        settle(session, actor, subscription, now=now)
        return
    billed.failures += 1
    billed.failed_at = billed.failed_at or now
    is_owed = session.get_one(Invoice, attempt.invoice_id).state is InvoiceState.OPEN
    if subscription.state is CANCELED or not is_owed:
        billed.collect_at = None
        return
    _plan_next(session, actor, subscription, billed, attempt, now)
    next_at = None if billed.gives_up_at is not None else billed.collect_at
    letters.charge_failed(session, actor, subscription, attempt, next_at=next_at, now=now)


def _plan_next(
    session: Session,
    actor: Actor,
    subscription: Subscription,
    billed: SubscriptionInvoice,
    attempt: ChargeAttempt,
    now: datetime,
) -> None:
    """When it is charged again, if it is."""
    assert billed.failed_at is not None  # noqa: S101  # it failed
    if subscription.state is ACTIVE:
        lifecycle.move(session, actor, subscription, PAST_DUE, now=now)
    if attempt.method_id != subscription.payment_method_id:
        # Another one was given while it was charged: that is tried at once.
        billed.collect_at, billed.gives_up_at = now, None
        return
    following = [at for days in RETRIES if (at := billed.failed_at + timedelta(days=days)) > now]
    if attempt.hard and following:
        billed.collect_at = billed.gives_up_at = _last_retry(billed.failed_at)
    elif following:
        billed.collect_at = following[0]
    else:
        _give_up(session, actor, subscription, billed, now)


def _give_up(
    session: Session, actor: Actor, subscription: Subscription, billed: SubscriptionInvoice, now: datetime
) -> None:
    billed.collect_at = billed.gives_up_at = None
    if subscription.state is PAST_DUE:
        lifecycle.move(session, actor, subscription, UNPAID, now=now)


def have_link(sessions: Sessions, actor: Actor, gateway: Gateway, invoice_id: int, now: datetime) -> None:
    """A link to pay the invoice by. It may have one already, or the gateway makes none now: it says how else to pay."""
    with suppress(BillingError):
        links.create(sessions, actor, gateway, invoice_id, now=now)


def _ask_to_pay(session: Session, actor: Actor, billed_id: int, now: datetime) -> None:
    """Mail an invoice that there is no card to charge for, once; after a charge that failed it was."""
    billed = session.get_one(SubscriptionInvoice, billed_id)
    queries.for_change(session, actor, billed.subscription_id)
    session.refresh(billed)
    if billed.collect_at is None or billed.invoice_id is None:
        return
    billed.collect_at = billed.gives_up_at = None if billed.failed_at is None else _last_retry(billed.failed_at)
    if billed.failed_at is None:
        today = businesses.days(session, now=now)
        mailing.send_many(session, actor, [billed.invoice_id], now=now, today=today)


def overdue_settled(session: Session, *, limit: int) -> Sequence[int]:
    """The subscriptions that are past due or unpaid though nothing is owed any more: by a link, or by hand, all was
    paid, credited or cancelled.
    """
    owed = _owed().where(SubscriptionInvoice.subscription_id == Subscription.id)
    statement = select(Subscription.id).where(Subscription.state.in_([PAST_DUE, UNPAID]), ~owed.exists())
    return session.scalars(statement.order_by(Subscription.id).limit(limit)).all()


def _owed() -> Select[int]:
    """What could not be charged and is open."""
    return (
        select(SubscriptionInvoice.id)
        .join(Invoice, Invoice.id == SubscriptionInvoice.invoice_id)
        .where(SubscriptionInvoice.failed_at.is_not(None), Invoice.state == InvoiceState.OPEN)
    )

"""Cancelling: at the end of the period, or at once, with what becomes of the days that are left.

``canceled`` is final: nothing is charged to a card any more. Retries stop in the same transaction, and what was used up
to the day of the cancellation is billed once that day is over.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.invoices import after_sending, credit_notes
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import Gateway
from billing_core.online_payments.off_session import attempts
from billing_core.plans.models import BillingTiming
from billing_core.subscriptions import beginning, calendar, lifecycle, metered, queries
from billing_core.subscriptions.changes import agreeing, giving_back, proposing, unused
from billing_core.subscriptions.changes import wanted as asking
from billing_core.subscriptions.changes.giving_back import Refund
from billing_core.subscriptions.changes.unused import Credit
from billing_core.subscriptions.lifecycle import CANCELED, TRIALING
from billing_core.subscriptions.models import (
    InvoiceKind,
    Subscription,
    SubscriptionInvoice,
    SubscriptionPeriod,
)

log = structlog.get_logger()


class Unused(enum.StrEnum):
    """What becomes of days that were charged and are not used."""

    CREDIT = "credit"
    REFUND = "refund"
    NOTHING = "nothing"


class OpenInvoices(enum.StrEnum):
    """What becomes of invoices that are not paid."""

    KEEP = "keep"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Ending:
    """How it is to end. ``at_period_end``: then ``unused`` and ``open_invoices`` are of no account."""

    at_period_end: bool = False
    unused: Unused = Unused.CREDIT
    open_invoices: OpenInvoices = OpenInvoices.KEEP
    reason: str = ""


def cancel(
    sessions: Sessions, actor: Actor, gateway: Gateway, public_id: str, ending: Ending, *, now: datetime
) -> None:
    """Cancel a subscription. Conflict where it is canceled already, or what is due is being charged just now."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    with sessions.begin() as session:
        found = queries.by_public_id(session, actor, public_id)
        subscription = queries.for_change(session, actor, found.id)
        _refuse(session, subscription, now)
        subscription.cancel_reason = ending.reason.strip()[:500]
        if ending.at_period_end:
            _at_period_end(session, actor, subscription, now)
            return
        subscription_id = subscription.id
        refunds = _at_once(session, actor, subscription, ending, gateway.mode, now)
    for one in refunds:
        giving_back.make(sessions, actor, gateway, subscription_id, one, now=now)


def _refuse(session: Session, subscription: Subscription, now: datetime) -> None:
    """One that is held, because its periods wait for a person, can end without them."""
    by_then = now if subscription.held_at is None else subscription.created_at
    proposing.refuse_unready(session, subscription, by_then)


def _at_period_end(session: Session, actor: Actor, subscription: Subscription, now: datetime) -> None:
    subscription.cancel_at_period_end = True
    facts = {"at": f"{subscription.next_at}", "reason": subscription.cancel_reason}
    lifecycle.record(session, actor, subscription, "cancel_at_period_end", None, facts, now=now)


def _at_once(
    session: Session, actor: Actor, subscription: Subscription, ending: Ending, mode: Mode, now: datetime
) -> list[Refund]:
    invoices = _open_invoices(session, subscription)
    if any(attempts.running(session, invoice.id) for invoice in invoices):
        raise Conflict("What is due is being charged: try again in a moment")
    _stop_retries(session, subscription)
    for change in asking.scheduled(session, subscription.id):
        agreeing.withdraw(session, actor, subscription, change, now=now)
    day = calendar.local(now, subscription.zone)[0]
    if ending.open_invoices is OpenInvoices.VOID:
        for invoice in invoices:
            _void(session, actor, invoice, ending.reason.strip() or giving_back.because(invoice), day, now)
    begun = queries.period(session, subscription)
    given: list[Credit] = []
    if begun is not None and ending.unused is not Unused.NOTHING:
        given = unused.of_period(session, subscription, begun.number, day + timedelta(days=1))
    refunds = giving_back.ask(session, actor, given, mode, now=now) if ending.unused is Unused.REFUND else []
    apart = {one.charge_id for refund in refunds for one in refund.credits}
    unused.give(session, actor, subscription, [one for one in given if one.charge_id not in apart], today=day, now=now)
    was_trial = subscription.state is TRIALING
    metered.take_off(session, actor, subscription, day + timedelta(days=1), now=now)
    lifecycle.move(session, actor, subscription, CANCELED, now=now)
    if begun is not None and not was_trial and _has_more_to_bill(session, subscription, begun):
        subscription.next_at = calendar.instant(day + timedelta(days=1), time.min, subscription.zone)
        # A person's decision, which does not wait for another one.
        subscription.held_at = None
    facts = {
        "unused": ending.unused.value,
        "open_invoices": ending.open_invoices.value,
        "credited_minor": sum(one.gross_minor for one in given),
        "reason": subscription.cancel_reason,
    }
    lifecycle.record(session, actor, subscription, "cancel", None, facts, now=now)
    return refunds


def _stop_retries(session: Session, subscription: Subscription) -> None:
    """What has not been charged yet stays due: as no card is charged any more, the customer is asked for it by mail."""
    session.execute(
        update(SubscriptionInvoice)
        .where(SubscriptionInvoice.subscription_id == subscription.id, SubscriptionInvoice.failed_at.is_not(None))
        .values(collect_at=None, gives_up_at=None)
    )


def _open_invoices(session: Session, subscription: Subscription) -> Sequence[Invoice]:
    """Those of its periods and changes; what a person added is theirs to decide on."""
    statement = (
        select(Invoice)
        .join(SubscriptionInvoice, SubscriptionInvoice.invoice_id == Invoice.id)
        .where(
            SubscriptionInvoice.subscription_id == subscription.id,
            SubscriptionInvoice.kind != InvoiceKind.OTHER,
            Invoice.state == InvoiceState.OPEN,
        )
    )
    return session.scalars(statement.order_by(Invoice.id)).all()


def _void(session: Session, actor: Actor, invoice: Invoice, reason: str, day: date, now: datetime) -> None:
    """Of one that was paid in part, what is still due."""
    today = max(day, invoice.issued_on)
    if invoice.paid_minor or invoice.written_off_minor:
        credit_notes.issue(session, actor, invoice.id, reason=reason, issued_on=today, today=today, now=now)
    else:
        after_sending.cancel(session, actor, invoice.id, now=now, today=today, reason=reason)


def _has_more_to_bill(session: Session, subscription: Subscription, begun: SubscriptionPeriod) -> bool:
    if begun.paused:
        return False
    offers = [terms.offer for terms, _ in beginning.stretches(session, subscription, begun)]
    return any(offer.has_usage or offer.timing is BillingTiming.ARREARS for offer in offers)

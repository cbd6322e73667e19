"""Cancelling: at the end of the period, or at once, with what becomes of the days that are left.

``canceled`` is final: nothing is charged to a card any more. Retries stop in the same transaction, and what was used up
to the day of the cancellation is billed once that day is over. What is done is what was computed to be shown before.
"""

from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission, idempotent
from billing_core.identity.idempotent import Claim
from billing_core.invoices import after_sending, credit_notes
from billing_core.invoices import queries as invoices
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import Gateway
from billing_core.subscriptions import calendar, lifecycle, metered, queries
from billing_core.subscriptions.changes import agreeing, closing, giving_back, unused
from billing_core.subscriptions.changes.closing import Closing, Ending
from billing_core.subscriptions.lifecycle import CANCELED
from billing_core.subscriptions.models import Subscription, SubscriptionCharge, SubscriptionInvoice


class Outdated(Conflict):
    """What was shown is not what the cancellation comes to now: ``closing`` is."""

    def __init__(self, found: Closing) -> None:
        super().__init__("The cancellation does not come to what was shown any more: look at it again")
        self.closing = found


def preview(session: Session, actor: Actor, public_id: str, ending: Ending, *, mode: Mode, now: datetime) -> Closing:
    """What the cancellation would come to now. ``mode``: in which refunds are made now."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    subscription = queries.by_public_id(session, actor, public_id)
    return closing.compute(session, actor, subscription, ending, mode=mode, now=now)


def cancel(
    sessions: Sessions,
    actor: Actor,
    gateway: Gateway,
    public_id: str,
    ending: Ending,
    *,
    token: str | None = None,
    claim: Claim | None = None,
    now: datetime,
) -> None:
    """Cancel a subscription. ``token``: as exactly what was shown under it, once, however often this is asked for.
    ``claim``: of the request that asks for it, which is done with it.

    ``Outdated`` where it comes to something else by now. Conflict where it is canceled already, or what is due is being
    charged just now.
    """
    actor.require(Permission.SUBSCRIPTION_WRITE)
    with sessions.begin() as session:
        found = queries.by_public_id(session, actor, public_id)
        subscription = queries.for_change(session, actor, found.id)
        if token is not None and token == _done_as(subscription):
            return
        invoices.many_for_change(session, actor, _touched(session, subscription))
        agreed = closing.compute(session, actor, subscription, ending, mode=gateway.mode, now=now)
        if token is not None and token != agreed.token:
            raise Outdated(agreed)
        subscription_id = subscription.id
        request_ids = _end(session, actor, subscription, agreed, now)
        if claim is not None:
            idempotent.mark_changed(session, claim, now=now)
    for request_id in request_ids:
        giving_back.make(sessions, actor, gateway, subscription_id, request_id, now=now)


def _done_as(subscription: Subscription) -> str | None:
    """The token of what was shown before it was cancelled; None where it goes on."""
    over = subscription.state is CANCELED or subscription.cancel_at_period_end
    return (subscription.cancellation or {}).get("token") if over else None


def _touched(session: Session, subscription: Subscription) -> list[int]:
    """The invoices that a cancellation may change, and that nobody else changes meanwhile: those that are open, and
    those that charged for the present period.
    """
    of_period = select(SubscriptionCharge.invoice_id).where(
        SubscriptionCharge.subscription_id == subscription.id,
        SubscriptionCharge.period_number == subscription.period_number,
    )
    statement = (
        select(Invoice.id)
        .join(SubscriptionInvoice, SubscriptionInvoice.invoice_id == Invoice.id)
        .where(
            SubscriptionInvoice.subscription_id == subscription.id,
            or_(Invoice.state == InvoiceState.OPEN, Invoice.id.in_(of_period)),
        )
    )
    return list(session.scalars(statement))


def _end(session: Session, actor: Actor, subscription: Subscription, agreed: Closing, now: datetime) -> list[int]:
    """What was agreed on; the refunds that are to be made."""
    subscription.cancel_reason = agreed.ending.reason.strip()[:500]
    kept: dict[str, Any] = {"token": agreed.token}
    if agreed.ending.at_period_end:
        subscription.cancellation = kept
        _at_period_end(session, actor, subscription, now)
        return []
    asked = _at_once(session, actor, subscription, agreed, now)
    subscription.cancellation = kept | {"refunds": giving_back.kept(asked)}
    return list(asked)


def _at_period_end(session: Session, actor: Actor, subscription: Subscription, now: datetime) -> None:
    subscription.cancel_at_period_end = True
    facts = {"at": f"{subscription.next_at}", "reason": subscription.cancel_reason}
    lifecycle.record(session, actor, subscription, "cancel_at_period_end", None, facts, now=now)


def _at_once(
    session: Session, actor: Actor, subscription: Subscription, agreed: Closing, now: datetime
) -> dict[int, giving_back.ToCard]:
    day, day_after = agreed.last_day, agreed.last_day + timedelta(days=1)
    _stop_retries(session, subscription)
    agreeing.withdraw_all(session, actor, subscription, now=now)
    asked = giving_back.ask(session, actor, subscription, agreed.refunds, now=now)
    unused.give(session, actor, subscription, agreed.rest, today=day, now=now)
    reason = agreed.ending.reason.strip()
    for one in agreed.invoices:
        if one.voided_minor:
            _void(session, actor, session.get_one(Invoice, one.id), reason, day, now)
    metered.take_off(session, actor, subscription, day_after, now=now)
    lifecycle.move(session, actor, subscription, CANCELED, now=now)
    if agreed.has_more:
        subscription.next_at = calendar.instant(day_after, time.min, subscription.zone)
        # A person's decision, which does not wait for another one.
        subscription.held_at = None
    facts = {
        "unused": agreed.ending.unused.value,
        "open_invoices": agreed.ending.open_invoices.value,
        "credited_minor": agreed.credited_minor,
        "reason": subscription.cancel_reason,
    }
    lifecycle.record(session, actor, subscription, "cancel", None, facts, now=now)
    return asked


def _stop_retries(session: Session, subscription: Subscription) -> None:
    """What has not been charged yet stays due: as no card is charged any more, the customer is asked for it by mail."""
    session.execute(
        update(SubscriptionInvoice)
        .where(SubscriptionInvoice.subscription_id == subscription.id, SubscriptionInvoice.failed_at.is_not(None))
        .values(collect_at=None, gives_up_at=None)
    )


def _void(session: Session, actor: Actor, invoice: Invoice, reason: str, day: date, now: datetime) -> None:
    """Of one that was paid in part, what is still due."""
    today, why = max(day, invoice.issued_on), reason or giving_back.because(invoice)
    if closing.is_untouched(invoice):
        after_sending.cancel(session, actor, invoice.id, now=now, today=today, reason=why)
    else:
        credit_notes.issue(session, actor, invoice.id, reason=why, issued_on=today, today=today, now=now)

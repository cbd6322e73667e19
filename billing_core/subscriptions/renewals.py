"""What a subscription's clock brings: the end of its trial, the next period, its end. One step at a time, each in one
transaction, under lock.

``next_at`` tells what is due, and every step sets it on: whoever repeats a step, late or beside others, finds nothing.
"""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.outgoing_webhooks.models import EventType
from billing_core.plans.models import TrialEnd
from billing_core.subscriptions import beginning, invoicing, lifecycle, metered, queries
from billing_core.subscriptions.changes import agreeing
from billing_core.subscriptions.lifecycle import ACTIVE, CANCELED, INCOMPLETE, TRIALING
from billing_core.subscriptions.models import Subscription
from billing_core.subscriptions.telling import events

# So many periods at once are billed by themselves. More wait for a person's yes.
MOST_AT_ONCE: Final = 3


class Step(enum.StrEnum):
    """What was done."""

    TRIAL_ENDED = "trial_ended"
    RENEWED = "renewed"
    CANCELED = "canceled"
    FINISHED = "finished"
    PAUSED = "paused"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Done:
    """``period_number`` is that of the period which began, or ended last; ``invoice_id`` None: it came to nothing."""

    subscription_id: int
    public_id: str
    step: Step
    at: datetime
    period_number: int | None
    invoice_id: int | None


def advance(session: Session, actor: Actor, subscription_id: int, *, now: datetime) -> Done | None:
    """Do the one thing that is due for longest; None where nothing is."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    subscription = queries.for_change(session, actor, subscription_id)
    due_at = subscription.next_at
    if due_at is None or due_at > now or subscription.held_at is not None:
        return None
    if subscription.state is INCOMPLETE or queries.is_charging(session, subscription.id):
        return None
    if subscription.state is CANCELED:
        return _finish(session, actor, subscription, due_at, now)
    if subscription.state is TRIALING:
        return _end_trial(session, actor, subscription, due_at, now)
    if _stood_still(session, subscription, due_at, now):
        return _hold(session, actor, subscription, due_at, f"More than {MOST_AT_ONCE} periods have begun since", now)
    return _renew(session, actor, subscription, due_at, now)


def hold(session: Session, actor: Actor, subscription_id: int, reason: str, *, now: datetime) -> Done | None:
    """Have it wait for a person, because what is due cannot be done."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    subscription = queries.for_change(session, actor, subscription_id)
    due_at = subscription.next_at
    if due_at is None or due_at > now or subscription.held_at is not None:
        return None
    return _hold(session, actor, subscription, due_at, reason, now)


def release(session: Session, actor: Actor, subscription_id: int, *, now: datetime) -> None:
    """A person's yes: what is due is done again, for all periods that have begun by now."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    subscription = queries.for_change(session, actor, subscription_id)
    if subscription.held_at is not None:
        subscription.held_at, subscription.hold_reason, subscription.caught_up_to = None, "", now
        lifecycle.record(session, actor, subscription, "release", None, {"up_to": f"{now}"}, now=now)


def _hold(
    session: Session, actor: Actor, subscription: Subscription, due_at: datetime, reason: str, now: datetime
) -> Done:
    subscription.held_at, subscription.hold_reason = now, reason[:500]
    facts = {"due_at": f"{due_at}", "reason": subscription.hold_reason}
    lifecycle.record(session, actor, subscription, "hold", None, facts, now=now)
    return _done(subscription, Step.HELD, due_at, None)


def _end_trial(session: Session, actor: Actor, subscription: Subscription, due_at: datetime, now: datetime) -> Done:
    offer = queries.terms(session, subscription).offer
    has_method = queries.payment_method(session, subscription) is not None
    for days in beginning.metered_in_trial(session, subscription):
        metered.close_trial(session, actor, subscription, days, issued_on=subscription.anchor_day, now=now)
    if subscription.cancel_at_period_end or (not has_method and offer.trial_end is TrialEnd.CANCEL):
        metered.take_off(session, actor, subscription, subscription.anchor_day, now=now)
        agreeing.withdraw_all(session, actor, subscription, now=now)
        lifecycle.move(session, actor, subscription, CANCELED, now=due_at)
        return _done(subscription, Step.CANCELED, due_at, None)
    if not has_method and offer.trial_end is TrialEnd.PAUSE:
        subscription.paused_at = due_at
    lifecycle.move(session, actor, subscription, ACTIVE, now=now)
    agreeing.begin_scheduled(session, actor, subscription, now=now)
    made = beginning.first_period(session, actor, subscription, now=now)
    invoicing.issue(session, actor, made, now=now)
    step = Step.TRIAL_ENDED if subscription.paused_at is None else Step.PAUSED
    return _done(subscription, step, due_at, made.invoice_id)


def _renew(session: Session, actor: Actor, subscription: Subscription, due_at: datetime, now: datetime) -> Done:
    ended = queries.period(session, subscription)
    assert ended is not None  # noqa: S101  # only a trial comes before the first
    offer = queries.terms(session, subscription).offer
    is_over = offer.ends_after is not None and ended.number + 1 >= offer.ends_after
    if subscription.cancel_at_period_end or is_over:
        made = beginning.final(session, actor, subscription, ended, now=now)
        invoicing.issue(session, actor, made, now=now)
        agreeing.withdraw_all(session, actor, subscription, now=now)
        lifecycle.move(session, actor, subscription, CANCELED, now=due_at)
        return _done(subscription, Step.CANCELED, due_at, made.invoice_id)
    agreeing.begin_scheduled(session, actor, subscription, now=now)
    made = beginning.next_period(session, actor, subscription, ended, now=now)
    invoicing.issue(session, actor, made, now=now)
    events.tell(session, actor, subscription, EventType.SUBSCRIPTION_RENEWED, now=now)
    return _done(subscription, Step.RENEWED, due_at, made.invoice_id)


def _finish(session: Session, actor: Actor, subscription: Subscription, due_at: datetime, now: datetime) -> Done:
    """Bill what was used by the last day of one that was cancelled inside its period."""
    ended = queries.period(session, subscription)
    assert ended is not None  # noqa: S101  # nothing is billed of a trial
    made = beginning.final(session, actor, subscription, ended, now=now)
    invoicing.issue(session, actor, made, now=now)
    subscription.next_at = None
    return _done(subscription, Step.FINISHED, due_at, made.invoice_id)


def _stood_still(session: Session, subscription: Subscription, due_at: datetime, now: datetime) -> bool:
    """Whether more periods have begun since than are billed without asking."""
    if subscription.caught_up_to is not None and due_at <= subscription.caught_up_to:
        return False
    assert subscription.period_number is not None  # noqa: S101  # only a trial comes before the first
    boundaries = beginning.cycle(subscription, queries.terms(session, subscription).offer)
    following = subscription.period_number - subscription.anchor_number + 1 + MOST_AT_ONCE
    return boundaries.boundary(following) <= now


def _done(subscription: Subscription, step: Step, due_at: datetime, invoice_id: int | None) -> Done:
    return Done(subscription.id, subscription.public_id, step, due_at, subscription.period_number, invoice_id)

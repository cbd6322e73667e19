"""Other terms take effect: inside a period, with a period of another length, or with the next one."""

from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from billing_core.identity import Actor
from billing_core.subscriptions import lifecycle, metered, queries
from billing_core.subscriptions.calendar import Cycle
from billing_core.subscriptions.changes import wanted as asking
from billing_core.subscriptions.lifecycle import TRIALING
from billing_core.subscriptions.models import (
    ChangeState,
    Subscription,
    SubscriptionChange,
    SubscriptionPeriod,
    SubscriptionTerms,
)
from billing_core.subscriptions.pricing import Terms


def begin(
    session: Session,
    actor: Actor,
    subscription: Subscription,
    change: SubscriptionChange,
    first_day: date,
    *,
    now: datetime,
) -> Terms:
    """Agree on what was asked for from a day on; the change is done. Returns the terms."""
    before = queries.terms(session, subscription)
    after = asking.merged(session, before, [change.wanted])
    is_other_plan = after.offer.version_id != before.offer.version_id
    if is_other_plan and before.offer.has_usage and not after.offer.has_usage:
        metered.take_off(session, actor, subscription, first_day, now=now)
    subscription.plan_version_id, subscription.seats = after.offer.version_id, after.seats
    subscription.add_ons = dict(after.add_ons)
    session.merge(
        SubscriptionTerms(
            subscription_id=subscription.id,
            first_day=first_day,
            plan_version_id=after.offer.version_id,
            seats=after.seats,
            add_ons=dict(after.add_ons),
        )
    )
    session.flush()
    if is_other_plan:
        in_trial = subscription.state is TRIALING
        metered.put_on(session, actor, subscription, first_day, in_trial=in_trial, now=now)
    change.state, change.ended_at, change.effective_at = ChangeState.APPLIED, now, change.effective_at or now
    facts = {"change": change.id, "first_day": f"{first_day}", "plan": after.offer.code}
    facts |= {"seats": after.seats, "add_ons": dict(after.add_ons)}
    old = {"plan": before.offer.code, "seats": before.seats, "add_ons": dict(before.add_ons)}
    lifecycle.record(session, actor, subscription, "change", old, facts, now=now)
    return after


def begin_scheduled(session: Session, actor: Actor, subscription: Subscription, *, now: datetime) -> None:
    """What is to begin with the period after the present one, which is over; one of another length moves the anchor."""
    ended = queries.period(session, subscription)
    for change in asking.scheduled(session, subscription.id):
        assert ended is not None  # noqa: S101  # nothing is scheduled in a trial
        before = queries.terms(session, subscription)
        change.period_number, change.effective_at = ended.number + 1, ended.ends_at
        first_day = ended.last_day + timedelta(days=1)
        after = begin(session, actor, subscription, change, first_day, now=now)
        if not asking.same_interval(before, after):
            subscription.anchor_day, subscription.anchor_number = first_day, ended.number + 1


def begin_period(
    session: Session, subscription: Subscription, after: Terms, anchor_number: int, anchor: Cycle, *, in_place: bool
) -> None:
    """Begin a period of another length at the anchor; the present one ends there, or has that length from its start."""
    present = queries.period(session, subscription)
    assert present is not None  # noqa: S101  # only a trial comes before the first
    subscription.anchor_day, subscription.anchor_time = anchor.anchor_day, anchor.anchor_time
    subscription.anchor_number = subscription.period_number = anchor_number
    starts_at, ends_at = anchor.boundary(0), anchor.boundary(1)
    subscription.next_at = ends_at
    if in_place:
        present.ends_at, present.last_day = ends_at, anchor.last_day(0)
        return
    present.ends_at, present.last_day = starts_at, anchor.anchor_day - timedelta(days=1)
    session.add(
        SubscriptionPeriod(
            subscription_id=subscription.id,
            number=anchor_number,
            starts_at=starts_at,
            ends_at=ends_at,
            first_day=anchor.anchor_day,
            last_day=anchor.last_day(0),
            plan_version_id=after.offer.version_id,
            paused=subscription.paused_at is not None,
        )
    )
    session.flush()


def withdraw(
    session: Session, actor: Actor, subscription: Subscription, change: SubscriptionChange, *, now: datetime
) -> None:
    """A scheduled change of a locked subscription will not begin."""
    change.state, change.ended_at = ChangeState.WITHDRAWN, now
    facts = {"change": change.id, "wanted": dict(change.wanted)}
    lifecycle.record(session, actor, subscription, "withdraw_change", facts, {"state": "withdrawn"}, now=now)

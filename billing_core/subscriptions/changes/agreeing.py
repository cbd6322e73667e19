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
    MovedSubscription,
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
    drops_moves: bool = True,
    now: datetime,
) -> Terms:
    """Agree on what was asked for from a day on; the change is done. Returns the terms. ``drops_moves``: whoever goes
    to another plan by it is not moved any more.
    """
    before = queries.terms(session, subscription)
    after = asking.merged(session, before, [change.wanted])
    is_other_version = after.offer.version_id != before.offer.version_id
    if drops_moves and after.offer.code != before.offer.code:
        _drop_moves(session, actor, subscription, now=now)
    if is_other_version and before.offer.has_usage and not after.offer.has_usage:
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
    if is_other_version:
        in_trial = subscription.state is TRIALING
        metered.put_on(session, actor, subscription, first_day, in_trial=in_trial, now=now)
    change.state, change.ended_at, change.effective_at = ChangeState.APPLIED, now, change.effective_at or now
    facts = {"change": change.id, "first_day": f"{first_day}", "plan": after.offer.code}
    facts |= {"seats": after.seats, "add_ons": dict(after.add_ons)}
    old = {"plan": before.offer.code, "seats": before.seats, "add_ons": dict(before.add_ons)}
    lifecycle.record(session, actor, subscription, "change", old, facts, now=now)
    return after


def begin_scheduled(session: Session, actor: Actor, subscription: Subscription, *, now: datetime) -> None:
    """What is to begin with the period after the present one, or after the trial, which is over; one of another length
    moves the anchor.
    """
    ended = queries.period(session, subscription)
    number, first_day, starts_at = 0, subscription.anchor_day, subscription.trial_ends_at
    if ended is not None:
        number, first_day, starts_at = ended.number + 1, ended.last_day + timedelta(days=1), ended.ends_at
    waiting = queries.scheduled(session, subscription.id, locked=True)
    plan_before = queries.terms(session, subscription).offer.code
    for change in asking.beginning_on(first_day, waiting):
        before = queries.terms(session, subscription)
        if change.move_id is not None and change.wanted["plan"] != before.offer.code:
            # It was changed to another plan in the same moment in which it was to be moved.
            withdraw(session, actor, subscription, change, now=now)
            continue
        change.period_number, change.effective_at = number, starts_at
        after = begin(session, actor, subscription, change, first_day, drops_moves=False, now=now)
        if not asking.same_interval(before, after):
            subscription.anchor_day, subscription.anchor_number = first_day, number
    # Not before: one change may lead back to the plan that another has left.
    if queries.terms(session, subscription).offer.code != plan_before:
        _drop_moves(session, actor, subscription, now=now)


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


def withdraw_all(session: Session, actor: Actor, subscription: Subscription, *, now: datetime) -> None:
    """Nothing that is scheduled will begin, since the subscription ends."""
    for change in queries.scheduled(session, subscription.id, locked=True):
        withdraw(session, actor, subscription, change, now=now)


def withdraw(
    session: Session,
    actor: Actor,
    subscription: Subscription,
    change: SubscriptionChange,
    *,
    recalls: bool = False,
    now: datetime,
) -> None:
    """A scheduled change of a locked subscription will not begin. ``recalls``: a customer who was told of it by mail is
    told that, too.
    """
    change.state, change.ended_at = ChangeState.WITHDRAWN, now
    if change.move_id is not None:
        moved = session.get_one(
            MovedSubscription, (change.move_id, subscription.id), populate_existing=True, with_for_update=True
        )
        moved.mail = moved.mail.withdrawn(recalls=recalls)
    facts = {"change": change.id, "wanted": dict(change.wanted)}
    lifecycle.record(session, actor, subscription, "withdraw_change", facts, {"state": "withdrawn"}, now=now)


def _drop_moves(session: Session, actor: Actor, subscription: Subscription, *, now: datetime) -> None:
    """Whoever has gone to another plan is not moved to another version of the one before."""
    for change in queries.scheduled(session, subscription.id, locked=True):
        if change.move_id is not None:
            withdraw(session, actor, subscription, change, now=now)

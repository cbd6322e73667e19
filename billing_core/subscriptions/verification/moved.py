"""The proof that subscriptions that were moved to another version of their plan began with it when that was to be."""

from collections.abc import Iterator

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from billing_core import proof
from billing_core.proof import Check
from billing_core.subscriptions.models import (
    ChangeState,
    MovedSubscription,
    PlanMove,
    Subscription,
    SubscriptionChange,
    SubscriptionPeriod,
)


def checks(session: Session) -> Iterator[Check]:
    """Every check in turn. Reads only."""
    yield _begun(session)


def _begun(session: Session) -> Check:
    """One that was withdrawn, or dropped for another plan, begins with nothing."""
    change, period = SubscriptionChange, SubscriptionPeriod
    scheduled, applied = change.state == ChangeState.SCHEDULED, change.state == ChangeState.APPLIED
    # A period that had begun when it was asked for goes on as it began.
    counts = and_(period.first_day >= change.not_before, period.starts_at > change.asked_at)
    passed_over = (
        select(Subscription.public_id, change.move_id, period.number)
        .join(change, change.subscription_id == Subscription.id)
        .join(period, period.subscription_id == Subscription.id)
        .where(counts, or_(scheduled, and_(applied, period.number < change.period_number)))
        .order_by(change.id, period.number)
    )
    begun_otherwise = (
        select(Subscription.public_id, change.move_id)
        .join(change, change.subscription_id == Subscription.id)
        .join(PlanMove, PlanMove.id == change.move_id)
        .outerjoin(period, (period.subscription_id == Subscription.id) & (period.number == change.period_number))
        .where(
            applied,
            or_(
                period.number.is_(None),
                period.first_day < change.not_before,
                period.plan_version_id != PlanMove.version_id,
            ),
        )
        .order_by(change.id)
    )
    of_it = (change.move_id == MovedSubscription.move_id) & (
        change.subscription_id == MovedSubscription.subscription_id
    )
    without_change = (
        select(Subscription.public_id, MovedSubscription.move_id)
        .join(MovedSubscription, MovedSubscription.subscription_id == Subscription.id)
        .where(~select(change.id).where(of_it).exists())
        .order_by(MovedSubscription.move_id, Subscription.id)
    )
    return Check(
        "A move to another version of a plan begins with the first period on its day or later",
        proof.count(session, MovedSubscription),
        proof.named(session, passed_over, "subscription {0}, move {1}: period {2} began without it")
        + proof.named(session, begun_otherwise, "subscription {0}, move {1}: it began with another period or version")
        + proof.named(session, without_change, "subscription {0}, move {1}: nothing is known of what became of it"),
    )

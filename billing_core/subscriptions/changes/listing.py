"""Changes of subscriptions, for lists and programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from billing_core.database.ordering import no_such_start
from billing_core.identity import Actor
from billing_core.subscriptions import beginning, queries
from billing_core.subscriptions.models import ChangeState, Subscription, SubscriptionChange


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """``wanted``: the plan's code, seats and add-ons that were asked for, or its version where many are moved to that.
    ``amounts`` are what it came to, in minor units, by their names as in ``keeping``; of a scheduled one all are 0.
    ``not_before``: it begins with the first period that does on this local day or later; None: with the next one.
    ``begins_at``: when that is as things stand; None unless it is scheduled, and where the subscription ends before.
    """

    id: int
    subscription_id: str
    state: ChangeState
    wanted: Mapping[str, Any]
    currency: str
    amounts: Mapping[str, int]
    asked_at: datetime
    asked_by: str
    effective_at: datetime | None
    ended_at: datetime | None
    outcome: str
    not_before: date | None
    begins_at: datetime | None

    @property
    def from_at(self) -> datetime | None:
        """When it began, or begins as things stand."""
        return self.effective_at or self.begins_at


def page(
    session: Session, actor: Actor, public_id: str, *, limit: int, after: int | None = None
) -> Sequence[ChangeRow]:
    """The changes of a subscription, the newest first; from beyond the one with the id ``after`` on."""
    subscription = queries.by_public_id(session, actor, public_id)
    statement = select(SubscriptionChange).where(SubscriptionChange.subscription_id == subscription.id)
    if after is not None:
        of_it = (SubscriptionChange.id == after, SubscriptionChange.subscription_id == subscription.id)
        if not session.scalar(select(exists().where(*of_it))):
            raise no_such_start()
        statement = statement.where(SubscriptionChange.id < after)
    rows = session.scalars(statement.order_by(SubscriptionChange.id.desc()).limit(limit))
    return [_row(session, subscription, one) for one in rows]


def one(session: Session, actor: Actor, public_id: str, change_id: int) -> ChangeRow:
    """NotFound where the subscription has no such change."""
    subscription = queries.by_public_id(session, actor, public_id)
    return _row(session, subscription, queries.change(session, subscription, change_id))


def _row(session: Session, subscription: Subscription, change: SubscriptionChange) -> ChangeRow:
    proposed = change.proposed or {}
    return ChangeRow(
        change.id,
        subscription.public_id,
        change.state,
        change.wanted,
        subscription.currency,
        proposed.get("amounts", {}),
        change.asked_at,
        change.asked_by,
        change.effective_at,
        change.ended_at,
        change.outcome,
        change.not_before,
        _begins_at(session, subscription, change) if change.state is ChangeState.SCHEDULED else None,
    )


def _begins_at(session: Session, subscription: Subscription, change: SubscriptionChange) -> datetime | None:
    """The end of the present period, or of the trial; for a move, the first boundary that is late enough."""
    if subscription.next_at is None or subscription.cancel_at_period_end:
        return None
    offer = queries.terms(session, subscription).offer
    present = queries.period(session, subscription)
    first_day, number = subscription.anchor_day, 0
    if present is not None:
        first_day, number = present.last_day + timedelta(days=1), present.number + 1
    begins_at = subscription.next_at
    if change.not_before is not None and change.not_before > first_day:
        cycle = beginning.cycle(subscription, offer)
        place = cycle.first_from(change.not_before)
        begins_at, number = cycle.boundary(place), subscription.anchor_number + place
    return None if offer.ends_after is not None and number >= offer.ends_after else begins_at

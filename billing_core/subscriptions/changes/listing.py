"""Changes of subscriptions, for lists and programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.identity import Actor
from billing_core.subscriptions import queries
from billing_core.subscriptions.models import ChangeState, SubscriptionChange


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """``wanted``: the plan's code, seats and add-ons that were asked for, or its version where many are moved to that.
    ``amounts`` are what it came to, in minor units, by their names as in ``keeping``; of a scheduled one all are 0.
    ``not_before``: it begins with the first period that does on this local day or later; None: with the next one.
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


def page(
    session: Session, actor: Actor, public_id: str, *, limit: int, after: int | None = None
) -> Sequence[ChangeRow]:
    """The changes of a subscription, the newest first; from beyond the one with the id ``after`` on."""
    subscription = queries.by_public_id(session, actor, public_id)
    statement = select(SubscriptionChange).where(SubscriptionChange.subscription_id == subscription.id)
    if after is not None:
        statement = statement.where(SubscriptionChange.id < after)
    rows = session.scalars(statement.order_by(SubscriptionChange.id.desc()).limit(limit))
    return [_row(one, public_id, subscription.currency) for one in rows]


def one(session: Session, actor: Actor, public_id: str, change_id: int) -> ChangeRow:
    """NotFound where the subscription has no such change."""
    subscription = queries.by_public_id(session, actor, public_id)
    return _row(queries.change(session, subscription, change_id), public_id, subscription.currency)


def _row(change: SubscriptionChange, public_id: str, currency: str) -> ChangeRow:
    proposed = change.proposed or {}
    return ChangeRow(
        change.id,
        public_id,
        change.state,
        change.wanted,
        currency,
        proposed.get("amounts", {}),
        change.asked_at,
        change.asked_by,
        change.effective_at,
        change.ended_at,
        change.outcome,
        change.not_before,
    )

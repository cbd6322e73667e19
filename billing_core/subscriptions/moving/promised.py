"""What a move comes to for whoever is told of it now: seats and add-ons may have changed since it was rehearsed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from billing_core.subscriptions import queries
from billing_core.subscriptions.models import ChangeState, MovedSubscription, Subscription, SubscriptionChange
from billing_core.subscriptions.moving.leaving import goes_to_other_plan
from billing_core.subscriptions.pricing import whole_price

_WAITS: Final = and_(SubscriptionChange.state == ChangeState.SCHEDULED, SubscriptionChange.move_id.is_(None))

Asked = Mapping[int, list[Mapping[str, Any]]]


class Prices(NamedTuple):
    """Of the first period that is moved, in minor units, by the version before and by the other one; without tax and
    usage.
    """

    before_minor: int
    after_minor: int


def is_undecided() -> ColumnElement[bool]:
    """In SQL: a change of the subscription is being charged, or goes to another plan, for which the move is dropped."""
    charging = exists().where(
        SubscriptionChange.subscription_id == Subscription.id, SubscriptionChange.state == ChangeState.CHARGING
    )
    return or_(charging, goes_to_other_plan(Subscription.id, Subscription.plan_version_id))


def asked_besides(session: Session, subscription_ids: Iterable[int]) -> Asked:
    """What else is to change of these subscriptions, with their next period, in the order in which it was asked for."""
    statement = select(SubscriptionChange.subscription_id, SubscriptionChange.wanted).where(
        SubscriptionChange.subscription_id.in_(subscription_ids), _WAITS
    )
    asked: defaultdict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for subscription_id, wanted in session.execute(statement.order_by(SubscriptionChange.id)):
        asked[subscription_id].append(wanted)
    return asked


def prices(
    session: Session, moved: MovedSubscription, subscription: Subscription, version_id: int, asked: Asked
) -> Prices:
    """With the seats and add-ons that the subscription will have by then."""
    seats, add_ons = subscription.seats, subscription.add_ons
    for wanted in asked.get(subscription.id, ()):
        seats, add_ons = wanted.get("seats", seats), wanted.get("add_ons", add_ons)

    def by(version_id: int) -> int:
        terms = queries.terms_of(session, version_id, subscription.currency, seats, add_ons)
        return whole_price(terms, moved.period_number)

    return Prices(by(moved.from_version_id), by(version_id))

"""Subscriptions for lists and programs, with what is shown of their plan, customer and period."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.ordering import no_such_start
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.online_payments.models import PaymentMethodOnFile
from billing_core.plans.models import Plan, PlanInterval, PlanVersion
from billing_core.promotions.models import PromoCode, PromoRedemption
from billing_core.subscriptions import calendar
from billing_core.subscriptions.calendar import Cycle
from billing_core.subscriptions.models import Subscription, SubscriptionPeriod, SubscriptionState


class SubscriptionRow(NamedTuple):
    """``customer_id`` is the customer's public id. The period is the present one; before the first, it is one interval
    from the creation on.
    """

    id: int
    public_id: str
    customer_id: str
    customer_name: str
    plan_code: str
    plan_name: str
    state: SubscriptionState
    currency: str
    seats: int
    add_ons: dict[str, int]
    payment_method: str | None
    promo_code: str | None
    trial_ends_at: datetime | None
    period_start: datetime
    period_end: datetime
    next_at: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None
    paused_at: datetime | None
    created_at: datetime


_COLUMNS = (
    Subscription.id,
    Subscription.public_id,
    Customer.public_id.label("customer_id"),
    Customer.name.label("customer_name"),
    Plan.code.label("plan_code"),
    Plan.name.label("plan_name"),
    Subscription.state,
    Subscription.currency,
    Subscription.seats,
    Subscription.add_ons,
    PaymentMethodOnFile.gateway_id.label("payment_method"),
    PromoCode.code.label("promo_code"),
    Subscription.trial_ends_at,
    SubscriptionPeriod.starts_at.label("period_start"),
    SubscriptionPeriod.ends_at.label("period_end"),
    Subscription.next_at,
    Subscription.cancel_at_period_end,
    Subscription.canceled_at,
    Subscription.paused_at,
    Subscription.created_at,
    Subscription.zone,
    PlanVersion.interval,
    PlanVersion.interval_count,
)


def page(
    session: Session,
    actor: Actor,
    *,
    customer_id: str | None = None,
    state: SubscriptionState | None = None,
    limit: int,
    after: str | None = None,
) -> list[SubscriptionRow]:
    """The newest first, from beyond the one with the public id ``after`` on; ``customer_id`` is a public id."""
    actor.require(Permission.SUBSCRIPTION_READ)
    statement = _shown(actor).order_by(Subscription.id.desc()).limit(limit)
    if customer_id is not None:
        statement = statement.where(Customer.public_id == customer_id)
    if state is not None:
        statement = statement.where(Subscription.state == state)
    if after is not None:
        found = select(Subscription.id).where(
            Subscription.public_id == after, visible_to(actor, Subscription.customer_id)
        )
        last_id = session.scalar(found)
        if last_id is None:
            raise no_such_start()
        statement = statement.where(Subscription.id < last_id)
    return list(_rows(session.execute(statement)))


def one(session: Session, actor: Actor, public_id: str) -> SubscriptionRow:
    """The one with this ``sub_…`` id; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.SUBSCRIPTION_READ)
    rows = session.execute(_shown(actor).where(Subscription.public_id == public_id))
    found = next(_rows(rows), None)
    if found is None:
        raise NotFound(f"There is no subscription {public_id}")
    return found


def by_id(session: Session, actor: Actor, subscription_id: int) -> SubscriptionRow:
    """The one with this id; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.SUBSCRIPTION_READ)
    found = next(_rows(session.execute(_shown(actor).where(Subscription.id == subscription_id))), None)
    if found is None:
        raise NotFound(f"There is no subscription {subscription_id}")
    return found


def _shown(actor: Actor) -> Select[*tuple[Any, ...]]:
    return (
        select(*_COLUMNS)
        .join_from(Subscription, Customer, Customer.id == Subscription.customer_id)
        .join(PlanVersion, PlanVersion.id == Subscription.plan_version_id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .outerjoin(
            PaymentMethodOnFile,
            (PaymentMethodOnFile.id == Subscription.payment_method_id) & PaymentMethodOnFile.detached_at.is_(None),
        )
        .outerjoin(PromoRedemption, PromoRedemption.id == Subscription.redemption_id)
        .outerjoin(PromoCode, PromoCode.id == PromoRedemption.code_id)
        .outerjoin(
            SubscriptionPeriod,
            (SubscriptionPeriod.subscription_id == Subscription.id)
            & (SubscriptionPeriod.number == Subscription.period_number),
        )
        .where(Subscription.state != SubscriptionState.INCOMPLETE, visible_to(actor, Subscription.customer_id))
    )


def _rows(rows: Iterable[Any]) -> Iterator[SubscriptionRow]:
    for row in rows:
        facts = dict(row._mapping)
        zone, interval, count = facts.pop("zone"), facts.pop("interval"), facts.pop("interval_count")
        if facts["period_start"] is None:
            facts["period_start"] = row.created_at
            facts["period_end"] = _one_interval(row.created_at, zone, interval, count)
        yield SubscriptionRow(**facts)


def _one_interval(begun_at: datetime, zone: str, interval: PlanInterval, count: int) -> datetime:
    return Cycle(*calendar.local(begun_at, zone), zone, interval, count).boundary(1)

"""What a subscription is worth a month, in SQL: its plan, seats and add-ons at their full prices, without tax.

What is due for another interval is divided: a year is twelve months and 365 days, a week seven of them.
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, case, cast, func, select

from billing_core.database.functions import number_in
from billing_core.money import rounded_quotient
from billing_core.plans.models import PlanAddOn, PlanAddOnAmount, PlanAmount, PlanInterval, PlanVersion
from billing_core.subscriptions.models import Subscription


def with_prices(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """A select of subscriptions beside the versions of their plans, with what ``a_month`` needs."""
    in_other = and_(
        PlanAmount.plan_version_id == Subscription.plan_version_id, PlanAmount.currency == Subscription.currency
    )
    return statement.outerjoin(PlanAmount, in_other)


def a_month() -> ColumnElement[int]:
    """In minor units of the subscription's currency."""
    each_period = _price() + _seats() + _add_ons()
    interval = PlanVersion.interval
    times = case((interval == PlanInterval.DAY, 365), (interval == PlanInterval.WEEK, 365), else_=1)
    months = case(
        (interval == PlanInterval.DAY, 12),
        (interval == PlanInterval.WEEK, 12 * 7),
        (interval == PlanInterval.QUARTER, 3),
        (interval == PlanInterval.YEAR, 12),
        else_=1,
    )
    return rounded_quotient(each_period * times, months * PlanVersion.interval_count)


def _price() -> ColumnElement[int]:
    own = PlanVersion.currency == Subscription.currency
    return func.coalesce(case((own, PlanVersion.price_minor), else_=PlanAmount.price_minor), 0)


def _seats() -> ColumnElement[int]:
    own = PlanVersion.currency == Subscription.currency
    price = func.coalesce(case((own, PlanVersion.seat_price_minor), else_=PlanAmount.seat_price_minor), 0)
    beyond = Subscription.seats - PlanVersion.included_seats
    return price * case((beyond > 0, beyond), else_=0)


def _add_ons() -> ColumnElement[int]:
    quantity = number_in(Subscription.add_ons, PlanAddOn.code)
    found = (
        select(func.sum(PlanAddOnAmount.price_minor * quantity))
        .join_from(PlanAddOn, PlanAddOnAmount, PlanAddOnAmount.add_on_id == PlanAddOn.id)
        .where(
            PlanAddOn.plan_version_id == Subscription.plan_version_id, PlanAddOnAmount.currency == Subscription.currency
        )
        .correlate(Subscription)
    )
    # PostgreSQL's sum of them would be no integer.
    return cast(func.coalesce(found.scalar_subquery(), 0), BigInteger)

"""Who and what is behind an organization's usage: its users, endpoints and response times."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import BigInteger, ScalarSelect, func, select, type_coerce
from sqlalchemy.orm import Session

from billing_core.dates import Period, start_of_day
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering import rollups
from billing_core.metering.models import API_CALLS, PLACES, Meter, UsageDay, UsageEvent, ZoneKind
from billing_core.metering.queries import Day, refuse_others
from billing_core.metering.rollups import counted_events
from billing_core.money import nearest

# Endpoints stand in the events alone, of which a month can have very many.
NEWEST: Final = 100_000
_LEAST: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class UserRow:
    """Calls of one user; "" are those that named none. ``mean_seconds`` of those that told one, else None."""

    user: str
    calls: int
    mean_seconds: Decimal | None


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """As ``UserRow``, of an endpoint; ``slowest_seconds`` took its longest call."""

    endpoint: str
    calls: int
    mean_seconds: Decimal | None
    slowest_seconds: Decimal | None


def billing_zone(session: Session, customer_id: int) -> str:
    """The IANA zone in whose days the customer's usage is billed."""
    (zone,) = rollups.billing_zones(session, [customer_id])
    return zone


def window(zone: str, days: Period) -> tuple[datetime, datetime]:
    """The first and the last instant of these days."""
    return start_of_day(zone, days.start), start_of_day(zone, days.end + timedelta(days=1)) - _LEAST


def top_users(session: Session, actor: Actor, customer_id: int, days: Period, *, limit: int = 20) -> list[UserRow]:
    """Those with the most API calls on these days of the billing zone."""
    actor.require(Permission.USAGE_READ)
    refuse_others(actor, customer_id)
    calls = func.sum(UsageDay.calls)
    statement = (
        select(
            UsageDay.user,
            calls,
            func.sum(type_coerce(UsageDay.response_time, BigInteger)),
            func.sum(UsageDay.timed_calls),
        )
        .where(
            UsageDay.customer_id == customer_id,
            UsageDay.zone_kind == ZoneKind.BILLING,
            days.contains(UsageDay.day),
            UsageDay.meter_id == _api_calls(),
        )
        .group_by(UsageDay.user)
        .order_by(calls.desc(), UsageDay.user)
        .limit(limit)
    )
    return [
        UserRow(user, int(count), mean(seconds, timed)) for user, count, seconds, timed in session.execute(statement)
    ]


def top_endpoints(
    session: Session, actor: Actor, customer_id: int, days: Period, *, limit: int = 20
) -> list[EndpointRow]:
    """Those with the most among the ``NEWEST`` API calls of these days of the billing zone."""
    actor.require(Permission.USAGE_READ)
    refuse_others(actor, customer_id)
    first, last = window(billing_zone(session, customer_id), days)
    newest = (
        counted_events()
        .where(
            UsageEvent.customer_id == customer_id,
            UsageEvent.occurred_at.between(first, last),
            UsageEvent.meter_id == _api_calls(),
        )
        .order_by(UsageEvent.occurred_at.desc())
        .limit(NEWEST)
        .subquery("newest")
    )
    seconds = type_coerce(newest.c.response_time, BigInteger)
    statement = (
        select(newest.c.endpoint, func.count(), func.sum(seconds), func.count(seconds), func.max(seconds))
        .group_by(newest.c.endpoint)
        .order_by(func.count().desc(), newest.c.endpoint)
        .limit(limit)
    )
    return [
        EndpointRow(endpoint, calls, mean(total, timed), None if slowest is None else Decimal(slowest).scaleb(-PLACES))
        for endpoint, calls, total, timed, slowest in session.execute(statement)
    ]


def mean_seconds(days: Iterable[Day]) -> Decimal | None:
    """Seconds a call over all of these days."""
    known = [day for day in days if day.timed_calls]
    total = sum((day.response_time_sum for day in known), Decimal(0))
    return mean(int(total.scaleb(PLACES)), sum(day.timed_calls for day in known))


def mean(millionths: int | None, calls: int) -> Decimal | None:
    """Seconds a call, rounded half up to thousandths; None where no call told its time."""
    return Decimal(nearest(int(millionths or 0), 1_000 * int(calls))).scaleb(-3) if calls else None


def _api_calls() -> ScalarSelect[int]:
    return select(Meter.id).where(Meter.code == API_CALLS).scalar_subquery()

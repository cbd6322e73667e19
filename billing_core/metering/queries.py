"""What a customer used, in UTC."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import BigInteger, ColumnElement, Subquery, func, or_, select, type_coerce, union_all
from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.errors import Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering import rollups
from billing_core.metering.models import API_CALLS, PLACES, Meter, UsageDay, UsageUser, ZoneKind

MOST_DAYS = 1_000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Usage:
    """One meter's events in a window. ``total_users``: distinct users of the customer seen until its end, whatever they
    used; ``active_users``: those who used the meter inside. ``response_time_sum`` is in seconds, over the
    ``timed_calls`` that told one.
    """

    total_users: int
    active_users: int
    calls: int
    quantity: Decimal
    response_time_sum: Decimal
    timed_calls: int


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day's events of one meter; the fields as in ``Usage``."""

    day: date
    active_users: int
    calls: int
    quantity: Decimal
    response_time_sum: Decimal
    timed_calls: int


def after(end: datetime) -> datetime:
    """The first instant that a window with this end leaves out: one given to the second includes that second."""
    return end + (timedelta(microseconds=1) if end.microsecond else timedelta(seconds=1))


def usage_of(
    session: Session, actor: Actor, customer_id: int, *, start: datetime, end: datetime, meter: str = API_CALLS
) -> Usage:
    """What happened from ``start`` to ``end``, both included."""
    actor.require(Permission.USAGE_READ)
    refuse_others(actor, customer_id)
    until = after(end)
    rows = _in_window(customer_id, start, until, meter)
    total = select(
        func.count(func.distinct(func.nullif(rows.c.user, ""))),
        *(func.coalesce(func.sum(rows.c[name]), 0) for name in rollups.SUMS),
    )
    active, calls, whole, millionths, response_time, timed = map(int, session.execute(total).one())
    known = select(func.count()).where(UsageUser.customer_id == customer_id, UsageUser.first_seen_at < until)
    return Usage(
        session.scalar(known) or 0,
        active,
        calls,
        whole + Decimal(millionths).scaleb(-PLACES),
        Decimal(response_time).scaleb(-PLACES),
        timed,
    )


def daily(session: Session, actor: Actor, customer_id: int, period: Period, *, meter: str = API_CALLS) -> list[Day]:
    """Every UTC day of the period, in order, also those without use."""
    actor.require(Permission.USAGE_READ)
    refuse_others(actor, customer_id)
    if period.days > MOST_DAYS:
        raise Invalid(f"A period may have at most {MOST_DAYS:,} days", fields={"end_date": "is too far away"})
    statement = (
        select(
            UsageDay.day,
            func.count(func.distinct(func.nullif(UsageDay.user, ""))),
            *(func.sum(type_coerce(getattr(UsageDay, name), BigInteger)) for name in rollups.SUMS),
        )
        .where(*_of(customer_id, meter), period.contains(UsageDay.day))
        .group_by(UsageDay.day)
    )
    found = {}
    for day, *figures in session.execute(statement):
        users, calls, whole, millionths, response_time, timed = map(int, figures)
        quantity = whole + Decimal(millionths).scaleb(-PLACES)
        found[day] = Day(day, users, calls, quantity, Decimal(response_time).scaleb(-PLACES), timed)
    days = (period.start + number * _DAY for number in range(period.days))
    return [found.get(day) or Day(day, 0, 0, Decimal(0), Decimal(0), 0) for day in days]


def _of(customer_id: int, meter: str) -> tuple[ColumnElement[bool], ...]:
    """Its UTC days of this meter."""
    metered = select(Meter.id).where(Meter.code == meter).scalar_subquery()
    return (
        UsageDay.customer_id == customer_id,
        UsageDay.zone_kind == ZoneKind.UTC,
        UsageDay.meter_id == metered,
    )


def _in_window(customer_id: int, start: datetime, until: datetime, meter: str) -> Subquery:
    """Rows of a user and the ``rollups.SUMS``: of the whole days their totals, of the rest of the window its events."""
    first = start.date() if start == _midnight(start.date()) else start.date() + _DAY
    last = until.date() - _DAY
    kept = [type_coerce(getattr(UsageDay, name), BigInteger).label(name) for name in rollups.SUMS]
    days = select(UsageDay.user, *kept).where(*_of(customer_id, meter), UsageDay.day.between(first, last))
    edges = [(start, until)] if first > last else [(start, _midnight(first)), (_midnight(last + _DAY), until)]
    events = rollups.counted([customer_id])
    at_edge = or_(*((events.c.occurred_at >= begin) & (events.c.occurred_at < end) for begin, end in edges))
    metered = select(Meter.id).where(Meter.code == meter).scalar_subquery()
    raw = (
        select(events.c.user, *rollups.sums(events))
        .where(events.c.meter_id == metered, at_edge)
        .group_by(events.c.user)
    )
    return union_all(days, raw).subquery("in_window")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def refuse_others(actor: Actor, customer_id: int) -> None:
    """Whoever is bound to one customer learns nothing of any other."""
    if actor.customer_id not in (None, customer_id):
        raise NotFound(f"There is no customer {customer_id}")

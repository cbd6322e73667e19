"""What a line of a billed period is made of: days, users and events, which add up to its quantity.

Of a meter whose events do not add up it is the greatest of its days, the number of values that were new, the quantity
of the last event, or the sum of what held for how long: see ``origins``.

Totals are kept of what counts now: what came for the period after it was billed, or was taken back from it, is left out
of them here.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    func,
    literal,
    select,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import Session

from billing_core.database.types import UtcDateTime
from billing_core.dates import Period, start_of_day
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering import queries, rollups
from billing_core.metering.models import (
    BY_DAYS,
    PLACES,
    Aggregation,
    LateItem,
    UsageDay,
    UsageEvent,
    ZoneKind,
)
from billing_core.metering.periods import was_counted
from billing_core.metering.queries import EventRow
from billing_core.usage.billed import lines, origins
from billing_core.usage.billed.lines import Line
from billing_core.usage.billed.origins import Held, HeldPart, ValuePart

_ONE: Final = 10**PLACES
_ONE_DAY: Final = timedelta(days=1)
_SUMS: Final = ("calls", "whole", "millionths")


@dataclass(frozen=True, slots=True)
class DayPart:
    """One day's part of a line. ``users`` counts the distinct ones whom its events name."""

    day: date
    calls: int
    quantity: Decimal
    users: int


@dataclass(frozen=True, slots=True)
class UserPart:
    """One user's part of a line; empty where the events name nobody."""

    user: str
    calls: int
    quantity: Decimal


def days(session: Session, actor: Actor, line_id: int) -> list[DayPart]:
    """The days on which something was used, in order; of what is weighted by time, on which something held, with
    quantities times seconds.
    """
    actor.require(Permission.USAGE_READ)
    line = lines.one(session, actor, line_id)
    if _is_from_events(line):
        return [DayPart(day, *part) for day, part in origins.by_day(session, line).items()]
    counted = _by_day_and_user(line)
    named = func.count(func.nullif(counted.c.user, ""))
    statement = select(counted.c.day, *_sums(counted), named).group_by(counted.c.day).order_by(counted.c.day)
    return [
        DayPart(day, int(sums[0]), _quantity(line, *sums), users) for day, *sums, users in session.execute(statement)
    ]


def users(session: Session, actor: Actor, line_id: int, *, limit: int = 100, offset: int = 0) -> list[UserPart]:
    """The users by their calls, most first; their quantities as those of days."""
    actor.require(Permission.USAGE_READ)
    line = lines.one(session, actor, line_id)
    if _is_from_events(line):
        parts = [
            UserPart(user, calls, quantity) for user, (calls, quantity, _) in origins.by_user(session, line).items()
        ]
        return sorted(parts, key=lambda part: (-part.calls, part.user))[offset : offset + limit]
    counted = _by_day_and_user(line)
    most = func.sum(counted.c.calls).desc()
    statement = select(counted.c.user, *_sums(counted)).group_by(counted.c.user).order_by(most, counted.c.user)
    rows = session.execute(statement.limit(limit).offset(offset))
    return [UserPart(user, int(sums[0]), _quantity(line, *sums)) for user, *sums in rows]


def events(
    session: Session, actor: Actor, line_id: int, *, after_event: tuple[datetime, str] | None = None, limit: int = 100
) -> list[EventRow]:
    """The events in order; archived ones are not among them. ``after_event``: the time and id of the last one that was
    seen.
    """
    actor.require(Permission.USAGE_READ)
    line = lines.one(session, actor, line_id)
    statement = _billed_events(session, line) if line.settlement_id is None else _late_events(line)
    if after_event is not None:
        place = tuple_(literal(after_event[0], UtcDateTime), literal(after_event[1]))
        statement = statement.where(tuple_(UsageEvent.occurred_at, UsageEvent.event_id) > place)
    statement = statement.order_by(UsageEvent.occurred_at, UsageEvent.event_id).limit(limit)
    return [EventRow(*row) for row in session.execute(statement)]


def reached(session: Session, actor: Actor, line_id: int) -> EventRow | None:
    """The event whose quantity a line of the greatest or the latest quantity has; of the latest it can have happened
    before. None where there is none.
    """
    actor.require(Permission.USAGE_READ)
    line = lines.one(session, actor, line_id)
    found = origins.reached(session, line)
    if found is None:
        return None
    key = (UsageEvent.customer_id == line.customer_id, UsageEvent.occurred_at == found[0])
    row = session.execute(queries.event_rows().where(*key, UsageEvent.event_id == found[1])).one()
    return EventRow(*row)


def values(session: Session, actor: Actor, line_id: int, *, limit: int = 100, offset: int = 0) -> list[ValuePart]:
    """The values that a line of unique ones counts, in the order in which they came: it is as many as they are."""
    actor.require(Permission.USAGE_READ)
    return origins.values(session, lines.one(session, actor, line_id), limit=limit, offset=offset)


def held(session: Session, actor: Actor, line_id: int, *, limit: int = 100, offset: int = 0) -> list[HeldPart]:
    """How long each quantity held, of a line that is weighted by time, in order."""
    actor.require(Permission.USAGE_READ)
    return list(islice(origins.held(session, lines.one(session, actor, line_id)), offset, offset + limit))


def held_in_all(session: Session, actor: Actor, line_id: int) -> Held:
    """What all that held comes to, of a line that is weighted by time."""
    actor.require(Permission.USAGE_READ)
    return origins.held_in_all(session, lines.one(session, actor, line_id))


def _is_from_events(line: Line) -> bool:
    """What late items changed adds up whatever the meter."""
    return line.aggregation not in BY_DAYS and line.settlement_id is None


def _by_day_and_user(line: Line) -> Subquery:
    """Rows of day, user and ``_SUMS`` that add up to the line."""
    if line.settlement_id is None:
        totals = select(
            UsageDay.day,
            UsageDay.user,
            *(type_coerce(getattr(UsageDay, name), BigInteger).label(name) for name in _SUMS),
        ).where(
            UsageDay.customer_id == line.customer_id,
            UsageDay.zone_kind == ZoneKind.BILLING,
            UsageDay.meter_id == line.meter_id,
            UsageDay.bucket_id == line.bucket_id,
            _days(line).contains(UsageDay.day),
        )
        rows = union_all(totals, _changes(line, sign=-1)).subquery("rows")
    else:
        rows = _changes(line, sign=1).subquery("rows")
    by_user = select(rows.c.day, rows.c.user, *_sums(rows)).group_by(rows.c.day, rows.c.user)
    return by_user.having(func.sum(rows.c.calls) != 0).subquery("by_user")


def _changes(line: Line, *, sign: int) -> Select[*tuple[Any, ...]]:
    """What the line's late items add and take away."""
    quantity = type_coerce(LateItem.quantity, BigInteger)
    return select(
        LateItem.day,
        LateItem.user,
        (sign * LateItem.calls).label("calls"),
        (sign * (quantity // _ONE)).label("whole"),
        (sign * (quantity % _ONE)).label("millionths"),
    ).where(*_items(line))


def _items(line: Line) -> tuple[ColumnElement[bool], ...]:
    """Those that the line bills or, of what was billed in time, those that changed it afterwards."""
    settled = () if line.settlement_id is None else (LateItem.settlement_id == line.settlement_id,)
    same = (LateItem.meter_id == line.meter_id, LateItem.bucket_id == line.bucket_id)
    return (LateItem.period_id == line.period_id, *same, _days(line).contains(LateItem.day), *settled)


def _sums(rows: Subquery) -> list[ColumnElement[Any]]:
    return [func.sum(rows.c[name]).label(name) for name in _SUMS]


def _quantity(line: Line, calls: int, whole: int, millionths: int) -> Decimal:
    """The sums come as decimals on PostgreSQL."""
    if line.aggregation is Aggregation.COUNT:
        return Decimal(int(calls))
    return int(whole) + Decimal(int(millionths)).scaleb(-PLACES)


def _billed_events(session: Session, line: Line) -> Select[*tuple[Any, ...]]:
    (zone,) = rollups.billing_zones(session, [line.customer_id])
    return queries.event_rows().where(
        UsageEvent.customer_id == line.customer_id,
        UsageEvent.meter_id == line.meter_id,
        UsageEvent.bucket_id == line.bucket_id,
        UsageEvent.occurred_at >= start_of_day(zone, line.first_day),
        UsageEvent.occurred_at < start_of_day(zone, line.last_day + _ONE_DAY),
        was_counted(LateItem.period_id == line.period_id),
    )


def _late_events(line: Line) -> Select[*tuple[Any, ...]]:
    return queries.event_rows().where(
        select(literal(1))
        .where(
            LateItem.customer_id == UsageEvent.customer_id,
            LateItem.event_id == UsageEvent.event_id,
            LateItem.occurred_at == UsageEvent.occurred_at,
            *_items(line),
        )
        .exists()
    )


def _days(line: Line) -> Period:
    return Period(line.first_day, line.last_day)

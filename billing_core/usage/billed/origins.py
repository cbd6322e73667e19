"""What a billed line of a meter comes from whose events do not add up: the greatest quantity, the values that were new,
the latest quantity, or how long each quantity held. By the events that were known when it was billed.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Subquery, and_, case, func, select
from sqlalchemy.orm import Session

from billing_core.dates import Period, day_in, start_of_day
from billing_core.metering import rollups
from billing_core.metering.models import (
    PLACES,
    Aggregation,
    LateItem,
    Meter,
    UsageEvent,
    UsageEventKey,
    UsagePeriod,
)
from billing_core.metering.periods import was_counted
from billing_core.metering.quantities import from_events
from billing_core.money import scaled
from billing_core.usage.billed.lines import Line

_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_AT_A_TIME: Final = 5_000
# What a day or a user has of a line: events, quantity, and distinct users.
Part = tuple[int, Decimal, int]


@dataclass(frozen=True, slots=True)
class ValuePart:
    """A value that counts in a line, and its first event, which happened in the days of the line."""

    value: str
    event_id: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class HeldPart:
    """How long the quantity of one event held, within the days of a line: half-open, in UTC."""

    begun: datetime
    ended: datetime
    quantity: Decimal
    event_id: str
    user: str

    @property
    def seconds(self) -> Decimal:
        return Decimal((self.ended - self.begun) // _MICROSECOND).scaleb(-6)

    @property
    def held(self) -> Decimal:
        """Quantity times seconds, exact."""
        return Decimal(scaled(self.quantity, PLACES) * ((self.ended - self.begun) // _MICROSECOND)).scaleb(-PLACES - 6)


@dataclass(frozen=True, slots=True)
class Held:
    """All that held add up to ``total``, quantities times seconds; shared out over the ``seconds`` of the period and
    rounded once that is the line's ``quantity``.
    """

    total: Decimal
    seconds: Decimal
    quantity: Decimal


def by_day(session: Session, line: Line) -> dict[date, Part]:
    """The greatest quantity of each day, how many values were new on it, its latest quantity, or the quantities that
    held on it times the seconds for which they did.
    """
    if line.aggregation is Aggregation.TIME_WEIGHTED_SUM:
        return _held_by_day(session, line)
    return dict(_grouped(session, line, "day"))


def by_user(session: Session, line: Line) -> dict[str, Part]:
    """The same of each user."""
    if line.aggregation is Aggregation.TIME_WEIGHTED_SUM:
        found: dict[str, Decimal] = defaultdict(Decimal)
        told = _told(session, line, "user")
        for part in held(session, line):
            found[part.user] += part.held
        return {user: (told.get(user, (0, 0))[0], found[user], 1) for user in {*found, *told}}
    return dict(_grouped(session, line, "user"))


def reached(session: Session, line: Line) -> tuple[datetime, str] | None:
    """The time and id of the event whose quantity a line of the greatest or the latest has, if there is one."""
    rows = _known(session, line)
    last = (rows.c.occurred_at.desc(), rows.c.event_id.desc())
    order = (rows.c.quantity.desc(), *last) if line.aggregation is Aggregation.MAX else last
    row = session.execute(select(rows.c.occurred_at, rows.c.event_id).order_by(*order).limit(1)).one_or_none()
    if row is not None:
        return row.occurred_at, row.event_id
    before = _held_before(session, line)
    return None if before is None else (before.occurred_at, before.event_id)


def values(session: Session, line: Line, *, limit: int, offset: int = 0) -> list[ValuePart]:
    """In the order in which they came."""
    rows = _seen(session, line)
    order = (rows.c.occurred_at, rows.c.event_id)
    statement = select(rows.c.value, rows.c.event_id, rows.c.occurred_at).where(rows.c.counts == 1).order_by(*order)
    return [ValuePart(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def held(session: Session, line: Line) -> Iterator[HeldPart]:
    """Of a line that is weighted by time, one after the other without gaps, from the first quantity on."""
    start, end = _bounds(_zone(session, line), line.first_day, line.last_day)
    rows = _known(session, line)
    statement = select(rows.c.occurred_at, rows.c.quantity, rows.c.event_id, rows.c.user)
    before = _held_before(session, line)
    last = None if before is None else (start, before.quantity, before.event_id, before.user)
    in_order = statement.order_by(rows.c.occurred_at, rows.c.event_id)
    # Whoever reads only the first ones leaves none open.
    with session.execute(in_order, execution_options={"yield_per": _AT_A_TIME}) as told:
        for row in told:
            if last is not None:
                yield HeldPart(last[0], row.occurred_at, *last[1:])
            last = (row.occurred_at, row.quantity, row.event_id, row.user)
    if last is not None:
        yield HeldPart(last[0], end, *last[1:])


def held_in_all(session: Session, line: Line) -> Held:
    """What the line's quantity is made of."""
    period = session.get_one(UsagePeriod, line.period_id)
    length = from_events.length(_zone(session, line), Period(period.first_day, period.last_day))
    total = sum((part.held for part in held(session, line)), Decimal(0))
    quantity = from_events.weighted(scaled(total, PLACES + 6), length)
    return Held(total, Decimal(length).scaleb(-6), quantity)


def _held_by_day(session: Session, line: Line) -> dict[date, Part]:
    zone, told = _zone(session, line), _told(session, line, "day")
    found: dict[date, Decimal] = defaultdict(Decimal)
    for part in held(session, line):
        begun = part.begun
        while begun < part.ended:
            day = day_in(zone, begun)
            ended = min(part.ended, start_of_day(zone, day + _DAY))
            found[day] += HeldPart(begun, ended, part.quantity, part.event_id, part.user).held
            begun = ended
    days = ((day, *told.get(day, (0, 0))) for day in sorted({*found, *told}))
    return {day: (calls, found[day], users) for day, calls, users in days}


def _told(session: Session, line: Line, name: str) -> dict[Any, tuple[int, int]]:
    """How many events of the line each day or user has, and distinct users whom they name."""
    rows = _known(session, line)
    statement = select(rows.c[name], func.count(), _users(rows)).group_by(rows.c[name])
    return {key: (calls, users) for key, calls, users in session.execute(statement)}


def _users(rows: Subquery) -> ColumnElement[int]:
    return func.count(func.nullif(rows.c.user, "").distinct())


def _grouped(session: Session, line: Line, name: str) -> Iterator[tuple[Any, Part]]:
    """By day or by user, in order."""
    rows = _seen(session, line) if line.aggregation is Aggregation.UNIQUE else _known(session, line)
    match line.aggregation:
        case Aggregation.MAX:
            quantity: Any = func.max(rows.c.quantity)
        case Aggregation.UNIQUE:
            quantity = func.sum(rows.c.counts)
        case _:
            place = func.row_number().over(
                partition_by=rows.c[name], order_by=[rows.c.occurred_at.desc(), rows.c.event_id.desc()]
            )
            rows = select(*rows.c, place.label("from_last")).subquery("from_last")
            quantity = func.max(rows.c.quantity).filter(rows.c.from_last == 1)
    columns = (rows.c[name], func.count(), quantity, _users(rows))
    statement = select(*columns).group_by(rows.c[name]).order_by(rows.c[name])
    for key, calls, found, users in session.execute(statement):
        yield key, (calls, Decimal(found), users)


def _seen(session: Session, line: Line) -> Subquery:
    """The events of the line, each with the ``value`` that it is counted by, and 1 as ``counts`` where that is new in
    the period.
    """
    period = session.get_one(UsagePeriod, line.period_id)
    meter = session.get_one(Meter, line.meter_id)
    rows = _known(session, line, period.first_day, period.last_day)
    value = from_events.value_counted(rows, [meter])
    times = func.row_number().over(partition_by=value, order_by=[rows.c.occurred_at, rows.c.event_id])
    numbered = select(*rows.c, value.label("value"), times.label("times")).subquery("numbered")
    counts = case((and_(numbered.c.times == 1, numbered.c.value.is_not(None)), 1), else_=0)
    inside = numbered.c.day.between(line.first_day, line.last_day)
    return select(*numbered.c, counts.label("counts")).where(inside).subquery("seen")


def _known(session: Session, line: Line, first_day: date | None = None, last_day: date | None = None) -> Subquery:
    """The events of these days, None: of the line's, that counted when it was billed, each with its ``day``."""
    zone = _zone(session, line)
    start, end = _bounds(zone, first_day or line.first_day, last_day or line.last_day)
    rows = (
        select(UsageEvent.__table__)
        .where(
            UsageEvent.raw,
            UsageEvent.customer_id == line.customer_id,
            UsageEvent.meter_id == line.meter_id,
            UsageEvent.bucket_id == line.bucket_id,
            UsageEvent.occurred_at >= start,
            UsageEvent.occurred_at < end,
            was_counted(LateItem.period_id == line.period_id),
        )
        .subquery("known")
    )
    return rollups.in_billing_zone(session, rows, [zone], start, end)


def _held_before(session: Session, line: Line) -> UsageEvent | None:
    """The event whose quantity held when the days of the line began, as it was billed."""
    if line.held_event_id is None:
        return None
    key = session.get_one(UsageEventKey, (line.customer_id, line.held_event_id))
    return session.get_one(UsageEvent, (line.customer_id, key.occurred_at, key.event_id))


def _zone(session: Session, line: Line) -> str:
    (zone,) = rollups.billing_zones(session, [line.customer_id])
    return zone


def _bounds(zone: str, first_day: date, last_day: date) -> tuple[datetime, datetime]:
    return start_of_day(zone, first_day), start_of_day(zone, last_day + _DAY)

"""What a customer used: in windows of UTC, or on days."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Select,
    bindparam,
    func,
    literal,
    select,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.engine import Reads, connection_of
from billing_core.database.functions import equals
from billing_core.database.ordering import no_such_start
from billing_core.database.types import UtcDateTime
from billing_core.dates import Period
from billing_core.errors import Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering import rollups
from billing_core.metering.models import (
    API_CALLS,
    PLACES,
    Meter,
    MeterBucket,
    UsageDay,
    UsageEvent,
    UsageEventKey,
    UsageUser,
    ZoneKind,
)
from billing_core.metering.zones import DAY, midnight

MOST_DAYS = 1_000
_MOMENT = timedelta(microseconds=1)
_Edges = list[tuple[datetime, datetime]]


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
    """One day's events of one meter; the fields as in ``Usage``."""

    day: date
    active_users: int
    calls: int
    quantity: Decimal
    response_time_sum: Decimal
    timed_calls: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as it was told. ``organization_id`` is its customer's UUID; ``response_time`` is in seconds, None where
    nobody told; ``properties`` a JSON object as text. ``withdrawn_at`` is None while it counts. ``bucket`` is the code
    of the one that it is in, None outside of all.
    """

    customer_id: int
    organization_id: str
    customer_ref: str
    id: str
    occurred_at: datetime
    meter: str
    user: str
    endpoint: str
    response_time: Decimal | None
    quantity: Decimal
    properties: str
    received_at: datetime
    late: bool
    withdrawn_at: datetime | None
    withdrawn_reason: str | None
    bucket: str | None


def after(end: datetime) -> datetime:
    """The first instant that a window with this end leaves out: one given to the second includes that second."""
    return end + (timedelta(microseconds=1) if end.microsecond else timedelta(seconds=1))


def usage_of(
    session: Reads, actor: Actor, customer_id: int, *, start: datetime, end: datetime, meter: str = API_CALLS
) -> Usage:
    """What happened from ``start`` to ``end``, both included. Invalid where a part of an archived day is asked for."""
    actor.require(Permission.USAGE_READ)
    refuse_others(actor, customer_id)
    until = after(end)
    edges = _edges(start, until)
    _refuse_archived(session, customer_id, edges, meter)
    facts = {**_window_facts(customer_id, start, until, edges, meter), "until": until}
    known, active, calls, whole, millionths, response_time, timed = map(
        int, connection_of(session).execute(_USED[len(edges)], facts).one()
    )
    return Usage(
        known,
        active,
        calls,
        whole + Decimal(millionths).scaleb(-PLACES),
        Decimal(response_time).scaleb(-PLACES),
        timed,
    )


def newest_day(session: Session, actor: Actor, *, until: date) -> date | None:
    """The newest of the billing-zone days up to this one on which anybody used anything; each customer's is found along
    the key of its days.
    """
    actor.require(Permission.USAGE_READ)
    of_customer = select(func.max(UsageDay.day)).where(
        UsageDay.customer_id == Customer.id, UsageDay.zone_kind == ZoneKind.BILLING, UsageDay.day <= until
    )
    return session.scalar(select(func.max(of_customer.scalar_subquery())).where(visible_to(actor)))


def calls_by_bucket(
    session: Reads, actor: Actor, customer_id: int, *, start: datetime, end: datetime, meter: str = API_CALLS
) -> dict[int, int]:
    """The calls of ``usage_of`` by the bucket that they are in, of those in none by ``NO_BUCKET``."""
    actor.require(Permission.USAGE_READ)
    refuse_others(actor, customer_id)
    until = after(end)
    edges = _edges(start, until)
    _refuse_archived(session, customer_id, edges, meter)
    facts = _window_facts(customer_id, start, until, edges, meter)
    rows = connection_of(session).execute(_BY_BUCKET[len(edges)], facts)
    return {bucket_id: int(calls) for bucket_id, calls in rows}


def daily(
    session: Reads,
    actor: Actor,
    customer_id: int,
    period: Period,
    *,
    meter: str = API_CALLS,
    zone_kind: ZoneKind = ZoneKind.UTC,
) -> list[Day]:
    """Every day of the period, in order, also those without use."""
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
        .where(*_of(customer_id, meter, zone_kind), period.contains(UsageDay.day))
        .group_by(UsageDay.day)
    )
    found = {}
    for day, *figures in session.execute(statement):
        users, calls, whole, millionths, response_time, timed = map(int, figures)
        quantity = whole + Decimal(millionths).scaleb(-PLACES)
        found[day] = Day(day, users, calls, quantity, Decimal(response_time).scaleb(-PLACES), timed)
    days = (period.start + number * DAY for number in range(period.days))
    return [found.get(day) or Day(day, 0, 0, Decimal(0), Decimal(0), 0) for day in days]


def events(
    session: Reads,
    actor: Actor,
    customer_id: int,
    *,
    start: datetime,
    end: datetime,
    user: str | None = None,
    after_event: tuple[datetime, str] | None = None,
    limit: int = 100,
) -> list[EventRow]:
    """Its events from ``start`` to ``end``, both included, in order, withdrawn ones too. ``after_event``: the time and
    id of the last one that was seen.
    """
    actor.require(Permission.USAGE_READ)
    refuse_others(actor, customer_id)
    statement = event_rows().where(
        UsageEvent.customer_id == customer_id, UsageEvent.occurred_at >= start, UsageEvent.occurred_at < after(end)
    )
    if user is not None:
        statement = statement.where(equals(UsageEvent.user, user.strip()))
    if after_event is not None:
        place = tuple_(literal(after_event[0], UtcDateTime), literal(after_event[1]))
        statement = statement.where(tuple_(UsageEvent.occurred_at, UsageEvent.event_id) > place)
    statement = statement.order_by(UsageEvent.occurred_at, UsageEvent.event_id).limit(limit)
    return [EventRow(*row) for row in session.execute(statement)]


def time_of(session: Reads, actor: Actor, customer_id: int, event_id: str) -> datetime:
    """When the event happened, by which a page goes on after it; Invalid where there is none."""
    actor.require(Permission.USAGE_READ)
    refuse_others(actor, customer_id)
    key = (UsageEventKey.customer_id == customer_id, equals(UsageEventKey.event_id, event_id))
    occurred_at = session.scalar(select(UsageEventKey.occurred_at).where(*key))
    if occurred_at is None:
        raise no_such_start()
    return occurred_at


def event_rows(bucket_id: ColumnElement[int] | None = None) -> Select[*tuple[Any, ...]]:
    """Selects the columns of ``EventRow``. ``bucket_id``: in SQL, another bucket of ``UsageEvent`` than its own."""
    return (
        select(
            UsageEvent.customer_id,
            Customer.uuid,
            Customer.ref,
            UsageEvent.event_id,
            UsageEvent.occurred_at,
            Meter.code,
            UsageEvent.user,
            UsageEvent.endpoint,
            UsageEvent.response_time,
            UsageEvent.quantity,
            UsageEvent.properties,
            UsageEvent.received_at,
            UsageEvent.late,
            UsageEventKey.withdrawn_at,
            UsageEventKey.withdrawn_reason,
            MeterBucket.code,
        )
        .join_from(
            UsageEvent,
            UsageEventKey,
            (UsageEventKey.customer_id == UsageEvent.customer_id) & (UsageEventKey.event_id == UsageEvent.event_id),
        )
        .join(Customer, Customer.id == UsageEvent.customer_id)
        .join(Meter, Meter.id == UsageEvent.meter_id)
        .outerjoin(MeterBucket, MeterBucket.id == (UsageEvent.bucket_id if bucket_id is None else bucket_id))
    )


def _of(customer_id: int, meter: str, zone_kind: ZoneKind = ZoneKind.UTC) -> tuple[ColumnElement[bool], ...]:
    """Its days of this meter."""
    metered = select(Meter.id).where(Meter.code == meter).scalar_subquery()
    return (
        UsageDay.customer_id == customer_id,
        UsageDay.zone_kind == zone_kind,
        UsageDay.meter_id == metered,
    )


def _whole_days(start: datetime, until: datetime) -> tuple[date, date]:
    """The first and the last UTC day that lie in the window as a whole; the other way round where none does."""
    first = start.date() if start == midnight(start.date()) else start.date() + DAY
    return first, until.date() - DAY


def _edges(start: datetime, until: datetime) -> _Edges:
    """What is left of the window without its whole days, in none, one or two pieces; each end is the first instant that
    is left out.
    """
    first, last = _whole_days(start, until)
    pieces = [(start, until)] if first > last else [(start, midnight(first)), (midnight(last + DAY), until)]
    return [(begin, end) for begin, end in pieces if begin < end]


def _refuse_archived(session: Reads, customer_id: int, edges: _Edges, meter: str) -> None:
    """A part of a day is counted by its events, which must be here."""
    days = {instant.date() for begin, end in edges for instant in (begin, end - _MOMENT)}
    if not days:
        return
    archived = select(UsageDay.day).where(*_of(customer_id, meter), UsageDay.day.in_(days), UsageDay.archive_id != 0)
    day = session.scalar(archived.order_by(UsageDay.day).limit(1))
    if day is not None:
        raise Invalid(f"The events of {day} are archived: a period must begin and end with whole days of UTC there")


def refuse_others(actor: Actor, customer_id: int) -> None:
    """Whoever is bound to one customer learns nothing of any other."""
    if actor.customer_id not in (None, customer_id):
        raise NotFound(f"There is no customer {customer_id}")


def _window_facts(customer_id: int, start: datetime, until: datetime, edges: _Edges, meter: str) -> dict[str, object]:
    """The parameters of ``_in_window``."""
    first, last = _whole_days(start, until)
    facts: dict[str, object] = {"customer_id": customer_id, "meter": meter, "first": first, "last": last}
    for number, (begin, end) in enumerate(edges):
        facts |= {f"begin_{number}": begin, f"end_{number}": end}
    return facts


def _in_window(edges: int) -> FromClause:
    """Rows of bucket, user and sums: of the whole days their totals, of so many edges of the window its events."""
    its_own, metered = bindparam("customer_id", type_=Integer), select(Meter.id).where(Meter.code == bindparam("meter"))
    meter_id = metered.scalar_subquery()
    kept = [type_coerce(getattr(UsageDay, name), BigInteger).label(name) for name in rollups.SUMS]
    whole_days = (
        select(UsageDay.bucket_id, UsageDay.user, *kept)
        .where(UsageDay.customer_id == its_own, UsageDay.zone_kind == ZoneKind.UTC, UsageDay.meter_id == meter_id)
        .where(UsageDay.day.between(bindparam("first", type_=Date), bindparam("last", type_=Date)))
    )
    parts = [whole_days]
    for number in range(edges):
        begin, end = (bindparam(f"{name}_{number}", type_=UtcDateTime) for name in ("begin", "end"))
        inside = (UsageEvent.customer_id == its_own, UsageEvent.occurred_at >= begin, UsageEvent.occurred_at < end)
        events = rollups.counted_events().where(*inside, UsageEvent.meter_id == meter_id).subquery()
        key = (events.c.bucket_id, events.c.user)
        parts.append(select(*key, *rollups.sums(events)).group_by(*key))
    return (union_all(*parts) if edges else whole_days).subquery("in_window")


def _used(edges: int) -> Select[*tuple[Any, ...]]:
    """The figures of ``Usage``."""
    rows = _in_window(edges)
    its_own, until = bindparam("customer_id", type_=Integer), bindparam("until", type_=UtcDateTime)
    known = select(func.count()).where(UsageUser.customer_id == its_own, UsageUser.first_seen_at < until)
    return select(
        known.scalar_subquery(),
        func.count(func.distinct(rows.c.user)).filter(rows.c.user != ""),
        *(func.coalesce(func.sum(rows.c[name]), 0) for name in rollups.SUMS),
    )


def _by_bucket(edges: int) -> Select[*tuple[Any, ...]]:
    rows = _in_window(edges)
    return select(rows.c.bucket_id, func.sum(rows.c.calls)).group_by(rows.c.bucket_id)


# By how many edges the window has. Put together once, which takes longer than carrying it out.
_USED = tuple(map(_used, range(3)))
_BY_BUCKET = tuple(map(_by_bucket, range(3)))

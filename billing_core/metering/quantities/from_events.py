"""What meters come to that are billed from the events themselves: the greatest and the latest quantity, how many unique
values, and the sum of quantities weighted by the time for which they held.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Join,
    Select,
    String,
    Subquery,
    case,
    func,
    literal,
    select,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import Session

from billing_core.database.functions import Columns, as_rows, microseconds
from billing_core.database.types import UtcDateTime
from billing_core.dates import Period, start_of_day
from billing_core.metering import rollups
from billing_core.metering.buckets import value_of
from billing_core.metering.models import (
    FROM_EVENTS,
    HOLDS_ON,
    NO_BUCKET,
    PLACES,
    Aggregation,
    Exact,
    Meter,
    MeterBucket,
)
from billing_core.metering.quantities import carried
from billing_core.metering.quantities.stretches import Stretch, Used
from billing_core.money import nearest

_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_STRETCHES: Final[Columns] = {
    "place": Integer(),
    "customer_id": Integer(),
    "starts_at": UtcDateTime(),
    "ends_at": UtcDateTime(),
    "begins_at": UtcDateTime(),
}
# A quantity in millionths times microseconds is more than an integer of the database holds. In digits of this base,
# times seconds and the microseconds beyond them, it fits, with ninety million events in a stretch.
_BASE: Final = 10**5
_DIGITS: Final = range(4)
_SECOND: Final = 10**6
# A stretch's place, a meter and a bucket.
Slot = tuple[int, int, int]


def used(
    session: Session,
    stretches: Sequence[Stretch],
    period: Period,
    meters: Collection[Meter],
    events: Select[*tuple[Any, ...]] | None = None,
) -> list[Used]:
    """What was used of those of these meters that are billed from their events, in each stretch; of each customer they
    are the whole period. ``events``: the columns of those events that count; None: those that nobody has withdrawn.
    """
    if not any(meter.aggregation in FROM_EVENTS for meter in meters) or not stretches:
        return []
    zones = rollups.zones_of(session, {stretch.customer_id for stretch in stretches})
    asked = _asked(session, dict(enumerate(stretches)), zones, period)
    counted = raw(rollups.counted_events() if events is None else events)
    found: list[Used] = []
    if greatest := _of_kind(meters, Aggregation.MAX):
        found += _read(session, _greatest(asked, counted, greatest))
    if unique := _of_kind(meters, Aggregation.UNIQUE):
        found += _read(session, _unique(asked, counted, unique))
    holding = [meter for meter in meters if meter.aggregation in HOLDS_ON]
    for held in _holding(session, stretches, zones, period, holding, counted):
        if latest := _of_kind(held.meters, Aggregation.LATEST):
            found += _read(session, _latest(held, latest))
        if summed := _of_kind(held.meters, Aggregation.TIME_WEIGHTED_SUM):
            for (place, meter_id, bucket_id), exactly in _summed(session, _held(held, summed)):
                quantity = weighted(exactly, length(zones[stretches[place].customer_id], period))
                found.append(Used(place, meter_id, bucket_id, quantity))
    return found


def held_for(
    session: Session,
    stretches: Sequence[Stretch],
    zones: Mapping[int, str],
    period: Period,
    meters: Collection[Meter],
    events: Select[*tuple[Any, ...]],
) -> dict[Slot, int]:
    """What held of these meters in each stretch of the period, in millionths times microseconds: exact. ``zones`` by
    customer.
    """
    ways = _holding(session, stretches, zones, period, meters, raw(events))
    return {slot: exactly for held in ways for slot, exactly in _summed(session, _held(held, held.meters))}


def held_before(
    session: Session, stretches: Sequence[Stretch], period: Period, meters: Collection[Meter]
) -> dict[Slot, str]:
    """The ids of the events whose quantities hold when each stretch of the period begins, of these meters, which hold
    on.
    """
    if not meters or not stretches:
        return {}
    zones = rollups.zones_of(session, {stretch.customer_id for stretch in stretches})
    found: dict[Slot, str] = {}
    for held in _holding(session, stretches, zones, period, meters, raw(rollups.counted_events())):
        asked, slots = held.asked, _slots(held.meters)
        last = _last_before(asked.c.starts_at, held, slots, "event_id").label("event_id")
        statement = select(asked.c.place, slots.c.meter_id, slots.c.bucket_id, last)
        rows = session.execute(statement.join_from(asked, slots, literal(True)))
        found |= {(*key,): event_id for *key, event_id in rows if event_id is not None}
    return found


def first_stretches(
    session: Session,
    stretches: Sequence[Stretch],
    zones: Mapping[int, str],
    meters: Collection[Meter],
    events: Select[*tuple[Any, ...]],
    named: FromClause,
) -> dict[tuple[int, int, int, str], int]:
    """By customer, meter, bucket and value: the place of the first stretch, in their order, in which these events have
    it. Only for values that events ``named`` have in the same place.
    """
    asked, counted = _asked(session, dict(enumerate(stretches)), zones), raw(events)
    value = value_counted(counted, meters)
    place = (counted.c.customer_id, counted.c.meter_id, counted.c.bucket_id)
    same = tuple_(*place, value).in_(
        select(named.c.customer_id, named.c.meter_id, named.c.bucket_id, value_counted(named, meters))
    )
    statement = select(*place, value, func.min(asked.c.place)).select_from(_inside(asked, counted, _slots(meters)))
    return {(*key,): first for *key, first in session.execute(statement.where(same).group_by(*place, value))}


def weighted(held: int, length: int) -> Decimal:
    """The quantity of what held in a period of so many microseconds, rounded once."""
    return Decimal(nearest(held, length)).scaleb(-PLACES)


def raw(events: Select[*tuple[Any, ...]]) -> Subquery:
    """Those of these events whose meters are billed from them."""
    counted = events.subquery("counted")
    return select(counted).where(counted.c.raw).subquery("raw_events")


def value_counted(events: FromClause, meters: Collection[Meter]) -> ColumnElement[str]:
    """What these events of meters of unique values are counted by: a property, as JSON, or the user. NULL where nobody
    is named, or the property is not told.
    """
    user = func.nullif(events.c.user, "")
    named = [
        (events.c.meter_id == meter.id, func.nullif(value_of(events.c.properties, meter.unique_of), "null"))
        for meter in meters
        if meter.unique_of
    ]
    return case(*named, else_=user) if named else user


def _of_kind(meters: Iterable[Meter], aggregation: Aggregation) -> list[Meter]:
    return [meter for meter in meters if meter.aggregation is aggregation]


class _Holding(NamedTuple):
    """Stretches of some customers, meters whose quantities hold on, and the events that count. ``carried``: the last
    ones before the period, where they are in other buckets than in the bills of their own days, but for the ``steady``
    ones.
    """

    asked: CTE
    meters: tuple[Meter, ...]
    events: Subquery
    carried: CTE | None
    steady: frozenset[int]


def _holding(
    session: Session,
    stretches: Sequence[Stretch],
    zones: Mapping[int, str],
    period: Period,
    meters: Collection[Meter],
    events: Subquery,
) -> Iterator[_Holding]:
    """All of these stretches, which are of the period, with all of these meters."""
    if not meters:
        return
    for placing in carried.placings(session, {stretch.customer_id for stretch in stretches}, period, meters):
        theirs = {place: one for place, one in enumerate(stretches) if one.customer_id in placing.customer_ids}
        asked = _asked(session, theirs, zones, period)
        before = carried.last_before(asked, events, placing)
        yield _Holding(asked, placing.meters, events, before, placing.steady)


def _read(session: Session, statement: Select[*tuple[Any, ...]]) -> Iterable[Used]:
    for place, meter_id, bucket_id, quantity in session.execute(statement):
        yield Used(place, meter_id, bucket_id, Decimal(quantity))


def _greatest(asked: FromClause, events: Subquery, meters: Collection[Meter]) -> Select[*tuple[Any, ...]]:
    key = (asked.c.place, events.c.meter_id, events.c.bucket_id)
    greatest = type_coerce(func.max(events.c.quantity), Exact)
    return select(*key, greatest).select_from(_inside(asked, events, _slots(meters))).group_by(*key)


def _unique(asked: FromClause, events: Subquery, meters: Collection[Meter]) -> Select[*tuple[Any, ...]]:
    value = value_counted(events, meters)
    of_value = [events.c.customer_id, events.c.meter_id, events.c.bucket_id, value]
    times = func.row_number().over(partition_by=of_value, order_by=[events.c.occurred_at, events.c.event_id])
    seen = (
        select(asked.c.place, events.c.meter_id, events.c.bucket_id, times.label("times"))
        .select_from(_inside(asked, events, _slots(meters)))
        .where(value.is_not(None))
        .subquery("seen")
    )
    key = (seen.c.place, seen.c.meter_id, seen.c.bucket_id)
    return select(*key, func.count()).where(seen.c.times == 1).group_by(*key)


def _latest(holding: _Holding, meters: Collection[Meter]) -> Select[*tuple[Any, ...]]:
    asked, slots = holding.asked, _slots(meters)
    held = (
        select(asked.c.place, slots.c.meter_id, slots.c.bucket_id, _before(asked.c.ends_at, holding, slots))
        .join_from(asked, slots, literal(True))
        .subquery("held")
    )
    return select(held).where(held.c.quantity.is_not(None))


def _held(holding: _Holding, meters: Collection[Meter]) -> Select[*tuple[Any, ...]]:
    """Of each place, meter and bucket, for each of the ``_DIGITS`` of what was held: the sums of that digit times the
    seconds, and times the microseconds beyond them, for which it was.
    """
    asked, events, slots = holding.asked, holding.events, _slots(meters)
    begun = (
        select(
            asked.c.place,
            slots.c.meter_id,
            slots.c.bucket_id,
            asked.c.starts_at.label("at"),
            literal("", String).label("event_id"),
            _before(asked.c.starts_at, holding, slots),
            asked.c.ends_at,
        )
        .join_from(asked, slots, literal(True))
        .subquery("held_before")
    )
    told = select(
        asked.c.place,
        events.c.meter_id,
        events.c.bucket_id,
        events.c.occurred_at,
        events.c.event_id,
        events.c.quantity,
        asked.c.ends_at,
    ).select_from(_inside(asked, events, slots))
    levels = union_all(select(begun).where(begun.c.quantity.is_not(None)), told).subquery("levels")
    key = (levels.c.place, levels.c.meter_id, levels.c.bucket_id)
    until = func.lead(levels.c.at).over(partition_by=list(key), order_by=[levels.c.at, levels.c.event_id])
    span = microseconds(func.coalesce(until, levels.c.ends_at)) - microseconds(levels.c.at)
    spans = select(*key, type_coerce(levels.c.quantity, BigInteger).label("level"), span.label("span")).subquery(
        "spans"
    )
    sums = [
        func.sum(spans.c.level // _BASE**digit % _BASE * part)
        for digit in _DIGITS
        for part in (spans.c.span // _SECOND, spans.c.span % _SECOND)
    ]
    by = (spans.c.place, spans.c.meter_id, spans.c.bucket_id)
    return select(*by, *sums).group_by(*by)


def _summed(session: Session, statement: Select[*tuple[Any, ...]]) -> Iterator[tuple[Slot, int]]:
    """The sums of ``_held`` as one number each."""
    for place, meter_id, bucket_id, *sums in session.execute(statement):
        held = sum(
            _BASE**digit * (int(seconds) * _SECOND + int(rest))
            for digit, seconds, rest in zip(_DIGITS, sums[::2], sums[1::2], strict=True)
        )
        yield (place, meter_id, bucket_id), held


def _slots(meters: Collection[Meter]) -> Subquery:
    """Every bucket of these meters, and what fits into none."""
    ids = [meter.id for meter in meters]
    none = select(Meter.id.label("meter_id"), literal(NO_BUCKET).label("bucket_id")).where(Meter.id.in_(ids))
    kept = select(MeterBucket.meter_id, MeterBucket.id).where(MeterBucket.meter_id.in_(ids))
    return union_all(none, kept).subquery("slots")


def _before(instant: ColumnElement[datetime], holding: _Holding, slots: FromClause) -> ColumnElement[Decimal]:
    """The quantity of the last event before the instant, NULL where there is none."""
    return type_coerce(_last_before(instant, holding, slots, "quantity"), Exact).label("quantity")


def _last_before(
    instant: ColumnElement[datetime], holding: _Holding, slots: FromClause, name: str
) -> ColumnElement[Any]:
    """This column of the last event before the instant."""
    asked, events, before = holding.asked, holding.events, holding.carried

    def last(*chosen: ColumnElement[bool]) -> ColumnElement[Any]:
        return (
            select(events.c[name])
            .where(
                events.c.customer_id == asked.c.customer_id,
                events.c.meter_id == slots.c.meter_id,
                events.c.bucket_id == slots.c.bucket_id,
                *chosen,
            )
            .order_by(events.c.occurred_at.desc(), events.c.event_id.desc())
            .limit(1)
            .correlate(asked, slots)
            .scalar_subquery()
        )

    if before is None:
        return last(events.c.occurred_at < instant)
    earlier = select(before.c[name]).where(
        before.c.customer_id == asked.c.customer_id,
        before.c.meter_id == slots.c.meter_id,
        before.c.bucket_id == slots.c.bucket_id,
    )
    return func.coalesce(
        last(events.c.occurred_at < instant, events.c.occurred_at >= asked.c.begins_at),
        last(slots.c.bucket_id.in_(holding.steady), events.c.occurred_at < asked.c.begins_at),
        earlier.correlate(asked, slots).scalar_subquery(),
    )


def _inside(asked: FromClause, events: Subquery, slots: FromClause) -> Join:
    """Each stretch with its events of these meters and buckets, which is how they are indexed."""
    same = (
        (events.c.customer_id == asked.c.customer_id)
        & (events.c.meter_id == slots.c.meter_id)
        & (events.c.bucket_id == slots.c.bucket_id)
        & (events.c.occurred_at >= asked.c.starts_at)
        & (events.c.occurred_at < asked.c.ends_at)
    )
    return asked.join(slots, literal(True)).join(events, same)


def length(zone: str, period: Period) -> int:
    """Of the period in this zone, in microseconds."""
    return (start_of_day(zone, period.end + _DAY) - start_of_day(zone, period.start)) // _MICROSECOND


def _asked(
    session: Session, stretches: Mapping[int, Stretch], zones: Mapping[int, str], period: Period | None = None
) -> CTE:
    """Rows of (place, customer_id, starts_at, ends_at, begins_at): of each stretch, by its place. ``begins_at``: when
    the period does.
    """
    rows = (
        (
            place,
            one.customer_id,
            start_of_day(zones[one.customer_id], one.first_day),
            start_of_day(zones[one.customer_id], one.last_day + _DAY),
            start_of_day(zones[one.customer_id], period.start if period else one.first_day),
        )
        for place, one in stretches.items()
    )
    return as_rows(session, "stretches", _STRETCHES, rows).prefix_with("MATERIALIZED")

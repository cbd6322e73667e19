"""Which billed periods events change whose meters are billed from the events themselves, and by how much.

The database says what was known beside each event: what held before it and until when, what was the greatest, which
values had been seen. From that its changes follow by arithmetic, whatever a batch has of them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import FromClause, Select, case, func, null, select, tuple_, type_coerce
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.dates import Period, start_of_day
from billing_core.metering import rollups
from billing_core.metering.late import changes
from billing_core.metering.late.changes import Change, News, Segments
from billing_core.metering.models import FROM_EVENTS, HOLDS_ON, Aggregation, Exact, Meter, UsageEvent, UsagePeriod
from billing_core.metering.quantities import carried, from_events
from billing_core.metering.quantities.stretches import Stretch

_DAY: Final = timedelta(days=1)
_NAMES: Final = ("customer_id", "event_id", "occurred_at", "day", "meter_id", "bucket_id", "user")
# A customer, a meter and one of its buckets.
_Slot = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Followed:
    """What one event changes in a segment of a billed period: by this ``quantity``, from this ``day`` on. ``carried``:
    it happened before the period.
    """

    period_id: int
    customer_id: int
    event_id: str
    occurred_at: datetime
    day: date
    meter_id: int
    bucket_id: int
    user: str
    quantity: Decimal
    carried: bool


def changes_of(session: Session, rows: FromClause) -> list[Followed]:
    """By customer, time and id of the events. ``rows`` are events that count, with their ``day`` of the billing zone;
    they come in this order, after everything else that counts.

    The periods that they can change are locked: whoever changes the same ones meanwhile sees these events.
    """
    meters = {meter.id: meter for meter in session.scalars(select(Meter).where(Meter.aggregation.in_(FROM_EVENTS)))}
    if not meters:
        return []
    raw = rows.c.meter_id.in_(list(meters))
    first_days = select(rows.c.customer_id, func.min(rows.c.day)).where(raw).group_by(rows.c.customer_id)
    since = dict(session.execute(first_days).all())
    billed = _billed(session, since) if since else {}
    if not billed:
        return []
    zones = rollups.zones_of(session, list(billed))
    facts, news = _read(session, rows, from_events.raw(rollups.counted_events()), billed, meters)
    by_days: dict[Period, list[UsagePeriod]] = defaultdict(list)
    for period in (one for periods in billed.values() for one in periods):
        by_days[Period(period.first_day, period.last_day)].append(period)
    found = [
        _followed(period, bucket_id, change, facts[period.customer_id, change.event_id])
        for days, periods in by_days.items()
        for period, bucket_id, change in _changes(
            session, rows, periods, meters, zones, news | _placed_news(session, rows, days, periods, meters, zones)
        )
    ]
    return sorted(found, key=lambda one: (one.customer_id, one.occurred_at, one.event_id, one.day))


def _billed(session: Session, since: Mapping[int, date]) -> dict[int, list[UsagePeriod]]:
    """The periods of these customers that stand and end on the day or later, in the order in which they are locked."""
    statement = select(UsagePeriod).where(
        among(UsagePeriod.customer_id, since),
        UsagePeriod.last_day >= min(since.values()),
        UsagePeriod.replaced_at.is_(None),
    )
    found: dict[int, list[UsagePeriod]] = {}
    for period in session.scalars(statement.order_by(UsagePeriod.id).with_for_update()):
        if period.last_day >= since[period.customer_id]:
            found.setdefault(period.customer_id, []).append(period)
    return found


def _placed_news(
    session: Session,
    rows: FromClause,
    days: Period,
    periods: Collection[UsagePeriod],
    meters: Mapping[int, Meter],
    zones: Mapping[int, str],
) -> dict[_Slot, list[News]]:
    """What is new by slot in the bills of these days, where what happened before is in other buckets of theirs; with
    nothing in those that it is in otherwise.
    """
    found: dict[_Slot, list[News]] = {}
    holding = [meter for meter in meters.values() if meter.aggregation in HOLDS_ON]
    customer_ids = {one.customer_id for one in periods}
    for placing in carried.placings(session, customer_ids, days, holding) if holding else ():
        if placing.buckets is None:
            continue
        begins_at = {customer_id: start_of_day(zones[customer_id], days.start) for customer_id in placing.customer_ids}
        begun = carried.beginnings(session, begins_at)
        counted = from_events.raw(rollups.counted_events())
        placed, beside = (carried.placed(events, begun, placing) for events in (rows, counted))
        of_placing = {meter.id: meter for meter in placing.meters}
        slots = select(rows.c.customer_id, rows.c.meter_id, rows.c.bucket_id).distinct()
        theirs = slots.where(among(rows.c.customer_id, placing.customer_ids), rows.c.meter_id.in_(list(of_placing)))
        found |= {(*slot,): [] for slot in session.execute(theirs)}
        found |= _read(session, placed, beside, placing.customer_ids, of_placing)[1]
    return found


def _read(
    session: Session,
    rows: FromClause,
    counted: FromClause,
    customer_ids: Collection[int],
    meters: Mapping[int, Meter],
) -> tuple[dict[tuple[int, str], dict[str, Any]], dict[_Slot, list[News]]]:
    """The events' facts by customer and id, and what is new by slot, in order, beside all that is ``counted``."""
    slot = ("customer_id", "meter_id", "bucket_id")
    key, place = tuple_(counted.c.occurred_at, counted.c.event_id), tuple_(rows.c.occurred_at, rows.c.event_id)

    def neighbour(name: str, *, later: bool) -> Any:
        beside = (key > place) if later else (key < place)
        order = (counted.c.occurred_at, counted.c.event_id)
        found = (
            select(counted.c[name])
            .where(*(counted.c[one] == rows.c[one] for one in slot), beside)
            .order_by(*(order if later else (column.desc() for column in order)))
            .limit(1)
            .correlate(rows)
            .scalar_subquery()
        )
        return case((rows.c.meter_id.in_(holding), found), else_=null())

    holding = [id_ for id_, meter in meters.items() if meter.aggregation in HOLDS_ON]
    unique = [meter for meter in meters.values() if meter.aggregation is Aggregation.UNIQUE]
    statement: Select[*tuple[Any, ...]] = (
        select(
            *(rows.c[name] for name in _NAMES),
            type_coerce(rows.c.quantity, Exact).label("quantity"),
            from_events.value_counted(rows, unique).label("value"),
            type_coerce(neighbour("quantity", later=False), Exact).label("held"),
            neighbour("event_id", later=True).label("next_id"),
            type_coerce(neighbour("occurred_at", later=True), UsageEvent.occurred_at.type).label("next_at"),
        )
        .where(among(rows.c.customer_id, customer_ids), rows.c.meter_id.in_(list(meters)))
        .order_by(rows.c.customer_id, rows.c.meter_id, rows.c.bucket_id, rows.c.occurred_at, rows.c.event_id)
    )
    facts: dict[tuple[int, str], dict[str, Any]] = {}
    by_slot: dict[_Slot, list[Any]] = defaultdict(list)
    for row in session.execute(statement):
        facts[row.customer_id, row.event_id] = {name: getattr(row, name) for name in _NAMES}
        by_slot[row.customer_id, row.meter_id, row.bucket_id].append(row)
    return facts, {slot: _news(of_slot) for slot, of_slot in by_slot.items()}


def _news(rows: Sequence[Any]) -> list[News]:
    """Where the next event is one of these rows, it comes later, so that what is known lasts as long as beside that."""
    found: list[News] = []
    for place, row in reversed(list(enumerate(rows))):
        comes_later = place + 1 < len(rows) and rows[place + 1].event_id == row.next_id
        until = found[-1].until if comes_later else row.next_at
        held = Decimal(0) if row.held is None else row.held
        found.append(News(row.event_id, row.occurred_at, row.quantity, row.value, held, until))
    return found[::-1]


def _changes(
    session: Session,
    rows: FromClause,
    periods: Sequence[UsagePeriod],
    meters: Mapping[int, Meter],
    zones: Mapping[int, str],
    news: Mapping[_Slot, Sequence[News]],
) -> Iterator[tuple[UsagePeriod, int, Change]]:
    """Of periods of the same days, with the bucket in which something changes."""
    segments = {one.id: _segments(one, zones[one.customer_id]) for one in periods}
    reached: dict[Aggregation, list[tuple[UsagePeriod, _Slot, list[News]]]] = defaultdict(list)
    by_customer = {one.customer_id: one for one in periods}
    for slot, of_slot in news.items():
        period = by_customer.get(slot[0])
        aggregation = meters[slot[1]].aggregation
        if period and (inside := _reaching(of_slot, segments[period.id], holds_on=aggregation in HOLDS_ON)):
            reached[aggregation].append((period, slot, inside))
    for aggregation, found in reached.items():
        before = _known(session, rows, periods, meters, zones, aggregation)
        for period, slot, inside in found:
            mine = before.get((period.id, *slot[1:]), {})
            match aggregation:
                case Aggregation.MAX:
                    made = changes.of_greatest(segments[period.id], inside, mine)
                case Aggregation.UNIQUE:
                    made = changes.of_unique(segments[period.id], inside, mine)
                case Aggregation.LATEST:
                    made = changes.of_latest(segments[period.id], inside)
                case _:
                    made = changes.of_weighted(segments[period.id], inside, mine)
            for change in made:
                yield period, slot[2], change


def _reaching(news: Sequence[News], segments: Segments, *, holds_on: bool) -> list[News]:
    """Those that can change the period."""
    start, end = segments.bounds[0], segments.bounds[-1]
    return [
        one
        for one in news
        if one.at < end and (one.at >= start or (holds_on and (one.until is None or one.until > start)))
    ]


def _known(
    session: Session,
    rows: FromClause,
    periods: Sequence[UsagePeriod],
    meters: Mapping[int, Meter],
    zones: Mapping[int, str],
    aggregation: Aggregation,
) -> dict[tuple[int, int, int], dict[Any, Any]]:
    """By period, meter and bucket what ``changes`` has to know of the other events."""
    others = rollups.counted_events().where(
        tuple_(UsageEvent.customer_id, UsageEvent.event_id).not_in(select(rows.c.customer_id, rows.c.event_id))
    )
    of_kind = [meter for meter in meters.values() if meter.aggregation is aggregation]
    places = [(one, number, days) for one in periods for number, days in enumerate(one.segments)]
    stretches = [Stretch(one.customer_id, days.start, days.end) for one, _, days in places]
    found: dict[tuple[int, int, int], dict[Any, Any]] = defaultdict(dict)
    match aggregation:
        case Aggregation.MAX:
            days = Period(periods[0].first_day, periods[0].last_day)
            for used in from_events.used(session, stretches, days, of_kind, others):
                period, number, _ = places[used.place]
                found[period.id, used.meter_id, used.bucket_id][number] = used.quantity
        case Aggregation.UNIQUE:
            firsts = from_events.first_stretches(session, stretches, zones, of_kind, others, rows)
            for (_, meter_id, bucket_id, value), place in firsts.items():
                period, number, _ = places[place]
                found[period.id, meter_id, bucket_id][value] = number
        case Aggregation.TIME_WEIGHTED_SUM:
            days = Period(periods[0].first_day, periods[0].last_day)
            held = from_events.held_for(session, stretches, zones, days, of_kind, others)
            for (place, meter_id, bucket_id), exactly in held.items():
                period, number, _ = places[place]
                found[period.id, meter_id, bucket_id][number] = exactly
    return found


def _segments(period: UsagePeriod, zone: str) -> Segments:
    days = [*(one.start for one in period.segments), period.last_day + _DAY]
    return Segments([start_of_day(zone, day) for day in days])


def _followed(period: UsagePeriod, bucket_id: int, change: Change, facts: Mapping[str, Any]) -> Followed:
    """It counts from its own day, or from the day on which the segment begins."""
    days = period.segments[change.segment]
    day = facts["day"] if days.start <= facts["day"] <= days.end else days.start
    before = facts["day"] < period.first_day
    return Followed(
        **{**facts, "day": day, "bucket_id": bucket_id}, period_id=period.id, quantity=change.quantity, carried=before
    )

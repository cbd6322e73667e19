"""Late items of meters that are billed from their events say by how much they changed what was billed.

Before, such an item had the quantity of its event, and the events were followed again whenever its worth was read. Now
there is an item for each segment that changed, also of later periods, in which what came late, or went, held on: also
of events for days that nobody billed, which had none.
"""

import json
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations.quantities import Event, came_to, start_of_day

revision = "0027"
down_revision = "0026"

_HOLDS_ON: Final = ("latest", "time_weighted_sum")
_FROM_EVENTS: Final = ("max", "unique", *_HOLDS_ON)
_DAY: Final = timedelta(days=1)
_ONE: Final = 10**6
_BEFORE: Final = datetime.min.replace(tzinfo=UTC)
_SIGNS: Final = {"arrived": 1, "withdrawn": -1}
# Where events came, or went, for days that were not billed while later ones were: before a billed period that follows
# no other, or in one that was billed after a later one. The zone says when a day begins: a day more does no harm. The
# index has the events by their buckets.
_FOR_UNBILLED_DAYS: Final = """
    WITH standing AS (
        SELECT customer_id, first_day, last_day, billed_at,
            lag(last_day) OVER (PARTITION BY customer_id ORDER BY first_day) AS former,
            min(billed_at) OVER (PARTITION BY customer_id ORDER BY first_day DESC) AS first_billed
        FROM usage_periods WHERE replaced_at IS NULL
    ), slots AS (
        SELECT id AS meter_id, 0 AS bucket_id, aggregation FROM meters
        UNION ALL SELECT m.id, b.id, m.aggregation FROM meter_buckets b JOIN meters m ON m.id = b.meter_id
    )
    SELECT e.customer_id, e.meter_id, e.bucket_id, min(e.occurred_at) AS since
    FROM standing s JOIN slots ON slots.aggregation IN ('latest', 'time_weighted_sum')
    JOIN usage_events e ON e.customer_id = s.customer_id AND e.meter_id = slots.meter_id
        AND e.bucket_id = slots.bucket_id AND e.{raw}
        AND e.occurred_at >= coalesce(s.former, '1970-01-01')
        AND e.occurred_at < CASE WHEN s.billed_at > s.first_billed THEN {after_last} ELSE {after_first} END
    JOIN usage_event_keys k ON k.customer_id = e.customer_id AND k.event_id = e.event_id
    WHERE (s.former IS NULL OR s.former < {before_first} OR s.billed_at > s.first_billed)
        AND (e.received_at > s.first_billed OR k.withdrawn_at > s.first_billed)
    GROUP BY e.customer_id, e.meter_id, e.bucket_id
"""
_WORDS: Final = {
    "sqlite": {
        # The index is taken for its condition in the same words.
        "raw": "raw = 1",
        "after_first": "date(s.first_day, '+1 day')",
        "after_last": "date(s.last_day, '+2 days')",
        "before_first": "date(s.first_day, '-1 day')",
    },
    "postgresql": {
        "raw": "raw",
        "after_first": "s.first_day + 1",
        "after_last": "s.last_day + 2",
        "before_first": "s.first_day - 1",
    },
}


class _Tables(NamedTuple):
    usage_late_items: sa.Table
    usage_events: sa.Table
    usage_event_keys: sa.Table
    usage_periods: sa.Table
    usage_lines: sa.Table
    usage_settlements: sa.Table


class _Slot(NamedTuple):
    """What is followed by itself: a bucket of a meter. Of one that does not hold on only a period, otherwise 0."""

    customer_id: int
    meter_id: int
    bucket_id: int
    period_id: int


class _Period(NamedTuple):
    """``begun`` are the first days of its segments, ``bounds`` when these begin, and when the last ends."""

    id: int
    stands: bool
    billed_at: datetime
    begun: list[date]
    bounds: list[datetime]


class _Happening(NamedTuple):
    """An event came, or went; in order by the first two. ``item`` is the one that it had so far."""

    when: datetime
    item_id: int
    event: Event
    kind: str
    item: Any

    def is_of(self, period: _Period) -> bool:
        """Whether its item says that it changed this period."""
        return self.item is not None and self.item.period_id == period.id

    def changes(self, period: _Period) -> bool:
        """Whether it did so after the period was billed, and can have changed it."""
        if self.is_of(period):
            return True
        # At the same instant the item says which was first.
        after = period.billed_at <= self.when if self.item else period.billed_at < self.when
        return after and period.stands and self.event.at < period.bounds[0]


def upgrade() -> None:
    connection = op.get_bind()
    meters = _meters(connection)
    if not meters:
        return
    tables = _Tables(*(_table(connection, name) for name in _Tables._fields))
    of_slot: dict[_Slot, list[Any]] = defaultdict(list)
    since: dict[_Slot, date] = {}
    item = tables.usage_late_items.c
    for row in connection.execute(sa.select(*item).where(item.meter_id.in_(list(meters))).order_by(item.id)):
        holds_on = meters[row.meter_id].aggregation in _HOLDS_ON
        slot = _Slot(row.customer_id, row.meter_id, row.bucket_id, 0 if holds_on else row.period_id)
        of_slot[slot].append(row)
        since[slot] = min(row.day, since.get(slot, row.day))
    for slot, day in _for_unbilled_days(connection):
        since[slot] = min(day, since.get(slot, day))
    twin = cache(partial(_twin, connection, tables.usage_settlements))
    for slot, day in since.items():
        _convert(connection, tables, slot, meters[slot.meter_id], day, of_slot[slot], twin)


def downgrade() -> None:
    """An event's first item is again its only one, and has its quantity."""
    ours = "meter_id IN (SELECT id FROM meters WHERE aggregation IN ('max', 'unique', 'latest', 'time_weighted_sum'))"
    first = "SELECT min(id) FROM usage_late_items GROUP BY customer_id, event_id, kind"
    op.execute(f"DELETE FROM usage_late_items WHERE {ours} AND id NOT IN ({first})")
    op.execute(
        "UPDATE usage_late_items SET quantity = calls * (SELECT e.quantity FROM usage_events e WHERE"
        " e.customer_id = usage_late_items.customer_id AND e.occurred_at = usage_late_items.occurred_at"
        f" AND e.event_id = usage_late_items.event_id) WHERE {ours}"
    )


def _meters(connection: sa.Connection) -> dict[int, Any]:
    chosen = sa.text("SELECT id, aggregation, unique_of FROM meters WHERE aggregation IN :kinds")
    expanded = chosen.bindparams(sa.bindparam("kinds", expanding=True))
    return {row.id: row for row in connection.execute(expanded, {"kinds": _FROM_EVENTS})}


def _table(connection: sa.Connection, name: str) -> sa.Table:
    return sa.Table(name, sa.MetaData(), autoload_with=connection, resolve_fks=False)


def _for_unbilled_days(connection: sa.Connection) -> Iterator[tuple[_Slot, date]]:
    """What holds on can have come, or gone, for days that were not billed, since when."""
    statement = sa.text(_FOR_UNBILLED_DAYS.format(**_WORDS[connection.dialect.name]))
    for row in connection.execute(statement.columns(since=sa.DateTime(timezone=True))):
        yield _Slot(row.customer_id, row.meter_id, row.bucket_id, 0), row.since.date() - _DAY


def _convert(
    connection: sa.Connection,
    tables: _Tables,
    slot: _Slot,
    meter: Any,
    since: date,
    items: Sequence[Any],
    twin: Callable[[int, int], int | None],
) -> None:
    """Have everything happen once more, and write down what each changed."""
    periods = _periods(connection, tables.usage_periods, slot, since, {item.period_id for item in items})
    known: dict[str | None, list[Event]] = defaultdict(list)
    rows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    moved: dict[Any, int] = {}
    for one in _happenings(connection, tables, slot, meter, periods, items):
        # Unique values do not change each other; of other meters there is only one.
        events = known[one.event.value]
        changed = [period for period in periods if one.changes(period)]
        former = [came_to(meter.aggregation, events, period.bounds) for period in changed]
        if one.kind == "arrived":
            insort(events, one.event)
        else:
            events.remove(one.event)
        for period, before in zip(changed, former, strict=True):
            after = came_to(meter.aggregation, events, period.bounds)
            changes = [now - then for now, then in zip(after, before, strict=True)]
            rows[period.id] += _rows(slot, one, period, changes, twin)
            if one.is_of(period) and one.item.settlement_id:
                moved[one.item] = sum(changes)
    for of_period in filter(None, rows.values()):
        _write(connection, tables, of_period)
    for item, quantity in moved.items():
        _move(connection, tables.usage_lines, item, quantity - item.quantity)


def _rows(
    slot: _Slot, one: _Happening, period: _Period, changes: Sequence[int], twin: Callable[[int, int], int | None]
) -> Iterator[dict[str, Any]]:
    """Items of what one event changed in a period, by segment: its own item stays, the others are beside it, and what
    became of that one is for all of them.
    """
    item, event = one.item, one.event
    facts = {
        "period_id": period.id,
        "kind": one.kind,
        "customer_id": slot.customer_id,
        "event_id": event.id,
        "occurred_at": event.at,
        "meter_id": slot.meter_id,
        "bucket_id": slot.bucket_id,
        "user": event.user,
        "calls": _SIGNS[one.kind],
        "noticed_at": one.when,
        "wanted": item and item.wanted,
        "settlement_id": item and item.settlement_id,
    }
    if not one.is_of(period):
        own = -1
        facts["settlement_id"] = facts["settlement_id"] and twin(facts["settlement_id"], period.id)
    else:
        own = bisect_right(period.begun, item.day) - 1
    for place, quantity in enumerate(changes):
        if place == own:
            yield {**facts, "id": item.id, "day": item.day, "quantity": quantity}
        elif quantity:
            yield {**facts, "day": period.begun[place], "quantity": quantity, "carried": own < 0}


def _periods(
    connection: sa.Connection, periods: sa.Table, slot: _Slot, since: date, own: Collection[int]
) -> list[_Period]:
    """Those that have items, and of what holds on those that stand: from this day on."""
    of_customer = sa.text(
        "SELECT CASE WHEN c.time_zone <> '' THEN c.time_zone ELSE b.time_zone END"
        " FROM customers c JOIN businesses b ON b.id = c.business_id WHERE c.id = :customer"
    )
    zone = connection.execute(of_customer, {"customer": slot.customer_id}).scalar_one()
    column = periods.c
    chosen = sa.select(periods).where(column.customer_id == slot.customer_id, column.last_day >= since)
    if slot.period_id:
        chosen = chosen.where(column.id == slot.period_id)
    else:
        chosen = chosen.where(sa.or_(column.id.in_(own), column.replaced_at.is_(None)))
    found = []
    for row in connection.execute(chosen.order_by(column.first_day)):
        begun = [row.first_day, *map(date.fromisoformat, row.cuts)]
        bounds = [start_of_day(zone, day) for day in (*begun, row.last_day + _DAY)]
        found.append(_Period(row.id, row.replaced_at is None, _utc(row.billed_at), begun, bounds))
    return found


def _happenings(
    connection: sa.Connection,
    tables: _Tables,
    slot: _Slot,
    meter: Any,
    periods: Sequence[_Period],
    items: Sequence[Any],
) -> list[_Happening]:
    """All that came, or went, in the order of time and, at the same instant, of items."""
    of_event = {(item.event_id, item.kind): item for item in items}
    found = []
    for row in _events(connection, tables, slot, periods):
        value = None
        if meter.unique_of:
            told = json.loads(row.properties, parse_float=Decimal).get(meter.unique_of)
            value = None if told is None else repr(told)
        elif meter.aggregation == "unique":
            value = row.user or None
        event = Event(_utc(row.occurred_at), row.event_id, row.quantity, value, row.user)
        when, item_id = _BEFORE, 0
        for kind, at in (("arrived", row.received_at), ("withdrawn", row.withdrawn_at)):
            item = of_event.get((row.event_id, kind))
            if item or at:
                # Whatever the clocks of two processes said, an event goes after it came.
                when = max(when, _utc(item.noticed_at if item else at))
                item_id = item.id if item else item_id
                found.append(_Happening(when, item_id, event, kind, item))
    return sorted(found, key=lambda one: one[:4])


def _events(
    connection: sa.Connection, tables: _Tables, slot: _Slot, periods: Sequence[_Period]
) -> sa.CursorResult[Any]:
    """Those that can have a part in what these periods came to: of what holds on from the last before them that was
    known when the first of them was billed, and still is.
    """
    event, key = tables.usage_events.c, tables.usage_event_keys.c
    start, end = periods[0].bounds[0], max(period.bounds[-1] for period in periods)
    names = ("occurred_at", "event_id", "quantity", "properties", "user", "received_at")
    theirs = (
        sa.select(*(event[name] for name in names), key.withdrawn_at)
        .join_from(
            tables.usage_events,
            tables.usage_event_keys,
            (key.customer_id == event.customer_id) & (key.event_id == event.event_id),
        )
        .where(sa.text(_WORDS[connection.dialect.name]["raw"]))
        .where(*(event[name] == getattr(slot, name) for name in ("customer_id", "meter_id", "bucket_id")))
    )
    if not slot.period_id:
        lasting = theirs.where(
            event.occurred_at < start,
            event.received_at <= min(period.billed_at for period in periods),
            key.withdrawn_at.is_(None),
        )
        last = connection.execute(lasting.order_by(event.occurred_at.desc()).limit(1)).one_or_none()
        start = _utc(last.occurred_at) if last else _BEFORE
    return connection.execute(theirs.where(event.occurred_at >= start, event.occurred_at < end))


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _twin(connection: sa.Connection, settlements: sa.Table, settlement_id: int, period_id: int) -> int | None:
    """The same settlement of another period, without lines: those of the first have what all was worth. None where the
    first was that its period was billed anew, which the other was not.
    """
    same = [column for column in settlements.c if column.name not in ("id", "period_id")]
    chosen = sa.select(sa.literal(period_id), *same).where(
        settlements.c.id == settlement_id, settlements.c.outcome != "billed_anew"
    )
    names = ["period_id", *(column.name for column in same)]
    made = sa.insert(settlements).from_select(names, chosen).returning(settlements.c.id)
    return connection.execute(made).scalar()


def _write(connection: sa.Connection, tables: _Tables, rows: Sequence[dict[str, Any]]) -> None:
    """The items of a period, in order. They keep their ids unless there are more now: what an item is worth follows
    from those before it.
    """
    items, event = tables.usage_late_items, tables.usage_events.c
    there = [{"of_id": row["id"], "quantity": row["quantity"]} for row in rows if "id" in row]
    if len(there) == len(rows):
        changed = sa.update(items).where(items.c.id == sa.bindparam("of_id")).values(quantity=sa.bindparam("quantity"))
        connection.execute(changed, there)
        return
    if there:
        connection.execute(sa.delete(items).where(items.c.id == sa.bindparam("of_id")), there)
    names = [column.name for column in items.c if column.name != "id"]
    connection.execute(sa.insert(items), [{name: row[name] for name in names} for row in rows])
    for row in rows:
        if row.get("carried") and row["kind"] == "arrived":
            same = (event[name] == row[name] for name in ("customer_id", "occurred_at", "event_id"))
            connection.execute(sa.update(tables.usage_events).where(*same).values(late=True))


def _move(connection: sa.Connection, lines: sa.Table, item: Any, more: int) -> None:
    """The line by which it was settled has the quantities of its items; its amount was agreed on."""
    column = lines.c
    settled_by = (
        column.settlement_id == item.settlement_id,
        column.meter_id == item.meter_id,
        column.bucket_id == item.bucket_id,
        sa.literal(item.day, sa.Date).between(column.first_day, column.last_day),
    )
    # There is none of what was waived without a price.
    for row in connection.execute(sa.select(column.id, column.whole, column.millionths).where(*settled_by)).all():
        whole, millionths = divmod(row.whole * _ONE + row.millionths + more, _ONE)
        changed = sa.update(lines).where(column.id == row.id).values(whole=whole, millionths=millionths)
        connection.execute(changed)

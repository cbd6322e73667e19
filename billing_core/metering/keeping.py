"""Writing staged events, from whichever table they stand in: each id taken once, and each event counted once.

Rows are locked in the order of their keys: customers first, then ids, then totals. One set of events a transaction:
only so does everybody lock in one order.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import (
    Column,
    ColumnElement,
    Date,
    FromClause,
    Insert,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from billing_core.database.types import UtcDateTime
from billing_core.database.upserts import insert_into
from billing_core.metering import alerts, digests, periods, rollups
from billing_core.metering.late import noticing
from billing_core.metering.models import FROM_EVENTS, Exact, Meter, UsageEvent, UsageEventKey

_CONTENT = ("meter_id", "bucket_id", "user", "endpoint", "response_time", "quantity", "properties")
# A connection's own, and emptied by each set of events. What is written and counted are the same rows five times over:
# to look each of them up again, and its days, took half of the time.
_FRESH = Table(
    "usage_fresh",
    MetaData(),
    Column("customer_id", Integer),
    Column("event_id", String),
    Column("digest", String),
    Column("occurred_at", UtcDateTime),
    Column("meter_id", Integer),
    Column("bucket_id", Integer),
    Column("user", String),
    Column("endpoint", String),
    Column("response_time", Exact),
    Column("quantity", Exact),
    Column("properties", Text),
    Column("utc_day", Date),
    Column("day", Date),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)


def same_key(rows: FromClause) -> ColumnElement[bool]:
    """In SQL: the row has the event's identity."""
    return (UsageEventKey.customer_id == rows.c.customer_id) & (UsageEventKey.event_id == rows.c.event_id)


def take_ids(session: Session, rows: FromClause, batch: int) -> int:
    """Take those ids of these events that are free, for this batch. Returns how many.

    On PostgreSQL whoever takes the same ids waits here until the first of them is done.
    """
    names = ["customer_id", "event_id", "digest", "occurred_at"]
    given = select(*(rows.c[name] for name in names), literal(batch)).order_by(rows.c.customer_id, rows.c.event_id)
    free = insert_into(session, UsageEventKey).from_select([*names, "batch"], given).on_conflict_do_nothing()
    return session.connection().execute(free, execution_options={"preserve_rowcount": True}).rowcount


def keep(
    session: Session,
    rows: FromClause,
    batch: int,
    *,
    zones: Iterable[str],
    first: datetime,
    last: datetime,
    now: datetime,
) -> int:
    """Write those of these events, which happened between ``first`` and ``last``, whose ids this batch took, and count
    them. ``zones`` are their customers'. Returns how many are late.
    """
    taken = select(rows).join(UsageEventKey, same_key(rows)).where(UsageEventKey.batch == batch).subquery("taken")
    connection = session.connection()
    connection.execute(CreateTable(_FRESH, if_not_exists=True))
    connection.execute(delete(_FRESH))
    connection.execute(_set_down(rollups.in_billing_zone(session, taken, zones, first, last)))
    connection.execute(_WRITE, {"received_at": now})
    for statement in _COUNT[connection.dialect.name]:
        connection.execute(statement)
    alerts.ask_of_events(session, _FRESH, now=now)
    late = connection.scalar(_LATE) or 0
    if late:
        noticing.note_arrived_by_days(session, _FRESH, now=now)
    return late + noticing.note_arrived(session, _FRESH, now=now)


def _set_down(dated: FromClause) -> Insert:
    names = [column.name for column in _FRESH.columns]
    return insert(_FRESH).from_select(names, select(*(dated.c[name] for name in names)))


# Put together once, which takes as long as carrying them out.
_WRITTEN = ("customer_id", "occurred_at", "event_id", *_CONTENT)
_RAW = _FRESH.c.meter_id.in_(select(Meter.id).where(Meter.aggregation.in_(FROM_EVENTS)))
_WRITE = insert(UsageEvent).from_select(
    [*_WRITTEN, "received_at", "late", "raw"],
    select(
        *(_FRESH.c[name] for name in _WRITTEN),
        bindparam("received_at", type_=UtcDateTime),
        periods.is_billed(_FRESH),
        _RAW,
    ),
)
_COUNT = {
    dialect: (*rollups.adding(dialect, _FRESH), digests.adding(dialect, _FRESH)) for dialect in ("sqlite", "postgresql")
}
_LATE = select(func.count()).select_from(_FRESH).where(periods.is_billed(_FRESH))

"""Writing staged events, from whichever table they stand in: each id taken once, and each event counted once.

Rows are locked in the order of their keys: customers first, then ids, then totals. One set of events a transaction:
only so does everybody lock in one order.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
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
    false,
    func,
    insert,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from billing_core.database.loading import sorting
from billing_core.database.types import UtcDateTime
from billing_core.database.upserts import insert_into
from billing_core.metering import alerts, digests, periods, rollups
from billing_core.metering.late import noticing
from billing_core.metering.models import FROM_EVENTS, Exact, Meter, UsageEvent, UsageEventKey

_WRITTEN = (
    "customer_id",
    "occurred_at",
    "event_id",
    "meter_id",
    "bucket_id",
    "user",
    "endpoint",
    "response_time",
    "quantity",
    "properties",
)
# A connection's own, and emptied by each set of events: what is counted of them is made of these rows four times over.
_GROUPS = Table(
    "usage_groups",
    MetaData(),
    Column("customer_id", Integer),
    Column("utc_day", Date),
    Column("day", Date),
    Column("meter_id", Integer),
    Column("bucket_id", Integer),
    Column("user", String),
    *(Column(name, BigInteger) for name in rollups.SUMS),
    Column("occurred_at", UtcDateTime),
    *(Column(name, BigInteger) for name in digests.SUMS if name != "events"),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)
# The same, of those events that can change what is billed already.
_CHANGING = Table(
    "usage_changing",
    MetaData(),
    Column("customer_id", Integer),
    Column("event_id", String),
    Column("occurred_at", UtcDateTime),
    Column("day", Date),
    Column("meter_id", Integer),
    Column("bucket_id", Integer),
    Column("user", String),
    Column("quantity", Exact),
    Column("properties", Text),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)
_COUNT = {
    dialect: (*rollups.adding(dialect, _GROUPS), digests.adding(dialect, _GROUPS))
    for dialect in ("sqlite", "postgresql")
}


@dataclass(frozen=True, slots=True)
class Steps:
    """What is done with events: ``group`` adds them up by their days; ``write`` writes them, or ``write_late`` where
    some are late; ``set_apart`` is about those that can change what is billed.
    """

    group: Insert
    write: Insert
    write_late: Insert
    set_apart: Insert


@dataclass(frozen=True, slots=True)
class Statements:
    """The steps for the ``whole`` of some staged events, and for those whose ids a batch has ``taken``. Whoever writes
    often puts them together once, which takes as long as carrying them out.
    """

    whole: Steps
    taken: Steps


def statements(rows: FromClause, dated: FromClause) -> Statements:
    """For staged events, ``rows``, and the same ``dated``: with ``utc_day``, and the ``day`` on which one is billed."""
    taken = _taken(rows)
    return Statements(_steps(rows, dated), _steps(taken, taken if dated is rows else _taken(dated)))


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


def keep(session: Session, given: Statements, batch: int, *, whole: bool, many: bool = False, now: datetime) -> int:
    """Write those of these events whose ids this batch took (``whole``: all of them), and count them. Returns how many
    are late. ``many``: more than a batch that somebody sends.
    """
    steps = given.whole if whole else given.taken
    facts: dict[str, Any] = {} if whole else {"batch": batch}
    connection = session.connection()
    connection.execute(CreateTable(_GROUPS, if_not_exists=True))
    connection.execute(delete(_GROUPS))
    with sorting(connection) if many else nullcontext():
        connection.execute(steps.group, facts)
    late, changing = connection.execute(_HOW_MANY).one()
    facts["received_at"] = now
    connection.execute(steps.write_late if late else steps.write, facts)
    for statement in _COUNT[connection.dialect.name]:
        connection.execute(statement)
    alerts.ask_where_watched(session, _GROUPS, now=now)
    if not changing:
        return 0
    connection.execute(CreateTable(_CHANGING, if_not_exists=True))
    connection.execute(delete(_CHANGING))
    connection.execute(steps.set_apart, facts)
    if late:
        noticing.note_arrived_by_days(session, _CHANGING, now=now)
    return int(late) + noticing.note_arrived(session, _CHANGING, now=now)


def _taken(rows: FromClause) -> FromClause:
    batch = UsageEventKey.batch == bindparam("batch", type_=BigInteger)
    return select(rows).join(UsageEventKey, same_key(rows)).where(batch).subquery("taken")


def _steps(rows: FromClause, dated: FromClause) -> Steps:
    groups = rollups.grouped(dated).add_columns(*digests.sums_of_halves(dated))
    group = insert(_GROUPS).from_select([column.name for column in groups.selected_columns], groups)
    names = [column.name for column in _CHANGING.columns]
    changing = select(*(dated.c[name] for name in names)).where(or_(periods.is_billed(dated), _is_raw(dated)))
    set_apart = insert(_CHANGING).from_select(names, changing)
    return Steps(group, _writing(rows, false()), _writing(dated, periods.is_billed(dated)), set_apart)


def _writing(rows: FromClause, late: ColumnElement[bool]) -> Insert:
    facts = (*(rows.c[name] for name in _WRITTEN), bindparam("received_at", type_=UtcDateTime), late, _is_raw(rows))
    return insert(UsageEvent).from_select([*_WRITTEN, "received_at", "late", "raw"], select(*facts))


def _is_raw(rows: FromClause) -> ColumnElement[bool]:
    return rows.c.meter_id.in_(select(Meter.id).where(Meter.aggregation.in_(FROM_EVENTS)))


_HOW_MANY = select(
    func.coalesce(func.sum(_GROUPS.c.calls).filter(periods.is_billed(_GROUPS)), 0),
    func.coalesce(func.sum(_GROUPS.c.calls).filter(or_(periods.is_billed(_GROUPS), _is_raw(_GROUPS))), 0),
)

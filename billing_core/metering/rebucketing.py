"""Moving events to the buckets that they fit since these have changed, and the totals of their days with them.

Events of billed periods stay: what an invoice says remains what its events add up to.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Column, FromClause, Integer, MetaData, String, Table, delete, func, insert, select, update
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from billing_core.customers.models import Customer
from billing_core.database.functions import among
from billing_core.database.types import UtcDateTime
from billing_core.errors import Conflict
from billing_core.metering import buckets, periods, rollups
from billing_core.metering.models import Meter, UsageArchive, UsageDay, UsageEvent, ZoneKind

_KEY: Final = ("customer_id", "occurred_at", "event_id")
# A connection's own, and emptied before each use.
_MOVES = Table(
    "usage_moves",
    MetaData(),
    Column("customer_id", Integer, primary_key=True, autoincrement=False),
    Column("occurred_at", UtcDateTime, primary_key=True),
    Column("event_id", String, primary_key=True),
    Column("becomes", Integer),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)


def rebucket(session: Session, meter_id: int, customer_ids: Collection[int] | None = None) -> int:
    """Move this meter's events, whose buckets have changed: those of these customers, who are locked (None: of all).
    The meter is locked. Returns how many were moved.
    """
    session.flush()
    if customer_ids is None:
        _lock_customers(session, meter_id)
    _stage(session, meter_id, customer_ids)
    ends = select(func.min(_MOVES.c.occurred_at), func.max(_MOVES.c.occurred_at), func.count())
    first, last, moved = session.execute(ends).one()
    if moved:
        zones = rollups.billing_zones(session)
        rollups.subtract(session, _counted(), zones, first, last)
        same = [getattr(UsageEvent, name) == _MOVES.c[name] for name in _KEY]
        moving = update(UsageEvent).where(*same).values(bucket_id=_MOVES.c.becomes)
        session.execute(moving, execution_options={"synchronize_session": False})
        rollups.add(session, _counted(), zones, first, last)
    return int(moved)


def refuse_archived(session: Session, meter: Meter) -> None:
    """Conflict where events of this meter are archived that no bill counts: they could not move with the others, and
    would be billed by other buckets than these. The meter and its customers are locked.
    """
    days = select(UsageDay).where(UsageDay.zone_kind == ZoneKind.BILLING, UsageDay.archive_id != 0).subquery("days")
    unbilled = (
        select(UsageArchive.file)
        .join(days, days.c.archive_id == UsageArchive.id)
        # Totals that another system handed over have no events that could move.
        .where(UsageArchive.file.is_not(None), days.c.meter_id == meter.id, ~periods.is_billed(days))
        .order_by(UsageArchive.file)
        .limit(1)
    )
    if file := session.scalar(unbilled):
        raise Conflict(
            f"{meter.name} has archived events that are not billed yet, in {file}: they would stay in their buckets. "
            "Bill those days first, or bring the file back"
        )


def misplaced(
    session: Session, meter_id: int | None = None, customer_ids: Collection[int] | None = None
) -> FromClause | None:
    """The events of this meter and these customers (None: of all) that no bill counts, and that are in another bucket
    than the one that they fit, which is in ``becomes``. None where there are no events.
    """
    found = rollups.extent(session)
    if found is None:
        return None
    of_meter = [] if meter_id is None else [UsageEvent.meter_id == meter_id]
    kept = buckets.live(session, None if meter_id is None else [meter_id])
    theirs = [] if customer_ids is None else [among(UsageEvent.customer_id, customer_ids)]
    events = select(UsageEvent.__table__).where(*of_meter, *theirs).subquery("events")
    fitting = select(*events.c, buckets.bucket_of(events, kept).label("becomes")).subquery("fitting")
    moved = select(fitting).where(fitting.c.becomes != fitting.c.bucket_id).subquery("moved")
    dated = rollups.in_billing_zone(session, moved, rollups.billing_zones(session), *found)
    return select(dated).where(~periods.is_billed(dated)).subquery("misplaced")


def _stage(session: Session, meter_id: int, customer_ids: Collection[int] | None) -> None:
    connection = session.connection()
    connection.execute(CreateTable(_MOVES, if_not_exists=True))
    connection.execute(delete(_MOVES))
    wrong = misplaced(session, meter_id, customer_ids)
    if wrong is not None:
        names = [*_KEY, "becomes"]
        session.execute(insert(_MOVES).from_select(names, select(*(wrong.c[name] for name in names))))


def _counted() -> FromClause:
    """The staged events that nobody has withdrawn."""
    same = [getattr(UsageEvent, name) == _MOVES.c[name] for name in _KEY]
    return rollups.counted_events().where(*same).subquery("moving")


def _lock_customers(session: Session, meter_id: int) -> None:
    """Nobody bills those who used the meter meanwhile, takes an event of theirs back, or changes their time zone."""
    used = select(UsageEvent.customer_id).where(UsageEvent.meter_id == meter_id)
    session.execute(select(Customer.id).where(Customer.id.in_(used)).order_by(Customer.id).with_for_update(read=True))

"""Writing staged events, from whichever table they stand in: each id taken once, and each event counted once.

Rows are locked in the order of their keys: customers first, then ids, then totals. One set of events a transaction:
only so does everybody lock in one order.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, FromClause, exists, func, insert, literal, select
from sqlalchemy.orm import Session

from billing_core.database.types import UtcDateTime
from billing_core.database.upserts import insert_into
from billing_core.metering import alerts, digests, rollups
from billing_core.metering.models import LateItem, LateKind, UsageEvent, UsageEventKey, UsagePeriod

_CONTENT = ("meter_id", "bucket_id", "user", "endpoint", "response_time", "quantity", "properties")


def same_key(rows: FromClause) -> ColumnElement[bool]:
    """In SQL: the row has the event's identity."""
    return (UsageEventKey.customer_id == rows.c.customer_id) & (UsageEventKey.event_id == rows.c.event_id)


def is_billed(dated: FromClause) -> ColumnElement[bool]:
    """In SQL: the period in which the row's ``day`` of the billing zone lies was billed."""
    return exists().where(_billed_in(dated))


def _billed_in(dated: FromClause) -> ColumnElement[bool]:
    """In SQL, beside ``UsagePeriod``: the row's ``day`` lies in this period, which stands."""
    return (
        (UsagePeriod.customer_id == dated.c.customer_id)
        & dated.c.day.between(UsagePeriod.first_day, UsagePeriod.last_day)
        & UsagePeriod.replaced_at.is_(None)
    )


def take_ids(session: Session, rows: FromClause, batch: int) -> None:
    """Take those ids of these events that are free, for this batch.

    On PostgreSQL whoever takes the same ids waits here until the first of them is done.
    """
    names = ["customer_id", "event_id", "digest", "occurred_at"]
    given = select(*(rows.c[name] for name in names), literal(batch)).order_by(rows.c.customer_id, rows.c.event_id)
    session.execute(insert_into(session, UsageEventKey).from_select([*names, "batch"], given).on_conflict_do_nothing())


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
    fresh = select(rows).join(UsageEventKey, same_key(rows)).where(UsageEventKey.batch == batch).subquery("fresh")
    dated = rollups.in_billing_zone(session, fresh, zones, first, last)
    late = is_billed(dated)
    names = ["customer_id", "occurred_at", "event_id", *_CONTENT]
    events = select(*(dated.c[name] for name in names), literal(now, UtcDateTime), late)
    session.execute(insert(UsageEvent).from_select([*names, "received_at", "late"], events))
    rollups.add(session, fresh, zones, first, last)
    digests.add(session, fresh)
    alerts.ask_of_events(session, fresh, now=now)
    count = session.scalar(select(func.count()).select_from(dated).where(late)) or 0
    if count:
        _keep_late(session, dated, now)
    return count


def _keep_late(session: Session, dated: FromClause, now: datetime) -> None:
    """An item for each of these events that is late."""
    same = ("customer_id", "event_id", "occurred_at", "day", "meter_id", "bucket_id", "user", "quantity")
    items = (
        select(
            UsagePeriod.id,
            literal(LateKind.ARRIVED.value),
            literal(1),
            literal(now, UtcDateTime),
            *(dated.c[name] for name in same),
        )
        .join(dated, _billed_in(dated))
        .order_by(dated.c.customer_id, dated.c.occurred_at, dated.c.event_id)
    )
    names = ["period_id", "kind", "calls", "noticed_at", *same]
    session.execute(insert(LateItem).from_select(names, items))

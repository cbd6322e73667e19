"""Which bucket holds what was told before a period: in the period's bill each event is in the one that it fits by the
buckets that the meter had when it was made, and, as long as it is not made, by today's.

Another bill may count the event, on its own day, in a bucket that was changed or retired since. If its quantity held on
there, beside what is told to the bucket that takes its like by now, one level would be billed twice.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import CTE, ColumnElement, FromClause, Integer, Subquery, case, func, select
from sqlalchemy.orm import Session

from billing_core.database.functions import Columns, as_rows
from billing_core.database.types import UtcDateTime
from billing_core.dates import Period
from billing_core.metering import bucket_changes, periods
from billing_core.metering.bucket_changes import Changes
from billing_core.metering.buckets import bucket_of, values_by_property
from billing_core.metering.models import Meter, MeterBucket

_BEGINNINGS: Final[Columns] = {"customer_id": Integer(), "begins_at": UtcDateTime()}


class Placing(NamedTuple):
    """In the bills of these customers for a period, events of these meters from before it are in those of ``buckets``
    that they fit. None: they are where they are, as those of the ``steady`` buckets, by their ids, are anyway.
    """

    customer_ids: frozenset[int]
    meters: tuple[Meter, ...]
    buckets: tuple[MeterBucket, ...] | None
    steady: frozenset[int] = frozenset()


def placings(
    session: Session, customer_ids: Collection[int], period: Period, meters: Collection[Meter]
) -> list[Placing]:
    """Each of these customers with each of these meters, whose quantities hold on, is in one of them."""
    everybody = Placing(frozenset(customer_ids), tuple(meters), None)
    changes = bucket_changes.of_meters(session, [meter.id for meter in meters])
    if not changes.by_meter:
        return [everybody]
    bills = periods.bucket_changes_of(session, customer_ids, period.start)
    by_bill: dict[int | None, set[int]] = {}
    for customer_id in customer_ids:
        by_bill.setdefault(bills.get(customer_id, changes.latest), set()).add(customer_id)
    # Each event is where the bill of its own day has it, or where it fits today.
    others = {*periods.all_bucket_changes_of(session, customer_ids), changes.latest}
    found = []
    for change_id, ids in by_bill.items():
        kept = {} if change_id is None else {meter.id: changes.at(meter.id, change_id) for meter in meters}
        steady = {meter_id: _steady(changes, meter_id, {change_id, *others}) for meter_id in kept}
        moving = tuple(meter for meter in meters if steady.get(meter.id) is not None)
        if staying := tuple(meter for meter in meters if steady.get(meter.id) is None):
            found.append(Placing(frozenset(ids), staying, None))
        if moving:
            ours = tuple(bucket for meter in moving for bucket in kept[meter.id])
            found.append(
                Placing(frozenset(ids), moving, ours, frozenset().union(*(steady[meter.id] or () for meter in moving)))
            )
    return found


def _steady(changes: Changes, meter_id: int, change_ids: Collection[int | None]) -> set[int] | None:
    """The buckets of the meter whose events are theirs after each of these changes: there they are the same, and all
    that are not have no events in common with them. None: all are the same. Of a change None nobody knows which there
    were.
    """
    if None in change_ids:
        return set() if changes.by_meter.get(meter_id) else None
    known = [changes.at(meter_id, change_id) for change_id in change_ids if change_id is not None]
    by_change = [{(one.id, one.filters) for one in those} for those in known]
    same = set[tuple[int, str]].intersection(*by_change)
    if not (differing := {filters for _, filters in set[tuple[int, str]].union(*by_change) - same}):
        return None
    return {id_ for id_, filters in same if all(_are_apart(filters, other) for other in differing)}


def _are_apart(filters: str, others: str) -> bool:
    """No event fits both: they want other values of one property."""
    mine, theirs = values_by_property(filters), values_by_property(others)
    return any(set(mine[name]).isdisjoint(theirs[name]) for name in mine.keys() & theirs.keys())


def bucket_before(
    session: Session, customer_id: int, period: Period, meters: Collection[Meter], events: FromClause
) -> ColumnElement[int]:
    """In SQL: the bucket in which the customer's bill of the period has these events from before it."""
    bucket: ColumnElement[int] = events.c.bucket_id
    for placing in placings(session, [customer_id], period, meters):
        if placing.buckets is not None:
            moved = events.c.meter_id.in_([meter.id for meter in placing.meters])
            bucket = case((moved, bucket_of(events, placing.buckets)), else_=bucket)
    return bucket


def beginnings(session: Session, begins_at: Mapping[int, datetime]) -> CTE:
    """Rows of (customer_id, begins_at): when the period begins for each of these customers."""
    return as_rows(session, "beginnings", _BEGINNINGS, begins_at.items()).prefix_with("MATERIALIZED")


def placed(events: FromClause, begun: CTE, placing: Placing) -> Subquery:
    """Those of these events whose customers are among ``begun``, each in the bucket in which the bill counts it."""
    fitting = bucket_of(events, placing.buckets or ())
    bucket = case((events.c.occurred_at < begun.c.begins_at, fitting), else_=events.c.bucket_id)
    others = [column for column in events.c if column.name != "bucket_id"]
    joined = select(*others, bucket.label("bucket_id")).join(begun, begun.c.customer_id == events.c.customer_id)
    return joined.subquery()


def last_before(asked: FromClause, events: Subquery, placing: Placing) -> CTE | None:
    """The last event before the period, by customer, meter and bucket, of those that are not in steady ones. ``asked``
    says when the period begins for whom. None: it is the last one in the bucket.
    """
    if placing.buckets is None:
        return None
    begun = select(asked.c.customer_id, asked.c.begins_at).distinct().subquery("begun")
    before = (
        select(
            events.c.customer_id,
            events.c.meter_id,
            bucket_of(events, placing.buckets).label("bucket_id"),
            events.c.occurred_at,
            events.c.event_id,
            events.c.quantity,
        )
        .join(begun, begun.c.customer_id == events.c.customer_id)
        .where(
            events.c.meter_id.in_([meter.id for meter in placing.meters]),
            events.c.bucket_id.not_in(placing.steady),
            events.c.occurred_at < begun.c.begins_at,
        )
        .subquery("before")
    )
    order = (before.c.occurred_at.desc(), before.c.event_id.desc())
    slot = (before.c.customer_id, before.c.meter_id, before.c.bucket_id)
    numbered = select(before, func.row_number().over(partition_by=slot, order_by=order).label("number")).subquery()
    return select(numbered).where(numbered.c.number == 1).cte("carried").prefix_with("MATERIALIZED")

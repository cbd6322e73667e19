"""One customer's events as a file: what it needs to recompute what it was billed.

One JSON object a line, in the shape of the API's events. CSV is for spreadsheets: there texts are changed wherever one
could take them for formulas, so that no digest holds.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any, Final, cast

from sqlalchemy import Select, Table, and_, case, func, or_, select, tuple_
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database.engine import Reads
from billing_core.dates import Period, start_of_day
from billing_core.errors import Conflict, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering import queries, rollups
from billing_core.metering.models import (
    HOLDS_ON,
    Meter,
    UsageArchive,
    UsageDay,
    UsageEvent,
    UsageEventKey,
    ZoneKind,
)
from billing_core.metering.quantities import carried
from billing_core.metering.queries import EventRow
from billing_core.metering.reading import FIELDS
from billing_core.reports.exports.formats import Download, csv_list
from billing_core.reports.exports.rows import batches
from billing_core.usage.document import moment, plain

MEDIA_TYPE: Final = "application/x-ndjson"
COLUMNS: Final = (
    *FIELDS,
    "bucket",
    "received_at",
    "late",
    "withdrawn_at",
    "withdrawn_reason",
)
_ONE_DAY: Final = timedelta(days=1)


def events(session: Session, actor: Actor, customer_id: int, period: Period) -> Download:
    """Its events on these days of its billing zone, in the order of time, withdrawn and late ones too. Before them come
    those of meters whose quantities hold on into these days, each with the bucket in which it does.

    Conflict where some of them are archived: they are not here.
    """
    lines = (
        "".join(f"{_line(row)}\n" for row in rows).encode() for rows in _chosen(session, actor, customer_id, period)
    )
    return Download(_name(period, "ndjson"), MEDIA_TYPE, lines)


def events_csv(
    session: Session, actor: Actor, customer_id: int, period: Period, *, for_excel: bool = False
) -> Download:
    """The same as CSV."""
    rows = map(_cells, chain.from_iterable(_chosen(session, actor, customer_id, period)))
    return csv_list(_name(period, "csv"), COLUMNS, rows, for_excel=for_excel)


def missing(
    session: Reads, actor: Actor, customer_id: int, period: Period, *, zone_kind: ZoneKind = ZoneKind.BILLING
) -> str:
    """Why events of these days can be neither exported nor listed: they are not here. Empty where they are."""
    actor.require(Permission.USAGE_READ)
    queries.refuse_others(actor, customer_id)
    archived = (
        select(UsageArchive.file)
        .join(UsageDay, UsageDay.archive_id == UsageArchive.id)
        .where(
            UsageDay.customer_id == customer_id,
            UsageDay.zone_kind == zone_kind,
            period.contains(UsageDay.day),
        )
        .limit(1)
    )
    found = session.execute(archived).one_or_none()
    if found is None:
        return ""
    if found.file is None:
        return f"Of {period} there are totals alone, which another system handed over without their events"
    return f"Events of {period} are archived: {found.file} has to be brought back first"


def _name(period: Period, ending: str) -> str:
    return f"usage-events-{period.start}-{period.end}.{ending}"


def _chosen(session: Session, actor: Actor, customer_id: int, period: Period) -> Iterator[list[EventRow]]:
    """In batches. What is refused is refused before the first one is read."""
    actor.require(Permission.EXPORT)
    actor.require(Permission.USAGE_READ)
    queries.refuse_others(actor, customer_id)
    ref = session.scalar(select(Customer.ref).where(Customer.id == customer_id))
    if ref is None:
        raise NotFound(f"There is no customer {customer_id}")
    if why := missing(session, actor, customer_id, period):
        raise Conflict(why)
    (zone,) = rollups.billing_zones(session, [customer_id])
    start, end = start_of_day(zone, period.start), start_of_day(zone, period.end + _ONE_DAY)
    days = (UsageEvent.occurred_at >= start, UsageEvent.occurred_at < end)
    inside = queries.event_rows().where(UsageEvent.customer_id == customer_id, *days)
    in_order = (
        one.order_by(UsageEvent.occurred_at, UsageEvent.event_id)
        for one in (_held(session, customer_id, period, start, end), inside)
    )
    return ([EventRow(*row) for row in batch] for one in in_order for batch in batches(session, one))


def _held(
    session: Session, customer_id: int, period: Period, start: datetime, end: datetime
) -> Select[*tuple[Any, ...]]:
    """What was told before ``start`` and may hold there, of its meter and of the bucket in which the bill of these days
    has it. It is the last event that was known by ``end`` and not withdrawn, and whatever came after it.
    """
    holding = list(session.scalars(select(Meter).where(Meter.aggregation.in_(HOLDS_ON))))
    bucket = carried.bucket_before(session, customer_id, period, holding, cast("Table", UsageEvent.__table__))
    known = and_(UsageEvent.received_at < end, UsageEventKey.withdrawn_at.is_(None))
    last_known = func.max(case((known, UsageEvent.occurred_at))).over(partition_by=[UsageEvent.meter_id, bucket])
    before = (
        select(UsageEvent.occurred_at, UsageEvent.event_id, last_known.label("last_known"))
        .join(
            UsageEventKey,
            (UsageEventKey.customer_id == UsageEvent.customer_id) & (UsageEventKey.event_id == UsageEvent.event_id),
        )
        .where(
            UsageEvent.customer_id == customer_id,
            UsageEvent.raw,
            UsageEvent.meter_id.in_([meter.id for meter in holding]),
            UsageEvent.occurred_at < start,
        )
        .subquery("before")
    )
    may_hold = or_(before.c.last_known.is_(None), before.c.occurred_at >= before.c.last_known)
    chosen = select(before.c.occurred_at, before.c.event_id).where(may_hold)
    theirs = (UsageEvent.customer_id == customer_id, tuple_(UsageEvent.occurred_at, UsageEvent.event_id).in_(chosen))
    return queries.event_rows(bucket).where(*theirs)


def _cells(row: EventRow) -> Sequence[object]:
    """Those of ``COLUMNS``."""
    return (
        row.id,
        row.organization_id,
        row.customer_ref,
        moment(row.occurred_at),
        row.meter,
        row.user,
        row.endpoint,
        None if row.response_time is None else plain(row.response_time),
        plain(row.quantity),
        row.properties,
        row.bucket,
        moment(row.received_at),
        "true" if row.late else "false",
        None if row.withdrawn_at is None else moment(row.withdrawn_at),
        row.withdrawn_reason,
    )


def _line(row: EventRow) -> str:
    """``properties`` is kept as JSON, with each number as it was written."""
    values = {
        "id": _text(row.id),
        "organization_id": _text(row.organization_id),
        "customer_ref": _text(row.customer_ref),
        "time": _moment(row.occurred_at),
        "meter": _text(row.meter),
        "user": _text(row.user),
        "endpoint": _text(row.endpoint),
        "response_time": _number(row.response_time),
        "quantity": _number(row.quantity),
        "properties": row.properties,
        "bucket": _text(row.bucket),
        "received_at": _moment(row.received_at),
        "late": json.dumps(row.late),
        "withdrawn_at": _moment(row.withdrawn_at),
        "withdrawn_reason": _text(row.withdrawn_reason),
    }
    return "{" + ",".join(f'"{name}":{value}' for name, value in values.items()) + "}"


def _text(value: str | None) -> str:
    return json.dumps(value, ensure_ascii=False)


def _moment(value: datetime | None) -> str:
    return _text(None if value is None else moment(value))


def _number(value: Decimal | None) -> str:
    return "null" if value is None else f"{plain(value):f}"

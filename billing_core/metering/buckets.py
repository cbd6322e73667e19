"""Which of its meter's buckets an event falls into, by its properties: exactly one, the most specific that it fits.

That is the one that names the most properties; among those the one that allows the fewest values, then the oldest.
What comes for a billed day falls into the buckets that its meter had when the day was billed.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    String,
    Table,
    and_,
    bindparam,
    case,
    exists,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from billing_core.errors import Invalid
from billing_core.metering import bucket_changes, periods
from billing_core.metering.models import HOLDS_ON, NO_BUCKET, Meter, MeterBucket, UsagePeriod
from billing_core.metering.reading import Unreadable, as_json

MOST_FILTERS: Final = 10
MOST_VALUES: Final = 50
LONGEST_PROPERTY: Final = 100
# Put together once, as every batch of events asks.
_LIVE: Final = select(MeterBucket).where(MeterBucket.retired_at.is_(None)).order_by(MeterBucket.id)
_LIVE_OF: Final = _LIVE.where(MeterBucket.meter_id.in_(bindparam("meter_ids", expanding=True)))
_OF: Final = (
    select(MeterBucket).where(MeterBucket.meter_id.in_(bindparam("meter_ids", expanding=True))).order_by(MeterBucket.id)
)

Value = str | int | Decimal | bool


class value_of(FunctionElement[str]):  # noqa: N801 - reads as the SQL function that it is
    """The value of a property in an object as JSON; null, or NULL, where it has none."""

    type = String()
    inherit_cache = True

    def __init__(self, properties: ColumnElement[str], name: str) -> None:
        super().__init__(properties, literal(name, String))


@compiles(value_of, "sqlite")
def _value_on_sqlite(element: value_of, compiler: SQLCompiler, **options: object) -> str:
    properties, name = (compiler.process(part, **options) for part in element.clauses)
    # As JSON, in which true is not 1, SQLite up to 3.37 gives a value in an array alone. An object has nothing at [0].
    pair = f"""json_extract({properties}, '$."' || {name} || '"', '$[0]')"""
    return f"substr({pair}, 2, length({pair}) - length('[,null]'))"


@compiles(value_of, "postgresql")
def _value_on_postgresql(element: value_of, compiler: SQLCompiler, **options: object) -> str:
    properties, name = (compiler.process(part, **options) for part in element.clauses)
    return f"CAST(CAST({properties} AS jsonb) -> {name} AS text)"


def property_name(name: str, field: str) -> str:
    """A property that SQL can look for; Invalid."""
    if not 0 < len(name) <= LONGEST_PROPERTY or not name.isprintable() or set(name) & set('"\\'):
        reason = f"must be named by 1 to {LONGEST_PROPERTY} characters without quotation marks and backslashes"
        raise _invalid(field, f"a property {reason}")
    return name


def filters_of(given: Mapping[str, Collection[Value]]) -> str:
    """The one form in which equal filters are stored; Invalid. Texts, numbers and true or false are values."""
    if not 0 < len(given) <= MOST_FILTERS:
        raise _invalid("filters", f"there must be 1 to {MOST_FILTERS} properties")
    stored: dict[str, list[str]] = {}
    for name, values in given.items():
        if isinstance(values, str) or not 0 < len(values) <= MOST_VALUES:
            raise _invalid("filters", f"“{name}” must have 1 to {MOST_VALUES} values")
        stored[property_name(name, "filters")] = sorted({_value(name, value) for value in values})
    return "{" + ",".join(f"{as_json(name)}:[{','.join(stored[name])}]" for name in sorted(stored)) + "}"


def values_by_property(filters: str) -> dict[str, list[str]]:
    """Stored filters: the values that each property may have, as JSON."""
    read = json.loads(filters, parse_float=Decimal)
    return {name: [as_json(value) for value in values] for name, values in read.items()}


def by_specificity(buckets: Iterable[MeterBucket]) -> list[MeterBucket]:
    """The first that an event fits is its own."""

    def place(bucket: MeterBucket) -> tuple[int, int, int]:
        values = values_by_property(bucket.filters).values()
        return -len(values), sum(map(len, values)), bucket.id

    return sorted(buckets, key=place)


def bucket_of(rows: FromClause, buckets: Sequence[MeterBucket]) -> ColumnElement[int]:
    """In SQL: the bucket of these events (``meter_id``, ``properties``), out of those that are not retired."""
    if not buckets:
        return literal(NO_BUCKET)
    metered = rows.c.meter_id.in_({bucket.meter_id for bucket in buckets})
    # Most events are of meters without buckets or tell no properties, which need not be read then.
    plain = or_(~metered, rows.c.properties == "{}")
    fitting = [(_fits(rows, bucket), literal(bucket.id)) for bucket in by_specificity(buckets)]
    return case((plain, literal(NO_BUCKET)), *fitting, else_=literal(NO_BUCKET))


def assign(session: Session, batch: Table, meter_ids: Collection[int]) -> None:
    """Put the staged events of these meters into their buckets, those of a billed ``day`` of their customer into the
    ones of its bill: they are priced by its terms. Whoever changes buckets waits meanwhile.
    """
    buckets = list(session.scalars(_OF, {"meter_ids": list(meter_ids)}))
    if kept := [bucket for bucket in buckets if bucket.retired_at is None]:
        session.execute(update(batch).values(bucket_id=bucket_of(batch, kept)))
    if buckets:
        metered = batch.c.meter_id.in_({bucket.meter_id for bucket in buckets})
        bills = select(batch.c.meter_id, UsagePeriod.bucket_change_id).join(UsagePeriod, periods.covers(batch))
        if late := session.execute(bills.where(metered).distinct()).all():
            _assign_late(session, batch, buckets, [(meter_id, change_id) for meter_id, change_id in late])


def _assign_late(
    session: Session, batch: Table, buckets: Sequence[MeterBucket], late: Sequence[tuple[int, int | None]]
) -> None:
    """Those of billed days; ``late``: of which meters, and the last changes of buckets before these were billed."""
    meter_ids = {meter_id for meter_id, _ in late}
    changes = bucket_changes.of_meters(session, meter_ids)
    holding = set(session.scalars(select(Meter.id).where(Meter.id.in_(meter_ids), Meter.aggregation.in_(HOLDS_ON))))
    for meter_id, change_id in late:
        if change_id is None:
            becomes = _billed_bucket_of(batch, [bucket for bucket in buckets if bucket.meter_id == meter_id])
        elif meter_id in holding:
            # Into no other, which has a level of its own; where nobody agreed on a price for it, it is a question.
            becomes = bucket_of(batch, changes.at(meter_id, change_id))
        else:
            becomes = _billed_bucket_of(batch, changes.at(meter_id, change_id))
        of_bill = exists().where(periods.covers(batch), UsagePeriod.bucket_change_id.is_not_distinct_from(change_id))
        session.execute(update(batch).where(batch.c.meter_id == meter_id, of_bill).values(bucket_id=becomes))


def live(session: Session, meter_ids: Collection[int] | None = None) -> list[MeterBucket]:
    """The buckets of these meters (None: all) that events still fall into."""
    if meter_ids is None:
        return list(session.scalars(_LIVE))
    return list(session.scalars(_LIVE_OF, {"meter_ids": list(meter_ids)}))


def _billed_bucket_of(rows: FromClause, buckets: Sequence[MeterBucket]) -> ColumnElement[int]:
    """In SQL: the bucket of these events out of those that the bill of their day has lines of. What fits none of them
    costs what all others cost; where no price was agreed for those either, it stays a question.
    """
    fitting = [
        (_fits(rows, bucket) & periods.has_line(rows, bucket.id), literal(bucket.id))
        for bucket in by_specificity(buckets)
    ]
    others = (periods.has_line(rows, NO_BUCKET), literal(NO_BUCKET))
    return case(*fitting, others, else_=rows.c.bucket_id)


def _fits(rows: FromClause, bucket: MeterBucket) -> ColumnElement[bool]:
    allowed = values_by_property(bucket.filters).items()
    found = (value_of(rows.c.properties, name).in_(values) for name, values in allowed)
    return and_(rows.c.meter_id == bucket.meter_id, *found)


def _value(name: str, value: Value) -> str:
    if not isinstance(value, str | int | Decimal):
        raise _invalid("filters", f"“{name}” may have texts, numbers, true and false as values")
    try:
        return as_json(value)
    except Unreadable as unreadable:
        raise _invalid("filters", f"“{name}” {unreadable}") from None


def _invalid(field: str, reason: str) -> Invalid:
    return Invalid(f"{field}: {reason}", fields={field: reason})

"""What was used of all meters: of those whose events add up from the totals of days, of the others from the events."""

import json
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from typing import Final

from sqlalchemy import CTE, BigInteger, Date, Integer, TextualSelect, func, select, text, type_coerce
from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.metering.models import BY_DAYS, PLACES, Aggregation, Meter, UsageDay, ZoneKind
from billing_core.metering.quantities import from_events
from billing_core.metering.quantities.stretches import Stretch, Used

_ROWS: Final = {
    "sqlite": (
        "SELECT key AS place, json_extract(value, '$[0]') AS customer_id, json_extract(value, '$[1]') AS first_day,"
        " json_extract(value, '$[2]') AS last_day FROM json_each(:stretches)"
    ),
    "postgresql": (
        "SELECT CAST(place - 1 AS integer) AS place, CAST(value->>0 AS integer) AS customer_id,"
        " CAST(value->>1 AS date) AS first_day, CAST(value->>2 AS date) AS last_day"
        " FROM jsonb_array_elements(CAST(:stretches AS jsonb)) WITH ORDINALITY AS pieces(value, place)"
    ),
}


def used(session: Session, stretches: Sequence[Stretch], period: Period, meters: Collection[Meter]) -> list[Used]:
    """What was used of these meters, which are all, in each stretch; of each customer they are the whole period."""
    return [*_summed(session, stretches), *from_events.used(session, stretches, period, meters)]


def _summed(session: Session, stretches: Sequence[Stretch]) -> Iterator[Used]:
    asked = _rows(session, stretches)
    sums = (func.sum(type_coerce(getattr(UsageDay, name), BigInteger)) for name in ("calls", "whole", "millionths"))
    statement = (
        select(asked.c.place, UsageDay.meter_id, UsageDay.bucket_id, Meter.aggregation, *sums)
        .join_from(
            asked,
            UsageDay,
            (UsageDay.customer_id == asked.c.customer_id)
            & (UsageDay.zone_kind == ZoneKind.BILLING)
            & UsageDay.day.between(asked.c.first_day, asked.c.last_day),
        )
        .join(Meter, Meter.id == UsageDay.meter_id)
        .where(Meter.aggregation.in_(BY_DAYS))
        .group_by(asked.c.place, UsageDay.meter_id, UsageDay.bucket_id, Meter.aggregation)
    )
    for place, meter_id, bucket_id, aggregation, *summed in session.execute(statement):
        yield Used(place, meter_id, bucket_id, _quantity(aggregation, *map(int, summed)))


def _quantity(aggregation: Aggregation, calls: int, whole: int, millionths: int) -> Decimal:
    return Decimal(calls) if aggregation is Aggregation.COUNT else whole + Decimal(millionths).scaleb(-PLACES)


def _rows(session: Session, stretches: Sequence[Stretch]) -> CTE:
    """Rows of (place, customer_id, first_day, last_day); however many, they are one parameter."""
    written = json.dumps([[one.customer_id, f"{one.first_day}", f"{one.last_day}"] for one in stretches])
    rows: TextualSelect = (
        text(_ROWS[session.get_bind().dialect.name])
        .bindparams(stretches=written)
        .columns(place=Integer, customer_id=Integer, first_day=Date, last_day=Date)
    )
    return rows.cte("stretches")

"""How much customers used in stretches of billing-zone days, of however many customers in one statement."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import CTE, BigInteger, Date, Integer, TextualSelect, func, select, text, type_coerce
from sqlalchemy.orm import Session

from billing_core.metering.models import PLACES, Aggregation, Meter, UsageDay, ZoneKind

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


@dataclass(frozen=True, slots=True)
class Stretch:
    """Billing-zone days of one customer, both ends included."""

    customer_id: int
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True)
class Used:
    """What was used of one bucket of a meter (``NO_BUCKET``: outside of all) in the stretch with this place, as the
    meter's aggregation has it.
    """

    place: int
    meter_id: int
    bucket_id: int
    quantity: Decimal


def used(session: Session, stretches: Sequence[Stretch]) -> list[Used]:
    """What was used in each stretch, in the order of the stretches, of the meters' and of the buckets' ids."""
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
        .group_by(asked.c.place, UsageDay.meter_id, UsageDay.bucket_id, Meter.aggregation)
        .order_by(asked.c.place, UsageDay.meter_id, UsageDay.bucket_id)
    )
    return [
        Used(place, meter_id, bucket_id, _quantity(aggregation, *map(int, sums)))
        for place, meter_id, bucket_id, aggregation, *sums in session.execute(statement)
    ]


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

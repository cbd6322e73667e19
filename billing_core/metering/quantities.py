"""How much customers used in stretches of billing-zone days, of however many customers in one statement."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import CTE, BigInteger, Date, Integer, TextualSelect, func, select, text, type_coerce
from sqlalchemy.orm import Session

from billing_core.metering.models import PLACES, UsageDay, ZoneKind

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
    """What was used of one bucket of a meter (``NO_BUCKET``: outside of all) in the stretch with this place: how many
    events, and the sum of their quantities.
    """

    place: int
    meter_id: int
    bucket_id: int
    calls: int
    quantity: Decimal


def used(session: Session, stretches: Sequence[Stretch]) -> list[Used]:
    """What was used in each stretch, in the order of the stretches, of the meters' and of the buckets' ids."""
    asked = _rows(session, stretches)
    sums = (func.sum(type_coerce(getattr(UsageDay, name), BigInteger)) for name in ("calls", "whole", "millionths"))
    statement = (
        select(asked.c.place, UsageDay.meter_id, UsageDay.bucket_id, *sums)
        .join_from(
            asked,
            UsageDay,
            (UsageDay.customer_id == asked.c.customer_id)
            & (UsageDay.zone_kind == ZoneKind.BILLING)
            & UsageDay.day.between(asked.c.first_day, asked.c.last_day),
        )
        .group_by(asked.c.place, UsageDay.meter_id, UsageDay.bucket_id)
        .order_by(asked.c.place, UsageDay.meter_id, UsageDay.bucket_id)
    )
    return [
        Used(place, meter_id, bucket_id, int(calls), int(whole) + Decimal(int(millionths)).scaleb(-PLACES))
        for place, meter_id, bucket_id, calls, whole, millionths in session.execute(statement)
    ]


def _rows(session: Session, stretches: Sequence[Stretch]) -> CTE:
    """Rows of (place, customer_id, first_day, last_day); however many, they are one parameter."""
    written = json.dumps([[one.customer_id, f"{one.first_day}", f"{one.last_day}"] for one in stretches])
    rows: TextualSelect = (
        text(_ROWS[session.get_bind().dialect.name])
        .bindparams(stretches=written)
        .columns(place=Integer, customer_id=Integer, first_day=Date, last_day=Date)
    )
    return rows.cte("stretches")

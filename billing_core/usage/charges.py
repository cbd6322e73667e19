"""What customers' usage in a period of billing-zone days comes to, by the plans that they were on.

The database sums; a few rows a customer are left, which are priced here, exactly, and rounded once each.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.metering import quantities
from billing_core.metering.models import API_CALLS, Aggregation, Meter
from billing_core.metering.quantities import Stretch
from billing_core.money import Money
from billing_core.plans import queries as plans
from billing_core.plans import segments
from billing_core.plans.segments import Segment


@dataclass(frozen=True, slots=True)
class Part:
    """So many units at one price each, in major units."""

    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of an invoice to be: a meter (its code) and bucket on the days of a segment. ``billable`` is what goes
    beyond ``included``, ``parts`` what it is priced by. ``amount`` None: nobody has agreed on a price.
    """

    meter: str
    meter_id: int
    bucket: str | None
    segment: Segment
    quantity: Decimal
    included: Decimal
    billable: Decimal
    parts: tuple[Part, ...]
    amount: Money | None

    @property
    def is_question(self) -> bool:
        """It was used, and there is no price for it."""
        return self.amount is None and self.quantity != 0


def charges_of(session: Session, customer_ids: Collection[int], period: Period) -> dict[int, list[Charge]]:
    """Of each customer, by the days of its segments and the meters' ids; also that of a plan that was not used.

    The caller has checked the permission.
    """
    on_plans = plans.on_plans(session, customer_ids, period)
    stretches: list[tuple[int, Segment]] = [
        (customer_id, segment)
        for customer_id in customer_ids
        for segment in segments.split(period, on_plans.get(customer_id, []))
    ]
    asked = [Stretch(customer_id, segment.first_day, segment.last_day) for customer_id, segment in stretches]
    used: dict[int, dict[int, quantities.Used]] = {}
    for one in quantities.used(session, asked):
        used.setdefault(one.place, {})[one.meter_id] = one
    meters = _meters(session)
    charges: dict[int, list[Charge]] = {customer_id: [] for customer_id in customer_ids}
    for place, (customer_id, segment) in enumerate(stretches):
        charges[customer_id] += _priced(segment, used.get(place, {}), meters)
    return charges


def _meters(session: Session) -> list[Any]:
    return list(session.execute(select(Meter.id, Meter.code, Meter.aggregation).order_by(Meter.id)))


def _priced(segment: Segment, used: dict[int, quantities.Used], meters: list[Any]) -> Iterator[Charge]:
    for meter in meters:
        one = used.get(meter.id)
        if meter.code == API_CALLS:
            if segment.version or one:
                yield _calls(segment, meter.id, one.calls if one else 0)
        elif one:
            quantity = Decimal(one.calls) if meter.aggregation is Aggregation.COUNT else one.quantity
            yield Charge(meter.code, meter.id, None, segment, quantity, Decimal(0), quantity, (), None)


def _calls(segment: Segment, meter_id: int, calls: int) -> Charge:
    charged = segments.charge(segment, calls)
    parts: tuple[Part, ...] = ()
    if segment.version and charged.overage_calls:
        parts = (Part(Decimal(charged.overage_calls), segment.version.price_per_call),)
    return Charge(
        meter=API_CALLS,
        meter_id=meter_id,
        bucket=None,
        segment=segment,
        quantity=Decimal(calls),
        included=Decimal(segment.included_calls),
        billable=Decimal(charged.overage_calls),
        parts=parts,
        amount=charged.cost,
    )

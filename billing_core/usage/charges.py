"""What customers' usage in a period of billing-zone days comes to, by the plans that they were on.

The database sums; a few rows a customer are left, which are priced here, exactly, and rounded once each.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.metering import quantities
from billing_core.metering.models import API_CALLS, NO_BUCKET, Aggregation, Meter, MeterBucket
from billing_core.metering.quantities import Stretch, Used
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
    """One line of an invoice to be: a meter (its code), or one of its buckets, on the days of a segment. ``bucket`` is
    the bucket's code, None for what fits into none. ``billable`` is what goes beyond ``included``, ``parts`` what it is
    priced by. ``amount`` None: nobody has agreed on a price.
    """

    meter: str
    meter_id: int
    bucket: str | None
    bucket_id: int
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
    """Of each customer, by the days of its segments, meters and buckets; also that of a plan that was not used.

    The caller has checked the permission.
    """
    on_plans = plans.on_plans(session, customer_ids, period)
    stretches: list[tuple[int, Segment]] = [
        (customer_id, segment)
        for customer_id in customer_ids
        for segment in segments.split(period, on_plans.get(customer_id, []))
    ]
    asked = [Stretch(customer_id, segment.first_day, segment.last_day) for customer_id, segment in stretches]
    used: dict[int, list[Used]] = {}
    for one in quantities.used(session, asked):
        used.setdefault(one.place, []).append(one)
    meters = {meter.id: meter for meter in session.scalars(select(Meter))}
    codes = dict(session.execute(select(MeterBucket.id, MeterBucket.code)).all())
    charges: dict[int, list[Charge]] = {customer_id: [] for customer_id in customer_ids}
    for place, (customer_id, segment) in enumerate(stretches):
        charges[customer_id] += _priced(segment, used.get(place, []), meters, codes)
    return charges


def _priced(
    segment: Segment, used: Sequence[Used], meters: Mapping[int, Meter], codes: Mapping[int, str]
) -> Iterator[Charge]:
    calls = next(meter.id for meter in meters.values() if meter.code == API_CALLS)
    if segment.version and not any((one.meter_id, one.bucket_id) == (calls, NO_BUCKET) for one in used):
        yield _calls(segment, calls, 0)
    for one in used:
        meter, bucket = meters[one.meter_id], codes.get(one.bucket_id)
        if one.meter_id == calls and bucket is None:
            yield _calls(segment, calls, one.calls)
        else:
            quantity = Decimal(one.calls) if meter.aggregation is Aggregation.COUNT else one.quantity
            figures = (quantity, Decimal(0), quantity)
            yield Charge(meter.code, meter.id, bucket, one.bucket_id, segment, *figures, (), None)


def _calls(segment: Segment, meter_id: int, calls: int) -> Charge:
    charged = segments.charge(segment, calls)
    parts: tuple[Part, ...] = ()
    if segment.version and charged.overage_calls:
        parts = (Part(Decimal(charged.overage_calls), segment.version.price_per_call),)
    return Charge(
        meter=API_CALLS,
        meter_id=meter_id,
        bucket=None,
        bucket_id=NO_BUCKET,
        segment=segment,
        quantity=Decimal(calls),
        included=Decimal(segment.included_calls),
        billable=Decimal(charged.overage_calls),
        parts=parts,
        amount=charged.cost,
    )

"""What customers' usage in a period of billing-zone days comes to, by the plans that they were on.

The database sums; a few rows a customer are left, which are priced here, exactly, and rounded once each.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database.engine import Reads, connection_of
from billing_core.dates import Period
from billing_core.metering.models import API_CALLS, NO_BUCKET, Aggregation, Meter, MeterBucket, UsageDay, ZoneKind
from billing_core.metering.quantities import used as quantities
from billing_core.metering.quantities.stretches import Stretch
from billing_core.money import Money
from billing_core.plans import prices, segments
from billing_core.plans import queries as plans
from billing_core.plans.prices import Place
from billing_core.plans.pricing import Price, priced
from billing_core.plans.queries import OnPlan, Version, was_on_plan
from billing_core.plans.segments import Segment
from billing_core.usage.parts import Part, parts_of


class Charge(NamedTuple):
    """One line of an invoice to be: a meter (its code), or one of its buckets, on the days of a segment. ``bucket`` is
    the bucket's code, None for what fits into none. ``billable`` is what goes beyond ``included``, ``parts`` what it is
    priced by. ``amount`` None: nobody has agreed on a price. ``without_minimum`` leaves out what tops it up to a
    minimum, which is owed once the period is over.
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
    without_minimum: Money | None

    @property
    def is_question(self) -> bool:
        """It was used, and there is no price for it."""
        return self.amount is None and self.quantity != 0

    @property
    def exceeds_allowance(self) -> bool:
        """More was used than is included. Where nothing is, there is no allowance to exceed."""
        return self.included > 0 and self.billable > 0


@dataclass(frozen=True, slots=True)
class Rates:
    """What meters, and their buckets, cost by versions of plans; all by their ids. ``bucket_codes`` names every bucket
    that there is; ``calls`` is what a plan's price per call is for.
    """

    meters: Mapping[int, Meter]
    bucket_codes: Mapping[int, str]
    calls: Place
    agreed: Mapping[int, Mapping[Place, Price]]

    def of(self, segment: Segment) -> Mapping[Place, Price]:
        return {} if segment.version is None else self.agreed[segment.version.id]

    def included(self, segment: Segment, place: Place, period: Period) -> Decimal:
        """How much of it is included on the days of a segment of the period."""
        return self.charge(segment, place, Decimal(0), period).included

    def charge(self, segment: Segment, place: Place, quantity: Decimal, period: Period) -> Charge:
        """What this quantity costs on the days of a segment of the period."""
        meter_id, bucket_id = place
        meter = self.meters[meter_id]
        what = (meter.code, meter_id, self.bucket_codes.get(bucket_id), bucket_id, segment)
        price = self.of(segment).get(place)
        if segment.version is not None and segment.version.in_trial:
            nothing = Money(0, segment.version.currency)
            parts = (Part(quantity, Decimal(0)),) if quantity else ()
            return Charge(*what, quantity, Decimal(0), quantity, parts, nothing, nothing)
        if price is None:
            return Charge(*what, quantity, Decimal(0), quantity, (), None, None)
        made = meter.aggregation
        found = priced(
            price, quantity, days=segment.length, of_days=period.days, stands=made.stands, places=made.places
        )
        return Charge(
            *what,
            found.quantity,
            found.included,
            found.billable,
            tuple(parts_of(price, found)),
            found.amount,
            found.without_minimum,
        )


def has_usage(period: Period) -> ColumnElement[bool]:
    """In SQL: the customer used something in the period, or was on a plan."""
    used = exists().where(
        UsageDay.customer_id == Customer.id, UsageDay.zone_kind == ZoneKind.BILLING, period.contains(UsageDay.day)
    )
    # Plans first: there are fewer of them to look among than of days, and nearly everybody is on one.
    return or_(was_on_plan(Customer.id, period), used)


def charges_of(
    session: Session, customer_ids: Collection[int], period: Period, *, unused: bool = False
) -> dict[int, list[Charge]]:
    """Of each customer, by the days of its segments, meters and buckets; also that of a plan that was not used.
    ``unused``: everything else that has a price and was not used too.

    The caller has checked the permission.
    """
    on_plans = plans.on_plans(session, customer_ids, period)
    return charges_on(session, on_plans, rates_on(session, on_plans), customer_ids, period, unused=unused)


def charges_on(
    session: Session,
    on_plans: Mapping[int, Sequence[OnPlan]],
    rates: Rates,
    customer_ids: Collection[int],
    period: Period,
    *,
    unused: bool = False,
) -> dict[int, list[Charge]]:
    """``charges_of``, had the customers been on these plans, which have these ``rates``."""
    stretches: list[tuple[int, Segment]] = [
        (customer_id, segment)
        for customer_id in customer_ids
        for segment in segments.split(period, on_plans.get(customer_id, []))
    ]
    asked = [Stretch(customer_id, segment.first_day, segment.last_day) for customer_id, segment in stretches]
    used: dict[int, dict[Place, Decimal]] = {}
    for one in quantities.used(session, asked, period, rates.meters.values()):
        used.setdefault(one.place, {})[one.meter_id, one.bucket_id] = one.quantity
    charges: dict[int, list[Charge]] = {customer_id: [] for customer_id in customer_ids}
    for place, (customer_id, segment) in enumerate(stretches):
        charges[customer_id] += _charges(rates, segment, used.get(place, {}), period, unused=unused)
    return charges


def rates_on(session: Session, on_plans: Mapping[int, Sequence[OnPlan]]) -> Rates:
    """What the plans of customers charge."""
    return rates_of(session, {one.version for parts in on_plans.values() for one in parts})


def rates_of(session: Session, versions: Collection[Version]) -> Rates:
    """What these versions of plans charge."""
    meters = {meter.id: meter for meter in session.scalars(select(Meter))}
    codes = dict(session.execute(select(MeterBucket.id, MeterBucket.code)).all())
    calls = next(meter.id for meter in meters.values() if meter.code == API_CALLS), NO_BUCKET
    others = prices.of_versions(session, [version.id for version in versions])
    agreed = {one.id: {calls: segments.price_of_calls(one), **others[one.id]} for one in versions}
    return Rates(meters, codes, calls, agreed)


def rates_of_calls(session: Reads, versions: Collection[Version]) -> Rates:
    """``rates_of``, of API calls alone. Without buckets of theirs nothing else is read."""
    rows = connection_of(session).execute(_CALLS).all()
    meter = _meter_of_calls(rows[0].id, rows[0].aggregation)
    codes = {row.bucket_id: row.bucket for row in rows if row.bucket_id is not None}
    ids = [version.id for version in versions]
    others = prices.of_versions(session, ids, meter_id=meter.id) if codes else {}
    calls = (meter.id, NO_BUCKET)
    agreed = {one.id: {calls: segments.price_of_calls(one), **others.get(one.id, {})} for one in versions}
    return Rates({meter.id: meter}, codes, calls, agreed)


@cache
def _meter_of_calls(id_: int, aggregation: Aggregation) -> Meter:
    """In no session. To read or to make it each time takes longer than the statement."""
    return Meter(id=id_, code=API_CALLS, aggregation=aggregation)


# Put together once, which takes longer than carrying it out.
_CALLS = (
    select(Meter.id, Meter.aggregation, MeterBucket.id.label("bucket_id"), MeterBucket.code.label("bucket"))
    .outerjoin(MeterBucket, MeterBucket.meter_id == Meter.id)
    .where(Meter.code == API_CALLS)
)


def _charges(
    rates: Rates, segment: Segment, used: Mapping[Place, Decimal], period: Period, *, unused: bool
) -> Iterator[Charge]:
    for place in sorted({*used, *rates.of(segment)}):
        charge = rates.charge(segment, place, used.get(place, Decimal(0)), period)
        # What was not used and costs nothing is no line, but for calls: there the allowance is told.
        if unused or place in used or place == rates.calls or (charge.amount and charge.amount.minor):
            yield charge

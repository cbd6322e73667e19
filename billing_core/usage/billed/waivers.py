"""What was waived of a period that is billed anew stays waived: it comes off the charges for its days."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.metering.models import PLACES, Aggregation, LateItem, LateKind, UsageEventKey, UsagePeriod
from billing_core.plans.prices import Place
from billing_core.usage.charges import Charge, Rates, rates_of
from billing_core.usage.models import Outcome, UsageSettlement
from billing_core.usage.parts import Part, PartKind

_ONE: Final = 10**PLACES


class _Waived(NamedTuple):
    """What was waived of a place on a day: its calls, and its quantity in the meter's terms where that is another."""

    place: Place
    day: date
    calls: int
    quantity: Decimal


def without(
    session: Session,
    charged: Mapping[int, Sequence[Charge]],
    period: Period,
    freed: Collection[int],
    waiving: Collection[int] = (),
) -> dict[int, Sequence[Charge]]:
    """These charges for the period, by customer, less what was waived of it when its days were billed before: in
    periods that are replaced, or in the ``freed`` ones. What was withdrawn does not count anyway. The items that are
    ``waiving`` are as good as waived.
    """
    waived = _waived(session, charged, period, freed, waiving)
    versions = {charge.segment.version for customer_id in waived for charge in charged[customer_id]}
    rates = rates_of(session, [version for version in versions if version]) if waived else None
    less = dict(charged)
    for customer_id, of_customer in waived.items():
        assert rates is not None  # noqa: S101  # something was waived
        less[customer_id] = [_less(rates, charge, of_customer, period) for charge in charged[customer_id]]
    return less


def _less(rates: Rates, charge: Charge, waived: Sequence[_Waived], period: Period) -> Charge:
    place = charge.meter_id, charge.bucket_id
    counts = rates.meters[charge.meter_id].aggregation is Aggregation.COUNT
    off = sum(
        (
            Decimal(one.calls) if counts else one.quantity
            for one in waived
            if one.place == place and charge.segment.first_day <= one.day <= charge.segment.last_day
        ),
        Decimal(0),
    )
    rest = rates.charge(charge.segment, place, charge.quantity - off, period).amount
    # More units can be cheaper, and nobody pays more because of a waiver.
    if charge.amount is None or rest is None or rest.minor >= charge.amount.minor:
        return charge
    part = Part(Decimal(1), (charge.amount - rest).amount, kind=PartKind.WAIVED)
    return charge._replace(amount=rest, parts=(*charge.parts, part))


def _waived(
    session: Session, customer_ids: Collection[int], period: Period, freed: Collection[int], waiving: Collection[int]
) -> dict[int, list[_Waived]]:
    quantity = type_coerce(LateItem.quantity, BigInteger)
    key = (LateItem.customer_id, LateItem.meter_id, LateItem.bucket_id, LateItem.day)
    statement = (
        select(*key, func.sum(LateItem.calls), func.sum(quantity // _ONE), func.sum(quantity % _ONE))
        .outerjoin(UsageSettlement, UsageSettlement.id == LateItem.settlement_id)
        .join(UsagePeriod, UsagePeriod.id == LateItem.period_id)
        .join(
            UsageEventKey,
            (UsageEventKey.customer_id == LateItem.customer_id) & (UsageEventKey.event_id == LateItem.event_id),
        )
        .where(
            among(LateItem.customer_id, customer_ids),
            period.contains(LateItem.day),
            or_(UsageSettlement.outcome == Outcome.WAIVED, among(LateItem.id, waiving)),
            or_(UsagePeriod.replaced_at.is_not(None), among(UsagePeriod.id, freed)),
            LateItem.kind == LateKind.ARRIVED,
            UsageEventKey.withdrawn_at.is_(None),
        )
        .group_by(*key)
        .order_by(*key)
    )
    found: dict[int, list[_Waived]] = {}
    for customer_id, meter_id, bucket_id, day, calls, whole, millionths in session.execute(statement):
        exactly = int(whole) + Decimal(int(millionths)).scaleb(-PLACES)
        found.setdefault(customer_id, []).append(_Waived((meter_id, bucket_id), day, int(calls), exactly))
    return found

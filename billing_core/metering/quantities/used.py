"""What was used of all meters: of those whose events add up from the totals of days, of the others from the events."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Date, Integer, func, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.database.functions import Columns, among, as_rows
from billing_core.dates import Period
from billing_core.metering.models import BY_DAYS, NO_BUCKET, PLACES, Aggregation, Meter, MeterBucket, UsageDay, ZoneKind
from billing_core.metering.quantities import from_events
from billing_core.metering.quantities.stretches import Stretch, Used

_STRETCHES: Final[Columns] = {"place": Integer(), "customer_id": Integer(), "first_day": Date(), "last_day": Date()}
# Of more meters and buckets it is quicker to sort the rows by them than to ask of each row which of them it is of.
_FEW: Final = 8
_BUCKETS: Final = select(MeterBucket.meter_id, MeterBucket.id).order_by(MeterBucket.id)


class _Kind(NamedTuple):
    """What is added up by itself: of a meter that is billed from days one bucket, or all that fits into none. The only
    one of its meter has no bucket beside it, so that its rows are known by the meter.
    """

    meter: Meter
    bucket_id: int
    only_one: bool

    @property
    def rows(self) -> ColumnElement[bool]:
        of_meter = UsageDay.meter_id == self.meter.id
        return of_meter if self.only_one else of_meter & (UsageDay.bucket_id == self.bucket_id)

    @property
    def summands(self) -> tuple[InstrumentedAttribute[int], ...]:
        """What ``_quantity`` takes the sums of."""
        by_calls = self.meter.aggregation is Aggregation.COUNT
        return (UsageDay.calls,) if by_calls else (UsageDay.whole, UsageDay.millionths)


def used(session: Session, stretches: Sequence[Stretch], period: Period, meters: Collection[Meter]) -> list[Used]:
    """What was used of these meters, which are all, in each stretch; of each customer they are the whole period."""
    return [*_by_days(session, stretches, period, meters), *from_events.used(session, stretches, period, meters)]


def _by_days(
    session: Session, stretches: Sequence[Stretch], period: Period, meters: Collection[Meter]
) -> Iterator[Used]:
    """Most customers are on one version for the whole period, and most businesses have few meters."""
    kinds = _kinds(session, meters)
    whole, parts = {}, {}
    for place, stretch in enumerate(stretches):
        if len(kinds) <= _FEW and (stretch.first_day, stretch.last_day) == (period.start, period.end):
            whole[stretch.customer_id] = place
        else:
            parts[place] = stretch
    if whole:
        yield from _summed_whole(session, whole, period, kinds)
    if parts:
        yield from _summed(session, parts)


def _kinds(session: Session, meters: Collection[Meter]) -> list[_Kind]:
    by_days = {meter.id: meter for meter in meters if meter.aggregation in BY_DAYS}
    kept = [(meter_id, bucket_id) for meter_id, bucket_id in session.execute(_BUCKETS) if meter_id in by_days]
    bucketed = {meter_id for meter_id, _ in kept}
    return [
        *(_Kind(meter, NO_BUCKET, meter.id not in bucketed) for meter in by_days.values()),
        *(_Kind(by_days[meter_id], bucket_id, False) for meter_id, bucket_id in kept),
    ]


def _summed_whole(
    session: Session, places: Mapping[int, int], period: Period, kinds: Sequence[_Kind]
) -> Iterator[Used]:
    """Of the whole period, by the places of the customers: read in the order of the key, so that nothing is sorted."""
    sums = [func.sum(type_coerce(column, BigInteger)).filter(kind.rows) for kind in kinds for column in kind.summands]
    statement = (
        select(UsageDay.customer_id, *sums)
        .where(among(UsageDay.customer_id, places), UsageDay.zone_kind == ZoneKind.BILLING)
        .where(period.contains(UsageDay.day))
        .group_by(UsageDay.customer_id)
    )
    for customer_id, *found in session.execute(statement):
        left = iter(found)
        for kind in kinds:
            summed = [next(left) for _ in kind.summands]
            if summed[0] is not None:
                yield Used(places[customer_id], kind.meter.id, kind.bucket_id, _quantity(*map(int, summed)))


def _summed(session: Session, stretches: Mapping[int, Stretch]) -> Iterator[Used]:
    """By their places, of whatever days, meters and buckets."""
    asked = as_rows(session, "stretches", _STRETCHES, ((place, *one) for place, one in stretches.items()))
    columns = (UsageDay.calls, UsageDay.whole, UsageDay.millionths)
    statement = (
        select(
            asked.c.place,
            UsageDay.meter_id,
            UsageDay.bucket_id,
            Meter.aggregation,
            *(func.sum(type_coerce(column, BigInteger)) for column in columns),
        )
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
    for place, meter_id, bucket_id, aggregation, calls, *quantity in session.execute(statement):
        summed = [calls] if aggregation is Aggregation.COUNT else quantity
        yield Used(place, meter_id, bucket_id, _quantity(*map(int, summed)))


def _quantity(whole: int, millionths: int = 0) -> Decimal:
    return whole + Decimal(millionths).scaleb(-PLACES) if millionths else Decimal(whole)

"""Bills of meters whose greatest quantity, or unique values, are billed, beside what their events come to once more.

Of meters whose quantities hold on, what was told for days that nobody billed changes the months after them too: their
bills are not proven.
"""

from collections.abc import Collection, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.metering.models import PLACES, Aggregation, LateItem, Meter, UsageEvent, UsagePeriod
from billing_core.metering.quantities import from_events
from billing_core.metering.quantities.stretches import Stretch
from billing_core.plans import queries as plans
from billing_core.plans import segments
from billing_core.usage.billed.recounted import known_events
from billing_core.usage.models import UsageLine

PROVEN: Final = (Aggregation.MAX, Aggregation.UNIQUE)
_STANDS: Final = UsagePeriod.replaced_at.is_(None)
# A line's period, meter, bucket and first day.
_Key = tuple[int, int, int, date]


def differing(session: Session) -> Iterator[tuple[int, int]]:
    """The ids of the standing periods, and of the meters, of which a line is not what its events come to.

    Periods of the same days that were billed by one run are looked at together.
    """
    meters = list(session.scalars(select(Meter).where(Meter.aggregation.in_(PROVEN))))
    if not meters:
        return
    used = UsagePeriod.customer_id.in_(select(UsageEvent.customer_id).where(UsageEvent.raw))
    run = (UsagePeriod.first_day, UsagePeriod.last_day, UsagePeriod.billed_at)
    for first_day, last_day, billed_at in session.execute(
        select(*run).where(_STANDS, used).distinct().order_by(*run)
    ).all():
        chosen = select(UsagePeriod.customer_id, UsagePeriod.id).where(
            UsagePeriod.first_day == first_day,
            UsagePeriod.last_day == last_day,
            UsagePeriod.billed_at == billed_at,
            _STANDS,
            used,
        )
        period_ids = dict(session.execute(chosen).all())
        expected = _expected(session, period_ids, Period(first_day, last_day), billed_at, meters)
        billed = _billed(session, period_ids.values(), meters)
        wrong = {key[:2] for key in {*expected, *billed} if expected.get(key, 0) != billed.get(key, 0)}
        yield from sorted(wrong)


def _expected(
    session: Session, period_ids: dict[int, int], period: Period, billed_at: datetime, meters: Collection[Meter]
) -> dict[_Key, Decimal]:
    """By the events that were known when the periods were billed."""
    on_plans = plans.on_plans(session, period_ids, period)
    stretches = [
        Stretch(customer_id, part.first_day, part.last_day)
        for customer_id in period_ids
        for part in segments.split(period, on_plans.get(customer_id, []))
    ]
    events = known_events(LateItem.noticed_at < billed_at)
    found = {}
    for one in from_events.used(session, stretches, period, meters, events):
        stretch = stretches[one.place]
        key = (period_ids[stretch.customer_id], one.meter_id, one.bucket_id, stretch.first_day)
        found[key] = one.quantity
    return found


def _billed(session: Session, period_ids: Collection[int], meters: Collection[Meter]) -> dict[_Key, Decimal]:
    key = (UsageLine.period_id, UsageLine.meter_id, UsageLine.bucket_id, UsageLine.first_day)
    lines = select(*key, UsageLine.whole, UsageLine.millionths).where(
        among(UsageLine.period_id, period_ids),
        UsageLine.meter_id.in_([meter.id for meter in meters]),
        UsageLine.settlement_id.is_(None),
    )
    return {
        (period_id, meter_id, bucket_id, first_day): whole + Decimal(millionths).scaleb(-PLACES)
        for period_id, meter_id, bucket_id, first_day, whole, millionths in session.execute(lines)
    }

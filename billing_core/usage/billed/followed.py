"""Bills of meters that are billed from their events, beside what these come to once more: what was billed and what late
items changed in it is together what counts now.

Where each event that came late or went has its item, as of meters whose quantities do not hold on, what was billed is
also what the others come to.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.metering.models import (
    FROM_EVENTS,
    HOLDS_ON,
    PLACES,
    LateItem,
    Meter,
    UsageEvent,
    UsagePeriod,
)
from billing_core.metering.periods import was_counted
from billing_core.metering.quantities import from_events
from billing_core.metering.quantities.stretches import Stretch
from billing_core.usage.models import UsageLine

_ONE = 10**PLACES
# A period, a meter, a bucket, and the first day of a line or segment.
_Key = tuple[int, int, int, date]


def differing(session: Session) -> Iterator[tuple[int, int]]:
    """The ids of the standing periods, and of the meters, of which a line is not what its events come to.

    Periods of the same days are looked at together.
    """
    meters = list(session.scalars(select(Meter).where(Meter.aggregation.in_(FROM_EVENTS))))
    if not meters:
        return
    chosen = (UsagePeriod.replaced_at.is_(None), _has_some(meters))
    days = (UsagePeriod.first_day, UsagePeriod.last_day)
    for first_day, last_day in session.execute(select(*days).where(*chosen).distinct().order_by(*days)).all():
        same = (UsagePeriod.first_day == first_day, UsagePeriod.last_day == last_day)
        periods = session.scalars(select(UsagePeriod).where(*same, *chosen).order_by(UsagePeriod.id)).all()
        period = Period(first_day, last_day)
        billed = _billed(session, periods, meters)
        wrong = _differ(_counted(session, periods, period, meters), _added(billed, _changed(session, periods, meters)))
        alone = [meter for meter in meters if meter.aggregation not in HOLDS_ON]
        in_periods = among(LateItem.period_id, [one.id for one in periods])
        known = select(UsageEvent.__table__).where(was_counted(in_periods))
        before = _counted(session, periods, period, alone, known)
        of_alone = {meter.id for meter in alone}
        wrong |= _differ(before, {key: quantity for key, quantity in billed.items() if key[1] in of_alone})
        yield from sorted({key[:2] for key in wrong})


def _has_some(meters: Collection[Meter]) -> ColumnElement[bool]:
    """In SQL: the customer has events of such meters, or something was billed or changed of them."""
    of_meter = [meter.id for meter in meters]
    billed = or_(UsageLine.whole != 0, UsageLine.millionths != 0)
    return or_(
        UsagePeriod.customer_id.in_(select(UsageEvent.customer_id).where(UsageEvent.raw)),
        UsagePeriod.id.in_(select(UsageLine.period_id).where(UsageLine.meter_id.in_(of_meter), billed)),
        UsagePeriod.id.in_(select(LateItem.period_id).where(LateItem.meter_id.in_(of_meter))),
    )


def _differ(one: Mapping[_Key, Decimal], other: Mapping[_Key, Decimal]) -> set[_Key]:
    return {key for key in {*one, *other} if one.get(key, 0) != other.get(key, 0)}


def _added(one: Mapping[_Key, Decimal], other: Mapping[_Key, Decimal]) -> dict[_Key, Decimal]:
    return {key: one.get(key, Decimal(0)) + other.get(key, Decimal(0)) for key in {*one, *other}}


def _counted(
    session: Session,
    periods: Collection[UsagePeriod],
    days: Period,
    meters: Collection[Meter],
    events: Select[*tuple[Any, ...]] | None = None,
) -> dict[_Key, Decimal]:
    """What these events come to; None: those that count now."""
    places = [(period, segment) for period in periods for segment in period.segments]
    stretches = [Stretch(period.customer_id, segment.start, segment.end) for period, segment in places]
    found = {}
    for one in from_events.used(session, stretches, days, meters, events):
        period, segment = places[one.place]
        found[period.id, one.meter_id, one.bucket_id, segment.start] = one.quantity
    return found


def _billed(session: Session, periods: Collection[UsagePeriod], meters: Collection[Meter]) -> dict[_Key, Decimal]:
    key = (UsageLine.period_id, UsageLine.meter_id, UsageLine.bucket_id, UsageLine.first_day)
    lines = select(*key, UsageLine.whole, UsageLine.millionths).where(
        among(UsageLine.period_id, [period.id for period in periods]),
        UsageLine.meter_id.in_([meter.id for meter in meters]),
        UsageLine.settlement_id.is_(None),
    )
    return {
        (period_id, meter_id, bucket_id, first_day): whole + Decimal(millionths).scaleb(-PLACES)
        for period_id, meter_id, bucket_id, first_day, whole, millionths in session.execute(lines)
    }


def _changed(session: Session, periods: Collection[UsagePeriod], meters: Collection[Meter]) -> dict[_Key, Decimal]:
    """By late items, each in the segment of its day."""
    segments = {period.id: period.segments for period in periods}
    found: dict[_Key, Decimal] = defaultdict(Decimal)
    changes = _changes(list(segments), [meter.id for meter in meters])
    for period_id, meter_id, bucket_id, day, whole, millionths in session.execute(changes):
        begun = max((one.start for one in segments[period_id] if one.start <= day), default=day)
        found[period_id, meter_id, bucket_id, begun] += int(whole) + Decimal(int(millionths)).scaleb(-PLACES)
    return found


def _changes(period_ids: Collection[int], meter_ids: Collection[int]) -> Select[*tuple[Any, ...]]:
    """The late items of these, added up; in two columns, since the sum may not fit into one integer."""
    quantity = type_coerce(LateItem.quantity, BigInteger)
    key = (LateItem.period_id, LateItem.meter_id, LateItem.bucket_id, LateItem.day)
    return (
        select(*key, func.sum(quantity // _ONE), func.sum(quantity % _ONE))
        .where(among(LateItem.period_id, period_ids), LateItem.meter_id.in_(meter_ids))
        .group_by(*key)
    )

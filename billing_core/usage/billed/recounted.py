"""What late items are worth whose meter is billed from its events: what these come to cannot be added up, so the events
are followed once more without the item and once more with it.

What was told last holds on: such an item also changes the later periods that were billed before it came.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.metering.models import (
    FROM_EVENTS,
    Aggregation,
    LateItem,
    LateKind,
    Meter,
    UsageEvent,
    UsageEventKey,
    UsagePeriod,
)
from billing_core.metering.quantities import from_events
from billing_core.metering.quantities.stretches import Stretch
from billing_core.money import Money
from billing_core.plans.segments import Segment
from billing_core.usage.charges import Rates

_HOLDS_ON = (Aggregation.LATEST, Aggregation.TIME_WEIGHTED_SUM)
# The days and segments of billed periods, by their ids.
Terms = Mapping[int, tuple[Period, Sequence[Segment]]]


@dataclass(frozen=True, slots=True)
class Touched:
    """A billed period whose amount the item changes."""

    item_id: int
    customer_id: int
    meter_id: int
    bucket_id: int
    period_id: int


def touched(session: Session, item_ids: Collection[int]) -> list[Touched]:
    """The periods that those of these items touch whose meters are billed from their events, item by item."""
    holds_on = Meter.aggregation.in_(_HOLDS_ON)
    billed_before = (UsagePeriod.first_day > LateItem.day) & (UsagePeriod.billed_at <= LateItem.noticed_at)
    statement = (
        select(LateItem.id, LateItem.customer_id, LateItem.meter_id, LateItem.bucket_id, UsagePeriod.id)
        .join(Meter, Meter.id == LateItem.meter_id)
        .join(UsagePeriod, UsagePeriod.customer_id == LateItem.customer_id)
        .where(
            among(LateItem.id, item_ids),
            Meter.aggregation.in_(FROM_EVENTS),
            UsagePeriod.replaced_at.is_(None),
            or_(UsagePeriod.id == LateItem.period_id, holds_on & billed_before),
        )
        .order_by(LateItem.id, UsagePeriod.first_day)
    )
    return [Touched(*row) for row in session.execute(statement)]


def worths(session: Session, found: Collection[Touched], terms: Terms, rates: Rates) -> dict[int, Money | None]:
    """What each item makes of the periods that it touches; None: nobody has agreed on a price.

    Few items are of such meters: each is followed by itself.
    """
    differences: dict[int, list[Money | None]] = {}
    for one in found:
        before, after = (
            _amount(session, one, known_events(known), terms, rates)
            for known in (LateItem.id < one.item_id, LateItem.id <= one.item_id)
        )
        difference = None if before is None or after is None else after - before
        differences.setdefault(one.item_id, []).append(difference)
    return {item_id: _sum(parts) for item_id, parts in differences.items()}


def _sum(parts: Collection[Money | None]) -> Money | None:
    """None where a part is not known, or where currencies would have to be added."""
    known = [part for part in parts if part is not None]
    alike = len({part.currency for part in known}) == 1
    return reduce(add, known) if alike and len(known) == len(parts) else None


def _amount(
    session: Session, one: Touched, events: Select[*tuple[Any, ...]], terms: Terms, rates: Rates
) -> Money | None:
    """What the period comes to, of this meter and bucket, with these events."""
    period, parts = terms[one.period_id]
    stretches = [Stretch(one.customer_id, part.first_day, part.last_day) for part in parts]
    used = {
        found.place: found.quantity
        for found in from_events.used(session, stretches, period, [rates.meters[one.meter_id]], events)
        if found.bucket_id == one.bucket_id
    }
    place = (one.meter_id, one.bucket_id)
    return _sum([rates.charge(part, place, used.get(at, Decimal(0)), period).amount for at, part in enumerate(parts)])


def known_events(known: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """The columns of the events that count where of the late items these alone are known."""
    same = (LateItem.customer_id == UsageEvent.customer_id, LateItem.event_id == UsageEvent.event_id)
    unknown = select(LateItem.id).where(*same, ~known)
    key = (UsageEventKey.customer_id == UsageEvent.customer_id, UsageEventKey.event_id == UsageEvent.event_id)
    withdrawn = select(UsageEventKey.event_id).where(*key, UsageEventKey.withdrawn_at.is_not(None))
    return select(UsageEvent.__table__).where(
        ~unknown.where(LateItem.kind == LateKind.ARRIVED).exists(),
        or_(~withdrawn.exists(), unknown.where(LateItem.kind == LateKind.WITHDRAWN).exists()),
    )

"""What late items are worth: their period rated again with each of them, in the order in which they came.

An item's worth is what the period comes to with it, less what it comes to with all that came before it. So the worths
of all add up to the difference that they make together, to the minor unit, however they are dealt with.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import BigInteger, Select, func, select, type_coerce
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.metering.models import PLACES, Aggregation, LateItem, LateKind, UsagePeriod
from billing_core.money import Money
from billing_core.plans import queries as plans
from billing_core.plans import segments
from billing_core.plans.segments import Segment
from billing_core.usage import charges
from billing_core.usage.charges import Charge
from billing_core.usage.models import UsageLine

_ONE: Final = 10**PLACES


@dataclass(frozen=True, slots=True)
class Changed:
    """What one late item changes. ``line_id`` is the line that billed its day, None where there is none; ``quantity``
    is in the meter's terms. ``worth`` None: nobody has agreed on a price. ``charge`` is what the line comes to with it
    and all that came before.
    """

    item_id: int
    period_id: int
    line_id: int | None
    kind: LateKind
    quantity: Decimal
    worth: Money | None
    charge: Charge


def of_items(session: Session, item_ids: Collection[int]) -> dict[int, Changed]:
    """What each of these items changes, by its id."""
    periods = select(LateItem.period_id).where(among(LateItem.id, item_ids))
    rows = _running().where(LateItem.period_id.in_(periods)).subquery("running")
    found = session.execute(select(rows).where(among(rows.c.id, item_ids)).order_by(rows.c.id)).all()
    terms = _terms(session, {row.period_id for row in found})
    rates = charges.rates_of(session, {one.version for _, parts in terms.values() for one in parts if one.version})
    changed = {}
    rated: dict[tuple[Any, ...], Charge] = {}
    for row in found:
        place, (period, parts) = (row.meter_id, row.bucket_id), terms[row.period_id]
        before, quantity = _quantities(row, rates.meters[row.meter_id].aggregation)
        segment = next(one for one in parts if one.first_day <= row.day <= one.last_day)
        steps = []
        for total in (before, before + quantity):
            key = (row.period_id, segment.first_day, place, total)
            if key not in rated:
                rated[key] = rates.charge(segment, place, total, period)
            steps.append(rated[key])
        former, latter = (step.amount for step in steps)
        worth = latter - former if former and latter else None
        changed[row.id] = Changed(row.id, row.period_id, row.line_id, row.kind, quantity, worth, steps[1])
    return changed


def _running() -> Select[*tuple[Any, ...]]:
    """Items with what their line had before them: as it was billed, and with the items that came before."""
    whole, millionths = _parts()
    covering = (
        (UsageLine.period_id == LateItem.period_id)
        & (UsageLine.meter_id == LateItem.meter_id)
        & (UsageLine.bucket_id == LateItem.bucket_id)
        & LateItem.day.between(UsageLine.first_day, UsageLine.last_day)
        & UsageLine.settlement_id.is_(None)
    )
    line = [LateItem.period_id, LateItem.meter_id, LateItem.bucket_id, UsageLine.id]
    return select(
        LateItem.id,
        LateItem.period_id,
        LateItem.kind,
        LateItem.day,
        LateItem.meter_id,
        LateItem.bucket_id,
        UsageLine.id.label("line_id"),
        func.coalesce(UsageLine.whole, 0).label("billed_whole"),
        func.coalesce(UsageLine.millionths, 0).label("billed_millionths"),
        LateItem.calls,
        whole.label("whole"),
        millionths.label("millionths"),
        func.sum(LateItem.calls).over(partition_by=line, order_by=LateItem.id).label("calls_with"),
        func.sum(whole).over(partition_by=line, order_by=LateItem.id).label("whole_with"),
        func.sum(millionths).over(partition_by=line, order_by=LateItem.id).label("millionths_with"),
    ).outerjoin(UsageLine, covering)


def _parts() -> tuple[Any, Any]:
    quantity = type_coerce(LateItem.quantity, BigInteger)
    return quantity // _ONE, quantity % _ONE


def _quantities(row: Any, aggregation: Aggregation) -> tuple[Decimal, Decimal]:
    """What its line has before the item, and what the item adds. Sums come as decimals on PostgreSQL."""
    billed = _exact(row.billed_whole, row.billed_millionths)
    if aggregation is Aggregation.COUNT:
        return billed + int(row.calls_with) - row.calls, Decimal(row.calls)
    added = _exact(row.whole, row.millionths)
    return billed + _exact(row.whole_with, row.millionths_with) - added, added


def _exact(whole: int, millionths: int) -> Decimal:
    return int(whole) + Decimal(int(millionths)).scaleb(-PLACES)


def _terms(session: Session, period_ids: Collection[int]) -> dict[int, tuple[Period, Sequence[Segment]]]:
    """The days and segments of each of these periods: the terms that it was billed by do not change any more."""
    found: dict[int, tuple[Period, Sequence[Segment]]] = {}
    for days, by_customer in _by_days(session, period_ids):
        on_plans = plans.on_plans(session, list(by_customer), days)
        for customer_id, ids in by_customer.items():
            parts = segments.split(days, on_plans.get(customer_id, []))
            found |= dict.fromkeys(ids, (days, parts))
    return found


def _by_days(session: Session, period_ids: Collection[int]) -> Iterator[tuple[Period, dict[int, list[int]]]]:
    """The days of these periods, each with the ids of the periods by customer: most are of the same month."""
    by_days: dict[tuple[date, date], dict[int, list[int]]] = {}
    statement = select(UsagePeriod.id, UsagePeriod.customer_id, UsagePeriod.first_day, UsagePeriod.last_day)
    for period_id, customer_id, first_day, last_day in session.execute(
        statement.where(among(UsagePeriod.id, period_ids)).order_by(UsagePeriod.id)
    ):
        by_days.setdefault((first_day, last_day), {}).setdefault(customer_id, []).append(period_id)
    for (first_day, last_day), by_customer in by_days.items():
        yield Period(first_day, last_day), by_customer

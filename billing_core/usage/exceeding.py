"""Which organizations have used more than is included in a month, or will by its end, page by page.

Nothing that is kept says so: it follows from each organization's days, plans and prices. To look at all of them takes
many times as long as to draw a page of some, so a page looks no further than it needs. The database adds up what tells
those apart who surely do not match, all but a few; only the others are computed as they are shown.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

from sqlalchemy import BigInteger, case, false, func, select, type_coerce
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering.models import NO_BUCKET, UsageDay
from billing_core.plans import queries as plans
from billing_core.plans.segments import Segment, split
from billing_core.usage import overview
from billing_core.usage.charges import Rates, rates_of_calls
from billing_core.usage.forecast import WEEKS, first_needed
from billing_core.usage.overview import CHUNK, Allowance, Month, OverviewFilter, of_api_calls

# How many organizations a page looks at whatever it finds, and how many in its first look.
MOST: Final = 500
_FIRST: Final = 50


@dataclass(frozen=True, slots=True)
class Found:
    """Those that match, in the order of the list. ``following``: the place in it, from 0, that was not looked at yet;
    None: the list ends before it.
    """

    months: list[Month]
    following: int | None


def page(
    session: Session,
    actor: Actor,
    chosen: OverviewFilter,
    allowance: Allowance,
    *,
    today: date,
    start: int = 0,
    limit: int = 50,
) -> Found:
    """At most so many, among the organizations from the place ``start`` on, of which ``MOST`` are looked at."""
    actor.require(Permission.USAGE_READ)
    present = chosen.period.start <= today <= chosen.period.end
    if allowance is Allowance.WILL_EXCEED and not present:
        return Found([], None)
    found: list[Month] = []
    place, end, size = start, start + MOST, _FIRST
    ended = False
    while place < end and len(found) < limit and not ended:
        asked = min(size, end - place)
        chunk = overview.organizations(session, actor, chosen, limit=asked, offset=place)
        near = _near(session, [one.customer_id for one in chunk], chosen.period, allowance, today)
        looked = [(number, one) for number, one in enumerate(chunk, start=1) if one.customer_id in near]
        matching: list[tuple[int, Month]] = []
        # Nearly all of them match: no more are computed than the page has room for.
        while looked and len(found) + len(matching) < limit:
            some, looked = looked[: limit - len(found)], looked[limit - len(found) :]
            months = overview.months(session, [one for _, one in some], chosen.period, today=today)
            for (number, _), month in zip(some, months, strict=True):
                if month.exceeds is allowance:
                    matching.append((number, month))
        matching = matching[: limit - len(found)]
        found += [month for _, month in matching]
        # Where the page is full, the next one goes on behind its last one.
        place += matching[-1][0] if matching and len(found) == limit else len(chunk)
        ended = len(chunk) < asked and len(found) < limit
        size = min(2 * size, CHUNK)
    return Found(found, None if ended else place)


def _near(
    session: Session, customer_ids: Collection[int], period: Period, allowance: Allowance, today: date
) -> set[int]:
    """Those of these customers who may match: all who do, and those besides whose plan changes inside the period, or of
    whose calls too little is known.
    """
    on_plans = plans.on_plans(session, customer_ids, period)
    segments = {customer_id: split(period, on_plans.get(customer_id, [])) for customer_id in customer_ids}
    rates = rates_of_calls(session, {one.version for parts in segments.values() for one in parts if one.version})
    calls = _calls(session, customer_ids, period)
    expected = _expected(session, customer_ids, period, today) if allowance is Allowance.WILL_EXCEED else {}
    near = set()
    for customer_id, (first, *others) in segments.items():
        mine, coming = calls.get(customer_id, {}), expected.get(customer_id)
        if others:
            matches = bool(mine or coming)
        elif allowance is Allowance.EXCEEDED:
            matches = _exceeds(rates, first, period, mine)
        else:
            matches = coming is not None and not _exceeds(rates, first, period, mine)
            matches = matches and _exceeds(rates, first, period, _shared_out(coming or Fraction(0), mine))
        if matches:
            near.add(customer_id)
    return near


def _exceeds(rates: Rates, segment: Segment, period: Period, calls: Mapping[int, int | Fraction]) -> bool:
    """More of these calls, by bucket, than are included of them."""
    meter_id, _ = rates.calls
    return any(0 < rates.included(segment, (meter_id, bucket), period) < number for bucket, number in calls.items())


def _shared_out(expected: Fraction, calls: Mapping[int, int]) -> dict[int, Fraction]:
    """By bucket, as the calls so far are."""
    so_far = sum(calls.values())
    if not so_far:
        return {NO_BUCKET: expected}
    return {bucket: expected * number / so_far for bucket, number in calls.items()}


def _calls(session: Session, customer_ids: Collection[int], period: Period) -> dict[int, dict[int, int]]:
    """Calls in the period, by customer and bucket."""
    key = (UsageDay.customer_id, UsageDay.bucket_id)
    number = func.sum(type_coerce(UsageDay.calls, BigInteger))
    theirs = (among(UsageDay.customer_id, customer_ids), *of_api_calls(period))
    found: dict[int, dict[int, int]] = {}
    for customer_id, bucket, calls in session.execute(select(*key, number).where(*theirs).group_by(*key)):
        found.setdefault(customer_id, {})[bucket] = int(calls)
    return found


def _expected(session: Session, customer_ids: Collection[int], period: Period, today: date) -> dict[int, Fraction]:
    """No less than ``forecast.by_day`` expects of the whole period, by customer: exactly that where calls are known
    since before the last weeks, and none are of days to come.
    """
    since = today - timedelta(weeks=WEEKS)
    lately = list(Period(since, today - timedelta(days=1)).each_day())
    left = list(Period(today, period.end).each_day())
    number = type_coerce(UsageDay.calls, BigInteger)
    # The days after today have the mean of their weekdays in the last weeks.
    times = {day: sum(one.weekday() == day.weekday() for one in left[1:]) for day in lately}
    sums = (
        case((UsageDay.day.between(period.start, today - timedelta(days=1)), number), else_=0),
        case((UsageDay.day == today, number), else_=0),
        case((UsageDay.day > today, number), else_=0),
        case((UsageDay.day.in_([day for day in lately if day.weekday() == today.weekday()]), number), else_=0),
        number * case(*((UsageDay.day == day, often) for day, often in times.items() if often), (false(), 0), else_=0),
        case((UsageDay.day.in_(lately), number), else_=0),
    )
    statement = (
        select(UsageDay.customer_id, *map(func.sum, sums))
        .where(among(UsageDay.customer_id, customer_ids), *of_api_calls(Period(min(period.start, since), period.end)))
        .group_by(UsageDay.customer_id)
    )
    known = _known(session, customer_ids, Period(first_needed(period), since))
    found = {}
    for customer_id, *numbers in session.execute(statement):
        before, had, later, same, coming, recent = map(int, numbers)
        if customer_id in known:
            found[customer_id] = before + max(Fraction(had), Fraction(same, WEEKS)) + later + Fraction(coming, WEEKS)
        elif recent:
            # No weekday had more than all days together.
            found[customer_id] = Fraction(before + had + later + recent * len(left))
    return found


def _known(session: Session, customer_ids: Collection[int], days: Period) -> set[int]:
    """Those of these customers who made calls on some of these days."""
    calls = select(UsageDay.day).where(UsageDay.customer_id == Customer.id, *of_api_calls(days)).exists()
    return set(session.scalars(select(Customer.id).where(among(Customer.id, customer_ids), calls)))

"""Which organizations have used more than is included in a month, or will by its end, page by page.

Nothing that is kept says so: it follows from each organization's days, plans and prices. To look at all of them takes
many times as long as to draw a page of some, so a page looks no further than it needs. The database leaves out those
that are surely far from it; the others are computed as they are shown.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, case, or_, select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering.models import API_CALLS, Meter, MeterBucket, UsageDay, ZoneKind
from billing_core.plans.models import CustomerPlan, PlanVersion
from billing_core.usage import overview
from billing_core.usage.forecast import WEEKS
from billing_core.usage.overview import CHUNK, Allowance, Month, OverviewFilter, calls_in

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
        near = _near(session, [one.customer_id for one in chunk], chosen.period, today)
        looked = [(number, one) for number, one in enumerate(chunk, start=1) if one.customer_id in near]
        months = overview.months(session, [one for _, one in looked], chosen.period, today=today, with_range=False)
        matching = [
            (number, month) for (number, _), month in zip(looked, months, strict=True) if month.exceeds is allowance
        ][: limit - len(found)]
        found += [month for _, month in matching]
        # Where the page is full, the next one goes on behind its last one.
        place += matching[-1][0] if matching and len(found) == limit else len(chunk)
        ended = len(chunk) < asked and len(found) < limit
        size = min(2 * size, CHUNK)
    if present:
        # The ranges are for those alone that are shown.
        found = overview.months(session, [month.organization for month in found], chosen.period, today=today)
    return Found(found, None if ended else place)


def _near(session: Session, customer_ids: Collection[int], period: Period, today: date) -> set[int]:
    """Those of these customers whose calls may come to more than is included, before their parts of the month, buckets
    and weekdays are looked at.
    """
    calls = calls_in(period)
    if period.start <= today <= period.end:
        # Each weekday to come has the mean of that in the last weeks, or where less is known, of what is known.
        weeks, days = -(-((period.end - today).days + 1) // 7), (period.end - today).days + 1
        since = today - timedelta(weeks=WEEKS)
        lately = calls_in(Period(since, today - timedelta(days=1)))
        known = select(UsageDay.day).where(
            UsageDay.customer_id == Customer.id, UsageDay.zone_kind == ZoneKind.BILLING, UsageDay.day < since
        )
        calls = calls + case((known.exists(), lately * weeks / WEEKS + 1), else_=lately * days)
    statement = select(Customer.id).where(among(Customer.id, customer_ids), calls > 0, _beyond(calls, period))
    return set(session.scalars(statement))


def _beyond(calls: SQLColumnExpression[int], period: Period) -> ColumnElement[bool]:
    """In SQL: more than what the plan at the period's beginning includes, if it includes any. Whose plan changes
    inside, or whose calls are priced by buckets, may exceed with fewer.
    """
    included = (
        select(PlanVersion.included_calls)
        .join(CustomerPlan, CustomerPlan.plan_version_id == PlanVersion.id)
        .where(CustomerPlan.customer_id == Customer.id, CustomerPlan.valid_from <= period.start)
        .order_by(CustomerPlan.valid_from.desc())
        .limit(1)
        .scalar_subquery()
    )
    changed = select(CustomerPlan.id).where(
        CustomerPlan.customer_id == Customer.id,
        CustomerPlan.valid_from > period.start,
        CustomerPlan.valid_from <= period.end,
    )
    buckets = select(MeterBucket.id).join(Meter, Meter.id == MeterBucket.meter_id).where(Meter.code == API_CALLS)
    return or_(and_(included > 0, calls > included), changed.exists(), buckets.exists())

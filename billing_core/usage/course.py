"""The course of an organization's month: its calls day by day against what is included."""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering.queries import refuse_others
from billing_core.money import nearest
from billing_core.plans import queries as plans
from billing_core.plans.segments import split
from billing_core.usage import forecast as forecasts
from billing_core.usage.overview import calls_by_day


@dataclass(frozen=True, slots=True)
class CourseDay:
    """A day of the billing zone. ``used``: calls since its segment began, None on days to come. ``expected``: the same
    from today on with what is expected, None before, and where nothing is known. ``included``: the segment's allowance,
    None on no plan.
    """

    day: date
    calls: int
    used: int | None
    expected: int | None
    included: int | None


def course(session: Session, actor: Actor, customer_id: int, month: Period, *, today: date) -> list[CourseDay]:
    """Every day of the month, in order."""
    actor.require(Permission.USAGE_READ)
    actor.require(Permission.PLAN_READ)
    refuse_others(actor, customer_id)
    present = month.start <= today <= month.end
    since = forecasts.first_needed(month, with_range=False) if present else month.start
    calls = calls_by_day(session, [customer_id], Period(since, month.end)).get(customer_id, {})
    coming = forecasts.by_day(calls, month, today=today) if present else None
    days = []
    for segment in split(month, plans.on_plan(session, customer_id, month)):
        used, expected = 0, Fraction()
        for day in segment.days.each_day():
            used += calls.get(day, 0)
            expected += coming[day] if coming else 0
            days.append(
                CourseDay(
                    day,
                    calls.get(day, 0),
                    used if day <= today else None,
                    nearest(*expected.as_integer_ratio()) if coming and day >= today else None,
                    None if segment.version is None else segment.included_calls,
                )
            )
    return days

"""The course of an organization's month: its calls day by day against what is included of them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering.models import NO_BUCKET
from billing_core.metering.queries import refuse_others
from billing_core.money import nearest
from billing_core.plans import queries as plans
from billing_core.plans.segments import Segment, split
from billing_core.usage import forecast as forecasts
from billing_core.usage.charges import Rates, rates_of_calls
from billing_core.usage.overview import calls_by_bucket, calls_by_day

_NOTHING: Final = Fraction(0)


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


@dataclass(frozen=True, slots=True)
class Course:
    """The calls that count against one allowance, on every day of the month: those of the bucket with this code, None:
    those outside of all buckets. ``is_whole``: they are all calls.
    """

    bucket: str | None
    is_whole: bool
    days: tuple[CourseDay, ...]


def courses(session: Session, actor: Actor, customer_id: int, month: Period, *, today: date) -> list[Course]:
    """One for each allowance that the month's plans have; where they have none, one of all calls."""
    actor.require(Permission.USAGE_READ)
    actor.require(Permission.PLAN_READ)
    refuse_others(actor, customer_id)
    segments = split(month, plans.on_plan(session, customer_id, month))
    rates = rates_of_calls(session, {segment.version for segment in segments if segment.version})
    whole = _all_calls(session, customer_id, month, today)
    by_bucket = {NO_BUCKET: whole}
    if rates.bucket_codes:
        by_bucket = calls_by_bucket(session, [customer_id], month).get(customer_id, {})
    coming = forecasts.by_day(whole, month, today=today) if month.start <= today <= month.end else None
    found = []
    for bucket_id in _with_allowance(rates, segments, month):
        mine = by_bucket.get(bucket_id, {})
        days = _days(rates, segments, bucket_id, month, mine, whole, coming, today)
        found.append(Course(rates.bucket_codes.get(bucket_id), by_bucket.keys() <= {bucket_id}, tuple(days)))
    if not found:
        found = [Course(None, True, tuple(_days(rates, segments, NO_BUCKET, month, whole, whole, coming, today)))]
    return found


def _all_calls(session: Session, customer_id: int, month: Period, today: date) -> dict[date, int]:
    present = month.start <= today <= month.end
    since = forecasts.first_needed(month) if present else month.start
    return calls_by_day(session, [customer_id], Period(since, month.end)).get(customer_id, {})


def _with_allowance(rates: Rates, segments: Collection[Segment], month: Period) -> list[int]:
    """The buckets, and ``NO_BUCKET``, of which some of these segments includes calls."""
    buckets = sorted({NO_BUCKET, *rates.bucket_codes})
    return [one for one in buckets if any(_included(rates, segment, one, month) for segment in segments)]


def _included(rates: Rates, segment: Segment, bucket_id: int, month: Period) -> int:
    meter_id, _ = rates.calls
    # Of calls whole ones are included.
    return int(rates.included(segment, (meter_id, bucket_id), month))


def _days(
    rates: Rates,
    segments: Iterable[Segment],
    bucket_id: int,
    month: Period,
    calls: Mapping[date, int],
    whole: Mapping[date, int],
    coming: Mapping[date, Fraction] | None,
    today: date,
) -> Iterable[CourseDay]:
    """``calls`` are those of the bucket, ``whole`` all; as much of the ``coming`` ones as so far are expected in it."""
    for segment in segments:
        so_far = sum(whole.get(day, 0) for day in segment.days.each_day())
        mine = sum(calls.get(day, 0) for day in segment.days.each_day())
        share = Fraction(mine, so_far) if so_far else Fraction(bucket_id == NO_BUCKET)
        included = None if segment.version is None else _included(rates, segment, bucket_id, month)
        used, expected = 0, _NOTHING
        for day in segment.days.each_day():
            used += calls.get(day, 0)
            expected += share * coming[day] if coming else 0
            yield CourseDay(
                day,
                calls.get(day, 0),
                used if day <= today else None,
                nearest(*expected.as_integer_ratio()) if coming and day >= today else None,
                included,
            )

"""Periods follow from the anchor, and tile."""

import calendar as months
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.plans.models import PlanInterval
from billing_core.subscriptions import calendar
from billing_core.subscriptions.calendar import Cycle

NOON = time(12)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Auckland", "Asia/Kolkata")


def monthly(anchor: date, at: time = NOON, zone: str = "UTC", count: int = 1) -> Cycle:
    return Cycle(anchor, at, zone, PlanInterval.MONTH, count)


def holding(cycle: Cycle, moment: datetime) -> list[int]:
    """The first twelve periods that the instant lies in."""
    return [number for number in range(12) if cycle.boundary(number) <= moment < cycle.boundary(number + 1)]


def test_the_31st_comes_back_in_longer_months():
    days = [monthly(date(2026, 1, 31)).day(number) for number in range(5)]
    assert days == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)]


def test_a_year_from_29_february_ends_on_the_28th_until_the_next_leap_year():
    yearly = Cycle(date(2024, 2, 29), NOON, "UTC", PlanInterval.YEAR)
    assert [yearly.day(number) for number in range(5)] == [
        date(2024, 2, 29),
        date(2025, 2, 28),
        date(2026, 2, 28),
        date(2027, 2, 28),
        date(2028, 2, 29),
    ]


@pytest.mark.parametrize(
    ("interval", "count", "first", "second"),
    [
        (PlanInterval.DAY, 1, date(2026, 2, 1), date(2026, 2, 2)),
        (PlanInterval.DAY, 10, date(2026, 2, 10), date(2026, 2, 20)),
        (PlanInterval.WEEK, 1, date(2026, 2, 7), date(2026, 2, 14)),
        (PlanInterval.WEEK, 2, date(2026, 2, 14), date(2026, 2, 28)),
        (PlanInterval.MONTH, 2, date(2026, 3, 31), date(2026, 5, 31)),
        (PlanInterval.QUARTER, 1, date(2026, 4, 30), date(2026, 7, 31)),
        (PlanInterval.QUARTER, 2, date(2026, 7, 31), date(2027, 1, 31)),
        (PlanInterval.YEAR, 1, date(2027, 1, 31), date(2028, 1, 31)),
        (PlanInterval.YEAR, 3, date(2029, 1, 31), date(2032, 1, 31)),
    ],
)
def test_every_interval_and_several_of_it(interval, count, first, second):
    cycle = Cycle(date(2026, 1, 31), NOON, "UTC", interval, count)
    assert (cycle.day(1), cycle.day(2)) == (first, second)


def test_boundaries_keep_the_local_time_when_clocks_change():
    """Berlin: +1 hour in winter, +2 in summer, from 29 March 2026 on."""
    cycle = monthly(date(2026, 3, 15), time(10, 30), "Europe/Berlin")
    assert cycle.boundary(0) == datetime(2026, 3, 15, 9, 30, tzinfo=UTC)
    assert cycle.boundary(1) == datetime(2026, 4, 15, 8, 30, tzinfo=UTC)


def test_a_time_that_a_day_lacks_is_as_much_later():
    """On 29 March 2026 clocks in Berlin go from 2:00 to 3:00: 2:30 is 3:30 there."""
    cycle = Cycle(date(2026, 3, 28), time(2, 30), "Europe/Berlin", PlanInterval.DAY)
    assert cycle.boundary(1) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert cycle.boundary(2) == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)


def test_a_time_that_a_day_has_twice_is_the_first_of_them():
    """On 25 October 2026 clocks in Berlin go back from 3:00 to 2:00."""
    cycle = Cycle(date(2026, 10, 24), time(2, 30), "Europe/Berlin", PlanInterval.DAY)
    assert cycle.boundary(1) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_trial_ends_at_the_same_local_time():
    """Three days from 27 March, 10:00 in Berlin, which has the change of clocks among them."""
    begun = datetime(2026, 3, 27, 9, 0, tzinfo=UTC)
    assert calendar.days_later(begun, 3, "Europe/Berlin") == datetime(2026, 3, 30, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("interval", PlanInterval)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_periods_from_every_day_of_a_leap_cycle_tile_for_forty_years(interval, zone):
    """Instants follow from days: each is after the last, and the last whole day is the one before the next."""
    steps = {PlanInterval.DAY: 90, PlanInterval.WEEK: 90}.get(interval, 1)
    for offset in range(4 * 365 + 1):
        cycle = Cycle(date(2024, 1, 1) + timedelta(days=offset), NOON, zone, interval, steps)
        days = [cycle.day(number) for number in range(40 if interval is PlanInterval.YEAR else 60)]
        assert all(before < after for before, after in pairwise(days))
        assert all(
            cycle.last_day(number) + timedelta(days=1) == days[number + 1] for number in range(0, len(days) - 1, 7)
        )


@given(
    st.dates(date(2020, 1, 1), date(2060, 12, 31)),
    st.times().map(lambda at: at.replace(microsecond=0, fold=0)),
    st.sampled_from(ZONES),
    st.sampled_from(list(PlanInterval)),
    st.integers(1, 12),
    st.integers(0, 300),
)
def test_each_period_ends_where_the_next_begins_and_never_before_it_began(anchor, at, zone, interval, count, number):
    cycle = Cycle(anchor, at, zone, interval, count)
    starts, ends = cycle.boundary(number), cycle.boundary(number + 1)
    assert starts < ends
    # Of the anchor alone: the day is the anchor's, or the last of a shorter month.
    if interval in (PlanInterval.MONTH, PlanInterval.QUARTER, PlanInterval.YEAR):
        day = cycle.day(number)
        assert day.day == min(anchor.day, months.monthrange(day.year, day.month)[1])
    # The local time is the anchor's, but for days that lack it.
    there = calendar.local(starts, zone)
    assert there == (cycle.day(number), at) or there[1] > at


@given(st.dates(date(2000, 1, 1), date(2080, 1, 1)), st.sampled_from(list(PlanInterval)), st.integers(1, 6))
def test_an_instant_lies_in_exactly_one_period(anchor, interval, count):
    cycle = Cycle(anchor, NOON, "Europe/Berlin", interval, count)
    moment = cycle.boundary(5) - timedelta(seconds=1)
    assert holding(cycle, moment) == [4]
    assert holding(cycle, moment + timedelta(seconds=1)) == [5]

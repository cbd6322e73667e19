"""What a month's calls will come to, computed by hand."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.dates import Period
from billing_core.usage.forecast import Forecast, by_day, exceeded_on, first_needed, forecast

APRIL = Period(date(2026, 4, 1), date(2026, 4, 30))
# A Monday, so that the days before are whole weeks.
TODAY = date(2026, 4, 20)


def each_day(start: date, end: date, calls: int) -> dict[date, int]:
    return dict.fromkeys(Period(start, end).each_day(), calls)


def test_a_steady_month_goes_on_as_it_was():
    calls = each_day(date(2026, 3, 1), date(2026, 4, 19), 10)
    assert forecast(calls, APRIL, today=TODAY) == Forecast(300, None, None, 1)


def test_each_day_to_come_is_like_its_weekday_in_the_last_four_weeks():
    # 100 on each Monday of the four weeks, the Mondays before do not count; nothing on other days.
    calls = {date(2026, 3, 16): 1_000, **{TODAY - timedelta(weeks=back): 100 for back in (1, 2, 3, 4)}}
    days = by_day(calls, APRIL, today=TODAY)

    assert days is not None
    assert {day.day: count for day, count in days.items() if count} == {6: 100, 13: 100, 20: 100, 27: 100}


def test_a_weekday_is_the_mean_of_its_four():
    calls = {TODAY - timedelta(weeks=back): count for back, count in ((1, 1), (2, 2), (3, 3), (4, 4))}
    days = by_day(calls, APRIL, today=TODAY)
    assert days is not None
    assert days[TODAY] == Fraction(10, 4)


def test_a_weekday_is_the_mean_of_those_that_are_known():
    # From a Friday on: two of them are known by now, and one Monday.
    calls = {date(2026, 4, 10): 1, date(2026, 4, 13): 7, date(2026, 4, 17): 2}
    days = by_day(calls, APRIL, today=TODAY)
    assert days is not None
    assert {day.day: days[day] for day in (TODAY, date(2026, 4, 24), date(2026, 4, 25))} == {
        20: 7,
        24: Fraction(3, 2),
        25: 0,
    }


def test_from_less_than_a_week_every_day_is_their_mean():
    calls = {date(2026, 4, 17): 6, date(2026, 4, 19): 3}
    # 9 in three days; eleven days are to come.
    assert forecast(calls, APRIL, today=TODAY) == Forecast(9 + 33, None, None, 0)


def test_of_today_counts_what_is_expected_or_what_there_is_where_that_is_more():
    before = each_day(date(2026, 3, 1), date(2026, 4, 19), 10)
    for so_far, total in ((3, 300), (25, 315)):
        told = forecast({**before, TODAY: so_far}, APRIL, today=TODAY)
        assert told is not None
        assert told.calls == total


@pytest.mark.parametrize("calls", [{}, {TODAY: 5}, {TODAY - timedelta(days=1): 0}])
def test_without_calls_before_today_nothing_is_foretold(calls):
    assert forecast(calls, APRIL, today=TODAY) is None


def test_the_range_held_in_each_past_month():
    # On the first of January 310 were forecast from December, and 620 came; the other months came as forecast.
    calls = each_day(date(2025, 11, 1), date(2025, 12, 31), 10) | each_day(date(2026, 1, 1), date(2026, 3, 31), 20)
    assert forecast(calls, APRIL, today=APRIL.start) == Forecast(600, 600, 1_200, 4)


def test_six_past_months_are_tried_however_many_there_are():
    calls = each_day(date(2025, 7, 1), date(2026, 3, 31), 10)
    assert forecast(calls, APRIL, today=APRIL.start) == Forecast(300, 300, 300, 6)


def test_the_range_never_ends_below_what_there_is():
    # In each past month half of what was forecast on the 28th came, since nothing came after the 14th.
    calls = {
        day: 10
        for month in range(10, 16)
        for day in Period.month_of(date(2025 + (month - 1) // 12, (month - 1) % 12 + 1, 1)).each_day()
        if day.day <= 14
    }
    calls |= each_day(APRIL.start, date(2026, 4, 27), 10)
    told = forecast(calls, APRIL, today=date(2026, 4, 28))
    assert told is not None
    assert told.low is not None
    assert told.low >= 270


@given(
    st.dictionaries(st.dates(date(2025, 8, 1), date(2026, 4, 30)), st.integers(0, 10_000), max_size=120),
    st.dates(APRIL.start, APRIL.end),
)
def test_it_is_never_less_than_there_is_and_lies_in_its_range(calls, today):
    known = {day: count for day, count in calls.items() if day <= today}
    told = forecast(known, APRIL, today=today)
    so_far = sum(count for day, count in known.items() if day >= APRIL.start)

    if told is not None:
        assert told.calls >= so_far
        if told.low is not None and told.high is not None:
            assert so_far <= told.low <= told.calls <= told.high
    # What lies before the first day that is needed changes nothing.
    needed = {day: count for day, count in known.items() if day >= first_needed(APRIL)}
    if told is not None and any(needed.values()) and min(day for day in known if known[day]) in needed:
        assert forecast(needed, APRIL, today=today) == told


def test_an_allowance_is_exceeded_on_the_first_day_beyond_it():
    days = {day: Fraction(10) for day in APRIL.each_day()}

    assert exceeded_on(days, APRIL, Decimal(200)) == date(2026, 4, 21)
    assert exceeded_on(days, APRIL, Decimal(300)) is None
    assert exceeded_on(days, Period(date(2026, 4, 1), date(2026, 4, 10)), Decimal(100)) is None
    assert exceeded_on(days, Period(date(2026, 4, 11), date(2026, 4, 30)), Decimal(15)) == date(2026, 4, 12)

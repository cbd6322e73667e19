"""Whole days, both ends included; days are the business's."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.dates import (
    Period,
    add_months,
    day_in,
    first_of_month,
    in_utc,
    last_of_month,
    start_of_day,
    time_zone,
)
from billing_core.errors import Invalid


def test_a_period_of_one_day_is_a_period():
    assert Period(date(2026, 1, 1), date(2026, 1, 1)).days == 1


def test_a_period_that_ends_before_it_starts_is_refused_in_the_documented_words():
    with pytest.raises(Invalid, match=r"^Start date must be before end date$"):
        Period(date(2026, 1, 2), date(2026, 1, 1))


@pytest.mark.parametrize(
    ("today", "start", "end"),
    [
        (date(2026, 3, 31), date(2026, 2, 1), date(2026, 2, 28)),
        (date(2024, 3, 1), date(2024, 2, 1), date(2024, 2, 29)),
        (date(2026, 1, 15), date(2025, 12, 1), date(2025, 12, 31)),
    ],
)
def test_last_month_is_the_whole_month_before(today, start, end):
    assert Period.last_month(today) == Period(start, end)


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        (date(2026, 1, 1), date(2026, 1, 1), date(2026, 3, 31)),
        (date(2026, 6, 30), date(2026, 4, 1), date(2026, 6, 30)),
        (date(2026, 11, 21), date(2026, 10, 1), date(2026, 12, 31)),
    ],
)
def test_a_quarter_is_three_calendar_months(day, start, end):
    assert Period.quarter_of(day) == Period(start, end)


@pytest.mark.parametrize(
    ("period", "before"),
    [
        (Period(date(2026, 3, 1), date(2026, 3, 31)), Period(date(2026, 2, 1), date(2026, 2, 28))),
        (Period(date(2026, 1, 1), date(2026, 3, 31)), Period(date(2025, 10, 1), date(2025, 12, 31))),
        (Period(date(2026, 3, 10), date(2026, 3, 16)), Period(date(2026, 3, 3), date(2026, 3, 9))),
    ],
)
def test_the_period_before_is_as_long_in_months_or_in_days(period, before):
    assert period.before() == before


@pytest.mark.parametrize(
    ("start", "end", "is_one"),
    [
        ((2024, 2, 1), (2024, 2, 29), True),
        ((2023, 12, 15), (2024, 1, 14), True),
        ((2024, 1, 31), (2024, 2, 28), True),
        ((2024, 2, 1), (2024, 2, 28), False),
        ((2024, 2, 1), (2024, 3, 31), False),
        ((2024, 2, 10), (2024, 2, 10), False),
    ],
)
def test_a_month_may_begin_on_any_day(start, end, is_one):
    assert Period(date(*start), date(*end)).is_one_month is is_one


def test_the_months_of_a_period_are_all_that_it_touches():
    months = list(Period(date(2025, 11, 30), date(2026, 1, 1)).months())
    assert months == [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1)]


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2026, 1, 15), -13, date(2024, 12, 15)),
    ],
)
def test_adding_months_keeps_the_day_or_takes_the_last(day, months, expected):
    assert add_months(day, months) == expected


@given(st.dates(min_value=date(1900, 1, 1), max_value=date(2200, 12, 31)))
def test_a_month_runs_from_its_first_day_to_the_day_before_the_next(day):
    assert first_of_month(day) <= day <= last_of_month(day)
    assert last_of_month(day) + timedelta(days=1) == add_months(first_of_month(day), 1)


def test_a_day_is_the_day_where_the_business_is():
    late = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    assert day_in("Europe/Berlin", late) == date(2026, 4, 1)
    assert day_in("America/New_York", late) == date(2026, 3, 31)


def test_a_day_begins_when_its_clocks_say_so():
    assert start_of_day("Europe/Berlin", date(2026, 7, 1)) == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert start_of_day("Europe/Berlin", date(2026, 1, 1)) == datetime(2025, 12, 31, 23, tzinfo=UTC)


def test_the_calendars_first_and_last_days_have_a_beginning_everywhere():
    first, last = date(1, 1, 1), date(9999, 12, 31)
    assert start_of_day("Pacific/Auckland", first) == datetime(1, 1, 1, tzinfo=UTC)
    assert start_of_day("Etc/GMT+12", last) == datetime(9999, 12, 31, 12, tzinfo=UTC)
    assert in_utc(datetime.fromisoformat("9999-12-31T23:00:00-05:00")).year == 9999
    assert list(Period(date(9999, 11, 30), last).months()) == [date(9999, 11, 1), date(9999, 12, 1)]


def test_a_word_that_is_no_time_zone_is_refused():
    assert time_zone("Europe/Berlin") == "Europe/Berlin"
    with pytest.raises(Invalid, match="is not a time zone"):
        time_zone("Mars/Olympus")

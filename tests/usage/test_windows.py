"""The window of a statement: defaults, offsets, ends to the second."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from billing_core.dates import Period
from billing_core.errors import Invalid
from billing_core.usage.windows import Window

NOW = datetime(2023, 11, 17, 10, 30, 15, 999_999, tzinfo=UTC)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_by_default_it_is_the_current_month_until_now():
    assert Window.asked(None, None, now=NOW) == Window(utc(2023, 11, 1), utc(2023, 11, 17, 10, 30, 15))


def test_a_time_without_an_offset_is_utc_and_one_with_it_becomes_utc():
    east = timezone(timedelta(hours=2))
    asked = Window.asked(
        datetime.fromisoformat("2023-10-01T00:00:00"), datetime(2023, 11, 1, 1, 59, 59, tzinfo=east), now=NOW
    )
    assert asked == Window(utc(2023, 10, 1), utc(2023, 10, 31, 23, 59, 59))


def test_a_statement_is_due_thirty_days_after_its_end():
    assert Window.of_days(Period(utc(2023, 10, 1).date(), utc(2023, 10, 31).date())).due_at == utc(
        2023, 11, 30, 23, 59, 59
    )


def test_it_knows_the_days_that_it_touches_and_its_part_of_them():
    window = Window(utc(2023, 10, 1, 6), utc(2023, 10, 20, 12))
    assert window.days == Period(utc(2023, 10, 1).date(), utc(2023, 10, 20).date())
    first, second = (
        Period(window.days.start, utc(2023, 10, 9).date()),
        Period(utc(2023, 10, 10).date(), window.days.end),
    )
    assert window.within(first) == Window(utc(2023, 10, 1, 6), utc(2023, 10, 9, 23, 59, 59))
    assert window.within(second) == Window(utc(2023, 10, 10), utc(2023, 10, 20, 12))


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        (utc(2023, 10, 2), utc(2023, 10, 1), "billing_period_start"),
        (None, utc(2023, 10, 31), "billing_period_end"),
        (utc(2023, 12, 1), None, "billing_period_start"),
        (utc(1899, 12, 31), None, "billing_period_start"),
        (utc(2023, 10, 1), utc(2200, 1, 1), "billing_period_end"),
        (datetime.max.replace(tzinfo=UTC), None, "billing_period_start"),
    ],
)
def test_what_is_no_window_is_refused_by_the_name_of_the_parameter(start, end, field):
    with pytest.raises(Invalid) as refused:
        Window.asked(start, end, now=NOW)
    assert list(refused.value.fields) == [field]


def test_one_second_is_a_window():
    assert Window.asked(utc(2023, 10, 1), utc(2023, 10, 1), now=NOW).days.days == 1

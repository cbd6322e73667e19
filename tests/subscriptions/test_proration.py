"""Parts of prices by whole days; amounts by hand."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.dates import Period
from billing_core.subscriptions import proration
from billing_core.subscriptions.proration import Cut

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))


@pytest.mark.parametrize(
    ("day", "used", "left"),
    [(date(2026, 3, 1), 0, 31), (date(2026, 3, 11), 10, 21), (date(2026, 3, 31), 30, 1), (date(2026, 4, 1), 31, 0)],
)
def test_the_day_of_a_change_has_the_new_terms(day, used, left):
    assert proration.changed_on(MARCH, day) == Cut(used, left)


@pytest.mark.parametrize(
    ("day", "used", "left"),
    [(date(2026, 3, 1), 1, 30), (date(2026, 3, 11), 11, 20), (date(2026, 3, 31), 31, 0), (date(2026, 2, 20), 0, 31)],
)
def test_the_day_of_a_cancellation_was_used(day, used, left):
    assert proration.cancelled_on(MARCH, day) == Cut(used, left)


@pytest.mark.parametrize(
    ("minor", "days", "of_days", "part"),
    [
        (2999, 21, 31, 2032),  # 2031.58…
        (2999, 10, 31, 967),  # 967.41…
        (100, 1, 8, 13),  # 12.5, half away from zero
        (0, 3, 31, 0),
        (2999, 31, 31, 2999),
        (2999, 0, 31, 0),
    ],
)
def test_a_share_is_rounded_once(minor, days, of_days, part):
    assert proration.share(minor, days, of_days) == part


def test_what_was_credited_before_is_not_credited_again():
    assert proration.unused(2999, 0, Cut(10, 21)) == 2032
    assert proration.unused(2999, 2000, Cut(10, 21)) == 999
    assert proration.unused(2999, 2999, Cut(0, 31)) == 0


@given(st.integers(0, 10**12), st.integers(1, 400), st.data())
def test_the_parts_of_a_price_add_up_to_it_but_for_a_rounding_each(minor, days, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, days), max_size=5)))
    lengths = [after - before for before, after in zip([0, *cuts], [*cuts, days], strict=True)]
    parts = [proration.share(minor, length, days) for length in lengths]
    assert abs(sum(parts) - minor) * 2 <= len(parts)


@given(st.integers(0, 10**9), st.integers(1, 366), st.data())
def test_credits_of_one_charge_never_exceed_it_however_often_it_is_cut(charged, days, data):
    period = Period(date(2026, 1, 1), date(2026, 1, 1) + timedelta(days=days - 1))
    credited = 0
    for offset in data.draw(st.lists(st.integers(0, days), max_size=6)):
        credited += proration.unused(
            charged, credited, proration.changed_on(period, period.start + timedelta(days=offset))
        )
        assert 0 <= credited <= charged

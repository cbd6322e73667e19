"""A period cut where the plan changes, by hand."""

import itertools
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing_core.dates import Period
from billing_core.money import Money
from billing_core.plans.models import PlanInterval
from billing_core.plans.pricing import priced
from billing_core.plans.queries import OnPlan, Version
from billing_core.plans.segments import price_of_calls, split

OCTOBER = Period(date(2023, 10, 1), date(2023, 10, 31))


def version(number=1, included=10_000, price="0.001", currency="USD"):
    return Version(number, 1, "basic", "Basic", number, currency, 0, PlanInterval.MONTH, included, Decimal(price))


BASIC, PRO = version(), version(2, 50_000, "0.0005")


def october(first, last, on):
    return OnPlan(date(2023, 10, first), date(2023, 10, last), on)


def cut(*parts):
    return [(s.first_day.day, s.last_day.day, s.version, s.included_calls) for s in split(OCTOBER, parts)]


def test_a_period_on_one_plan_is_one_segment_with_all_that_it_includes():
    assert cut(october(1, 31, BASIC)) == [(1, 31, BASIC, 10_000)]


def test_each_segment_has_its_share_of_the_days_rounded_up():
    # 10,000 × 15 ÷ 31 = 4,838.7…; 50,000 × 16 ÷ 31 = 25,806.4…
    assert cut(october(1, 15, BASIC), october(16, 31, PRO)) == [(1, 15, BASIC, 4_839), (16, 31, PRO, 25_807)]


def test_a_share_that_comes_out_even_is_not_rounded():
    assert cut(october(1, 1, version(included=31)), october(2, 31, version(2, included=62)))[0][3] == 1
    assert cut(october(1, 1, version(included=32)), october(2, 31, PRO))[0][3] == 2


def test_days_on_no_plan_include_nothing():
    assert cut() == [(1, 31, None, 0)]
    # 10,000 × 12 ÷ 31 = 3,870.9…
    assert cut(october(20, 31, BASIC)) == [(1, 19, None, 0), (20, 31, BASIC, 3_871)]


def test_the_same_version_again_is_no_other_segment():
    parts = october(1, 9, BASIC), october(10, 19, BASIC), october(20, 31, PRO)
    assert [segment[:3] for segment in cut(*parts)] == [(1, 19, BASIC), (20, 31, PRO)]


def cost(on, calls):
    return priced(price_of_calls(on), Decimal(calls)).amount


def test_calls_beyond_the_allowance_cost_their_price():
    assert [cost(BASIC, calls) for calls in (0, 10_000, 10_001, 12_500)] == [
        Money(0, "USD"),
        Money(0, "USD"),
        Money(0, "USD"),
        Money(250, "USD"),
    ]


def test_half_a_minor_unit_is_rounded_up_once():
    assert [cost(BASIC, 10_000 + over).minor for over in (4, 5, 14, 15)] == [0, 1, 1, 2]


def test_no_digit_is_lost_however_large():
    vast = version(included=0, price="999999.999999999999")
    # 10^15 × 999,999.999999999999 = 10^21 − 10^3
    assert cost(vast, 10**15) == Money((10**21 - 10**3) * 100, "USD")


@given(
    st.integers(1, 400), st.lists(st.tuples(st.integers(0, 399), st.integers(1, 3)), max_size=8), st.integers(0, 10**9)
)
def test_segments_cover_each_day_once_and_include_no_less_than_the_whole(days, changes, included):
    first = date(2023, 1, 1)
    period = Period(first, first + timedelta(days=days - 1))
    starts = sorted({day: number for day, number in changes if day < days}.items())
    ends = [day for day, _ in starts[1:]] + [days]
    parts = [
        OnPlan(first + timedelta(days=day), first + timedelta(days=end - 1), version(number, included))
        for (day, number), end in zip(starts, ends, strict=False)
    ]
    segments = split(period, parts)
    assert [(s.last_day - s.first_day).days + 1 for s in segments] == [
        (after.first_day - s.first_day).days for s, after in itertools.pairwise(segments)
    ] + [(period.end - segments[-1].first_day).days + 1]
    assert segments[0].first_day == first
    assert all(one.version != other.version for one, other in itertools.pairwise(segments))
    if starts and starts[0][0] == 0:
        assert included <= sum(s.included_calls for s in segments) < included + len(segments)

"""What a promo code takes off a price, worked out by hand."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.errors import Invalid
from billing_core.promotions.models import PromoDuration
from billing_core.promotions.reductions import PromoTerms, Reduction, reduction

NOTHING = Reduction(0, 0, uses_period=False)


def percent(number: str, duration: PromoDuration = PromoDuration.FOREVER, periods: int | None = None) -> PromoTerms:
    return PromoTerms(Decimal(number), None, None, duration, periods)


def amount(minor: int, currency: str = "USD", duration: PromoDuration = PromoDuration.FOREVER) -> PromoTerms:
    return PromoTerms(None, minor, currency, duration, None)


@pytest.mark.parametrize(
    ("share", "price", "taken"),
    [
        ("20", 29_00, 5_80),
        ("100", 29_00, 29_00),
        ("33.3333", 10_000, 3_333),  # 3,333.33
        ("12.5", 100, 13),  # 12.5: half away from zero
        ("50", 5, 3),  # 2.5
        ("50", 1, 1),  # 0.5
        ("49.9999", 1, 0),  # 0.499999
        ("0.0001", 500_000, 1),  # 0.5
        ("0.0001", 499_999, 0),  # 0.499999
        ("10", 10**11, 10**10),
    ],
)
def test_a_percent_is_rounded_half_away_from_zero(share, price, taken):
    assert reduction(percent(share), price, "USD", 0) == Reduction(taken, 0)


@pytest.mark.parametrize(
    ("price", "taken", "forfeited"), [(29_00, 10_00, 0), (10_00, 10_00, 0), (9_99, 9_99, 1), (1, 1, 9_99)]
)
def test_a_fixed_amount_is_never_more_than_the_price_and_the_rest_is_forfeited(price, taken, forfeited):
    assert reduction(amount(10_00), price, "USD", 0) == Reduction(taken, forfeited)


def test_a_fixed_amount_in_another_currency_is_refused():
    with pytest.raises(Invalid, match="in USD, but EUR is billed") as refused:
        reduction(amount(10_00), 29_00, "EUR", 0)
    assert list(refused.value.fields) == ["promo_code"]


def test_a_percent_is_taken_in_any_currency():
    assert reduction(percent("10"), 1_000, "JPY", 0).taken_minor == 100


@pytest.mark.parametrize("terms", [percent("20"), amount(10_00), percent("20", PromoDuration.PERIODS, 3)])
def test_a_period_without_a_price_uses_none_up_and_forfeits_nothing(terms):
    assert reduction(terms, 0, "USD", 0) == NOTHING


def test_once_is_the_first_period_with_a_price():
    once = percent("20", PromoDuration.ONCE)
    assert reduction(once, 29_00, "USD", 0) == Reduction(5_80, 0)
    assert reduction(once, 29_00, "USD", 1) == NOTHING


def test_n_periods_are_n_periods():
    three = percent("20", PromoDuration.PERIODS, 3)
    taken = [reduction(three, 29_00, "USD", used).taken_minor for used in range(5)]
    assert taken == [5_80, 5_80, 5_80, 0, 0]


def test_a_percent_that_rounds_to_nothing_uses_its_period_all_the_same():
    assert reduction(percent("10", PromoDuration.ONCE), 4, "USD", 0) == Reduction(0, 0, uses_period=True)


@given(
    prices=st.lists(st.integers(0, 3).map(lambda number: number * 10_00), max_size=12),
    periods=st.integers(1, 4),
)
def test_of_any_prices_the_first_n_above_zero_are_reduced(prices, periods):
    terms = percent("50", PromoDuration.PERIODS, periods)
    used, taken = 0, []
    for price in prices:
        reduced = reduction(terms, price, "USD", used)
        used += reduced.uses_period
        taken.append(reduced.taken_minor)

    reduced_places = [place for place, price in enumerate(prices) if price][:periods]
    assert taken == [price // 2 if place in reduced_places else 0 for place, price in enumerate(prices)]


@given(price=st.integers(0, 10**12), minor=st.integers(1, 10**12))
def test_what_is_taken_and_what_is_forfeited_are_the_amount(price, minor):
    reduced = reduction(amount(minor), price, "USD", 0)
    assert 0 <= reduced.taken_minor <= price
    assert reduced.taken_minor + reduced.forfeited_minor == (minor if price else 0)


@given(price=st.integers(1, 10**12), share=st.integers(1, 100 * 10**4))
def test_a_percent_is_within_half_a_minor_unit_of_the_exact_share_and_never_more_than_the_price(price, share):
    taken = reduction(percent(str(Decimal(share).scaleb(-4))), price, "USD", 0).taken_minor
    assert taken <= price
    assert -(10**6) < 2 * (10**6 * taken - price * share) <= 10**6

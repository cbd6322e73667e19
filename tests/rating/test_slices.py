"""Slices of quantities in tiers, by hand and one unit after the other."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.rating.slices import Slice, graduated
from billing_core.rating.terms import Tier

# Ten at 0.50, up to a hundred at 0.40, and all beyond at 0.125; in thousandths and millionths.
TIERS = (Tier(10_000, 500_000), Tier(100_000, 400_000), Tier(None, 125_000))


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ([(1, 1, 10_000)], [Slice(1, 10_000, 500_000)]),
        ([(2, 1, 10_001)], [Slice(1, 10_000, 500_000), Slice(2, 1, 400_000)]),
        (
            [(3, 1, 120_000)],
            [Slice(1, 10_000, 500_000), Slice(2, 90_000, 400_000), Slice(3, 20_000, 125_000)],
        ),
        # One of 4, two of 15 together, one of 120: 4 + 2 × 10 + 10, then 2 × 5 + 90, then 20.
        (
            [(1, 1, 4_000), (2, 2, 30_000), (3, 1, 120_000)],
            [Slice(1, 34_000, 500_000, 4), Slice(2, 100_000, 400_000, 3), Slice(3, 20_000, 125_000)],
        ),
        # As much of orders that go beyond the first tier as of those that do not.
        ([(1, 1, 10_000), (2, 1, 11_000)], [Slice(1, 20_000, 500_000, 2), Slice(2, 1_000, 400_000)]),
        # The same tier twice, as of two rates.
        ([(2, 1, 11_000), (2, 1, 12_000)], [Slice(1, 20_000, 500_000, 2), Slice(2, 3_000, 400_000, 2)]),
        ([], []),
    ],
)
def test_each_tier_has_what_of_the_orders_lies_in_it(orders, expected):
    assert graduated(TIERS, orders) == expected


def test_a_slice_says_its_units_and_price():
    one = Slice(1, 2_500, 1_250_000)
    assert (one.units, one.unit_price, one.orders) == (Decimal("2.5"), Decimal("1.25"), 1)


def reached(quantity, ends):
    return next(number for number, end in enumerate(ends, start=1) if end is None or quantity <= end)


@given(st.sets(st.integers(1, 40), max_size=4), st.lists(st.integers(1, 60), max_size=6))
def test_slices_are_what_counting_one_unit_after_the_other_comes_to(ends, quantities):
    ends = [*sorted(ends), None]
    tiers = [Tier(end, 7 * place) for place, end in enumerate(ends)]
    in_tiers, orders_in = {}, {}
    for quantity in quantities:
        for unit in range(1, quantity + 1):
            number = reached(unit, ends)
            in_tiers[number] = in_tiers.get(number, 0) + 1
            orders_in[number] = orders_in.get(number, 0) + (unit == 1 or reached(unit - 1, ends) != number)

    found = graduated(tiers, [(reached(quantity, ends), 1, quantity) for quantity in quantities])

    assert found == [
        Slice(number, in_tiers[number], 7 * (number - 1), orders_in[number]) for number in sorted(in_tiers)
    ]

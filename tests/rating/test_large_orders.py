"""An order that is too large is named among small ones, and only where it is billed."""

from decimal import Decimal

import pytest

from tests.rating import cards
from tests.rating.examples import a_rate, amounts, an_order, of_items
from tests.rating.refused import refused

D = Decimal
SIZES = {"A": D(1), "LOOSE": D(0)}
MANY = D(6 * 10**12)
LARGE = {
    # The rate, an order that is too large, and the minor units of an order with 1 of everything.
    "a line": (a_rate(), an_order(("A", 2 * MANY)), 1_00),
    "lines": (a_rate(), an_order(("A", MANY), ("A", MANY)), 1_00),
    "tiers": (a_rate(tiers=[(D(10), D(0)), (None, D(2))]), an_order(("A", MANY)), 0),
    "cases": (a_rate("per_case"), an_order(("A", 2 * MANY)), 1_00),
    "cases of lines": (a_rate("per_case"), an_order(("A", MANY), ("A", MANY)), 1_00),
    "loose units": (a_rate("per_loose_unit"), an_order(("LOOSE", 2 * MANY)), 1_00),
    "weight": (a_rate("per_weight_unit", "1000000"), an_order(weight=D(10_000_001)), 1_000_000_00),
    "packages": (a_rate("per_package", "1000000"), an_order(packages=10_000_001), 1_000_000_00),
    "SKUs": (
        a_rate("per_sku", "1000000000000"),
        an_order(*((f"A{number}", D(1)) for number in range(11))),
        10**14,
    ),
}


def _sku(case):
    return "LOOSE" if case == "loose units" else "A"


@pytest.mark.parametrize("case", LARGE)
def test_a_large_order_among_small_ones_is_refused_and_names_itself_and_the_service(session, case):
    rate, large, minor = LARGE[case]
    small = an_order((_sku(case), D(1)), weight=D(1), packages=1)
    of_nothing = an_order()

    assert amounts(session, [dict(rate)], [dict(small), dict(of_nothing)], SIZES, customer_id=2) == [
        {1: minor},
        {},
    ]
    with refused(order="1-2"):
        amounts(session, [dict(rate)], [of_nothing, small, dict(large), dict(small)], SIZES)


@pytest.mark.parametrize("case", LARGE)
def test_a_large_order_that_is_not_billed_refuses_no_small_one(session, case):
    """Of another customer, of the days before and after the period, and a draft."""
    rate, large, minor = LARGE[case]
    small = an_order((_sku(case), D(1)), weight=D(1), packages=1)
    elsewhere = [large | {"day": cards.day(-1)}, large | {"day": cards.day(10)}, large | {"status": "draft"}]
    cards.store(session, [], [dict(large)], {"A": D("0.001")}, customer_id=2)

    assert amounts(session, [dict(rate)], [small, *elsewhere], SIZES) == [{1: minor}, {}, {}, {}]


def test_lines_that_are_small_one_by_one_are_refused_together_also_in_the_only_order(session):
    rate, large, _ = LARGE["lines"]
    with refused():
        amounts(session, [dict(rate)], [dict(large)])


def test_of_several_large_orders_the_largest_is_named(session):
    with refused(order="1-1"):
        amounts(session, [a_rate()], of_items(2 * MANY + 1, 2 * MANY + 3, 2 * MANY + 2))


def test_an_order_that_the_rate_does_not_touch_is_not_refused(session):
    small = a_rate(skus=["B"])
    assert amounts(session, [small], [an_order(("A", 2 * MANY), ("B", D(2)))]) == [{1: 2_00}]

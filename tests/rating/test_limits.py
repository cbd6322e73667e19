"""Nothing is billed in binary floats: what does not fit into 64 bits is refused by name."""

import re
from decimal import Decimal

import pytest

from billing_core.errors import Invalid
from tests.rating import cards
from tests.rating.examples import a_rate, amounts, an_order, of_items

D = Decimal

# 9,223,372,036.854775807 units at 1.000000: the product in thousandths and millionths is 2^63 - 1.
LARGEST = D("9223372036.854")
# 2^63 - 1 thousandths.
MOST_UNITS = D("9223372036854775.807")


def refused(what, order="1-0"):
    return pytest.raises(Invalid, match=re.escape(f"Order {order}: the {what} is too large"))


def minimum_charges_refused():
    return pytest.raises(Invalid, match="The minimum charges of this customer's rates are too large")


def test_the_largest_amount_that_fits_is_exact(session):
    assert amounts(session, [a_rate()], of_items(LARGEST - 1)) == [{1: 922_337_203_585}]


def test_a_cent_is_left_for_the_rounding(session):
    """9,223,372,036.854 less 0.010; a thousandth more is refused. Two lines are looked at more closely than one."""
    at_the_limit = an_order(("A", D("9223372036.844")))
    of_two_lines = an_order(("A", D("9223372036.844")), ("B", D(0)))
    assert amounts(session, [a_rate()], [at_the_limit, of_two_lines], customer_id=2) == [{1: 922_337_203_684}] * 2
    with refused("amount of Service 1"):
        amounts(session, [a_rate()], of_items("9223372036.845"))


SIZES = {"A": D(1), "LOOSE": D(0)}
LARGE = {
    # The rate, an order that is too large, and the minor units of an order with 1 of everything.
    "a line": (a_rate(), an_order(("A", LARGEST + 1)), 1_00),
    "lines": (a_rate(), an_order(("A", D(5_000_000_000)), ("A", D(5_000_000_000))), 1_00),
    "tiers": (a_rate(tiers=[(D(10), D(0)), (None, D(2))]), an_order(("A", LARGEST - 1)), 0),
    "cases": (a_rate("per_case"), an_order(("A", LARGEST + 1)), 1_00),
    "cases of lines": (a_rate("per_case"), an_order(("A", D(5_000_000_000)), ("A", D(5_000_000_000))), 1_00),
    "loose units": (a_rate("per_loose_unit"), an_order(("LOOSE", LARGEST + 1)), 1_00),
    "weight": (a_rate("per_weight_unit", "1000000"), an_order(weight=D(10_000)), 1_000_000_00),
    "packages": (a_rate("per_package", "1000000"), an_order(packages=10_000), 1_000_000_00),
    "SKUs": (
        a_rate("per_sku", "1000000000"),
        an_order(*((f"A{number}", D(1)) for number in range(10))),
        1_000_000_000_00,
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
    with refused("amount of Service 1", order="1-2"):
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
    with refused("amount of Service 1"):
        amounts(session, [dict(rate)], [dict(large)])


def test_of_several_large_orders_the_largest_is_named(session):
    with refused("amount of Service 1", order="1-1"):
        amounts(session, [a_rate()], of_items(LARGEST + 1, LARGEST + 3, LARGEST + 2))


def test_a_price_can_be_too_large_for_a_single_order(session):
    tiers = [(None, D("999999999999"))]
    with refused("amount of Service 1"):
        amounts(session, [a_rate("per_order", tiers=tiers)], [an_order()])


@pytest.mark.parametrize("end", ["9.223", "9.224", "999999999999"])
def test_a_tier_that_no_quantity_can_reach_is_no_obstacle(session, end):
    """What is below it costs 2^63 less a little, a little more, or far more than fits into 64 bits."""
    dear = D("999999999.999999")
    rate = a_rate(tiers=[(D(end), dear), (None, D(0))])
    assert amounts(session, [rate], of_items("1")) == [{1: 1_000_000_000_00}]


def test_sums_that_are_not_billed_refuse_no_small_order(session):
    """They could not even be added up; and a thousandth of a unit is another customer's case."""
    uncountable = an_order(*[("A", MOST_UNITS)] * 2, packages=10**16)
    elsewhere = [uncountable | {"day": cards.day(-1)}, uncountable | {"day": cards.day(10)}]
    elsewhere.append(uncountable | {"status": "draft"})
    cards.store(session, [], [dict(uncountable)], {"A": D("0.001")}, customer_id=2)
    free = a_rate(price="0", minimum=7)

    assert amounts(session, [free], [*of_items(10**13), *elsewhere]) == [{1: 7}, {}, {}, {}]


def test_quantities_are_added_up_to_the_last_thousandth_that_fits(session):
    """At no price: only the sum of the quantities could be too large."""
    lines = [("A", MOST_UNITS - D("0.001")), ("A", D("0.001"))]
    free = a_rate(price="0", minimum=7)
    assert amounts(session, [dict(free)], [an_order(("A", MOST_UNITS)), *of_items("1")], customer_id=2) == [
        {1: 7},
        {1: 7},
    ]
    with refused("quantity", order="1-1"):
        amounts(session, [free], [*of_items("0"), an_order(*lines, ("A", D("0.001"))), *of_items("2")])


def test_packages_are_counted_to_the_last_that_fits(session):
    """In thousandths: 9,223,372,036,854,775 and not one more."""
    free = a_rate("per_package", "0", minimum=7)
    most = 9_223_372_036_854_775
    few = an_order(packages=1)
    assert amounts(session, [dict(free)], [an_order(packages=most), dict(few)], customer_id=2) == [{1: 7}, {1: 7}]
    with refused("number of packages", order="1-1"):
        amounts(session, [free], [few, an_order(packages=most + 1), an_order()])


@pytest.mark.parametrize(
    ("case_size", "units", "minor"),
    [
        # 9,000,000,000 cases at 1.00 fit, and a 30th more does not. A unit may hold 2 cases of 0.6.
        ("0.6", D(5_400_000_000), 9_000_000_000_00),
        ("0.6", D(5_580_000_000), None),
        ("0.001", D(9_000_000), 9_000_000_000_00),
        ("0.001", D(9_300_000), None),
        ("6", D(54_000_000_000), 9_000_000_000_00),
        ("6", D(55_800_000_000), None),
    ],
)
def test_the_smallest_case_decides_how_many_there_can_be(session, case_size, units, minor):
    """Beside a larger case, and a product without a case size."""
    products = {"A": D(case_size), "B": D(12), "C": None}
    order = an_order(("A", units))
    if minor is None:
        with refused("amount of Service 1"):
            amounts(session, [a_rate("per_case")], [order, *of_items("1")], products)
    else:
        assert amounts(session, [a_rate("per_case")], [order], products) == [{1: minor}]


def test_what_a_percentage_is_taken_of_is_checked_order_by_order(session):
    """1,000,000 % of thousandths in millionths: 9,223.37 fits, and a cent more does not."""
    card = [a_rate(), a_rate("percent_of_services", "1000000", service=2)]
    fits = of_items("9223.37", "1")
    assert amounts(session, [dict(rate) for rate in card], fits, customer_id=2) == [
        {1: 9_223_37, 2: 92_233_700_00},
        {1: 1_00, 2: 10_000_00},
    ]
    with refused("amount of Service 2", order="1-1"):
        amounts(session, card, of_items("1", "9223.38", "2"))


def test_a_percentage_is_checked_by_the_charges_as_they_are_rounded(session):
    """9,223.372037 % of 1,000,000.00, in thousandths and millionths, is 145,224,193 more than 2^63 - 1. Half a cent
    less is rounded up to that; of 999,999.99 it is 92,233,719.4476627963.
    """
    card = [a_rate(), a_rate("percent_of_services", "9223.372037", service=2)]
    fits = of_items("999999.994")
    assert amounts(session, [dict(rate) for rate in card], fits, customer_id=2) == [{1: 999_999_99, 2: 92_233_719_45}]
    with refused("amount of Service 2"):
        amounts(session, card, of_items("999999.995"))


def test_a_percentage_that_does_not_apply_refuses_no_order(session):
    card = [a_rate(), a_rate("percent_of_services", "1000000", service=2, skus=["B"])]
    large, small = an_order(("A", D(10_000))), an_order(("B", D(1)))

    assert amounts(session, card, [large, small]) == [{1: 10_000_00}, {1: 1_00, 2: 10_000_00}]


MINIMUMS = {
    # The largest minimum of which thousandths of a major unit fit into 64 bits.
    "USD": 922_337_203_685_477_580,
    "JPY": 9_223_372_036_854_775,
    "KWD": 9_223_372_036_854_775_807,
}


@pytest.mark.parametrize("currency", MINIMUMS)
def test_minimum_charges_are_added_up_to_the_last_coin_that_fits(session, currency):
    def costs(minimum, customer_id):
        card = [
            a_rate(currency=currency, minimum=minimum),
            a_rate("percent_of_services", "0", currency=currency, service=2),
        ]
        return amounts(session, card, of_items("1"), customer_id=customer_id)

    largest = MINIMUMS[currency]
    assert costs(largest, 1) == [{1: largest, 2: 0}]
    if largest < 2**63 - 1:
        with minimum_charges_refused():
            costs(largest + 1, 2)


def test_beside_the_largest_minimum_charge_there_is_no_room_for_another_cent(session):
    """A charge that is never above 0 needs none."""

    def costs(maximum, customer_id):
        card = [
            a_rate(minimum=MINIMUMS["USD"]),
            a_rate("per_order", maximum=maximum, service=2),
            a_rate("percent_of_services", "0", service=3),
        ]
        return amounts(session, card, of_items("1"), customer_id=customer_id)

    assert costs(0, 1) == [{1: MINIMUMS["USD"], 2: 0, 3: 0}]
    with minimum_charges_refused():
        costs(1, 2)


def test_a_huge_maximum_makes_no_small_charge_too_large(session):
    card = [a_rate(maximum=2**63 - 1), a_rate("percent_of_services", "10", service=2)]
    assert amounts(session, card, of_items("7", "0.5")) == [{1: 7_00, 2: 70}, {1: 50, 2: 5}]


def test_an_order_that_the_rate_does_not_touch_is_not_refused(session):
    small = a_rate(skus=["B"])
    assert amounts(session, [small], [an_order(("A", LARGEST + 1), ("B", D(2)))]) == [{1: 2_00}]


def test_many_orders_that_only_together_have_too_many_cases_are_billed(session):
    """A thousand cases a unit: 5,000,000,000,000,000 each, at no price."""
    free = a_rate("per_case", price="0", minimum=7)
    assert amounts(session, [free], of_items(5 * 10**12, 5 * 10**12), {"A": D("0.001")}) == [{1: 7}, {1: 7}]


def test_many_orders_that_only_together_would_be_too_large_are_billed(session):
    large = D(9_000_000_000)
    assert amounts(session, [a_rate()], [an_order(("A", large)), an_order(("B", large))]) == [
        {1: 9_000_000_000_00},
        {1: 9_000_000_000_00},
    ]

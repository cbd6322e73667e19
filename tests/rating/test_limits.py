"""How large an amount may be in each currency, to its last coin, and that what is more is refused by name."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, literal, select

from billing_core.errors import Invalid
from billing_core.rating import amounts as in_sql
from billing_core.rating.models import CostType, TierMode
from billing_core.rating.terms import Terms, Tier
from tests.rating import cards
from tests.rating.examples import a_rate, amounts, an_order, charges, of_items
from tests.rating.refused import MOST, refused

D = Decimal

# 2^63 - 1 thousandths.
MOST_UNITS = D("9223372036854775.807")
MINOR_UNITS = {"USD": 100, "VND": 1, "JPY": 1, "KWD": 1_000}


def uncountable(what, order="1-1"):
    return pytest.raises(Invalid, match=f"^Order {order}: the {what} is too large")


def test_a_percentage_of_hundreds_of_millions_of_dong(session):
    card = [
        a_rate(price="930000000", currency="VND"),
        a_rate("percent_of_services", "10", currency="VND", service=2),
    ]
    assert amounts(session, card, of_items("1", "0.001", "1000000")) == [
        {1: 930_000_000, 2: 93_000_000},
        {1: 930_000, 2: 93_000},
        {1: 930_000_000_000_000, 2: 93_000_000_000_000},
    ]


# How many units, and the price at which they come to 10^15 minor units.
FULL = {"USD": (2, 5 * 10**12), "VND": (200, 5 * 10**12), "JPY": (200, 5 * 10**12), "KWD": (2, 5 * 10**11)}
COUNTED = {
    "per_item": lambda units: {"lines": [("A", D(units))]},
    "per_sku": lambda units: {"lines": [(f"S{number}", D(7)) for number in range(units)]},
    "per_case": lambda units: {"lines": [("A", D(12 * units))]},
    "per_loose_unit": lambda units: {"lines": [("LOOSE", D(units))]},
    "per_package": lambda units: {"packages": units},
    "per_weight_unit": lambda units: {"weight": D(units)},
}


@pytest.mark.parametrize("currency", FULL)
def test_every_cost_type_and_tier_mode_reaches_the_largest_amount_beside_an_order_of_one_unit(session, currency):
    """The first unit is free in tiers; beyond so many, which no order reaches, a unit costs a billion more."""
    units, price = FULL[currency]
    stepped = [(D(1), D(0)), (D(units), D(price)), (None, D(price + 10**9))]
    modes = [{}, {"tiers": stepped}, {"tiers": stepped, "tier_mode": "volume"}]
    one = price * MINOR_UNITS[currency]
    for customer_id, (kind, of) in enumerate(COUNTED.items(), start=1):
        card = [
            a_rate(kind, price, currency=currency, service=number, **mode) for number, mode in enumerate(modes, start=1)
        ]
        orders = [an_order() | of(units), an_order() | of(1)]

        found = amounts(session, card, orders, {"A": D(12), "LOOSE": D(0)}, customer_id=customer_id)

        assert found == [{1: 10**15, 2: 10**15 - one, 3: 10**15}, {1: one, 2: 0, 3: 0}], kind


@pytest.mark.parametrize("currency", FULL)
def test_a_percentage_of_the_largest_amount_in_every_tier_mode(session, currency):
    """100 %; nothing of the first 1,000; nothing unless it is more; a millionth of a percent."""
    units, price = FULL[currency]
    stepped = [(D(1000), D(0)), (None, D(100))]
    terms = [{}, {"tiers": stepped}, {"tiers": stepped, "tier_mode": "volume"}, {"price": D("0.000001")}]
    percentages = [
        a_rate("percent_of_services", "100", currency=currency, service=number) | more
        for number, more in enumerate(terms, start=2)
    ]
    card = [a_rate("per_package", price, currency=currency), *percentages]

    found = amounts(session, card, [an_order(packages=units), an_order(packages=0)])

    of_the_rest = 10**15 - 1000 * MINOR_UNITS[currency]
    assert found == [{1: 10**15, 2: 10**15, 3: of_the_rest, 4: 10**15, 5: 10**7}, {}]


@pytest.mark.parametrize("currency", FULL)
def test_bounds_are_as_large_as_amounts_and_hold_for_what_is_far_larger(session, currency):
    card = [
        a_rate(price=9 * 10**12, currency=currency, maximum=7),
        a_rate("per_order", currency=currency, minimum=10**15, maximum=10**15, service=2),
        a_rate("per_order", currency=currency, maximum=10**15, service=3),
        a_rate(price=9 * 10**12, currency=currency, minimum=7, maximum=10**15, service=4),
    ]
    found = charges(session, card, of_items(9 * 10**12))

    assert [(charge.minor, charge.bound) for charge in found[0].values()] == [
        (7, "maximum"),
        (10**15, "minimum"),
        (MINOR_UNITS[currency], None),
        (10**15, "maximum"),
    ]


@pytest.mark.parametrize(
    ("units", "minor"),
    [
        # 2^63 thousandths of millionths are 9,223,372,036.854775808 units at 1.00, and half a cent is added to them.
        ("9223372036.844", 922_337_203_684),
        ("9223372036.845", 922_337_203_685),
        ("9223372036.850", 922_337_203_685),
        ("9223372036.854", 922_337_203_685),
        ("9223372036.855", 922_337_203_686),
        ("9999999999999.994", 999_999_999_999_999),
        ("9999999999999.995", 10**15),
        ("10000000000000.004", 10**15),
    ],
)
def test_sixty_four_bits_on_the_way_are_no_limit(session, units, minor):
    """Two lines are looked at more closely than one."""
    of_two_lines = an_order(("A", D(units)), ("B", D(0)))
    assert amounts(session, [a_rate()], [*of_items(units), of_two_lines]) == [{1: minor}] * 2


@pytest.mark.parametrize("currency", MOST)
def test_half_a_coin_more_than_the_largest_amount_is_refused(session, currency):
    weight = 2 * (D(10**15) + D("0.5")) / MINOR_UNITS[currency]
    rate = a_rate("per_weight_unit", "0.5", currency=currency)
    with refused(currency=currency):
        amounts(session, [dict(rate)], [an_order(weight=weight)])
    assert amounts(session, [rate], [an_order(weight=weight - D("0.001"))], customer_id=2) == [{1: 10**15}]


def wide(prices, currency, *, mode=None, tiers=(), percent=False):
    """A rate whose products need not fit into 64 bits."""
    kind = CostType.PERCENT_OF_SERVICES if percent else CostType.PER_ITEM
    terms = (1, 1, "", kind, prices[0], currency, date(2026, 1, 1), None, None, None, (), mode, tiers, None)
    return Terms(*terms, wide=True)


@pytest.mark.parametrize(
    ("quantity", "price", "minor"),
    # 5,000,000 thousandths of millionths are half a cent. 10^27 of them come to far more than can be billed.
    [(4_999_999, 1, 0), (5_000_000, 1, 1), (14_999_999, 1, 1), (10**18, 10**9, 10**15 + 1)],
)
def test_a_product_of_any_size_is_rounded_once(session, quantity, price, minor):
    assert session.scalar(select(in_sql.amount(wide([price], "USD"), literal(quantity, BigInteger)))) == minor


scaled = st.integers(0, 10**18) | st.integers(0, 10**7)
tier_modes = st.sampled_from([None, *TierMode])


def test_a_product_of_any_size_agrees_with_fractions(session):
    """In thousandths and millionths; of prices and tiers that may cost 10^36."""

    @settings(max_examples=150)
    @given(
        quantity=scaled,
        prices=st.lists(scaled, min_size=3, max_size=3),
        ends=st.sets(scaled.filter(bool), min_size=2, max_size=2).map(sorted),
        mode=tier_modes,
        currency=st.sampled_from([*MOST]),
        percent=st.booleans(),
    )
    def agree(quantity, prices, ends, mode, currency, percent):
        tiers = tuple(map(Tier, [*ends, None], prices)) if mode else ()
        rate = wide(prices, currency, mode=mode, tiers=tiers, percent=percent)
        statement = select(in_sql.amount(rate, literal(quantity, BigInteger)))

        exact = Fraction(cost(quantity, prices, ends, mode) * MINOR_UNITS[currency], 10**11 if percent else 10**9)
        assert session.scalar(statement) == min(int(exact + Fraction(1, 2)), 10**15 + 1)

    agree()


def cost(quantity, prices, ends, mode):
    if mode is None:
        return quantity * prices[0]
    steps = list(zip([0, *ends], [*ends, max(quantity, ends[1])], prices, strict=True))
    if mode is TierMode.VOLUME:
        return quantity * next(price for _, end, price in steps if quantity <= end)
    return sum(max(0, min(quantity, end) - start) * price for start, end, price in steps)


def test_a_volume_tier_that_is_not_reached_is_no_obstacle(session):
    """9,000,000,001 units cost 1.00 each, one more would cost 1,000 each: what is charged is that of the tier."""
    tiers = [(D(9_000_000_001), D(1)), (None, D(1_000))]
    rate = a_rate(tiers=tiers, tier_mode="volume")
    assert amounts(session, [rate], of_items("9000000001", "1", "9000000001.001")) == [
        {1: 9_000_000_001_00},
        {1: 1_00},
        {1: 9_000_000_001_001_00},
    ]


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
    with uncountable("quantity"):
        amounts(session, [free], [*of_items("0"), an_order(*lines, ("A", D("0.001"))), *of_items("2")])


def test_packages_are_counted_to_the_last_that_fits(session):
    """In thousandths: 9,223,372,036,854,775 and not one more."""
    free = a_rate("per_package", "0", minimum=7)
    most = 9_223_372_036_854_775
    few = an_order(packages=1)
    assert amounts(session, [dict(free)], [an_order(packages=most), dict(few)], customer_id=2) == [{1: 7}, {1: 7}]
    with uncountable("number of packages"):
        amounts(session, [free], [few, an_order(packages=most + 1), an_order()])


@pytest.mark.parametrize(
    ("case_size", "units", "minor"),
    [
        # 10^13 cases at 1.00 are the most, and a 50th more is too much. A unit may hold 2 cases of 0.6.
        ("0.6", D(6 * 10**12), 10**15),
        ("0.6", D(612 * 10**10), None),
        ("0.001", D(10**10), 10**15),
        ("0.001", D(102 * 10**8), None),
        ("6", D(6 * 10**13), 10**15),
        ("6", D(612 * 10**11), None),
    ],
)
def test_the_smallest_case_decides_how_many_there_can_be(session, case_size, units, minor):
    """Beside a larger case, a product that is not packed in cases, and one of which nobody knows."""
    products = {"A": D(case_size), "B": D(12), "C": None, "LOOSE": D(0)}
    order = an_order(("A", units))
    if minor is None:
        with refused():
            amounts(session, [a_rate("per_case")], [order, *of_items("1")], products)
    else:
        assert amounts(session, [a_rate("per_case")], [order], products) == [{1: minor}]


def test_a_percentage_that_comes_to_too_much_is_refused_order_by_order(session):
    """1,000,000 % of 1,000,000,000.00 are the most, and of a cent more too much."""
    card = [a_rate(), a_rate("percent_of_services", "1000000", service=2)]
    fits = of_items("1000000000", "1")
    assert amounts(session, [dict(rate) for rate in card], fits, customer_id=2) == [
        {1: 1_000_000_000_00, 2: 10**15},
        {1: 1_00, 2: 10_000_00},
    ]
    with refused("Service 2 comes", order="1-1"):
        amounts(session, card, of_items("1", "1000000000.01", "2"))


def test_a_percentage_is_taken_of_the_charges_as_they_are_rounded(session):
    """9,223.372037 % of 1,000,000.00, in thousandths and millionths, is 145,224,193 more than 2^63 - 1. Half a cent
    less is rounded up to that; of 999,999.99 it is 92,233,719.4476627963.
    """
    card = [a_rate(), a_rate("percent_of_services", "9223.372037", service=2)]
    assert amounts(session, card, of_items("999999.994", "999999.995")) == [
        {1: 999_999_99, 2: 92_233_719_45},
        {1: 1_000_000_00, 2: 92_233_720_37},
    ]


def test_a_percentage_that_does_not_apply_refuses_no_order(session):
    card = [a_rate(), a_rate("percent_of_services", "1000000", service=2, skus=["B"])]
    large, small = an_order(("A", D(10**13))), an_order(("B", D(1)))

    assert amounts(session, card, [large, small]) == [{1: 10**15}, {1: 1_00, 2: 10_000_00}]


@pytest.mark.parametrize("currency", MOST)
def test_what_a_percentage_is_taken_of_is_at_most_the_largest_amount(session, currency):
    """A charge that is never above 0 adds nothing to it."""

    def costs(maximum, customer_id):
        card = [
            a_rate("per_order", currency=currency, minimum=10**15),
            a_rate("per_order", currency=currency, maximum=maximum, service=2),
            a_rate("percent_of_services", "0", currency=currency, service=3),
        ]
        return amounts(session, card, of_items("1"), customer_id=customer_id)

    assert costs(0, 2) == [{1: 10**15, 2: 0, 3: 0}]
    with refused("its services come", currency=currency):
        costs(1, 1)


@pytest.mark.parametrize("currency", FULL)
def test_services_that_cost_the_largest_amount_of_different_orders_are_billed(session, currency):
    units, price = FULL[currency]
    card = [
        a_rate("per_package", price, currency=currency),
        a_rate("per_weight_unit", price, currency=currency, service=2),
        a_rate("percent_of_services", "100", currency=currency, service=3),
    ]
    orders = [an_order(packages=units), an_order(weight=D(units)), an_order()]
    assert amounts(session, card, orders) == [{1: 10**15, 3: 10**15}, {2: 10**15, 3: 10**15}, {}]


def test_a_huge_maximum_makes_no_small_charge_too_large(session):
    card = [a_rate(maximum=2**63 - 1), a_rate("percent_of_services", "10", service=2)]
    assert amounts(session, card, of_items("7", "0.5")) == [{1: 7_00, 2: 70}, {1: 50, 2: 5}]


def test_many_orders_that_only_together_have_too_many_cases_are_billed(session):
    """A thousand cases a unit: 5,000,000,000,000,000 each, at no price."""
    free = a_rate("per_case", price="0", minimum=7)
    assert amounts(session, [free], of_items(5 * 10**12, 5 * 10**12), {"A": D("0.001")}) == [{1: 7}, {1: 7}]


def test_many_orders_that_only_together_would_be_too_large_are_billed(session):
    large = D(9 * 10**12)
    assert amounts(session, [a_rate()], [an_order(("A", large)), an_order(("B", large))]) == [
        {1: 9 * 10**14},
        {1: 9 * 10**14},
    ]

"""What orders cost, each amount worked out in the head: a table a rule, with its edges side by side."""

from decimal import Decimal

import pytest

from billing_core.rating import statements
from tests.rating import cards
from tests.rating.examples import a_rate, amounts, an_order, charges, of_items

D = Decimal

# Each unit costs 1.00. (units, what decided, minor units)
FROM_5_TO_8 = [
    ("0.01", "minimum", 5_00),
    ("4.99", "minimum", 5_00),
    ("4.994", "minimum", 5_00),  # 4.99
    ("4.995", None, 5_00),  # rounded to 5.00 first
    ("5", None, 5_00),
    ("5.01", None, 5_01),
    ("7.99", None, 7_99),
    ("8", None, 8_00),
    ("8.004", None, 8_00),
    ("8.005", "maximum", 8_00),  # 8.01
    ("8.01", "maximum", 8_00),
    ("900", "maximum", 8_00),
]
AT_LEAST_5 = [("4.99", "minimum", 5_00), ("5", None, 5_00), ("5.01", None, 5_01), ("900", None, 900_00)]
AT_MOST_8 = [("0.01", None, 1), ("7.99", None, 7_99), ("8", None, 8_00), ("8.01", "maximum", 8_00)]
EXACTLY_5 = [("4.99", "minimum", 5_00), ("5", None, 5_00), ("5.01", "maximum", 5_00)]
AT_LEAST_NOTHING = [("0.001", None, 0), ("0.01", None, 1), ("5", None, 5_00)]
AT_MOST_NOTHING = [("0.001", None, 0), ("0.01", "maximum", 0), ("5", "maximum", 0)]


@pytest.mark.parametrize(
    ("minimum", "maximum", "table"),
    [
        (5_00, 8_00, FROM_5_TO_8),
        (5_00, None, AT_LEAST_5),
        (None, 8_00, AT_MOST_8),
        (5_00, 5_00, EXACTLY_5),
        (0, None, AT_LEAST_NOTHING),
        (None, 0, AT_MOST_NOTHING),
    ],
    ids=["from 5 to 8", "at least 5", "at most 8", "exactly 5", "at least nothing", "at most nothing"],
)
def test_an_order_costs_no_less_than_the_minimum_and_no_more_than_the_maximum(session, minimum, maximum, table):
    rate = a_rate(price="1", minimum=minimum, maximum=maximum)
    orders = of_items(*(units for units, *_ in table))

    found = charges(session, [rate], orders)

    assert [(charge[1].bound, charge[1].minor) for charge in found] == [(bound, minor) for _, bound, minor in table]


def test_the_minimum_is_not_due_where_there_is_nothing_to_charge(session):
    assert amounts(session, [a_rate(minimum=5_00)], [*of_items("0", "1"), an_order()]) == [{}, {1: 5_00}, {}]


# Up to 10 at 1.00, up to 20 at 0.50, then 0.10.
THREE_TIERS = [(D(10), D("1")), (D(20), D("0.5")), (None, D("0.1"))]
# (units, the tier that they reach, its price, minor units)
GRADUATED = [
    ("0.001", 1, "1", 0),
    ("1", 1, "1", 1_00),
    ("9", 1, "1", 9_00),
    ("9.99", 1, "1", 9_99),
    ("10", 1, "1", 10_00),
    ("10.001", 2, "0.5", 10_00),
    ("10.02", 2, "0.5", 10_01),  # 10.00 + 0.01
    ("11", 2, "0.5", 10_50),
    ("19", 2, "0.5", 14_50),  # 10.00 + 9 × 0.50
    ("20", 2, "0.5", 15_00),
    ("20.001", 3, "0.1", 15_00),
    ("20.1", 3, "0.1", 15_01),
    ("21", 3, "0.1", 15_10),
    ("120", 3, "0.1", 25_00),  # 15.00 + 100 × 0.10
]
VOLUME = [
    ("0.001", 1, "1", 0),
    ("1", 1, "1", 1_00),
    ("9", 1, "1", 9_00),
    ("9.99", 1, "1", 9_99),
    ("10", 1, "1", 10_00),
    ("10.001", 2, "0.5", 5_00),
    ("10.02", 2, "0.5", 5_01),
    ("11", 2, "0.5", 5_50),
    ("19", 2, "0.5", 9_50),
    ("20", 2, "0.5", 10_00),
    ("20.001", 3, "0.1", 2_00),
    ("20.1", 3, "0.1", 2_01),
    ("21", 3, "0.1", 2_10),
    ("120", 3, "0.1", 12_00),
]


@pytest.mark.parametrize(("mode", "table"), [("graduated", GRADUATED), ("volume", VOLUME)])
def test_three_tiers_at_each_of_their_edges(session, mode, table):
    rate = a_rate(price="77", tiers=THREE_TIERS, tier_mode=mode)
    orders = of_items(*(units for units, *_ in table))

    found = [charge[1] for charge in charges(session, [rate], orders)]

    assert [(str(c.quantity.normalize()), c.tier, str(c.price.normalize()), c.minor) for c in found] == [
        (str(D(units).normalize()), tier, price, minor) for units, tier, price, minor in table
    ]


@pytest.mark.parametrize(
    ("tiers", "mode", "table"),
    [
        # The first 100 cost nothing.
        ([(D(100), D(0)), (None, D("0.2"))], "graduated", {"99": 0, "100": 0, "101": 20, "105": 1_00}),
        ([(D(100), D(0)), (None, D("0.2"))], "volume", {"99": 0, "100": 0, "101": 20_20, "105": 21_00}),
        ([(None, D("0.3"))], "graduated", {"1": 30, "100": 30_00}),
        ([(None, D("0.3"))], "volume", {"1": 30, "100": 30_00}),
        # Dearer from the 3rd on, with an edge between two units.
        ([(D("2.5"), D(1)), (None, D(3))], "graduated", {"2": 2_00, "2.5": 2_50, "3": 4_00}),
        ([(D("2.5"), D(1)), (None, D(3))], "volume", {"2": 2_00, "2.5": 2_50, "3": 9_00}),
        # A thousandth of a unit: half a cent, and what is just below it; then the same beyond a first tier.
        ([(D(10), D(5)), (None, D(1))], "graduated", {"0.001": 1}),
        ([(D(10), D("4.999999")), (None, D(1))], "graduated", {"0.001": 0}),
        ([(D(10), D(1)), (None, D(5))], "graduated", {"10.001": 10_01}),
        ([(D(10), D(1)), (None, D("4.999999"))], "graduated", {"10.001": 10_00}),
        # Three slices of 0.004 are 0.012: rounded slice by slice they would be nothing.
        ([(D(1), D("0.004")), (D(2), D("0.004")), (None, D("0.004"))], "graduated", {"1": 0, "2": 1, "3": 1}),
    ],
)
def test_tiers_of_other_shapes(session, tiers, mode, table):
    rate = a_rate(tiers=tiers, tier_mode=mode)

    assert amounts(session, [rate], of_items(*table)) == [{1: minor} for minor in table.values()]


@pytest.mark.parametrize(
    ("mode", "table"),
    [
        # 9.00, 10.00, 12.00, 14.50, 15.00, 15.10
        ("graduated", [("9", 10_00), ("10", 10_00), ("14", 12_00), ("19", 14_50), ("20", 14_50), ("21", 14_50)]),
        # 9.00, 10.00, 7.00, 9.50, 10.00, 2.10, 15.00
        (
            "volume",
            [("9", 10_00), ("10", 10_00), ("14", 10_00), ("19", 10_00), ("20", 10_00), ("21", 10_00), ("150", 14_50)],
        ),
    ],
)
def test_bounds_are_put_on_what_the_tiers_come_to(session, mode, table):
    rate = a_rate(tiers=THREE_TIERS, tier_mode=mode, minimum=10_00, maximum=14_50)

    assert amounts(session, [rate], of_items(*(units for units, _ in table))) == [{1: minor} for _, minor in table]


# A case costs 1.00 (service 1), a loose unit 0.10 (service 2). With a case size of 1 each unit is a case, with 0 none
# is, and of those without any nobody knows: no unit is ever billed twice.
CASE_SIZES = {"SIX": D(6), "HALF": D("0.5"), "ONE": D(1), "NOUGHT": D(0), "NONE": None}
CASES = [
    # lines, cases, minor units, loose units, minor units
    ([("SIX", "5")], None, None, "5", 50),
    ([("SIX", "6")], "1", 1_00, None, None),
    ([("SIX", "7")], "1", 1_00, "1", 10),
    ([("SIX", "11.5")], "1", 1_00, "5.5", 55),
    ([("SIX", "12")], "2", 2_00, None, None),
    ([("SIX", "12.5")], "2", 2_00, "0.5", 5),
    ([("HALF", "0.4")], None, None, "0.4", 4),
    ([("HALF", "0.5")], "1", 1_00, None, None),
    ([("HALF", "0.6")], "1", 1_00, "0.1", 1),
    ([("HALF", "3")], "6", 6_00, None, None),
    ([("HALF", "3.2")], "6", 6_00, "0.2", 2),
    ([("ONE", "0.9")], None, None, "0.9", 9),
    ([("ONE", "1")], "1", 1_00, None, None),
    ([("ONE", "2.5")], "2", 2_00, "0.5", 5),
    ([("NOUGHT", "0.9")], None, None, "0.9", 9),
    ([("NOUGHT", "11")], None, None, "11", 1_10),
    ([("NONE", "10")], None, None, None, None),
    # Each line fills its own cases: 4 and 4 of 6 are no case.
    ([("SIX", "4"), ("SIX", "4")], None, None, "8", 80),
    ([("SIX", "7"), ("SIX", "8")], "2", 2_00, "3", 30),
    ([("SIX", "13"), ("HALF", "1.2"), ("ONE", "3"), ("NOUGHT", "4")], "7", 7_00, "5.2", 52),  # 2+2+3 and 1+0.2+4
    # A SKU that is not known is a question, and the others are billed.
    ([("NEW", "6")], None, None, None, None),
    ([("NEW", "6"), ("SIX", "7")], "1", 1_00, "1", 10),
]


def test_cases_and_the_loose_units_beside_them(session):
    card = [a_rate("per_case", "1"), a_rate("per_loose_unit", "0.1", service=2)]
    orders = [an_order(*((sku, D(units)) for sku, units in lines)) for lines, *_ in CASES]

    found = charges(session, card, orders, CASE_SIZES)

    def of(order, service):
        charge = order.get(service)
        return (str(charge.quantity.normalize()), charge.minor) if charge else (None, None)

    assert [(*of(order, 1), *of(order, 2)) for order in found] == [tuple(expected) for _, *expected in CASES]


def test_ten_units_without_a_case_size_are_never_billed_both_as_cases_and_as_loose_units(session):
    """They came to 14.50 before: ten cases and ten loose units."""
    card = [a_rate("per_case", "1"), a_rate("per_loose_unit", "0.45", service=2)]
    orders = [an_order((sku, D(10))) for sku in CASE_SIZES]
    # 1 case of six and 4 units; 20 of a half; 10 of one; 10 units; nobody knows.
    assert amounts(session, card, orders, CASE_SIZES) == [{1: 1_00, 2: 1_80}, {1: 20_00}, {1: 10_00}, {2: 4_50}, {}]


def test_a_sku_of_which_nothing_was_ordered_is_none_of_the_orders_skus(session):
    nothing = ("A", D(0))
    orders = [an_order(nothing, ("B", D(2)), ("C", D(1))), an_order(nothing), an_order(nothing, ("A", D(1)))]
    assert amounts(session, [a_rate("per_sku", "1")], orders) == [{1: 2_00}, {}, {1: 1_00}]


def test_only_the_lines_of_the_rates_skus_fill_cases(session):
    card = [a_rate("per_case", "1", skus=["SIX"]), a_rate("per_loose_unit", "0.1", service=2, skus=["HALF", "NOUGHT"])]
    lines = [("SIX", D(13)), ("HALF", D("1.2")), ("ONE", D(3)), ("NOUGHT", D(4))]

    assert amounts(session, card, [an_order(*lines), an_order(("ONE", D(3)))], CASE_SIZES) == [{1: 2_00, 2: 42}, {}]


def test_another_customers_case_size_does_not_count(session):
    def of(customer_id, case_sizes):
        orders = [an_order(("A", D(12))), an_order(("B", D(12)))]
        return amounts(session, [a_rate("per_case")], orders, case_sizes, customer_id=customer_id)

    assert of(1, {"A": D(2), "B": D(3)}) == [{1: 6_00}, {1: 4_00}]
    assert of(2, {"A": D(6)}) == [{1: 2_00}, {}]


def test_an_order_without_lines_costs_nothing_that_is_counted_by_its_lines(session):
    """It is listed with 0 items on 0 lines, and costs what is charged for the order itself."""
    by_lines = ("per_item", "per_sku", "per_case", "per_loose_unit")
    card = [a_rate(cost_type, "1", minimum=5_00, service=place) for place, cost_type in enumerate(by_lines)]
    card += [a_rate("per_order", "2", service=7), a_rate("per_order", "3", service=8, skus=["A"])]
    orders = [an_order(), an_order(("A", D(0))), an_order(("A", D(6)), ("B", D("1.5")))]

    assert amounts(session, card, orders, {"A": D(3), "B": D(0)}) == [
        {7: 2_00},
        {7: 2_00, 8: 3_00},  # of its one SKU there is nothing
        {0: 7_50, 1: 5_00, 2: 5_00, 3: 5_00, 7: 2_00, 8: 3_00},
    ]
    listed = session.execute(statements.orders(1, cards.PERIOD)).all()
    assert sorted((row.order_number, row.total_items, row.line_items) for row in listed) == [
        ("1-0", 0, 0),
        ("1-1", 0, 1),
        ("1-2", 7_500, 2),
    ]


# 5 % of what the items cost at 1.00 each. (units, what the percentage was taken of, minor units)
FIVE_PERCENT = [
    ("0.09", "0.09", 0),  # 0.0045
    ("0.1", "0.1", 1),  # 0.005
    ("1", "1", 5),
    ("9.89", "9.89", 49),  # 0.4945
    ("9.9", "9.9", 50),  # 0.495
    ("10.09", "10.09", 50),  # 0.5045
    ("10.1", "10.1", 51),  # 0.505
    ("10.095", "10.1", 51),  # of the charge as it was rounded
    ("10.094", "10.09", 50),
    ("200", "2E+2", 10_00),
]


def test_a_percentage_of_the_other_services_is_rounded_once(session):
    card = [a_rate(), a_rate("percent_of_services", "5", service=2)]

    found = [order[2] for order in charges(session, card, of_items(*(units for units, *_ in FIVE_PERCENT)))]

    assert [(str(charge.quantity.normalize()), charge.minor) for charge in found] == [
        (of, minor) for _, of, minor in FIVE_PERCENT
    ]
    assert {charge.price for charge in found} == {D(5)}


def test_a_percentage_adds_up_charges_as_they_are_rounded_and_bounded(session):
    """100 % of 0.014 + 0.014 is 0.02, each being 0.01; then 5.00 + 3.00, the one lifted and the other cut."""
    whole = a_rate("percent_of_services", "100", service=3)
    two = [a_rate(minimum=0, maximum=3_00), a_rate(service=2), whole]
    assert amounts(session, two, of_items("0.014", "7"), customer_id=1) == [
        {1: 1, 2: 1, 3: 2},
        {1: 3_00, 2: 7_00, 3: 10_00},
    ]
    lifted = [a_rate(minimum=5_00), a_rate(service=2), a_rate("percent_of_services", "100", service=3)]
    assert amounts(session, lifted, of_items("1", "6"), customer_id=2) == [
        {1: 5_00, 2: 1_00, 3: 6_00},
        {1: 6_00, 2: 6_00, 3: 12_00},
    ]


def test_a_minimum_that_is_not_due_is_in_no_percentage(session):
    card = [
        a_rate("per_package", "1", minimum=5_00),
        a_rate(service=2),
        a_rate("percent_of_services", "10", service=3),
    ]
    lines = ("A", D(2))

    assert amounts(session, card, [an_order(lines), an_order(lines, packages=0), an_order(lines, packages=1)]) == [
        {2: 2_00, 3: 20},
        {2: 2_00, 3: 20},
        {1: 5_00, 2: 2_00, 3: 70},
    ]


def test_percentages_are_not_taken_of_each_other(session):
    card = [
        a_rate("percent_of_services", "10"),
        a_rate(service=2),
        a_rate("percent_of_services", "20", service=3),
        a_rate("per_order", "4", service=4),
    ]

    assert amounts(session, card, of_items("6")) == [{1: 1_00, 2: 6_00, 3: 2_00, 4: 4_00}]


def test_a_percentage_alone_is_of_all_services_also_of_those_that_are_not_asked_for(session):
    card = [a_rate(), a_rate("per_order", "4", service=2), a_rate("percent_of_services", "10", service=3)]

    assert amounts(session, card, of_items("6"), services=[3]) == [{3: 1_00}]


def test_a_percentage_has_bounds_tiers_and_skus_of_its_own(session):
    """Of 90, 100, 100.20 and 200: 10 % up to 100 and 5 % of what is above."""
    tiers = [(D(100), D(10)), (None, D(5))]
    card = [a_rate(), a_rate("percent_of_services", "1", service=2, tiers=tiers, minimum=9_50, maximum=14_00)]
    found = [order[2] for order in charges(session, card, of_items("90", "100", "100.2", "200"), customer_id=1)]
    assert [(charge.tier, charge.bound, charge.minor) for charge in found] == [
        (1, "minimum", 9_50),
        (1, None, 10_00),
        (2, None, 10_01),
        (2, "maximum", 14_00),
    ]
    named = [a_rate(), a_rate("percent_of_services", "10", service=2, skus=["B"])]
    orders = [an_order(("A", D(5))), an_order(("A", D(5)), ("B", D(1))), an_order(("B", D(0)))]
    assert amounts(session, named, orders, customer_id=2) == [{1: 5_00}, {1: 6_00, 2: 60}, {}]


# The price of a unit, how many, and the minor units: cents, yen, and thousandths of a dinar.
CURRENCIES = {
    "USD": [("1", "1", 100), ("0.005", "1", 1), ("0.004999", "1", 0), ("1.2345", "3", 370), ("0.015", "1", 2)],
    "JPY": [("1", "1", 1), ("0.5", "1", 1), ("0.499999", "1", 0), ("1.2345", "3", 4), ("2.5", "1", 3)],
    "KWD": [("1", "1", 1000), ("0.0005", "1", 1), ("0.000499", "1", 0), ("1.2345", "3", 3704), ("0.0015", "1", 2)],
}


@pytest.mark.parametrize("currency", CURRENCIES)
def test_each_currency_has_its_own_smallest_coin(session, currency):
    table = CURRENCIES[currency]
    card = [a_rate(price=price, currency=currency, service=place) for place, (price, *_) in enumerate(table)]
    for place, rate in enumerate(card):
        rate["skus"] = [f"S{place}"]
    orders = [an_order((f"S{place}", D(units))) for place, (_, units, _) in enumerate(table)]

    assert amounts(session, card, orders) == [{place: minor} for place, (*_, minor) in enumerate(table)]


# Units at 1 each: 5 % of them, and of them the amount between a minimum and a maximum of 100 and 2,000 minor units.
PERCENT_AND_BOUNDS = {
    "USD": [("0.99", 1_00, 5), ("1.1", 1_10, 6), ("20", 20_00, 1_00), ("20.01", 20_00, 1_00)],
    "JPY": [("99", 100, 5), ("109", 109, 5), ("110", 110, 6), ("2000", 2_000, 100), ("2001", 2_000, 100)],
    "KWD": [("0.099", 100, 5), ("0.109", 109, 5), ("0.11", 110, 6), ("2", 2_000, 100), ("2.001", 2_000, 100)],
}


@pytest.mark.parametrize("currency", PERCENT_AND_BOUNDS)
def test_bounds_and_percentages_are_in_the_currencys_own_units(session, currency):
    table = PERCENT_AND_BOUNDS[currency]
    card = [
        a_rate(currency=currency, minimum=100, maximum=2_000),
        a_rate("percent_of_services", "5", currency=currency, service=2),
    ]

    found = amounts(session, card, of_items(*(units for units, *_ in table)))

    assert found == [{1: plain, 2: percent} for _, plain, percent in table]

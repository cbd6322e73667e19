"""Nothing is billed in binary floats: what does not fit into 64 bits is refused by name."""

import re
from datetime import date
from decimal import Decimal

import pytest

from billing_core.errors import Invalid
from billing_core.rating import statements
from tests.rating import cards


def a_rate(cost_type="per_item", price="1", **more):
    return {
        "service": 1,
        "cost_type": cost_type,
        "price": Decimal(price),
        "currency": "USD",
        "valid_from": date(2026, 1, 1),
        "valid_to": None,
        "minimum": None,
        "maximum": None,
        "skus": None,
        "tier_mode": "graduated",
        "tiers": None,
        "condition": None,
    } | more


def an_order(*lines, **more):
    texts = dict.fromkeys(
        ("country", "state", "city", "postal_code", "ship_to_name", "carrier", "reference_number", "notes"), ""
    )
    return {
        "day": cards.FIRST,
        "status": "shipped",
        **texts,
        "weight": None,
        "packages": None,
        "lines": list(lines),
    } | more


def amounts(session, card, orders, products=None):
    cards.store(session, card, orders, products or {}, customer_id=1)
    statement = statements.charges(session, 1, cards.PERIOD)
    return [row.amount_minor for row in session.execute(statement)]


# 9,223,372,036.854775807 units at 1.000000: the product in thousandths and millionths is 2^63 - 1.
LARGEST = Decimal("9223372036.854")


def test_the_largest_amount_that_fits_is_exact(session):
    assert amounts(session, [a_rate()], [an_order(("A", LARGEST - 1))]) == [922337203585]


@pytest.mark.parametrize(
    ("rate", "order"),
    [
        (a_rate(), an_order(("A", LARGEST + 1))),
        (a_rate(), an_order(("A", Decimal(5_000_000_000)), ("A", Decimal(5_000_000_000)))),
        (a_rate(tiers=[(Decimal(10), Decimal(0)), (None, Decimal(2))]), an_order(("A", LARGEST - 1))),
        (a_rate("per_weight_unit", "1000000"), an_order(weight=Decimal(10_000))),
        (a_rate("per_package", "1000000"), an_order(packages=10_000)),
        (a_rate("per_sku", "999999999999"), an_order(*((f"A{number}", Decimal(1)) for number in range(10)))),
    ],
)
def test_a_larger_amount_is_refused_and_names_the_order_and_the_service(session, rate, order):
    with pytest.raises(Invalid, match=re.escape("Order 1-0: the amount of Service 1 is too large")):
        amounts(session, [rate], [order])


def test_a_quantity_that_cannot_even_be_added_up_is_refused(session):
    with pytest.raises(Invalid, match="Order 1-1: the quantity is too large"):
        amounts(session, [a_rate()], [an_order(("A", Decimal(1))), an_order(*[("A", Decimal(9 * 10**15))] * 2)])


def test_packages_beyond_counting_are_refused(session):
    with pytest.raises(Invalid, match="Order 1-0: the number of packages is too large"):
        amounts(session, [a_rate("per_package")], [an_order(packages=10**16)])


def test_cases_of_less_than_a_unit_count_towards_the_limit(session):
    with pytest.raises(Invalid, match="Order 1-0: the amount of Service 1"):
        amounts(session, [a_rate("per_case")], [an_order(("A", Decimal(10**8)))], {"A": Decimal("0.001")})


def test_a_percentage_of_a_large_sum_is_refused(session):
    percent = a_rate("percent_of_services", "1000000", service=2)
    with pytest.raises(Invalid, match="Order 1-0: the amount of Service 2"):
        amounts(session, [a_rate(), percent], [an_order(("A", Decimal(10**9)))])


def test_an_order_that_the_rate_does_not_touch_is_not_refused(session):
    small = a_rate(skus=["B"])
    assert amounts(session, [small], [an_order(("A", LARGEST + 1), ("B", Decimal(2)))]) == [200]


def test_many_orders_that_only_together_would_be_too_large_are_billed(session):
    large = Decimal(9_000_000_000)
    assert (
        amounts(session, [a_rate()], [an_order(("A", large))] * 1 + [an_order(("B", large))]) == [900_000_000_000] * 2
    )

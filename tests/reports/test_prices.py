"""What a report's services were charged at, by hand."""

from datetime import date
from decimal import Decimal

import pytest

from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.reports import prices, queries, service
from tests.rating import cards
from tests.rating.examples import a_rate, an_order, of_items

D = Decimal
STEPS = [(D(10), D("0.5")), (None, D("0.25"))]


def found(session, card, orders):
    """Tier, what decided it instead, orders, quantity, unit price and minor units of each row."""
    cards.store(session, card, orders, {}, customer_id=1)
    made = service.generate(session, SYSTEM, customer_id=1, period=cards.PERIOD, now=cards.NOW)
    rows = prices.rows(session, queries.one(session, SYSTEM, made.report_id))
    names = ("tier", "instead", "order_count", "quantity", "unit_price", "amount_minor")
    return [tuple(getattr(row, name) for name in names) for row in rows], rows


@pytest.mark.parametrize(
    ("card", "orders", "expected"),
    [
        # Three times 0.33, where 3 × 0.333 is 1.00.
        (
            [a_rate(price="0.333")],
            of_items(1, 1, 1),
            [(None, None, 3, D(3), D("0.333"), 100), (None, "rounding", 3, D(1), D("-0.01"), -1)],
        ),
        # 15 items reach the second tier, 4 do not; 1 item is raised to 2.00 and 100 are lowered to 10.00.
        (
            [a_rate(tiers=STEPS, minimum=200, maximum=1000)],
            of_items(15, 4, 1, 100),
            [
                (1, None, 2, D(14), D("0.5"), 700),
                (2, None, 1, D(5), D("0.25"), 125),
                (None, "minimum", 1, D(1), D(2), 200),
                (None, "maximum", 1, D(1), D(10), 1000),
            ],
        ),
        # 2.5 % of 4.00 and of 8.00.
        (
            [a_rate("percent_of_services", "2.5"), a_rate(price="1", service=2)],
            of_items(4, 8),
            [(None, None, 2, D(12), D(1), 1200), (None, None, 2, D(12), D("0.025"), 30)],
        ),
    ],
)
def test_each_row_is_a_quantity_at_a_price_and_together_they_are_the_report(session, card, orders, expected):
    assert found(session, card, orders)[0] == expected


def test_a_price_has_the_days_of_the_period_on_which_it_held(session):
    card = [a_rate(price="1", valid_to=date(2026, 3, 5)), a_rate(price="2", valid_from=date(2026, 3, 6))]
    orders = [an_order(("A", D(1)), day=date(2026, 3, day)) for day in (1, 6)]
    days = [Period(date(2026, 3, 1), date(2026, 3, 5)), Period(date(2026, 3, 6), date(2026, 3, 10))]
    assert [row.days for row in found(session, card, orders)[1]] == days


def test_a_report_of_nothing_has_no_prices(session):
    assert found(session, [], [])[0] == []

"""The rate card in SQL against the naive computation, for cards and orders that nobody thought of."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings

from billing_core.rating import statements
from tests.rating import cards, naive

pytestmark = pytest.mark.slow

every_card = settings(
    max_examples=80,
    deadline=None,
    # Each example is rolled back, so that the database may be shared.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_customers = itertools.count(1)


def in_period(orders):
    return [order for order in orders if cards.PERIOD.start <= order["day"] <= cards.PERIOD.end]


def rated(session, customer_id, service_ids=None):
    statement = statements.charges(session, customer_id, cards.PERIOD, service_ids)
    if statement is None:
        return {}
    rows = [row._asdict() for row in session.execute(statement)]
    found = {
        (row["order_id"], row["service_id"]): (
            row["rate_id"],
            Decimal(row["quantity"]).scaleb(-3),
            Decimal(row["unit_price"]).scaleb(-6),
            row["tier"],
            row["bound"],
            row["amount_minor"],
        )
        for row in rows
    }
    assert len(found) == len(rows), "one row an order and service"
    assert all(type(row["amount_minor"]) is int for row in rows)
    return found


@every_card
@given(cards.cards(), cards.orders, cards.products)
def test_charges_and_questions_agree_with_the_naive_computation(session, card, orders, products):
    with session.begin_nested() as savepoint:
        customer_id = next(_customers)
        cards.store(session, card, orders, products, customer_id=customer_id)
        billed = in_period(orders)

        assert rated(session, customer_id) == naive.charges(card, billed, products)
        some = {rate["service"] for rate in card[::2]}
        if some:
            assert rated(session, customer_id, some) == naive.charges(card, billed, products, services=some)
        listed = [
            (row.order_id, row.service_id, row.sku, row.kind)
            for row in session.execute(statements.questions(session, customer_id, cards.PERIOD))
        ]
        assert sorted(listed, key=repr) == sorted(naive.questions(card, billed, products), key=repr)
        savepoint.rollback()
    session.expunge_all()

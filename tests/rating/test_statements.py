"""The rate card in SQL against the naive computation, for cards and orders that nobody thought of."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings

from billing_core.rating import statements
from billing_core.rating.models import CostType, QuestionKind
from tests.arrivals import arriving
from tests.rating import cards, naive

pytestmark = pytest.mark.slow


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


# What charges must come to in a run of the search, and the kinds of questions that must arise.
KINDS = (
    *(member.value for member in CostType),
    *("minimum", "maximum", "within its bounds", "no bounds"),
    *("graduated, the first tier", "graduated, a later tier", "volume, the first tier", "volume, a later tier"),
    *("for some SKUs", "under a condition", "USD", "JPY", "KWD", "some of the services"),
    *(member.value for member in QuestionKind),
)


def kinds(rate, tier, bound):
    """Which of them a charge is."""
    yield rate["cost_type"]
    yield rate["currency"]
    bounded = rate["minimum"] is not None or rate["maximum"] is not None
    yield bound or ("within its bounds" if bounded else "no bounds")
    if tier is not None:
        yield f"{rate['tier_mode']}, {'the first' if tier == 1 else 'a later'} tier"
    if rate["skus"]:
        yield "for some SKUs"
    if rate["condition"]:
        yield "under a condition"


@pytest.mark.drawn
def test_charges_and_questions_agree_with_the_naive_computation(session):
    customers = itertools.count(1)

    # Each example is rolled back, so that the database may be shared.
    @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
    @given(cards.billings())
    def agree(billing):
        card, orders, products = billing
        with session.begin_nested() as savepoint:
            customer_id = next(customers)
            cards.store(session, card, orders, products, customer_id=customer_id)
            billed = in_period(orders)

            charged = rated(session, customer_id)
            assert charged == naive.charges(card, billed, products)
            some = {rate["service"] for rate in card[::2]}
            charged_in_part = rated(session, customer_id, some)
            assert charged_in_part == naive.charges(card, billed, products, services=some)
            asked = [
                (row.order_id, row.service_id, row.sku, row.kind)
                for row in session.execute(statements.questions(session, customer_id, cards.PERIOD))
            ]
            assert sorted(asked, key=repr) == sorted(naive.questions(card, billed, products), key=repr)
            savepoint.rollback()
        session.expunge_all()

        rates = {rate["id"]: rate for rate in card}
        for rate_id, _quantity, _price, tier, bound, _minor in charged.values():
            for kind in kinds(rates[rate_id], tier, bound):
                arrived(kind)
        if 0 < len(charged_in_part) < len(charged):
            arrived("some of the services")
        for *_about, kind in asked:
            arrived(kind)

    with arriving(KINDS) as arrived:
        agree()

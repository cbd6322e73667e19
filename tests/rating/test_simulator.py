"""The simulator's amounts are the reports' own; its reasons agree with them."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings

from billing_core.errors import NotFound
from billing_core.identity import SYSTEM
from billing_core.identity.permissions import Role, actor_with
from billing_core.rating import simulator, statements
from billing_core.rating.models import QuestionKind
from tests.arrivals import arriving
from tests.rating import cards
from tests.rating.examples import a_rate, an_order


def test_reasons_agree_with_the_statements(session):
    customers = itertools.count(1)

    @settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
    @given(cards.billings())
    def agree(billing):
        card, orders, products = billing
        with session.begin_nested() as savepoint:
            customer_id = next(customers)
            cards.store(session, card, orders, products, customer_id=customer_id)
            rated = list(session.execute(statements.charges(session, customer_id, cards.PERIOD)))
            for order in orders:
                if cards.PERIOD.start <= order["day"] <= cards.PERIOD.end:
                    mine = {row.service_id: row.amount_minor for row in rated if row.order_id == order["id"]}
                    found = simulator.simulate(session, SYSTEM, order["id"])
                    _check(found, order, mine)
                    for kind in (kind for one in found.outcomes for kind in _kinds(one)):
                        arrived(kind)
            savepoint.rollback()
        session.expunge_all()

    def _check(found, order, charged):
        assert {one.service_id: one.amount.minor for one in found.outcomes if one.charged} == charged
        assert (found.total.minor if found.total else 0) == sum(charged.values())
        for one in found.outcomes:
            # The condition as Python reads it: SQL charged no order for which it fails.
            assert not one.charged or not one.findings or one.findings[0].held
            assert one.charged or one.reason
            if one.findings and not one.findings[0].held and order["status"] not in ("draft", "cancelled"):
                assert one.reason == "Its condition does not hold"
            assert sum((part.quantity for part in one.slices), Decimal(0)) == (one.quantity or 0)

    def _kinds(one):
        yield "charged" if one.charged else "not charged"
        if len(one.slices) > 1:
            yield "in several tiers"
        if one.findings:
            yield "a condition that holds" if one.findings[0].held else "a condition that fails"

    kinds = ("charged", "not charged", "in several tiers", "a condition that holds", "a condition that fails")
    with arriving(kinds) as arrived:
        agree()


def simulated(session, card, order, products=None):
    cards.store(session, card, [order], products or {}, customer_id=1)
    return simulator.simulate(session, SYSTEM, order["id"])


def test_tiers_are_shown_slice_by_slice(session):
    rate = a_rate(tiers=[(Decimal(10), Decimal("0.5")), (None, Decimal("0.1"))], minimum=600)
    (outcome,) = simulated(session, [rate], an_order(("A", Decimal("12.5")))).outcomes
    assert [(part.quantity, part.unit_price, part.amount) for part in outcome.slices] == [
        (Decimal(10), Decimal("0.5"), Decimal(5)),
        (Decimal("2.5"), Decimal("0.1"), Decimal("0.25")),
    ]
    assert (str(outcome.amount), outcome.bound, outcome.tier) == ("6.00 USD", "minimum", 2)


def test_the_whole_quantity_of_a_volume_is_one_slice(session):
    tiers = [(Decimal(10), Decimal("0.5")), (Decimal(20), Decimal("0.2")), (None, Decimal("0.1"))]
    for customer_id, (units, price, amount) in enumerate(
        [("10", "0.5", "5"), ("10.001", "0.2", "2.0002"), ("20", "0.2", "4"), ("21", "0.1", "2.1")], start=1
    ):
        order = an_order(("A", Decimal(units)))
        cards.store(session, [a_rate(tiers=tiers, tier_mode="volume")], [order], {}, customer_id=customer_id)
        (outcome,) = simulator.simulate(session, SYSTEM, order["id"]).outcomes
        assert [(part.quantity, part.unit_price, part.amount) for part in outcome.slices] == [
            (Decimal(units), Decimal(price), Decimal(amount))
        ]


def test_a_percentage_is_shown_with_what_it_is_taken_of(session):
    """10 % of 9.99 is 0.999, which is 1.00; with 5 % from 5.00 on it is 0.50 and 0.2495: 0.75."""
    stepped = [(Decimal(5), Decimal(10)), (None, Decimal(5))]
    card = [
        a_rate(),
        a_rate("percent_of_services", "10", service=2),
        a_rate("percent_of_services", "1", service=3, tiers=stepped),
    ]
    found = simulated(session, card, an_order(("A", Decimal("9.99"))))
    _, plain, tiered = found.outcomes
    assert [(part.quantity, part.unit_price, part.amount) for part in plain.slices] == [
        (Decimal("9.99"), Decimal(10), Decimal("0.999"))
    ]
    assert [(part.quantity, part.unit_price, part.amount) for part in tiered.slices] == [
        (Decimal(5), Decimal(10), Decimal("0.5")),
        (Decimal("4.99"), Decimal(5), Decimal("0.2495")),
    ]
    assert [str(outcome.amount) for outcome in found.outcomes] == ["9.99 USD", "1.00 USD", "0.75 USD"]
    assert str(found.total) == "11.74 USD"


@pytest.mark.parametrize(
    ("rate", "order", "reason"),
    [
        (a_rate(), an_order(status="draft"), "A draft order is not billed"),
        (a_rate(), an_order(), "The order has no lines"),
        (a_rate(skus=["B"]), an_order(("A", Decimal(1))), "No line has one of its SKUs"),
        (a_rate("per_weight_unit"), an_order(), "The weight is not known"),
        (a_rate("per_package"), an_order(packages=0), "There are no packages"),
        (a_rate("percent_of_services"), an_order(), "The other services cost nothing"),
        (
            a_rate(condition={"field": "weight", "op": "gt", "value": 5}),
            an_order(("A", Decimal(1))),
            "Its condition does not hold",
        ),
        (a_rate(valid_to=cards.day(-1)), an_order(), "No rate on the order's day"),
    ],
)
def test_what_is_not_charged_says_why(session, rate, order, reason):
    (outcome,) = simulated(session, [rate], order).outcomes
    assert (outcome.charged, outcome.reason) == (False, reason)


def test_open_questions_are_shown_with_the_order(session):
    found = simulated(session, [a_rate("per_case")], an_order(("New", Decimal(1))))
    assert [(kind, sku) for _, kind, sku in found.questions] == [(QuestionKind.UNKNOWN_SKU, "NEW")]


def test_an_order_is_simulated_only_for_those_who_may_see_it(session):
    order = an_order()
    simulated(session, [a_rate()], order)
    assert simulator.simulate(session, SYSTEM, order["id"]).order_number == "1-0"
    stranger = actor_with(Role.FINANCE, user_id=None, name="Other", customer_id=99)
    with pytest.raises(NotFound):
        simulator.simulate(session, stranger, order["id"])

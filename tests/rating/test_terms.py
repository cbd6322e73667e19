"""A customer's rates as rating computes with them: which hold in a period, in which form, and how many there may be."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import update

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Conflict, Invalid
from billing_core.rating import statements, terms
from billing_core.rating.models import CostType, Rate, TierMode
from billing_core.rating.terms import Tier
from tests.rating import cards
from tests.rating.cards import PERIOD, day
from tests.rating.examples import a_rate, amounts, an_order, of_items

D = Decimal


def held(session, card, service_ids=()):
    cards.store(session, card, [], {}, customer_id=1)
    return terms.card(session, 1, PERIOD, service_ids)


def test_everything_is_an_integer_of_its_smallest_part(session):
    plain = a_rate(price="1.234567", minimum=5, maximum=9, skus=["b", "A"])
    tiered = a_rate(service=2, price="7", tiers=[(D("2.5"), D("0.000001")), (None, D(3))], tier_mode="volume")

    first, second = held(session, [plain, tiered])

    assert (first.price, first.minimum, first.maximum, first.skus) == (1_234_567, 5, 9, ("A", "B"))
    assert (first.tier_mode, first.tiers, first.highest_price) == (None, (), 1_234_567)
    assert (second.tier_mode, second.tiers) == (TierMode.VOLUME, (Tier(2_500, 1), Tier(None, 3_000_000)))
    assert (second.highest_price, second.service_name, second.cost_type) == (3_000_000, "Service 2", CostType.PER_ITEM)
    assert [(one.place, one.column) for one in (first, second)] == [(0, "rate_0"), (1, "rate_1")]


@pytest.mark.parametrize(
    ("first", "last", "touches"),
    [(-9, -1, False), (-9, 0, True), (0, 0, True), (9, 9, True), (9, None, True), (10, None, False), (-9, None, True)],
)
def test_a_rate_touches_a_period_that_has_one_of_its_days(session, first, last, touches):
    rate = a_rate(valid_from=day(first), valid_to=None if last is None else day(last))
    assert bool(held(session, [rate])) is touches


def test_the_card_is_in_the_order_of_services_and_first_days_without_what_was_withdrawn(session):
    card = [
        a_rate(service=2, valid_from=day(0), valid_to=day(3)),
        a_rate(service=1, valid_from=day(5)),
        a_rate(service=1, valid_from=day(0), valid_to=day(4)),
        a_rate(service=3),
    ]
    cards.store(session, card, [], {}, customer_id=1)
    session.execute(update(Rate).where(Rate.service_id == card[3]["service"]).values(withdrawn_at=cards.NOW))

    by_service = sorted(card[:3], key=lambda rate: (rate["service"], rate["valid_from"]))
    assert [one.rate_id for one in terms.card(session, 1, PERIOD)] == [rate["id"] for rate in by_service]
    assert [one.rate_id for one in terms.history(session, 1)] == [rate["id"] for rate in by_service]


@pytest.mark.parametrize(
    ("wanted", "expected"), [([1], [1]), ([2], [2]), ([3], [1, 2, 3]), ([1, 3], [1, 2, 3]), ([], [1, 2, 3])]
)
def test_a_percentage_brings_what_it_is_taken_of(session, wanted, expected):
    card = [a_rate(), a_rate("per_order", service=2), a_rate("percent_of_services", "10", service=3)]
    cards.store(session, card, [], {}, customer_id=1)
    ids = {number: rate["service"] for number, rate in enumerate(card, start=1)}

    found = terms.card(session, 1, PERIOD, [ids[number] for number in wanted])
    assert [one.service_id for one in found] == [ids[number] for number in expected]


def test_only_the_requested_services_are_charged_for(session):
    card = [a_rate(), a_rate("per_order", "2", service=2), a_rate("percent_of_services", "10", service=3)]
    for customer_id, (services, expected) in enumerate(
        [((), {1: 3_00, 2: 2_00, 3: 50}), ((3,), {3: 50}), ((2,), {2: 2_00}), ((1, 3), {1: 3_00, 3: 50})], start=1
    ):
        copied = [dict(rate) for rate in card]
        assert amounts(session, copied, of_items("3"), services=services, customer_id=customer_id) == [expected]


def test_nothing_is_charged_where_no_rate_of_a_requested_service_holds(session):
    card = [a_rate(), a_rate(service=2, valid_from=day(20))]
    cards.store(session, card, [an_order(("A", D(1)))], {}, customer_id=1)

    assert statements.charges(session, 1, PERIOD, [card[1]["service"]]) is None
    assert statements.charges(session, 1, Period(day(-400), day(-399))) is None
    assert statements.charges(session, 1, PERIOD, [card[0]["service"]]) is not None


def test_a_rate_in_another_currency_than_the_customers_is_refused_by_its_service(session):
    cards.store(session, [a_rate(), a_rate(service=2, valid_from=day(20))], [], {}, customer_id=1)
    session.execute(update(Customer).values(currency="EUR"))

    with pytest.raises(Conflict, match=r"^The rate of Service 1 is in USD, but the customer is billed in EUR$"):
        terms.card(session, 1, PERIOD)
    assert terms.card(session, 1, Period(day(-400), day(-399))) == []


def test_as_many_rates_as_there_may_be_and_no_more(session, monkeypatch):
    card = [a_rate("per_order", service=number) for number in range(1, 4)]
    cards.store(session, card, [], {}, customer_id=1)
    assert terms.MAX_RATES == 200
    monkeypatch.setattr(terms, "MAX_RATES", 3)
    assert len(terms.card(session, 1, PERIOD)) == 3
    monkeypatch.setattr(terms, "MAX_RATES", 2)
    with pytest.raises(Invalid, match="This period has 3 rates, more than 2"):
        terms.card(session, 1, PERIOD)


@pytest.mark.parametrize("cost_type", CostType)
def test_one_of_them_is_a_percentage(session, cost_type):
    (one,) = held(session, [a_rate(cost_type.value)])
    assert one.is_percent is (cost_type is CostType.PERCENT_OF_SERVICES)
    assert replace(one, place=7).column == "rate_7"

"""What a plan comes to at given use, by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest

from billing_core.errors import Invalid, NotFound
from billing_core.identity import SYSTEM
from billing_core.metering import meters
from billing_core.metering.models import API_CALLS, Aggregation
from billing_core.money import Money
from billing_core.plans import costs, service
from billing_core.plans.costs import CostOf, Line
from billing_core.plans.offers import offer
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.plans.terms import AddOn, Amounts, Phase, Terms
from tests.plans.agreed import NOW

D = Decimal
TEAM = Terms(
    "USD",
    D("29.99"),
    0,
    D(0),
    seat_price=D("4.50"),
    included_seats=3,
    further={"EUR": Amounts(D("27.50"), D(4))},
    add_ons=(
        AddOn("support", "Support", {"USD": D(10), "EUR": D("9.01")}),
        AddOn("backup", "Backup", {"USD": D(1), "EUR": D(1)}),
    ),
    phases=(Phase(2, D(50)),),
)
CALLS, MAILS = Metered(API_CALLS), Metered("mails")


@pytest.fixture
def team(session) -> int:
    return service.create(session, SYSTEM, code="team", name="Team", agreed=TEAM, now=NOW).id


def test_a_period_costs_the_plan_its_further_seats_and_its_add_ons(session, team):
    found = costs.of_period(offer(session, team, "EUR"), 2, seats=5, add_ons={"backup": 0, "support": 2})
    assert found == [
        Line(CostOf.PLAN, "Team", 1, 2750),
        Line(CostOf.SEATS, "Team", 2, 400),
        Line(CostOf.ADD_ON, "Support", 2, 901),
    ]
    assert [line.amount_minor for line in found] == [2750, 800, 1802]


def test_phases_make_the_plan_cheaper_and_nothing_else(session, team):
    found = costs.of_period(offer(session, team, "USD"), 1, seats=4, add_ons={"backup": 1})
    # Half of 2,999 cents is 1,499.5.
    assert [line.amount_minor for line in found] == [1500, 450, 100]


def test_included_seats_and_seats_that_nobody_counts_cost_nothing(session, team):
    offered = offer(session, team, "USD")
    assert [line.of for line in costs.of_period(offered, 0, seats=3, add_ons={})] == [CostOf.PLAN]
    uncounted = replace(offered, seat_price_minor=None, included_seats=0)
    assert [line.of for line in costs.of_period(uncounted, 0, seats=99, add_ons={})] == [CostOf.PLAN]


@pytest.mark.parametrize(
    ("seats", "add_ons", "field"), [(-1, {}, "seats"), (1, {"support": -1}, "add_ons"), (1, {"gold": 1}, "add_ons")]
)
def test_what_cannot_be_had_is_refused_by_the_name_of_the_field(session, team, seats, add_ons, field):
    with pytest.raises(Invalid) as refused:
        costs.of_period(offer(session, team, "USD"), 0, seats=seats, add_ons=add_ons)
    assert list(refused.value.fields) == [field]


@pytest.fixture
def metered(session) -> int:
    meters.create(session, SYSTEM, code="mails", name="Mails", aggregation=Aggregation.SUM, unit="mail", now=NOW)
    steps = (Tier(D(100), D("0.05")), Tier(None, D("0.02"), D(3)))
    charged = {MAILS: Price("USD", Scheme.GRADUATED, steps, included=D(10), minimum=D(4))}
    agreed = Terms("USD", D(29), 1_000, D("0.0005"))
    return service.create(session, SYSTEM, code="used", name="Used", agreed=agreed, charged=charged, now=NOW).id


def test_usage_costs_what_is_beyond_the_included_quantity(session, metered):
    found = costs.of_usage(session, metered, {CALLS: D(1_501), MAILS: D(210)})
    # 501 calls at 0.0005 are 0.2505; 200 mails are 100 at 0.05, 100 at 0.02 and the fee of 3.
    assert {of: one.amount for of, one in found.items()} == {CALLS: Money(25, "USD"), MAILS: Money(1000, "USD")}
    assert (found[CALLS].billable, found[MAILS].billable) == (501, 200)


def test_a_minimum_is_owed_without_any_use(session, metered):
    found = costs.of_usage(session, metered, {MAILS: D(0)})
    assert found[MAILS].amount == Money(400, "USD")


def test_usage_without_a_price_is_refused(session, team, metered):
    assert list(costs.prices_of_usage(session, metered)) == [CALLS, MAILS]
    for used in ({MAILS: D(1)}, {CALLS: D(-1)}, {CALLS: D("NaN")}):
        with pytest.raises(Invalid) as refused:
            costs.of_usage(session, team, used)
        assert list(refused.value.fields) == ["usage"]
    with pytest.raises(NotFound):
        costs.of_usage(session, metered + 1, {})

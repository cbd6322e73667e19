"""What a plan costs at given use, tried on its page; amounts by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest

from billing_core.identity import SYSTEM
from billing_core.metering import meters
from billing_core.metering.models import API_CALLS, Aggregation
from billing_core.plans import service
from billing_core.plans.models import PlanInterval
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.plans.terms import AddOn, Amounts, Phase, Terms
from tests.pages.roles import EVERY_ROLE
from tests.plans.agreed import NOW

pytestmark = pytest.mark.slow

D = Decimal
TEAM = Terms(
    "USD",
    D("29.99"),
    0,
    D(0),
    PlanInterval.QUARTER,
    seat_price=D("4.50"),
    included_seats=3,
    ends_after=4,
    further={"EUR": Amounts(D("27.50"), D(4))},
    add_ons=(AddOn("support", "Premium support", {"USD": D(10), "EUR": D("9.01")}),),
    phases=(Phase(2, D(50)),),
)
METERED = Terms("USD", D(29), 1_000, D("0.0005"))
NBSP = "\N{NO-BREAK SPACE}"


def made(sessions, agreed, charged=None) -> int:
    with sessions.begin() as session:
        return service.create(session, SYSTEM, code="team", name="Team", agreed=agreed, charged=charged, now=NOW).id


@pytest.fixture
def mails(sessions) -> dict[Metered, Price]:
    with sessions.begin() as session:
        meters.create(session, SYSTEM, code="mails", name="Mails", aggregation=Aggregation.SUM, unit="mail", now=NOW)
    steps = (Tier(D(100), D("0.05")), Tier(None, D("0.02"), D(3)))
    return {Metered("mails"): Price("USD", Scheme.GRADUATED, steps, included=D(10), minimum=D(4))}


def opened(page_as, role="finance"):
    return page_as(role).visit("plans.py", plan="team", plan_tab="What it costs")


def rows(page) -> list[list[str]]:
    """For what, quantity, what each costs, amount."""
    table = page.dataframe[0].value
    (amount,) = (column for column in table.columns if column.startswith("Amount, "))
    return table[["For", "Quantity", "Each", amount]].values.tolist()


def totals(page) -> dict[str, str]:
    return {one.label: one.value.replace(NBSP, " ") for one in page.metric}


@EVERY_ROLE
def test_seats_add_ons_and_phases_are_added_up(page_as, sessions, role):
    version_id = made(sessions, TEAM)
    page = opened(page_as, role)
    assert not page.exception
    # Half of 29.99 is 14.995, rounded up; as many seats as are included.
    assert totals(page) == {"Due for period 1": "15.00 USD"}
    page.number_input(key=f"cost_period_{version_id}_USD").set_value(3)
    page.number_input(key=f"cost_seats_{version_id}_USD").set_value(5)
    page.number_input(key=f"cost_add_on_{version_id}_USD_support").set_value(2).run()

    assert not page.exception
    assert rows(page) == [
        ["Team", "1", "29.99", "29.99"],
        ["Seats beyond 3 included", "2", "4.50", "9.00"],
        ["Premium support", "2", "10.00", "20.00"],
    ]
    assert totals(page) == {"Due for period 3": "58.99 USD"}
    assert "Due a quarter, in advance, without tax and promo codes." in [one.value for one in page.caption]


def test_in_another_currency_everything_has_its_price_there(page_as, sessions):
    version_id = made(sessions, TEAM)
    page = opened(page_as)
    page.selectbox(key=f"cost_currency_{version_id}").set_value("EUR").run()
    page.number_input(key=f"cost_seats_{version_id}_EUR").set_value(4)
    page.number_input(key=f"cost_add_on_{version_id}_EUR_support").set_value(1).run()
    assert [row[3] for row in rows(page)] == ["13.75", "4.00", "9.01"]
    assert totals(page) == {"Due for period 1": "26.76 EUR"}


def test_a_period_after_the_last_cannot_be_asked_for(page_as, sessions):
    version_id = made(sessions, TEAM)
    assert opened(page_as).number_input(key=f"cost_period_{version_id}_USD").max == 4


def test_usage_of_a_month_is_added_where_the_plan_is_due_each_month(page_as, sessions, mails):
    version_id = made(sessions, METERED, mails)
    page = opened(page_as)
    # A minimum is owed without any use.
    assert totals(page) == {"Due for period 1": "29.00 USD", "Usage of a month": "4.00 USD", "Together": "33.00 USD"}
    page.number_input(key=f"cost_used_{version_id}_USD_{API_CALLS}").set_value(11_000)
    page.number_input(key=f"cost_used_{version_id}_USD_mails").set_value(210).run()

    # 10,000 calls at 0.0005; 200 mails: 100 at 0.05, 100 at 0.02 and the fee of 3.
    assert rows(page) == [
        ["Team", "1", "29.00", "29.00"],
        ["API calls beyond 1,000 included", "10,000", "0.0005", "5.00"],
        ["Mails beyond 10 included, at least 4.00", "200", "up to 100: 0.05 · then 0.02 + 3.00", "10.00"],
    ]
    assert totals(page) == {"Due for period 1": "29.00 USD", "Usage of a month": "15.00 USD", "Together": "44.00 USD"}


def test_usage_of_a_month_and_the_price_of_a_year_are_no_sum(page_as, sessions):
    made(sessions, replace(METERED, interval=PlanInterval.YEAR))
    assert totals(opened(page_as)) == {"Due for period 1": "29.00 USD", "Usage of a month": "0.00 USD"}


def test_what_a_former_version_costs_can_be_asked_too(page_as, sessions):
    made(sessions, TEAM)
    with sessions.begin() as session:
        service.add_version(session, SYSTEM, "team", METERED, now=NOW)
    page = opened(page_as)
    assert totals(page)["Due for period 1"] == "29.00 USD"
    page.selectbox(key="cost_version").set_value(1).run()
    assert totals(page) == {"Due for period 1": "15.00 USD"}

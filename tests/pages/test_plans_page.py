"""Plans: what they include and cost, in versions, and who is on them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.plans import queries, service
from billing_core.plans.models import CustomerPlan, PlanVersion
from billing_core.usage import billing
from tests.pages.plans import faults
from tests.pages.pressing import press
from tests.pages.roles import EVERY_ROLE
from tests.plans.agreed import NOW, a_plan, terms
from tests.reports.company import a_customer
from tests.subscriptions.signed_up import a_subscription

pytestmark = pytest.mark.slow


@pytest.fixture
def acme(sessions) -> int:
    """On the first of two versions of ``basic``; ``pro`` is nobody's."""
    with sessions.begin() as session:
        acme = a_customer(session, "ACME", priced=False)
        a_plan(session)
        a_plan(session, "pro", terms(50_000, "0.0005", "99"))
        service.put_on(session, SYSTEM, acme, "basic", valid_from=date(2026, 1, 1), now=NOW)
        service.add_version(
            session, SYSTEM, "basic", terms(price_per_call="0.002"), now=datetime(2026, 2, 1, tzinfo=UTC)
        )
    return acme


def versions(sessions, code: str) -> list[tuple[object, ...]]:
    with sessions() as session:
        statement = queries.versions().where(PlanVersion.plan_id == queries.latest(session, SYSTEM, code).plan_id)
        rows = [queries.Version(*row) for row in session.execute(statement.order_by(PlanVersion.number))]
        return [(one.number, one.currency, one.price_minor, one.included_calls, one.price_per_call) for one in rows]


@EVERY_ROLE
def test_without_plans_the_page_says_so(page_as, role):
    page = page_as(role).visit("plans.py")

    assert not page.exception
    assert "There are no plans yet" in page.info[0].value
    assert any(button.label == "New plan" for button in page.main.button) == (role == "admin")


@EVERY_ROLE
def test_subscriptions_to_a_plan_are_counted_and_one_click_away(page_as, acme, sessions, role):
    with sessions.begin() as session:
        a_subscription(session, "pro", ref="ACME")
    page = page_as(role).visit("plans.py")
    assert page.dataframe[0].value["Subscriptions"].tolist() == ["0", "1"]
    page = page_as(role).visit("plans.py", plan="pro")
    assert not page.exception
    assert "1 subscription" in [link.label for link in page.page_link]


@EVERY_ROLE
def test_plans_are_listed_by_their_latest_terms(page_as, acme, role):
    page = page_as(role).visit("plans.py")

    assert not page.exception
    columns = ["Name", "Price", "Currency", "Due", "Included calls", "A call beyond", "Versions", "Organizations"]
    assert page.dataframe[0].value[columns].values.tolist() == [
        ["Basic", "29.00", "USD", "a month", 10_000, "0.002", 2, 1],
        ["Pro", "99.00", "USD", "a month", 50_000, "0.0005", 1, 0],
    ]


@EVERY_ROLE
def test_a_plan_tells_its_versions_and_who_is_on_them(page_as, acme, role):
    page = page_as(role).visit("plans.py", plan="basic")

    assert not page.exception
    assert page.title[0].value == "Basic"
    told, on_it = (table.value for table in page.dataframe)
    assert told[["Version", "A call beyond", "Organizations"]].values.tolist() == [[2, "0.002", 0], [1, "0.001", 1]]
    assert on_it[["Organization", "Key", "Version"]].values.tolist() == [["Acme Corp", "ACME", 1]]
    assert {button.label for button in page.main.button} >= {"All plans"}
    assert any(button.label == "New version" for button in page.main.button) == (role == "admin")


def test_an_admin_creates_a_plan(page_as, sessions):
    page = page_as("admin").visit("plans.py")
    page.button(key="new_plan").click().run()
    page.text_input(key="plan_code").set_value("tiny")
    page.text_input(key="plan_name").set_value("Tiny")
    page.text_input(key="plan_price_new").set_value("9.50")
    page.number_input(key="plan_included_new").set_value(100)
    page.text_input(key="plan_per_call_new").set_value("0.000000000001")
    # Here the whole page runs, not the dialog alone, so its opener is clicked again with it.
    page.button(key="new_plan").click()
    page.button(key="create_plan").click().run()

    assert not page.exception
    assert versions(sessions, "tiny") == [(1, "USD", 950, 100, Decimal("0.000000000001"))]


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ({"plan_price_new": "much"}, "“much” is not a number such as 1234.50"),
        ({"plan_price_new": "1.001"}, "Price has more than 2 decimals"),
        ({"plan_per_call_new": "0.0000000000001"}, "A call beyond costs has more than 12 decimals"),
        ({"plan_price_new": "-1"}, "Price must be from 0 to 9,000,000,000,000"),
    ],
)
def test_terms_that_cannot_be_are_refused_in_the_dialog(page_as, sessions, typed, why):
    page = page_as("admin").visit("plans.py")
    page.button(key="new_plan").click().run()
    for key, text in {"plan_code": "tiny", "plan_name": "Tiny", **typed}.items():
        page.text_input(key=key).set_value(text)
    page.button(key="new_plan").click()
    page.button(key="create_plan").click().run()

    assert not page.exception
    assert faults(page) == [why, "Something is wrong under “Price”."]
    with sessions() as session:
        assert session.scalars(select(PlanVersion.id)).all() == []


def test_another_version_begins_with_the_terms_of_the_latest(page_as, sessions, acme):
    page = page_as("admin").visit("plans.py", plan="basic")
    page.button(key="new_version").click().run()
    assert page.text_input(key="plan_per_call_basic_2").value == "0.002"
    page.number_input(key="plan_included_basic_2").set_value(20_000)
    page.button(key="new_version").click()
    page.button(key="create_version").click().run()

    assert not page.exception
    assert versions(sessions, "basic")[2:] == [(3, "USD", 29_00, 20_000, Decimal("0.002"))]


def test_an_admin_puts_an_organization_on_a_plan_from_a_day(page_as, sessions, acme):
    page = page_as("admin").visit("plans.py", plan="pro")
    page.button(key="put_on").click().run()
    assert page.button(key="do_put_on").disabled
    page.selectbox(key="put_on_customer").set_value(acme)
    page.date_input(key="put_on_from").set_value(date(2026, 3, 16))
    page.button(key="put_on").click().run()
    page.button(key="put_on").click()
    page.button(key="do_put_on").click().run()

    assert not page.exception
    with sessions() as session:
        days = [(part.first_day.day, part.version.code) for part in queries.on_plan(session, acme, MARCH)]
    assert days == [(1, "basic"), (16, "pro")]


def test_a_plan_in_another_currency_is_refused_in_the_dialog(page_as, sessions, acme):
    with sessions.begin() as session:
        bolt = a_customer(session, "BOLT", name="Bolt GmbH", currency="EUR", priced=False)
    page = page_as("admin").visit("plans.py", plan="pro")
    page.button(key="put_on").click().run()
    page.selectbox(key="put_on_customer").set_value(bolt)
    page.button(key="put_on").click().run()
    page.button(key="put_on").click()
    page.button(key="do_put_on").click().run()

    assert "Bolt GmbH is billed in EUR, the plan pro is in USD" in page.error[0].value
    with sessions() as session:
        assert session.scalars(select(CustomerPlan.customer_id)).all() == [acme]


def test_an_admin_takes_an_organization_off_all_plans_from_a_day_on(page_as, sessions, acme):
    with sessions.begin() as session:
        service.put_on(session, SYSTEM, acme, "pro", valid_from=date(2150, 1, 1), now=NOW)
    page = page_as("admin").visit("plans.py", plan="basic")
    assert page.dataframe[1].value[["Organization", "Until"]].values.tolist() == [["Acme Corp", date(2149, 12, 31)]]
    press(page, "Take off", row=0, table=1)
    page.date_input(key="take_off_from").set_value(date(2026, 3, 16))
    press(page, "Take off", row=0, table=1)
    told = [one.value for one in page.caption if one.value.startswith("No longer on")]
    assert told == [
        "No longer on Basic, version 1.",
        "No longer on Pro, version 1, on which it was to be from 01/01/2150.",
    ]
    page.button(key="do_take_off").click()
    press(page, "Take off", row=0, table=1)

    assert not page.exception
    with sessions() as session:
        parts = queries.on_plan(session, acme, Period(date(2026, 3, 1), date(2151, 12, 31)))
    assert [(part.version.code, part.last_day) for part in parts] == [("basic", date(2026, 3, 15))]


def test_billed_days_keep_their_plan(page_as, sessions, acme):
    with sessions.begin() as session:
        billing.bill(session, SYSTEM, acme, MARCH, now=APRIL, today=APRIL.date())
    page = page_as("admin").visit("plans.py", plan="basic")
    press(page, "Take off", row=0, table=1)
    page.date_input(key="take_off_from").set_value(date(2026, 3, 31))
    press(page, "Take off", row=0, table=1)
    page.button(key="do_take_off").click()
    press(page, "Take off", row=0, table=1)

    assert "from 03/01/2026 to 03/31/2026 is billed by the plan of those days" in page.error[0].value
    with sessions() as session:
        assert [part.last_day for part in queries.on_plan(session, acme, MARCH)] == [MARCH.end]


@EVERY_ROLE
def test_admins_alone_take_organizations_off_plans(page_as, acme, role):
    page = page_as(role).visit("plans.py", plan="basic")
    assert ("Take off" in page.dataframe[1].value) == (role == "admin")


def test_who_is_bound_to_an_organization_sees_its_own_plans_alone(page_as, sessions, acme):
    with sessions.begin() as session:
        other = a_customer(session, "OTHER", name="Other Inc", priced=False)
        service.put_on(session, SYSTEM, other, "basic", valid_from=date(2026, 1, 1), now=NOW)
    page = page_as("manager", customer_id=acme).visit("plans.py")
    assert page.dataframe[0].value[["Name", "Organizations"]].values.tolist() == [["Basic", 1]]

    page = page_as("manager", customer_id=acme).visit("plans.py", plan="basic")
    assert list(page.dataframe[1].value["Organization"]) == ["Acme Corp"]
    page = page_as("manager", customer_id=acme).visit("plans.py", plan="pro")
    assert [error.value for error in page.error] == ["There is no plan pro"]


MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
APRIL = datetime(2026, 4, 2, tzinfo=UTC)

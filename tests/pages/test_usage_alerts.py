"""Alerts on usage: set up, changed and removed on the Usage page, and what they told."""

import pytest
from sqlalchemy import select

from billing_core.metering.alerts import AlertMeasure, UsageAlert
from billing_core.usage.alerts import Told
from tests.pages.as_read import as_read
from tests.pages.pressing import tick
from tests.pages.roles import EVERY_ROLE
from tests.usage.watching import call, check, ten_calls, watch

pytestmark = pytest.mark.slow
ALERTS = {"usage_list": "Alerts"}


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        return ten_calls(session, name="Acme Corp")


def kept(sessions) -> list[tuple[object, ...]]:
    """Alerts that are not removed: whose, measure, threshold, currency, recipients, to the customer too."""
    columns = (UsageAlert.customer_id, UsageAlert.measure, UsageAlert.threshold, UsageAlert.currency)
    with sessions() as session:
        statement = select(*columns, UsageAlert.recipients, UsageAlert.to_customer)
        rows = session.execute(statement.where(UsageAlert.removed_at.is_(None)).order_by(UsageAlert.id))
        return [tuple(row) for row in rows]


@EVERY_ROLE
def test_without_alerts_the_page_says_so_and_offers_one_to_who_may(page_as, role):
    page = page_as(role).visit("usage.py", **ALERTS)

    assert not page.exception
    assert "Nobody is told when usage reaches a threshold" in page.info[0].value
    assert any(button.label == "New alert" for button in page.main.button) == (role == "admin")


@EVERY_ROLE
def test_alerts_and_what_they_told_are_listed(page_as, sessions, acme, role):
    with sessions.begin() as session:
        watch(session, None, 80, AlertMeasure.ALLOWANCE, Told(("ana@example.com",), to_customer=True))
        watch(session, acme, 12_50, AlertMeasure.COST)
    call(sessions, 1, 9)
    check(sessions)
    page = page_as(role).visit("usage.py", **ALERTS)

    assert not page.exception
    watched, reached = (table.value for table in page.dataframe)
    assert watched[["Whose usage", "Threshold", "Told"]].values.tolist() == [
        ["Every organization", "80% of the allowance", "ana@example.com, the organization"],
        ["Acme Corp", "12.50\N{NO-BREAK SPACE}USD", "Webhooks alone"],
    ]
    assert ("Change" in watched.columns) == (role == "admin")
    columns = ["Organization", "Threshold", "Month", "Calls then", "Included", "Cost then"]
    assert reached[columns].values.tolist() == [["Acme Corp", "80% of the allowance", "March 2026", 9, 10, "0.00"]]


def test_an_admin_watches_every_organization(page_as, sessions):
    page = page_as("admin").visit("usage.py", **ALERTS)
    page.button(key="new_alert").click().run()
    page.text_area(key="alert_recipients_new").set_value("ana@example.com; ben@example.com")
    page.checkbox(key="alert_to_customer_new").check()
    # Here the whole page runs, not the dialog alone, so its opener is clicked again with it.
    page.button(key="new_alert").click()
    page.button(key="create_alert").click().run()

    assert not page.exception
    assert kept(sessions) == [(None, "allowance", 80, "", ["ana@example.com", "ben@example.com"], True)]


def test_an_admin_watches_the_cost_of_one_organization_in_its_currency(page_as, sessions, acme):
    page = page_as("admin").visit("usage.py", organization=str(acme), usage_tab="Alerts")
    page.button(key="new_alert").click().run()
    page.selectbox(key="alert_measure").set_value(AlertMeasure.COST)
    page.button(key="new_alert").click().run()
    page.text_input(key="alert_cost_new_USD").set_value("12.50")
    page.button(key="new_alert").click()
    page.button(key="create_alert").click().run()

    assert not page.exception
    assert kept(sessions) == [(acme, "cost", 1250, "USD", [], False)]


def test_an_alert_is_changed_and_removed(page_as, sessions, acme):
    with sessions.begin() as session:
        alert = watch(session, acme, 10)
    page = page_as("admin").visit("usage.py", **ALERTS)
    page = tick(page, row=0)
    page.button(key="usage_alerts_Change_of_ticked").click().run()
    page.number_input(key=f"alert_calls_{alert}_1").set_value(20)
    page.button(key="usage_alerts_Change_of_ticked").click()
    page.button(key="change_alert").click().run()
    assert not page.exception
    assert kept(sessions) == [(acme, "calls", 20, "", [], False)]

    page = page_as("admin").visit("usage.py", **ALERTS)
    page = tick(page, row=0)
    page.button(key="usage_alerts_Remove_of_ticked").click().run()
    page.button(key="usage_alerts_Remove_of_ticked").click()
    page.button(key="remove_alert").click().run()
    assert not page.exception
    assert kept(sessions) == []


def test_what_is_no_address_is_refused_in_the_dialog(page_as, sessions):
    page = page_as("admin").visit("usage.py", **ALERTS)
    page.button(key="new_alert").click().run()
    page.text_area(key="alert_recipients_new").set_value("nobody")
    page.button(key="new_alert").click()
    page.button(key="create_alert").click().run()

    assert "is not an e-mail address" in as_read(page.error[0].value)
    assert kept(sessions) == []

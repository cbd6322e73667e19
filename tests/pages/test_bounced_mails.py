"""Mails that came back: on the overview, on the customer's page, and before the next mail is sent there."""

import pytest

from billing_core.bounces import recording, reports
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.plans import service as plans
from billing_core.plans.terms import Terms
from tests.bounces.returned import returned
from tests.bounces.sent import a_mailed_invoice
from tests.pages.invoicing import press, shown
from tests.pages.pressing import press as press_in_table
from tests.subscriptions.signed_up import D, a_plan, a_subscription

REASON = "550 <b>*no*</b> 5.1.1 <ap@acme.example>: Recipient address rejected: User unknown"


@pytest.fixture
def invoice(sessions):
    """Its mail came back from ap@acme.example."""
    with sessions.begin() as session:
        invoice, message = a_mailed_invoice(session)
        report = reports.read(returned(key=message.key, code="550 <b>*no*</b>"))
        recording.record(session, SYSTEM, report, now=utc_now())
        return invoice


def test_they_need_attention_with_whose_address_it_is_and_why(page_as, invoice):
    page = page_as("finance").visit()
    assert not page.exception
    assert "1 mail came back" in shown(page)
    (table,) = (one.value for one in page.dataframe if "Why" in one.value.columns)
    assert list(table["Address"]) == [":material/open_in_new: ap@acme.example"]
    assert list(table["Customer"]) == ["Acme Corp"]
    assert list(table["Why"]) == [REASON]
    assert "Dismiss" not in table.columns
    page.button(key="attention_bounced_mails").click().run()
    assert "= the figure" in page.success[0].value


def test_an_admin_dismisses_the_address_on_the_customers_page(page_as, invoice):
    page = page_as("admin").visit("customers.py", customer=str(invoice.customer_id))
    assert not page.exception
    assert "A mail came back from ap@acme.example on" in shown(page)
    assert REASON in shown(page)
    (button,) = (one for one in page.button if str(one.key).startswith("dismiss_bounce_"))
    button.click().run()
    assert not page.exception
    assert "came back" not in shown(page)
    assert "came back" not in shown(page_as("admin").visit())


@pytest.mark.parametrize("role", ["finance", "manager"])
def test_who_may_not_send_dismisses_nothing(page_as, invoice, role):
    page = page_as(role).visit("customers.py", customer=str(invoice.customer_id))
    assert "A mail came back from ap@acme.example" in shown(page)
    assert not [one for one in page.button if str(one.key).startswith("dismiss_bounce_")]


def test_people_of_the_customer_are_not_told(page_as, invoice):
    page = page_as("admin", customer_id=invoice.customer_id).visit("customers.py", customer=str(invoice.customer_id))
    assert "came back" not in shown(page)


def test_the_next_mail_to_the_address_warns_in_the_dialog(page_as, invoice):
    page = page_as("admin").visit("invoice_editor.py", invoice=str(invoice.id))
    (opener,) = (str(one.key) for one in page.button if str(one.key).startswith("do_Send"))
    page.button(key=opener).click().run()
    assert not page.exception
    assert "A mail came back from ap@acme.example on" in shown(page)
    page.text_input(key=f"send_to_{invoice.id}").set_value("new@acme.example")
    press(page, opener)
    assert "A mail came back from" not in " ".join(one.value for one in page.warning)


def test_a_move_to_another_version_warns_before_its_customers_are_told(page_as, sessions, invoice):
    with sessions.begin() as session:
        a_plan(session)
        a_subscription(session, ref="ACME", now=utc_now())
        plans.add_version(session, SYSTEM, "pro", Terms("USD", D(40), 0, D(0)), now=utc_now())
    page = page_as("admin").visit("plans.py", plan="pro", plan_tab="Moves")
    page.button(key="move_them").click().run()
    assert not page.exception
    assert "A mail came back from ap@acme.example on" in shown(page)
    page.toggle(key="move_tells").set_value(False).run()
    page.button(key="move_them").click().run()
    assert "came back" not in shown(page)


def test_a_click_on_the_overview_dismisses_an_address(page_as, invoice):
    page = page_as("admin").visit()
    (place,) = (place for place, one in enumerate(page.dataframe) if "Dismiss" in one.value.columns)
    press_in_table(page, "Dismiss", row=0, table=place)
    assert not page.exception
    assert "came back" not in shown(page)

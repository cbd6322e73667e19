"""The tab of a customer's page with what it was invoiced, what it was credited, and what it owes."""

from datetime import timedelta

import pytest

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from pages.ui import formats
from tests.invoices.company import LATER, TODAY, a_customer, a_draft, a_line, an_invoice
from tests.pages.roles import EVERY_ROLE


@pytest.fixture
def acme(sessions):
    """238.00 USD late, of which 100.00 is paid and 38.00 credited; 119.00 EUR due later; a draft; 5.00 USD too much."""
    with sessions.begin() as session:
        customer = a_customer(session)
        late = an_invoice(session, customer)
        cash = Received("USD", 10000, PaymentMethod.CASH, TODAY)
        received.record_for(session, SYSTEM, late.id, received=cash, today=TODAY, now=LATER)
        credit_notes.issue(
            session, SYSTEM, late.id, amount_minor=3800, reason="Broken", issued_on=TODAY, today=TODAY, now=LATER
        )
        far = utc_now().date() + timedelta(days=90)
        an_invoice(session, customer, a_line(quantity="1"), currency="EUR", due_on=far)
        a_draft(session, customer)
        over = Received("USD", 500, PaymentMethod.CASH, TODAY)
        received.record(session, SYSTEM, customer_id=customer, received=over, allocations={}, today=TODAY, now=LATER)
        an_invoice(session, a_customer(session, "OTHER"))
        return customer


@EVERY_ROLE
def test_a_customer_shows_its_documents_and_what_it_owes_in_each_currency(page_as, acme, role):
    page = page_as(role).visit("customers.py", customer=str(acme), customer_tab="Invoices")

    assert not page.exception
    cards = [(card.label, card.value.replace(formats.NO_BREAK_SPACE, " ")) for card in page.metric]
    assert cards == [
        ("Outstanding", "119.00 EUR"),
        ("Outstanding", "100.00 USD"),
        ("Overdue", "100.00 USD"),
        ("Customers’ credit", "5.00 USD"),
    ]
    invoices, notes = (table.value for table in page.dataframe)
    assert sorted(invoices[["Status", "Total", "Amount due", "Currency"]].values.tolist(), key=str) == [
        [["Draft"], "238.00", "0.00", "USD"],
        [["Overdue"], "238.00", "100.00", "USD"],
        [["Sent"], "119.00", "119.00", "EUR"],
    ]
    assert notes[["Number", "Total", "Currency", "Reason"]].values.tolist() == [
        ["CN-2026-001", "38.00", "USD", "Broken"]
    ]
    assert ("new_invoice_for_customer" in {button.key for button in page.button}) == (role == "admin")


def test_each_amount_owed_opens_into_invoices_that_add_up_to_it(page_as, acme):
    page = page_as("finance").visit("customers.py", customer=str(acme), customer_tab="Invoices")
    page.button(key="customer_owes_outstanding_USD").click().run()
    assert not page.exception
    assert page.success[0].value.replace(formats.NO_BREAK_SPACE, " ") == "Sum of the rows: 100.00 USD = the figure ✓"


def test_a_customer_without_invoices_says_so(page_as, sessions):
    with sessions.begin() as session:
        customer = a_customer(session)
    page = page_as("finance").visit("customers.py", customer=str(customer), customer_tab="Invoices")
    assert not page.exception
    assert [text.value for text in page.info] == ["This customer has no invoices yet."]


def test_a_new_invoice_for_this_customer_is_a_click_away(page_as, acme):
    page = page_as("admin").visit("customers.py", customer=str(acme), customer_tab="Invoices")
    page.button(key="new_invoice_for_customer").click().run()
    assert not page.exception
    assert page.query_params == {"customer": str(acme)}

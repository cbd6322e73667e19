"""Prepaid credit on a customer's page: seen by all who see payments, given, sold and taken back by admins."""

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.payments import refunds
from billing_core.payments.prepaid import top_ups
from billing_core.payments.prepaid.models import PrepaidGrant, PrepaidPurchase
from billing_core.payments.refunds import MoneyBack
from tests.pages.pressing import click, tick
from tests.pages.roles import EVERY_ROLE
from tests.payments.books import NOW, TODAY, a_customer
from tests.payments.prepaid.ahead import give, left, use

pytestmark = pytest.mark.slow


@pytest.fixture
def carla(sessions) -> int:
    with sessions.begin() as session:
        return a_customer(session).id


def payments_of(page_as, customer_id: int, role: str = "admin"):
    return page_as(role).visit("customers.py", customer=str(customer_id), customer_tab="Payments")


@EVERY_ROLE
def test_credit_and_what_became_of_it_are_shown(page_as, sessions, carla, role):
    with sessions.begin() as session:
        customer = session.get_one(Customer, carla)
        give(session, customer, 50_00)
        use(session, customer, "20")
    page = payments_of(page_as, carla, role)

    assert not page.exception
    assert any("30.00\N{NO-BREAK SPACE}EUR is there to pay" in caption.value for caption in page.caption)
    grants = page.dataframe[0].value
    assert grants[["Origin", "Why", "Amount", "Left", "Last day"]].values.tolist() == [
        ["Given", "Welcome", "50.00", "30.00", "Does not expire"]
    ]
    assert ("Take back" in grants.columns) == (role == "admin")
    page = click(page, "Origin", row=0)
    assert not page.exception
    moved = page.dataframe[-1].value
    assert moved[["What", "Invoice", "Amount"]].values.tolist() == [["Paid an invoice", "INV-2026-001", "-20.00"]]


def test_the_invoice_that_it_paid_names_it(page_as, sessions, carla):
    with sessions.begin() as session:
        customer = session.get_one(Customer, carla)
        give(session, customer, 50_00)
        paid = use(session, customer, "20").id
        refunds.refund(session, SYSTEM, paid, wanted=MoneyBack("Too much", None, TODAY), today=TODAY, now=NOW)
    page = page_as("finance").visit("invoice_editor.py", invoice=str(paid))
    assert any("refunded and given back to prepaid credit" in one.value for one in page.markdown)
    page.button(key="ledger_paid").click().run()
    assert not page.exception
    assert page.dataframe[-1].value[["What", "Amount"]].values.tolist() == [["Prepaid credit", "20.00"]]


@EVERY_ROLE
def test_without_any_only_who_may_give_some_sees_a_word_of_it(page_as, carla, role):
    page = payments_of(page_as, carla, role)
    assert not page.exception
    assert ("give_prepaid" in {button.key for button in page.button}) == (role == "admin")
    assert ("Prepaid credit" in [one.value for one in page.subheader]) == (role == "admin")


def test_an_admin_gives_credit(page_as, sessions, carla):
    page = payments_of(page_as, carla)
    page.button(key="give_prepaid").click().run()
    page.text_input(key="give_prepaid_amount").set_value("25.00")
    page.text_input(key="give_prepaid_reason").set_value("Welcome")
    # Here the whole page runs, not the dialog alone, so its opener is clicked again with it.
    page.button(key="give_prepaid").click()
    page.button(key="give_prepaid_done").click().run()

    assert not page.exception
    with sessions() as session:
        grant = session.scalars(select(PrepaidGrant)).one()
        assert (grant.customer_id, grant.amount_minor, grant.expires_on, grant.reason) == (
            carla,
            25_00,
            None,
            "Welcome",
        )


def test_an_admin_sells_credit_by_a_draft(page_as, sessions, carla):
    page = payments_of(page_as, carla)
    page.button(key="sell_prepaid").click().run()
    page.text_input(key="sell_prepaid_amount").set_value("100")
    page.number_input(key="sell_prepaid_days").set_value(365)
    page.button(key="sell_prepaid").click()
    page.button(key="sell_prepaid_done").click().run()

    assert not page.exception
    with sessions() as session:
        purchase = session.scalars(select(PrepaidPurchase)).one()
        invoice = session.get_one(Invoice, purchase.invoice_id)
        assert (purchase.valid_days, invoice.state, invoice.total_minor) == (365, InvoiceState.DRAFT, 100_00)


def test_an_admin_has_it_topped_up_and_ends_that(page_as, sessions, carla):
    page = payments_of(page_as, carla)
    page.button(key="top_up_prepaid").click().run()
    page.text_input(key="top_up_below").set_value("20")
    page.text_input(key="top_up_to").set_value("100")
    page.number_input(key="top_up_days").set_value(90)
    page.checkbox(key="top_up_sends").check()
    page.button(key="top_up_prepaid").click()
    page.button(key="top_up_done").click().run()
    assert not page.exception
    with sessions() as session:
        assert top_ups.of_customer(session, SYSTEM, carla) == top_ups.Wanted(20_00, 100_00, 90, sends=True)

    page = payments_of(page_as, carla)
    assert any("Once less than 20.00" in caption.value for caption in page.caption)
    page.button(key="top_up_prepaid").click().run()
    page.button(key="top_up_prepaid").click()
    page.button(key="top_up_end").click().run()
    assert not page.exception
    with sessions() as session:
        assert top_ups.of_customer(session, SYSTEM, carla) is None


def test_an_admin_takes_credit_back_and_is_told_why_something_cannot_be(page_as, sessions, carla):
    with sessions.begin() as session:
        give(session, session.get_one(Customer, carla), 10_00)
    page = tick(payments_of(page_as, carla), row=0)
    page.button(key="prepaid_grants_Take back_of_ticked").click().run()
    page.text_input(key="take_prepaid_1").set_value("A mistake")
    page.button(key="prepaid_grants_Take back_of_ticked").click()
    page.button(key="take_prepaid_done").click().run()
    assert not page.exception
    with sessions() as session:
        assert left(session) == [0]

    page = payments_of(page_as, carla)
    page.button(key="give_prepaid").click().run()
    page.button(key="give_prepaid").click()
    page.button(key="give_prepaid_done").click().run()
    assert page.error

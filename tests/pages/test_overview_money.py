"""What the overview tells about money, worked out by hand.

Acme is invoiced 238.00 USD on March 2, due April 1, and pays 100.00 of it the same day; 50.00 more than that is kept.
"""

from dataclasses import replace
from datetime import date, timedelta

import pytest
import streamlit as st
from pydantic import SecretStr

from billing_core import figures
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.outbox.figures import FAILED_MAILS, KEPT_MAILS
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.receivables import attention, series
from billing_core.settings import settings
from pages.overview_sections import unsent_mails
from pages.ui import formats
from tests.invoices.company import LATER, NOW, TODAY, a_customer, a_draft, an_invoice
from tests.online_payments.linked import linked, paying, tell
from tests.online_payments.stripe.events import event
from tests.pages.roles import EVERY_ROLE


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        customer = a_customer(session)
        invoice = an_invoice(session, customer)
        a_draft(session, customer)
        cash = Received("USD", 15000, PaymentMethod.CASH, TODAY)
        paid = {invoice.id: 10000}
        received.record(session, SYSTEM, customer_id=customer, received=cash, allocations=paid, today=TODAY, now=LATER)
        return customer


def of_march(page, *, known: str | None = None):
    page.selectbox(key="period").set_value("Custom").run()
    page.date_input(key="period_days").set_value(("2026-03-01", "2026-03-31")).run()
    return page if known is None else page.date_input(key="known").set_value(known).run()


def money(page) -> dict[str, str]:
    labels = ("Invoiced", "Collected", "Outstanding", "Overdue", "Customers’ credit", "Days sales outstanding, USD")
    return {card.label: card.value.replace(formats.NO_BREAK_SPACE, " ") for card in page.metric if card.label in labels}


@EVERY_ROLE
def test_what_was_invoiced_came_in_and_is_owed(page_as, acme, role):
    page = of_march(page_as(role).visit())

    assert not page.exception
    # 138.00 owed at the end of March of 238.00 invoiced in 31 days: 17.97 days.
    assert money(page) == {
        "Invoiced": "238.00 USD",
        "Collected": "150.00 USD",
        "Outstanding": "138.00 USD",
        "Overdue": "138.00 USD",
        "Customers’ credit": "50.00 USD",
        "Days sales outstanding, USD": "18 days",
    }


def test_known_on_a_day_money_is_as_it_was_that_day(page_as, acme):
    page = of_march(page_as("finance").visit(), known="2026-03-20")

    # It was not due yet; 138.00 of 238.00 in the 20 days that had passed: 11.6 days.
    assert money(page) == {
        "Invoiced": "238.00 USD",
        "Collected": "150.00 USD",
        "Outstanding": "138.00 USD",
        "Customers’ credit": "50.00 USD",
        "Days sales outstanding, USD": "12 days",
    }


def test_the_days_outstanding_open_into_what_they_are_made_of(page_as, acme):
    page = of_march(page_as("finance").visit())
    page.button(key="money_dso_USD").click().run()

    assert not page.exception
    said = page.success[0].value.replace(formats.NO_BREAK_SPACE, " ")
    assert said == "138.00 USD ÷ 238.00 USD × 31 days = the figure ✓"


def test_money_that_needs_a_hand_comes_with_its_action(page_as, sessions, acme):
    with sessions.begin() as session:
        a_failed_mail(session)
    page = page_as("admin").visit()

    said = " ".join(text.value for text in page.markdown)
    assert "1 invoice overdue" in said
    assert "1 invoice in draft for a week or longer" in said
    assert "1 customer with unspent credit while invoices are open" in said
    assert "1 message not delivered" in said
    page.button(key="attention_unspent_credit").click().run()
    assert not page.exception
    assert "= the figure" in page.success[0].value


def test_what_came_in_online_and_needs_a_hand_is_listed(page_as, sessions):
    with sessions.begin() as session:
        invoice, link = linked(session)
    payment = paying(link, invoice, amount=4_000)
    broken = event("payment_intent.succeeded", {"id": "pi_1"})
    tell(sessions, payment.succeeded(), payment.disputed(), broken)

    page = page_as("finance").visit()
    said = " ".join(text.value for text in page.markdown)
    assert "1 online payment to settle" in said
    assert "1 payment disputed by the customer's bank" in said
    assert "1 event of the payment service not applied" in said
    page.button(key="attention_open_payment_cases").click().run()
    assert not page.exception
    assert "= the figure" in page.success[0].value


def test_what_is_not_late_not_old_and_not_failed_needs_no_hand(sessions, acme):
    with sessions() as session:
        before = Scope(today=TODAY + timedelta(days=6))
        assert figures.count(session, SYSTEM, attention.OVERDUE_INVOICES, replace(before, today=date(2026, 4, 1))) == 0
        assert figures.count(session, SYSTEM, attention.OVERDUE_INVOICES, replace(before, today=date(2026, 4, 2))) == 1
        assert figures.count(session, SYSTEM, attention.OLD_DRAFTS, before) == 0
        assert figures.count(session, SYSTEM, attention.OLD_DRAFTS, replace(before, today=date(2026, 3, 9))) == 1
        assert figures.count(session, SYSTEM, attention.UNSPENT_CREDIT, Scope(currency="EUR")) == 0
        assert figures.count(session, SYSTEM, FAILED_MAILS, Scope()) == 0


@pytest.mark.parametrize("server", [None, "smtp://mail.example"])
def test_kept_mails_need_a_hand_once_there_is_a_mail_server(monkeypatch, server):
    """Before, every page says that they are kept."""
    monkeypatch.setattr(settings(), "smtp_url", server and SecretStr(server))
    listed = [matter.shown for matter in unsent_mails.matters(SYSTEM, Scope())]
    assert listed == ([FAILED_MAILS, KEPT_MAILS] if server else [FAILED_MAILS])


def test_the_rows_of_failed_mails_name_their_day(sessions):
    with sessions.begin() as session:
        a_failed_mail(session)
    with sessions() as session:
        (row,) = figures.page(session, SYSTEM, FAILED_MAILS, Scope())
    assert (row.label, row.date, row.amount) == ("Invoice INV-1, ap@acme.example", NOW.date(), 1)


def test_a_month_has_what_its_days_had(sessions, acme):
    with sessions() as session:
        found = series.by_month(session, Scope(period=Period(date(2026, 2, 1), date(2026, 4, 30))))
    assert [(one.month, one.currency, one.invoiced_minor, one.collected_minor) for one in found] == [
        (date(2026, 3, 1), "USD", 23800, 15000)
    ]


def a_failed_mail(session) -> None:
    session.add(
        OutboxMessage(
            key="mail-1",
            channel="mail",
            topic="invoice",
            recipient="ap@acme.example",
            title="Invoice INV-1",
            content={},
            subject_kind="invoice",
            subject_id="1",
            state=MessageState.FAILED,
            not_before=NOW,
            created_at=NOW,
            created_by="Grace",
        )
    )


def test_terms_that_nobody_understands_are_listed_with_the_way_to_change_them(page_as, sessions, acme):
    with sessions.begin() as session:
        session.get_one(Customer, acme).payment_terms = "as agreed"
    page = page_as("admin").visit()
    assert not page.exception
    assert any("Payment terms that are not understood" in one.value for one in page.markdown)
    with sessions.begin() as session:
        session.get_one(Customer, acme).payment_terms = "Net 30"
    st.cache_data.clear()
    page.run()
    assert not any("Payment terms that are not understood" in one.value for one in page.markdown)

"""What came in, what it paid and what is kept: the Payments page, and a customer's tabs about its account."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.money import Money
from billing_core.outbox.models import OutboxMessage
from billing_core.payments import credit, received
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.received import Received
from pages.ui import formats
from tests.invoices.company import LATER, TODAY, a_customer, a_line, an_invoice
from tests.pages.invoicing import cards, shown
from tests.pages.pressing import click
from tests.pages.roles import EVERY_ROLE


@dataclass(frozen=True)
class Books:
    """Acme owes 238.00 USD since April 1 and 119.00 USD since May 1; of 300.00 USD it paid 100.00 for the first."""

    acme: int
    first: int
    second: int
    payment: int


@pytest.fixture
def books(sessions) -> Books:
    with sessions.begin() as session:
        acme = a_customer(session)
        first = an_invoice(session, acme)
        second = an_invoice(session, acme, a_line(quantity="1"), due_on=TODAY + timedelta(days=60))
        cash = Received("USD", 30000, PaymentMethod.CASH, TODAY, "Envelope")
        paid = received.record(
            session,
            SYSTEM,
            customer_id=acme,
            received=cash,
            allocations={first.id: 10000},
            today=TODAY,
            now=LATER,
        )
        other = a_customer(session, "BOLT", name="Bolt GmbH", currency="EUR")
        wire = Received("EUR", 700, PaymentMethod.BANK_TRANSFER, TODAY)
        received.record(session, SYSTEM, customer_id=other, received=wire, allocations={}, today=TODAY, now=LATER)
        return Books(acme, first.id, second.id, paid.id)


@EVERY_ROLE
def test_payments_are_listed_with_their_sums_a_currency(page_as, books, role):
    page = page_as(role).visit("payments.py")

    assert not page.exception
    assert "In total 7.00 EUR · 300.00 USD, excluding what was undone" in shown(page)
    rows = page.dataframe[0].value
    assert sorted(rows[["Amount", "Kept as credit", "Currency"]].values.tolist()) == [
        ["300.00", "200.00", "USD"],
        ["7.00", "7.00", "EUR"],
    ]
    assert ("Record payment" in {button.label for button in page.main.button}) == (role == "admin")


def test_filters_narrow_the_list_and_its_sums(page_as, books):
    page = page_as("finance").visit("payments.py", payments_text="envelope")
    assert list(page.dataframe[0].value["Amount"]) == ["300.00"]
    assert "In total 300.00 USD" in shown(page)

    page = page_as("finance").visit("payments.py", payments_state="Undone")
    assert not page.exception
    assert "No payment matches these filters" in page.info[0].value


def test_who_is_bound_to_a_customer_sees_its_payments_alone(page_as, books):
    page = page_as("finance", customer_id=books.acme).visit("payments.py")
    assert list(page.dataframe[0].value["Amount"]) == ["300.00"]

    page = page_as("finance", customer_id=books.acme).visit("payments.py", payment="2")
    assert "There is no payment 2" in page.error[0].value


def test_one_payment_tells_what_it_paid_and_what_is_kept(page_as, books):
    page = page_as("finance").visit("payments.py", payment=str(books.payment))

    assert not page.exception
    assert cards(page) == {"Received": "300.00 USD", "Paid invoices": "100.00 USD", "Kept as credit": "200.00 USD"}
    assert page.dataframe[0].value[["Invoice", "Amount"]].values.tolist() == [["INV-2026-001", "100.00"]]
    assert "undo_payment" not in {button.key for button in page.button}, "finance reads"


def test_undoing_a_payment_needs_a_reason_and_makes_its_invoice_due_again(page_as, sessions, books):
    page = page_as("admin").visit("payments.py", payment=str(books.payment))
    page.button(key="undo_payment").click().run()
    page.button(key="undo_payment").click()
    page.button(key="do_undo_payment").click().run()
    assert "Say why" in page.error[0].value

    page.button(key="undo_payment").click().run()
    page.text_input(key=f"undo_payment_reason_{books.payment}").input("Not ours")
    page.button(key="undo_payment").click()
    page.button(key="do_undo_payment").click().run()

    assert not page.exception
    with sessions() as session:
        assert session.get_one(Payment, books.payment).undone_reason == "Not ours"
        assert session.get_one(Invoice, books.first).due_minor == 23800


def a_form(page_as, customer: int, amount: str):
    page = page_as("admin").visit("payments.py", record=str(customer))
    return page.text_input(key=f"record_amount_{customer}_USD").input(amount).run()


def test_a_payment_is_proposed_to_pay_the_oldest_first_and_the_rest_is_credit(page_as, sessions, books):
    page = a_form(page_as, books.acme, "150.00")
    # 138.00 is still due on the first, so that 12.00 goes to the second.
    assert list(page.data_editor[0].value["Pays"]) == ["138.00", "12.00"]
    assert "Nothing is left over." in shown(page)

    page.button(key="do_record").click().run()

    assert not page.exception
    with sessions() as session:
        first, second = (session.get_one(Invoice, one) for one in (books.first, books.second))
        assert (first.state, second.due_minor) == (InvoiceState.PAID, 10700)
    assert cards(page)["Paid invoices"] == "150.00 USD"


def test_what_each_invoice_gets_can_be_changed_and_the_remainder_is_told(page_as, sessions, books):
    page = a_form(page_as, books.acme, "150.00")
    grid = page.data_editor[0]
    changed = {0: {"Pays": ""}, 1: {"Pays": "19.00"}}
    page.session_state[grid.key] = {"edited_rows": changed, "added_rows": [], "deleted_rows": []}
    page.run()
    assert "131.00 USD is left over and becomes the customer's credit" in shown(page)

    page.button(key="do_record").click().run()
    with sessions() as session:
        assert [session.get_one(Invoice, one).due_minor for one in (books.first, books.second)] == [13800, 10000]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({0: {"Pays": "138.01"}}, "only 138.00 USD is due"),
        ({1: {"Pays": "20"}}, "The invoices get 8.00 USD more than came in"),
        ({0: {"Pays": "ten"}}, "“ten” is not a number"),
    ],
)
def test_an_invoice_cannot_get_more_than_is_due_or_came_in(page_as, books, typed, said):
    page = a_form(page_as, books.acme, "150.00")
    page.session_state[page.data_editor[0].key] = {"edited_rows": typed, "added_rows": [], "deleted_rows": []}
    page.run()
    assert said in shown(page)
    assert page.button(key="do_record").disabled


@pytest.mark.parametrize(("amount", "said"), [("-5", "must be more than 0"), ("1.005", "may have at most 2 decimals")])
def test_an_amount_that_cannot_be_is_refused_at_its_field(page_as, books, amount, said):
    page = a_form(page_as, books.acme, amount)
    assert said in shown(page)
    assert page.button(key="do_record").disabled


def test_credit_is_used_for_an_invoice_or_paid_out(page_as, sessions, books):
    page = page_as("admin").visit("customers.py", customer=str(books.acme), customer_tab="Payments")
    use = "use_1_USD"
    page.button(key=use).click().run()
    # As much as is due on the invoice that is due first, though the credit is more.
    assert page.text_input(key=f"credit_for_{books.first}").value == "138.00"
    page.button(key=use).click()
    page.button(key="use_credit").click().run()

    assert not page.exception
    with sessions() as session:
        assert session.get_one(Invoice, books.first).state is InvoiceState.PAID
    assert "62.00 USD" in shown(page)


def test_a_click_on_credit_that_was_paid_out_stays_on_its_customers_page(page_as, sessions, books):
    with sessions.begin() as session:
        credit.pay_out(
            session,
            SYSTEM,
            customer_id=books.acme,
            business_id=session.get_one(Customer, books.acme).business_id,
            amount=Money(5_000, "USD"),
            method=PaymentMethod.CASH,
            reason="They asked for it",
            today=TODAY,
            now=LATER,
        )
    page = page_as("finance").visit("customers.py", customer=str(books.acme), customer_tab="Payments")
    refunds = next(place for place, table in enumerate(page.dataframe) if "Paid back" in table.value)

    click(page, "Paid back", row=0, table=refunds)
    assert not page.exception
    assert page.query_params["customer"] == str(books.acme)


def test_the_ageing_opens_into_its_invoices(page_as, books):
    page = page_as("finance").visit("payments.py", payments_tab="Ageing")
    assert not page.exception
    # Both are late by far more than 90 days, whenever this runs: 138.00 + 119.00.
    by_currency, by_customer = (table.value for table in page.dataframe)
    assert by_currency[["Currency", "Invoices", "Over 90 days", "Total"]].values.tolist() == [
        ["USD", 2, "257.00", "257.00"]
    ]
    assert list(by_customer["Customer"]) == ["Acme Corp"]


def test_the_ageing_of_a_day_counts_from_that_day(page_as, books):
    page = page_as("finance").visit("payments.py", payments_tab="Ageing", ageing_as_at="2026-04-11")
    row = page.dataframe[0].value[["Current", "1–30 days", "Over 90 days", "Total"]].values.tolist()
    # Ten days after the first was due; the second was not due yet.
    assert row == [["119.00", "138.00", "–", "257.00"]]


def test_a_statement_runs_from_its_opening_to_its_closing_balance(page_as, books):
    page = page_as("finance").visit("customers.py", customer=str(books.acme), customer_tab="Statement")
    assert not page.exception
    rows = next(table.value for table in page.dataframe if "Balance" in table.value.columns)
    assert rows[["What", "Charge", "Credit", "Balance"]].values.tolist() == [
        ["Invoice", "238.00", "", "238.00"],
        ["Invoice", "119.00", "", "357.00"],
        ["Payment", "", "300.00", "57.00"],
    ]
    assert [value for label, value in cards(page).items() if label.startswith("Closing")] == ["57.00 USD"]


def test_a_statement_is_sent_to_the_customer(page_as, sessions, books):
    page = page_as("admin").visit("customers.py", customer=str(books.acme), customer_tab="Statement")
    page.button(key="send_it").click().run()
    page.button(key="send_it").click()
    page.button(key="do_send_statement").click().run()
    assert not page.exception
    with sessions() as session:
        message = session.scalars(select(OutboxMessage)).one()
        assert (message.recipient, message.customer_id) == ("ap@acme.example", books.acme)


def test_a_customer_is_held_from_reminders_and_reminded_again(page_as, sessions, books):
    page = page_as("admin").visit("customers.py", customer=str(books.acme))
    page.button(key="hold_reminders").click().run()
    page.text_input(key=f"hold_reason_{books.acme}").input("Court case")
    page.button(key="hold_reminders").click()
    page.button(key="do_hold").click().run()
    until = utc_now().date() + timedelta(days=30)
    assert f"No reminders until {formats.day(until)}: Court case" in shown(page)

    page.button(key="release_reminders").click().run()
    with sessions() as session:
        assert session.get_one(Customer, books.acme).held_until is None


def test_without_customers_there_is_nobody_who_paid(page_as):
    page = page_as("admin").visit("payments.py", record="new")
    assert "There are no customers yet" in page.info[0].value
    assert not page.selectbox

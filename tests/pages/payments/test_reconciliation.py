"""Beside the payment service's books: reading them, what agrees; cases and refunds on the Payments page."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.errors import UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments import cases
from billing_core.online_payments.cases import Cause
from billing_core.online_payments.gateway import BalanceTransaction, GatewayRefund
from billing_core.online_payments.models import CaseKind, Dispute, DisputeState, PaymentCase, RefundRequest
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod, Refund
from billing_core.payments.received import Received
from tests.invoices.company import a_customer, an_invoice
from tests.pages.as_read import as_read
from tests.pages.invoicing import shown

NOW = utc_now()
TODAY = NOW.date()
NOON = datetime.combine(TODAY, time(0, 1), ZoneInfo("UTC"))


class Service:
    """Its books, and what it answers to a refund."""

    def __init__(self, mode=Mode.TEST):
        self.mode, self.lines, self.refunds, self.answer = mode, [], [], None

    def balance_transactions(self, start, end):
        if self.answer is not None:
            raise self.answer
        return iter(self.lines)

    def refund(self, intent_id, amount_minor, currency, *, reason, key):
        if self.answer is not None:
            raise self.answer
        self.refunds.append((intent_id, amount_minor, currency, reason, key))
        return GatewayRefund("re_1", intent_id, "ch_1", amount_minor)


@pytest.fixture
def database_url(sqlite_url):
    """What is read here is tested on both databases beside its queries."""
    return sqlite_url


@pytest.fixture
def service(monkeypatch):
    found = Service()
    monkeypatch.setattr("pages.ui.collection_mode.gateway", lambda: found)
    monkeypatch.setattr("pages.ui.collection_mode.mode", lambda: found.mode)
    return found


def online(session, customer, minor, key, *, pays=None):
    """A payment by card that came in today; the id."""
    facts = Received("USD", minor, PaymentMethod.STRIPE, TODAY)
    payment = received.record(
        session,
        SYSTEM,
        customer_id=customer,
        received=facts,
        allocations={pays: minor} if pays else {},
        today=TODAY,
        now=NOW,
    )
    payment.mode, payment.gateway_key, payment.intent_id = Mode.TEST, key, key
    session.flush()
    return payment.id


def a_line(number, minor, intent, fee=0):
    return BalanceTransaction(f"txn_{number}", "charge", f"ch_{number}", intent, "USD", minor, fee, NOON)


def test_the_books_are_read_on_demand_and_told_side_by_side(page_as, sessions, service):
    with sessions.begin() as session:
        acme = a_customer(session)
        payment = online(session, acme, 23_800, "pi_same")
        online(session, acme, 500, "pi_here")
    service.lines = [a_line(1, 23_800, "pi_same", fee=720), a_line(2, 900, "pi_there")]
    visitor = page_as("finance")
    page = visitor.visit("payments.py", payments_tab="Reconciliation")
    assert "have not been read yet" in shown(page)
    page.button(key="read_books").click().run()
    assert not page.exception
    said = shown(page)
    assert "2 lines to check" in said
    sums, pairs = page.dataframe[0].value, page.dataframe[1].value
    assert list(zip(sums["Result"], sums["Lines"], sums["Here"], sums["Stripe"], strict=True)) == [
        (["Matched"], 1, "238.00", "238.00"),
        (["Only here"], 1, "5.00", "0.00"),
        (["Only there"], 1, "0.00", "9.00"),
    ]
    assert dict(zip(pairs["Key"], pairs["Result"], strict=True)) == {
        "pi_same": ["Matched"],
        "pi_here": ["Only here"],
        "pi_there": ["Only there"],
    }
    assert page.get("link_button") == []  # finance does not export
    page = page_as("manager").visit("payments.py", payments_tab="Reconciliation", reconciliation_agreement="Only here")
    assert list(page.dataframe[1].value["Key"]) == ["pi_here"]
    address = page.get("link_button")[0].proto.url
    assert "/downloads/reconciliation.csv?mode=test" in address
    assert "agreement=only_here" in address
    assert payment


def test_books_that_cannot_be_read_leave_the_page(page_as, sessions, service):
    service.answer = UpstreamFailed("Stripe cannot be reached")
    page = page_as("admin").visit("payments.py", payments_tab="Reconciliation")
    page.button(key="read_books").click().run()
    assert [error.value for error in page.error] == ["Stripe cannot be reached"]
    assert not page.exception


def test_somebody_of_one_customer_has_no_reconciliation(page_as, sessions, service):
    with sessions.begin() as session:
        acme = a_customer(session)
    page = page_as("admin", customer_id=acme).visit("payments.py")
    assert not page.exception
    assert "Reconciliation" not in [tab.label for tab in page.tabs]


@pytest.fixture
def case(sessions):
    """200.00 USD came for an invoice over 238.00 USD: (case, invoice, payment)."""
    with sessions.begin() as session:
        acme = a_customer(session)
        invoice = an_invoice(session, acme).id
        payment = online(session, acme, 20_000, "pi_less")
        cause = Cause(
            key="paid:pi_less",
            kind=CaseKind.AMOUNT_DIFFERS,
            customer_id=acme,
            currency="USD",
            amount_minor=20_000,
            expected_minor=23_800,
            said="200.00 USD came where 238.00 USD was *due*",
            invoice_id=invoice,
            payment_id=payment,
        )
        return cases.open_case(session, SYSTEM, cause, now=NOW).id, invoice, payment


def settled(sessions, case_id):
    with sessions() as session:
        return session.get_one(PaymentCase, case_id).settlement


def test_a_case_is_settled_by_using_the_money_for_the_invoice(page_as, sessions, case):
    case_id, invoice, _ = case
    page = page_as("finance").visit("payments.py", payments_tab="To settle")
    assert "200.00 USD came where 238.00 USD was *due*" in shown(page)
    assert not {f"case_apply_{case_id}", f"case_note_{case_id}"} & {button.key for button in page.button}
    page = page_as("admin").visit("payments.py", payments_tab="To settle")
    page.button(key=f"case_apply_{case_id}").click().run()
    assert "200.00 USD of it pays invoice INV-2026-001, on which 238.00 USD is due." in shown(page).replace("**", "")
    page.button(key=f"case_apply_{case_id}").click()
    page.button(key="do_case_apply").click().run()
    assert not page.exception
    with sessions() as session:
        paid = session.get_one(Invoice, invoice)
        assert (paid.paid_minor, paid.due_minor, paid.state) == (20_000, 3_800, InvoiceState.OPEN)
    assert "INV-2026-001" in settled(sessions, case_id)
    assert "There is nothing to settle" in shown(page)


def test_an_invoice_marked_as_paid_at_stripe_waits_for_a_note_also_once_its_payment_is_here(page_as, sessions):
    with sessions.begin() as session:
        invoice = an_invoice(session, a_customer(session))
        facts = {
            "customer_id": invoice.customer_id,
            "invoice_id": invoice.id,
            "currency": "USD",
            "amount_minor": 23_800,
        }
        cause = Cause(key="marked_paid:in_1", kind=CaseKind.MARKED_PAID, said="It was *marked*", **facts)
        case_id = cases.open_case(session, SYSTEM, cause, now=NOW).id
    page = page_as("admin").visit("payments.py", payments_tab="To settle")
    assert "It was *marked*" in shown(page)
    assert "nothing is due" not in shown(page)
    assert f"case_apply_{case_id}" not in {button.key for button in page.button}

    transfer = Received("USD", 23_800, PaymentMethod.BANK_TRANSFER, TODAY)
    with sessions.begin() as session:
        received.record_for(session, SYSTEM, invoice.id, received=transfer, today=TODAY, now=NOW)

    page = page_as("admin").visit("payments.py", payments_tab="To settle")
    assert "By now nothing is due on it here: note how it was settled." in shown(page)
    page.button(key=f"case_note_{case_id}").click().run()
    page.text_input(key=f"case_settlement_{case_id}").set_value("By transfer")
    page.button(key=f"case_note_{case_id}").click()
    page.button(key="do_case_note").click().run()
    assert settled(sessions, case_id) == "By transfer"


def test_a_case_is_settled_by_a_note_or_by_paying_the_money_back(page_as, sessions, case, service):
    case_id, _, payment = case
    page = page_as("admin").visit("payments.py", payments_tab="To settle")
    page.button(key=f"case_refund_{case_id}").click().run()
    page.text_input(key=f"gateway_refund_reason_{payment}").set_value("Wrong amount")
    page.button(key=f"case_refund_{case_id}").click()
    page.button(key="do_gateway_refund").click().run()
    assert not page.exception
    assert [one[:4] for one in service.refunds] == [("pi_less", 20_000, "USD", "Wrong amount")]
    assert settled(sessions, case_id)
    with sessions() as session:
        refund = session.scalars(select(Refund)).one()
        assert (refund.amount_minor, refund.reason, refund.payment_id) == (20_000, "Wrong amount", payment)


def test_the_invoice_says_that_money_for_it_waits_to_be_settled(page_as, sessions, case):
    case_id, invoice, _ = case
    page = page_as("finance").visit("invoice_editor.py", invoice=str(invoice))
    said = "200.00 USD came where 238.00 USD was *due*"
    assert said in [as_read(warning.value) for warning in page.warning]
    with sessions.begin() as session:
        cases.settle(session, SYSTEM, case_id, settlement="They pay the rest", now=NOW)
    page = page_as("finance").visit("invoice_editor.py", invoice=str(invoice))
    assert said not in [as_read(warning.value) for warning in page.warning]


def test_a_note_settles_a_case_and_changes_no_amount(page_as, sessions, case):
    case_id, invoice, _ = case
    page = page_as("admin").visit("payments.py", payments_tab="To settle")
    page.button(key=f"case_note_{case_id}").click().run()
    page.text_input(key=f"case_settlement_{case_id}").set_value("They pay the rest")
    page.button(key=f"case_note_{case_id}").click()
    page.button(key="do_case_note").click().run()
    assert settled(sessions, case_id) == "They pay the rest"
    with sessions() as session:
        assert session.get_one(Invoice, invoice).paid_minor == 0


@pytest.mark.parametrize(("chosen", "due", "written_off"), [("It is due again", 7_000, 0), ("It is a loss", 0, 7_000)])
def test_a_part_that_a_dispute_took_is_booked_by_its_case(page_as, sessions, service, chosen, due, written_off):
    with sessions.begin() as session:
        acme = a_customer(session)
        invoice = an_invoice(session, acme).id
        payment = online(session, acme, 23_800, "pi_whole", pays=invoice)
        facts = {"key": "dispute:dp_1", "kind": CaseKind.DISPUTE_LOST, "said": "The dispute is lost", "opened_at": NOW}
        case = PaymentCase(customer_id=acme, payment_id=payment, currency="USD", amount_minor=7_000, **facts)
        session.add(case)
        session.flush()
        case_id = case.id
    page = page_as("admin").visit("payments.py", payments_tab="To settle")
    page.button(key=f"case_back_{case_id}").click().run()
    page.radio(key=f"case_back_as_{case_id}").set_value(chosen)
    page.button(key=f"case_back_{case_id}").click()
    page.button(key="do_case_back").click().run()
    assert not page.exception
    with sessions() as session:
        one = session.get_one(Invoice, invoice)
        assert (one.paid_minor, one.due_minor, one.written_off_minor) == (16_800, due, written_off)
    page = page_as("finance").visit("payments.py", payment=str(payment))
    assert "70.00 USD taken back by the payer's bank" in shown(page)


def test_an_invoice_that_was_paid_online_is_refunded_the_way_it_was_paid(page_as, sessions, service):
    with sessions.begin() as session:
        acme = a_customer(session)
        invoice = an_invoice(session, acme).id
        payment = online(session, acme, 23_800, "pi_whole", pays=invoice)
        facts = {"gateway_id": "dp_1", "payment_id": payment, "currency": "USD", "amount_minor": 23_800}
        times = {"opened_at": NOW - timedelta(days=1), "told_at": NOW}
        session.add(Dispute(**facts, **times, reason="product_not_received", state=DisputeState.OPEN))
    page = page_as("admin").visit("invoice_editor.py", invoice=str(invoice))
    assert "bank asks for 238.00 USD back: product not received" in shown(page)
    page.menu_button(key="more_actions").click("Refund").run()
    page.text_input(key=f"gateway_refund_amount_{payment}_23800").set_value("38.00")
    page.text_input(key=f"gateway_refund_reason_{payment}").set_value("One hour less")
    page.menu_button(key="more_actions").click("Refund")
    page.button(key="do_gateway_refund").click().run()
    assert not page.exception
    assert [one[:4] for one in service.refunds] == [("pi_whole", 3_800, "USD", "One hour less")]
    with sessions() as session:
        assert session.get_one(Invoice, invoice).refunded_minor == 3_800


def test_a_refund_without_an_answer_is_asked_for_again_with_the_same_key(page_as, sessions, service):
    with sessions.begin() as session:
        payment = online(session, a_customer(session), 10_000, "pi_1")
    service.answer = UpstreamFailed("Stripe did not answer in time")
    page = page_as("admin").visit("payments.py", payment=str(payment))
    page.button(key="refund_payment").click().run()
    page.text_input(key=f"gateway_refund_reason_{payment}").set_value("Twice paid")
    page.button(key="refund_payment").click()
    page.button(key="do_gateway_refund").click().run()
    assert "Stripe did not answer in time" in [error.value for error in page.error]
    with sessions() as session:
        key = session.scalars(select(RefundRequest.public_id)).one()
    service.answer = None
    page = page_as("admin").visit("payments.py", payment=str(payment))
    page.button(key="refund_payment").click().run()
    assert "has not answered. Ask again" in page.warning[0].value
    page.text_input(key=f"gateway_refund_reason_{payment}").set_value("Twice paid")
    page.button(key="refund_payment").click()
    page.button(key="do_gateway_refund").click().run()
    assert [(one[1], one[4]) for one in service.refunds] == [(10_000, key)]
    assert "pi_1" in shown(page)

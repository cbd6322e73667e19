"""Invoices of usage are paid by credit as they are sent: exactly, once, and in the order of use."""

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Conflict, Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices import queries as invoices
from billing_core.invoices.documents import document as documents
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import EventKind, Invoice, InvoiceState
from billing_core.invoices.service import Details
from billing_core.mailing import service as mailing
from billing_core.money import Money
from billing_core.online_payments.links import workflow
from billing_core.outbox.models import OutboxMessage
from billing_core.payments import credit, received, refunds, sending, status_changes
from billing_core.payments.models import PaymentMethod
from billing_core.payments.prepaid import queries
from billing_core.payments.prepaid.models import MovementKind, PrepaidGrant, PrepaidMovement
from billing_core.payments.refunds import MoneyBack
from billing_core.receivables import statement
from billing_core.receivables import verification as receivables
from billing_core.receivables.exporting import what
from tests.at_once import at_once
from tests.online_payments.gateways import ScriptedGateway
from tests.payments.books import NOW, TODAY, a_customer, accounts, an_open_invoice, another_business, bank_transfer, pay
from tests.payments.prepaid.ahead import a_usage_draft, buy, give, keep_up, left, prepaid, use, wrong_in

DAY = {"today": TODAY, "now": NOW}
TOMORROW = TODAY + timedelta(days=1)


def release(session, invoice):
    (allocation,) = prepaid(session, invoice)
    credit.release(session, SYSTEM, allocation.id, reason="A mistake", **DAY)


def test_what_credit_paid_is_told_beside_what_was_paid_otherwise_until_it_is_undone(session):
    customer = a_customer(session)
    give(session, customer, 30_00)
    invoice = use(session, customer, "100")
    pay(session, customer, 20_00, **{str(invoice.id): 20_00})
    shown = documents.of_invoice(session, invoice.id)
    assert (shown.paid_minor, shown.prepaid_minor, shown.due_minor) == (50_00, 30_00, 50_00)
    release(session, invoice)
    shown = documents.of_invoice(session, invoice.id)
    assert (shown.paid_minor, shown.prepaid_minor, shown.due_minor) == (20_00, 0, 80_00)


def test_an_invoice_that_credit_covers_is_paid_to_exactly_nothing(session):
    customer = a_customer(session)
    give(session, customer, 150_00)
    invoice = use(session, customer, "84.03", tax_rate="19")
    # 84.03 and 19 % of it, 15.97.
    assert (invoice.state, invoice.total_minor, invoice.paid_minor, invoice.due_minor) == (
        InvoiceState.PAID,
        100_00,
        100_00,
        0,
    )
    assert left(session) == [50_00]
    assert documents.of_invoice(session, invoice.id).prepaid_minor == 100_00
    assert accounts(session) == {
        "prepaid_credit": -50_00,
        "promotion": 150_00,
        "revenue": -84_03,
        "tax_payable": -15_97,
    }
    assert queries.available(session, SYSTEM, customer.id, today=TODAY) == [Money(50_00, "EUR")]
    kinds = [event.kind for event in reversed(invoices.events(session, invoice.id))]
    assert kinds[-2:] == [EventKind.SENT, EventKind.CREDIT_APPLIED]
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "prepaid.use")).one()
    assert entry.after["amount_minor"] == 100_00
    assert wrong_in(session) == []


def test_what_credit_does_not_cover_stays_due(session):
    customer = a_customer(session)
    give(session, customer, 30_00)
    invoice = use(session, customer)
    assert (invoice.state, invoice.paid_minor, invoice.due_minor) == (InvoiceState.OPEN, 30_00, 70_00)
    assert left(session) == [0]
    second = use(session, customer)
    assert (second.paid_minor, prepaid(session, second)) == (0, [])
    assert wrong_in(session) == []


def test_it_is_used_in_the_order_of_its_kinds_across_invoices(session):
    customer = a_customer(session)
    bought = buy(session, customer, 10_00)
    forever = give(session, customer, 10_00)
    later = give(session, customer, 10_00, TODAY + timedelta(days=9))
    soon = give(session, customer, 10_00, TOMORROW)
    for price in ("15", "15", "20"):
        use(session, customer, price)
    moves = select(PrepaidMovement.grant_id, PrepaidMovement.amount_minor).order_by(PrepaidMovement.id)
    assert [tuple(row) for row in session.execute(moves)] == [
        (soon, -10_00),
        (later, -5_00),
        (later, -5_00),
        (forever, -10_00),
        (bought, -10_00),
    ]
    assert left(session) == [0, 0, 0, 0]
    assert wrong_in(session) == []


def test_credit_can_be_used_on_its_last_day_and_not_on_the_next(session):
    customer = a_customer(session)
    give(session, customer, 10_00, TODAY)
    assert use(session, customer, "4").paid_minor == 4_00
    assert queries.available(session, SYSTEM, customer.id, today=TODAY) == [Money(6_00, "EUR")]
    assert use(session, customer, "4", now=NOW + timedelta(days=1)).paid_minor == 0
    assert queries.available(session, SYSTEM, customer.id, today=TOMORROW) == []


def test_only_usage_of_the_same_customer_business_and_currency_is_paid(session):
    customer, other = a_customer(session), a_customer(session, "C2")
    give(session, customer, 500_00)
    second = another_business(session)
    assert use(session, other).paid_minor == 0
    assert use(session, customer, currency="USD").paid_minor == 0
    assert use(session, customer, business_id=second.id).paid_minor == 0
    assert an_open_invoice(session, customer).paid_minor == 0
    assert left(session) == [500_00]
    assert use(session, customer).paid_minor == 100_00


def test_an_invoice_of_nothing_takes_nothing(session):
    customer = a_customer(session)
    give(session, customer, 5_00)
    assert use(session, customer, "0").state is InvoiceState.PAID
    assert left(session) == [5_00]


def test_many_sent_together_share_what_there_is_in_their_order(session):
    customer, other = a_customer(session), a_customer(session, "C2")
    give(session, customer, 150_00)
    give(session, other, 20_00)
    drafts = [a_usage_draft(session, one).id for one in (customer, other, customer, customer)]
    sent = sending.send_many(session, SYSTEM, drafts, now=NOW)
    assert [invoice.paid_minor for invoice in sent] == [100_00, 20_00, 50_00, 0]
    assert wrong_in(session) == []


def test_the_mail_says_that_nothing_is_due(session):
    customer = a_customer(session)
    give(session, customer, 100_00)
    draft = a_usage_draft(session, customer)
    mailing.send_invoice(session, SYSTEM, draft.id, **DAY)
    text = session.scalars(select(OutboxMessage.content)).one()["text"]
    assert "The invoice has been settled" in text
    assert draft.state is InvoiceState.PAID


@pytest.mark.parametrize(("target", "due"), [(InvoiceStatus.SENT, 60_00), (InvoiceStatus.PAID, 0)])
def test_a_status_set_by_programs_uses_credit_too(session, target, due):
    customer = a_customer(session)
    give(session, customer, 40_00)
    draft = a_usage_draft(session, customer)
    status_changes.update(session, SYSTEM, draft.id, Details(), target, **DAY)
    assert (sum(one.amount_minor for one in prepaid(session, draft)), draft.due_minor) == (40_00, due)


def test_a_number_of_one_s_own_does_not_keep_credit_from_paying(session):
    customer = a_customer(session)
    give(session, customer, 100_00)
    draft = a_usage_draft(session, customer)
    sending.give_number(session, SYSTEM, draft.id, "OWN-1", now=NOW)
    sent = sending.send(session, SYSTEM, draft.id, now=NOW)
    assert (sent.number, sent.due_minor) == ("OWN-1", 0)


def test_what_is_taken_off_an_invoice_goes_back_to_where_it_came_from(session):
    customer = a_customer(session)
    give(session, customer, 30_00, TOMORROW)
    give(session, customer, 100_00)
    invoice = use(session, customer)
    release(session, invoice)
    assert (invoice.state, invoice.paid_minor, left(session)) == (InvoiceState.OPEN, 0, [30_00, 100_00])
    assert accounts(session)["prepaid_credit"] == -130_00
    assert credit.balances(session, SYSTEM, customer.id) == []
    with pytest.raises(Conflict):
        credit.release(session, SYSTEM, 1, reason="Again", **DAY)
    assert use(session, customer, "5").paid_minor == 5_00
    assert left(session) == [25_00, 100_00]
    assert wrong_in(session) == []


def back_after(session, invoice, days):
    """The payment by credit is reversed so many days after TODAY."""
    (allocation,) = prepaid(session, invoice)
    day = {"today": TODAY + timedelta(days=days), "now": NOW + timedelta(days=days)}
    credit.release(session, SYSTEM, allocation.id, reason="A mistake", **day)


def last_days(session):
    return list(session.scalars(select(PrepaidGrant.expires_on).order_by(PrepaidGrant.id)))


def test_what_comes_back_after_its_last_day_has_as_many_days_as_it_had_left(session):
    customer = a_customer(session)
    give(session, customer, 30_00, TODAY + timedelta(days=2))
    back_after(session, use(session, customer), 5)
    # Used on the first of three days; the fifth day after it and two more.
    assert (left(session), last_days(session)) == ([30_00], [TODAY + timedelta(days=7)])
    assert keep_up(session, now=NOW + timedelta(days=7)) == 0
    assert keep_up(session, now=NOW + timedelta(days=8)) == 1
    assert (left(session), wrong_in(session)) == ([0], [])


def test_what_comes_back_until_its_last_day_keeps_that(session):
    customer = a_customer(session)
    give(session, customer, 30_00, TODAY + timedelta(days=2))
    buy(session, customer, 30_00, 3)
    back_after(session, use(session, customer), 2)
    assert (left(session), last_days(session)) == ([30_00, 30_00], [TODAY + timedelta(days=2)] * 2)


@pytest.mark.parametrize(("sold", "last"), [(3, 34), (30, 69), (45, 94)])
def test_bought_credit_that_comes_back_after_its_last_day_has_at_least_thirty_days(session, sold, last):
    customer = a_customer(session)
    buy(session, customer, 30_00, sold)
    back = {3: 5, 30: 40, 45: 50}[sold]
    back_after(session, use(session, customer), back)
    assert (left(session), last_days(session)) == ([30_00], [TODAY + timedelta(days=last)])
    assert keep_up(session, now=NOW + timedelta(days=back)) == 0
    assert wrong_in(session) == []


def test_what_was_not_used_in_time_expires_all_the_same(session):
    customer = a_customer(session)
    buy(session, customer, 30_00, 3)
    back_after(session, use(session, customer, "10"), 5)
    assert (left(session), wrong_in(session)) == ([10_00], [])
    assert accounts(session)["prepaid_credit"] == -10_00


def test_what_is_credited_after_the_last_day_can_be_used_again(session):
    customer = a_customer(session)
    buy(session, customer, 10_00, 3)
    invoice = use(session, customer, "10")
    later, day = NOW + timedelta(days=7), TODAY + timedelta(days=7)
    back = MoneyBack("Withdrawn", None, day, 4_00)
    refunds.refund(session, SYSTEM, invoice.id, wanted=back, today=day, now=later)
    assert keep_up(session, now=later) == 0
    assert (left(session), last_days(session)) == ([4_00], [TODAY + timedelta(days=36)])
    assert use(session, customer, "3", now=later).paid_minor == 3_00
    assert wrong_in(session) == []


def test_credit_is_no_money_that_could_be_paid_back(session):
    customer = a_customer(session)
    give(session, customer, 40_00)
    invoice = use(session, customer)
    received.record_for(session, SYSTEM, invoice.id, received=bank_transfer(60_00), **DAY)
    assert invoice.state is InvoiceState.PAID
    assert refunds.in_money(session, invoice) == 60_00
    wanted = MoneyBack("Returned", PaymentMethod.CASH, TODAY, 60_01)
    with pytest.raises(Invalid, match=r"60\.00 EUR can be refunded"):
        refunds.refund(session, SYSTEM, invoice.id, wanted=wanted, **DAY)
    refunds.refund(session, SYSTEM, invoice.id, wanted=MoneyBack("Returned", PaymentMethod.CASH, TODAY), **DAY)
    assert invoice.refunded_minor == 60_00
    assert refunds.in_money(session, invoice) == 0
    assert wrong_in(session) == []


def test_what_is_credited_of_an_invoice_goes_back_to_prepaid_credit_first(session):
    """40.00 of it, 30.00 that expire and 10.00 that do not, were paid by prepaid credit, and 60.00 by a transfer."""
    customer = a_customer(session)
    give(session, customer, 30_00, TOMORROW)
    give(session, customer, 10_00)
    invoice = use(session, customer)
    received.record_for(session, SYSTEM, invoice.id, received=bank_transfer(60_00), **DAY)
    steps = [(4_00, [0, 4_00], 0), (7_00, [1_00, 10_00], 0), (35_00, [30_00, 10_00], 6_00)]
    for amount, remaining, kept in steps:
        refunds.refund(session, SYSTEM, invoice.id, wanted=MoneyBack("Too much", None, TODAY, amount), **DAY)
        assert left(session) == remaining
        assert credit.balance(session, customer.business_id, customer.id, "EUR").minor == kept
    assert accounts(session)["prepaid_credit"] == -40_00
    with pytest.raises(Conflict, match="given back"):
        release(session, invoice)
    # All of the prepaid credit went back: what is left was paid by the transfer.
    assert refunds.in_money(session, invoice) == 54_00
    refunds.refund(session, SYSTEM, invoice.id, wanted=MoneyBack("All", PaymentMethod.CASH, TODAY), **DAY)
    assert invoice.refunded_minor == 100_00
    assert wrong_in(session) == []
    assert [wrong for check in receivables.checks(session, today=TODAY) for wrong in check.wrong] == []


def stated(session, customer) -> list[tuple[str, int]]:
    request = statement.StatementRequest(customer.id, "EUR", Period.month_of(TODAY))
    found = statement.statement(session, SYSTEM, request)
    assert found.opening_minor + found.charged_minor - found.settled_minor == found.closing_minor
    return [(what(row), row.amount_minor) for row in found.rows]


def test_the_statement_of_account_shows_what_prepaid_credit_paid_and_got_back(session):
    customer = a_customer(session)
    give(session, customer, 40_00)
    invoice = use(session, customer)
    paid = [("Invoice", 100_00), ("Prepaid credit used", -40_00)]
    assert stated(session, customer) == paid
    received.record_for(session, SYSTEM, invoice.id, received=bank_transfer(60_00), **DAY)
    refunds.refund(session, SYSTEM, invoice.id, wanted=MoneyBack("Too much", None, TODAY, 35_00), **DAY)
    paid += [("Payment", -60_00), ("Credit note", -35_00), ("Back to prepaid credit", 35_00)]
    assert stated(session, customer) == paid
    # 5.00 go back to prepaid credit, the rest is kept as the customer's credit.
    refunds.refund(session, SYSTEM, invoice.id, wanted=MoneyBack("All", None, TODAY), **DAY)
    assert stated(session, customer) == [*paid, ("Credit note", -65_00), ("Back to prepaid credit", 5_00)]
    (of_first, of_rest) = (event for event in invoices.events(session, invoice.id) if event.kind is EventKind.REFUNDED)
    assert [event.data["prepaid_minor"] for event in (of_first, of_rest)] == [5_00, 35_00]


def test_the_statement_of_account_shows_that_a_payment_by_prepaid_credit_was_reversed(session):
    customer = a_customer(session)
    give(session, customer, 40_00)
    release(session, use(session, customer))
    assert stated(session, customer)[1:] == [("Prepaid credit used", -40_00), ("Back to prepaid credit", 40_00)]


def test_a_draft_that_credit_would_pay_gets_no_link_before_it_is_sent(sessions):
    gateway = ScriptedGateway()
    with sessions.begin() as session:
        customer = a_customer(session)
        give(session, customer, 40_00)
        draft = a_usage_draft(session, customer).id
        plain = a_usage_draft(session, customer, business_id=another_business(session).id).id
    with pytest.raises(Conflict, match="send it first"):
        workflow.create(sessions, SYSTEM, gateway, draft, now=NOW)
    assert workflow.create(sessions, SYSTEM, gateway, plain, now=NOW)


@pytest.mark.slow
def test_sent_at_once_the_same_credit_is_never_used_twice(sessions):
    with sessions.begin() as session:
        customer = a_customer(session)
        give(session, customer, 250_00)
        drafts = [a_usage_draft(session, customer).id for _ in range(4)]

    def send(draft: int) -> None:
        with sessions.begin() as session:
            sending.send(session, SYSTEM, draft, now=NOW)

    at_once(*(partial(send, draft) for draft in drafts))
    with sessions() as session:
        paid = sorted(session.scalars(select(Invoice.paid_minor).where(Invoice.id.in_(drafts))))
        assert paid == [0, 50_00, 100_00, 100_00]
        used = select(PrepaidMovement.amount_minor).where(PrepaidMovement.kind == MovementKind.USED)
        assert sum(session.scalars(used)) == -250_00
        assert wrong_in(session) == []
        assert session.get_one(Customer, customer.id).id == customer.id

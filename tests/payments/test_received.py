"""Money that comes in pays what is due; what is left over is kept for the customer."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from billing_core.dates import EARLIEST_DAY
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices.models import InvoiceState
from billing_core.payments import credit, queries, received
from billing_core.payments.queries import PaymentFilter
from tests.payments.books import (
    NOW,
    TODAY,
    a_customer,
    a_draft,
    accounts,
    an_open_invoice,
    another_business,
    bank_transfer,
    pay,
    record,
)


def test_a_payment_of_what_is_due_pays_the_invoice(session):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "100", tax_rate="19")
    pay(session, customer, 11_900, **{str(invoice.id): 11_900})

    assert (invoice.state, invoice.due_minor, invoice.paid_at) == (InvoiceState.PAID, 0, NOW)
    assert accounts(session) == {"cash": 11_900, "revenue": -10_000, "tax_payable": -1_900}


def test_a_part_payment_leaves_the_rest_due(session):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "100")
    pay(session, customer, 4_000, **{str(invoice.id): 4_000})

    assert (invoice.state, invoice.due_minor) == (InvoiceState.OPEN, 6_000)
    assert accounts(session)["receivable"] == 6_000


def test_one_payment_pays_several_invoices_and_its_rest_is_the_customers_credit(session):
    customer = a_customer(session)
    first, second = an_open_invoice(session, customer, "10"), an_open_invoice(session, customer, "20")
    payment = pay(session, customer, 3_500, **{str(first.id): 1_000, str(second.id): 2_000})

    assert {first.state, second.state} == {InvoiceState.PAID}
    assert credit.balance(session, customer.business_id, customer.id, "EUR").minor == 500
    assert queries.one(session, SYSTEM, payment.id).kept_minor == 500


def test_the_fee_of_a_payment_is_an_expense_of_ours_and_not_the_customers(session):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "100")
    received.record_for(
        session, SYSTEM, invoice.id, received=bank_transfer(10_000, fee_minor=175), today=TODAY, now=NOW
    )

    assert invoice.state is InvoiceState.PAID
    assert accounts(session) == {"cash": 9_825, "fees": 175, "revenue": -10_000}


@pytest.mark.parametrize("kind", ["draft", "paid", "other currency"])
def test_money_that_fits_no_invoice_is_never_refused(session, kind):
    customer = a_customer(session)
    invoice = a_draft(session, customer) if kind == "draft" else an_open_invoice(session, customer, "1")
    if kind == "paid":
        pay(session, customer, 100, **{str(invoice.id): 100})
    currency = "USD" if kind == "other currency" else "EUR"
    received.record_for(
        session, SYSTEM, invoice.id, received=bank_transfer(700, currency=currency), today=TODAY, now=NOW
    )

    assert credit.balance(session, customer.business_id, customer.id, currency).minor == 700


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount_minor": 0}, "amount"),
        ({"amount_minor": -5}, "amount"),
        ({"amount_minor": 10**16}, "amount"),
        ({"fee_minor": 101}, "fee"),
        ({"received_on": date(2026, 3, 11)}, "received_on"),
        ({"currency": "XXY"}, "currency"),
        ({"reference": "x" * 121}, "reference"),
        ({"reference": "a\x00b"}, "reference"),
        ({"note": "x" * 501}, "note"),
        ({"note": "a\x00b"}, "note"),
        ({"amount_minor": 10**15 + 1}, "amount"),
        ({"fee_minor": -1}, "fee"),
        ({"received_on": EARLIEST_DAY - timedelta(days=1)}, "received_on"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_kept(session, change, field):
    customer = a_customer(session)
    with pytest.raises(Invalid) as refusal:
        record(session, customer, replace(bank_transfer(100), **change))

    assert list(refusal.value.fields) == [field]
    assert accounts(session) == {}


@pytest.mark.parametrize(("amount", "fee"), [(0, 1), (-1, 1), (-1, -1)])
def test_a_payment_of_nothing_has_no_fee_either(session, amount, fee):
    with pytest.raises(Invalid) as refusal:
        record(session, a_customer(session), replace(bank_transfer(amount), fee_minor=fee))

    assert set(refusal.value.fields) == {"amount", "fee"}


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": 1},
        {"amount_minor": 10**15},
        {"fee_minor": 0},
        {"fee_minor": 100},
        {"received_on": TODAY},
        {"received_on": EARLIEST_DAY},
        {"reference": "x" * 120},
        {"note": "x" * 500},
    ],
)
def test_whatever_is_at_the_edge_is_recorded_as_it_is(session, change):
    money = replace(bank_transfer(100), **change)
    payment = record(session, a_customer(session), money)

    assert {name: getattr(payment, name) for name in change} == change
    kept = {
        "cash": money.amount_minor - money.fee_minor,
        "fees": money.fee_minor,
        "customer_credit": -money.amount_minor,
    }
    assert accounts(session) == {account: minor for account, minor in sorted(kept.items()) if minor}


def test_an_invoice_gets_no_more_than_is_due_nor_anothers_money(session):
    customer, other = a_customer(session), a_customer(session, "C2")
    mine, theirs = an_open_invoice(session, customer, "1"), an_open_invoice(session, other, "1")

    of_mine, of_theirs = f"allocations.{mine.id}", f"allocations.{theirs.id}"
    due = "is not what can be paid: 1.00 EUR is due on invoice INV-2026-001"
    for amount, currency, allocations, fields in (
        (500, "EUR", {mine.id: 101}, {of_mine: due}),
        (50, "EUR", {mine.id: 51}, {"allocations": "add up to more than the payment"}),
        (500, "EUR", {mine.id: -1}, {of_mine: due}),
        (500, "EUR", {theirs.id: 100}, {of_theirs: "is another customer's"}),
        (500, "USD", {mine.id: 100}, {of_mine: "is in EUR, the payment in USD"}),
    ):
        with pytest.raises(Invalid) as refusal:
            record(session, customer, bank_transfer(amount, currency=currency), allocations)
        assert refusal.value.fields == fields
    assert accounts(session) == {"receivable": 200, "revenue": -200}


def test_an_undone_payment_leaves_everything_as_if_it_had_not_come(session):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "100")
    before = accounts(session)
    payment = pay(session, customer, 12_000, **{str(invoice.id): 10_000})
    received.undo(session, SYSTEM, payment.id, reason="another customer's", today=TODAY, now=NOW)

    assert accounts(session) == before
    assert (invoice.state, invoice.due_minor, invoice.paid_at) == (InvoiceState.OPEN, 10_000, None)
    with pytest.raises(Conflict, match="undone already"):
        received.undo(session, SYSTEM, payment.id, reason="again", today=TODAY, now=NOW)


def test_a_payment_whose_rest_is_spent_cannot_be_undone_before_that_is_taken_back(session):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "5")
    payment = pay(session, customer, 500)
    credit.apply(session, SYSTEM, invoice.id, amount_minor=500, today=TODAY, now=NOW)

    with pytest.raises(Conflict, match="take back what it paid first"):
        received.undo(session, SYSTEM, payment.id, reason="wrong", today=TODAY, now=NOW)

    (allocation,) = queries.allocations(session, SYSTEM, invoice_id=invoice.id)
    credit.release(session, SYSTEM, allocation.id, reason="wrong", today=TODAY, now=NOW)
    received.undo(session, SYSTEM, payment.id, reason="wrong", today=TODAY, now=NOW)
    assert accounts(session) == {"receivable": 500, "revenue": -500}


def test_a_payment_can_be_undone_after_it_was_taken_off_its_invoice(session):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "5")
    payment = pay(session, customer, 500, **{str(invoice.id): 500})
    (allocation,) = queries.allocations(session, SYSTEM, payment_id=payment.id)
    credit.release(session, SYSTEM, allocation.id, reason="for another one", today=TODAY, now=NOW)
    assert credit.balance(session, customer.business_id, customer.id, "EUR").minor == 500

    received.undo(session, SYSTEM, payment.id, reason="bounced", today=TODAY, now=NOW)
    assert accounts(session) == {"receivable": 500, "revenue": -500}


def test_the_list_finds_payments_by_what_people_remember(session):
    customer, other = a_customer(session), a_customer(session, "C2")
    mine = pay(session, customer, 100)
    theirs = pay(session, other, 200)

    def found(**wanted):
        return [row.id for row in queries.page(session, SYSTEM, PaymentFilter(**wanted))]

    assert found() == [theirs.id, mine.id]
    assert found(text="c2") == [theirs.id]
    assert found(customer_id=customer.id) == [mine.id]
    assert found(method="cash") == []
    assert found(received_to=date(2026, 3, 9)) == []
    assert queries.page(session, SYSTEM, PaymentFilter(currency="EU\0")) == []
    assert [str(money) for money in queries.totals(session, SYSTEM, PaymentFilter())] == ["3.00 EUR"]
    bound = actor_with(Role.FINANCE, user_id=1, name="bound", customer_id=customer.id)
    assert [row.id for row in queries.page(session, bound, PaymentFilter())] == [mine.id]


@pytest.mark.parametrize("role", [Role.FINANCE, Role.MANAGER])
def test_only_administrators_record_payments(session, role):
    customer = a_customer(session)
    with pytest.raises(Forbidden):
        record(session, customer, bank_transfer(100), actor=actor_with(role, user_id=1, name="x"))


def test_money_for_a_business_that_does_not_exist_is_refused_in_words(session):
    customer = a_customer(session)
    with pytest.raises(NotFound, match="no business 77"):
        record(session, customer, bank_transfer(500), business_id=77)


def test_one_payment_does_not_pay_invoices_of_two_businesses(session):
    """Each business has bank accounts of its own: the money came to one of them."""
    other, customer = another_business(session), a_customer(session)
    mine = an_open_invoice(session, customer, "10")
    theirs = an_open_invoice(session, customer, "20", business_id=other.id)
    before = accounts(session)

    with pytest.raises(Invalid, match="several businesses: record one for each"):
        record(session, customer, bank_transfer(30_00), {mine.id: 10_00, theirs.id: 20_00})
    assert accounts(session) == before
    assert (mine.due_minor, theirs.due_minor) == (10_00, 20_00)

    for invoice, business_id in ((mine, customer.business_id), (theirs, other.id)):
        payment = record(session, customer, bank_transfer(invoice.total_minor + 5), {invoice.id: invoice.total_minor})
        # What is left over stays with the business that the money came to.
        assert payment.business_id == business_id
        assert credit.balance(session, business_id, customer.id, "EUR").minor == 5
    assert {mine.state, theirs.state} == {InvoiceState.PAID}

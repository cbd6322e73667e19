"""A customer's credit: used once, given back once, and never for nothing."""

import pytest

from billing_core.errors import Conflict, Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices.models import InvoiceState
from billing_core.money import Money
from billing_core.payments import credit, queries, received
from billing_core.payments.models import PaymentMethod
from tests.payments.books import (
    NOW,
    TODAY,
    a_customer,
    accounts,
    an_open_invoice,
    another_business,
    bank_transfer,
    pay,
    record,
)


def apply(session, invoice, amount):
    credit.apply(session, SYSTEM, invoice.id, amount_minor=amount, today=TODAY, now=NOW)


def release(session, allocation_id):
    credit.release(session, SYSTEM, allocation_id, reason="wrong invoice", today=TODAY, now=NOW)


def pay_out(session, customer, amount):
    facts = {"method": PaymentMethod.CASH, "reason": "asked", "today": TODAY, "now": NOW}
    business_id = customer.business_id
    money = Money(amount, "EUR")
    credit.pay_out(session, SYSTEM, customer_id=customer.id, business_id=business_id, amount=money, **facts)


def kept(session, customer) -> int:
    return credit.balance(session, customer.business_id, customer.id, "EUR").minor


@pytest.mark.parametrize("source", ["payment", "credit"])
def test_an_allocation_is_released_once(session, source):
    """Twice would be 10.00 of credit out of a payment of 5.00."""
    customer = a_customer(session)
    invoice, other = an_open_invoice(session, customer, "5"), an_open_invoice(session, customer, "5")
    if source == "payment":
        pay(session, customer, 500, **{str(invoice.id): 500})
    else:
        pay(session, customer, 500)
        apply(session, invoice, 500)
    (allocation,) = queries.allocations(session, SYSTEM, invoice_id=invoice.id)
    release(session, allocation.id)
    there = accounts(session)

    with pytest.raises(Conflict, match="reversed already"):
        release(session, allocation.id)

    assert accounts(session) == there == {"cash": 500, "customer_credit": -500, "receivable": 1_000, "revenue": -1_000}
    assert (kept(session, customer), invoice.paid_minor, invoice.due_minor) == (500, 0, 500)
    # Not even where another allocation would have had something to give back.
    apply(session, other, 500)
    with pytest.raises(Conflict, match="reversed already"):
        release(session, allocation.id)
    assert (kept(session, customer), other.state) == (0, InvoiceState.PAID)


def test_what_an_undone_payment_gave_is_not_released_as_well(session):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "5")
    payment = pay(session, customer, 500, **{str(invoice.id): 500})
    (allocation,) = queries.allocations(session, SYSTEM, payment_id=payment.id)
    received.undo(session, SYSTEM, payment.id, reason="bounced", today=TODAY, now=NOW)

    with pytest.raises(Conflict, match="reversed already"):
        release(session, allocation.id)

    assert accounts(session) == {"receivable": 500, "revenue": -500}


@pytest.mark.parametrize(
    ("amount", "why"),
    [
        (0, "must be more than 0"),
        (-1, "must be more than 0"),
        (10_01, "only 10.00 EUR is due"),
        (7_01, "the credit is 7.00 EUR"),
    ],
)
def test_no_other_amount_of_credit_is_used_than_there_is_and_is_due(session, amount, why):
    """7.00 of credit, and 10.00 due."""
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "10")
    pay(session, customer, 7_00)
    there = accounts(session)

    with pytest.raises(Invalid) as refusal:
        apply(session, invoice, amount)

    assert refusal.value.fields == {"amount": why}
    assert accounts(session) == there
    assert (invoice.paid_minor, queries.allocations(session, SYSTEM, invoice_id=invoice.id)) == (0, [])


@pytest.mark.parametrize(("credit_minor", "due"), [(1, "10"), (7_00, "7"), (7_00, "10"), (10_00, "7")])
def test_all_of_what_is_left_and_due_can_be_used_and_one_cent_too(session, credit_minor, due):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, due)
    pay(session, customer, credit_minor)
    most = min(credit_minor, invoice.due_minor)

    apply(session, invoice, 1)
    if most > 1:
        apply(session, invoice, most - 1)

    assert (invoice.paid_minor, kept(session, customer)) == (most, credit_minor - most)
    assert (invoice.state is InvoiceState.PAID) == (most == invoice.total_minor)


@pytest.mark.parametrize("amount", [0, -1, 5_01])
def test_no_other_amount_of_credit_is_paid_out_than_there_is(session, amount):
    """What the customer has with another business, or in another currency, is not there."""
    customer = a_customer(session)
    pay(session, customer, 5_00)
    record(session, customer, bank_transfer(9_00, currency="USD"))
    record(session, customer, bank_transfer(9_00), business_id=another_business(session).id)
    there = accounts(session)

    with pytest.raises(Invalid) as refusal:
        pay_out(session, customer, amount)

    assert refusal.value.fields == {"amount": "must be more than 0 and at most 5.00 EUR"}
    assert (accounts(session), kept(session, customer)) == (there, 5_00)


def test_credit_can_be_paid_out_to_the_last_cent(session):
    customer = a_customer(session)
    pay(session, customer, 5_00)
    for amount in (1, 4_98, 1):
        pay_out(session, customer, amount)

    assert (accounts(session), kept(session, customer)) == ({}, 0)

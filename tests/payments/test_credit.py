"""A customer's credit: used once, given back once, and never for nothing."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import SYSTEM
from billing_core.invoices.models import InvoiceState
from billing_core.ledger.models import EntryKind, LedgerEntry
from billing_core.money import Money
from billing_core.payments import credit, queries, received
from billing_core.payments.models import PaymentMethod, RefundSource
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


def pay_out(session, customer, amount, **further):
    facts = {"method": PaymentMethod.CASH, "reason": "asked", "today": TODAY, "now": NOW} | further
    business_id = customer.business_id
    money = Money(amount, "EUR")
    return credit.pay_out(session, SYSTEM, customer_id=customer.id, business_id=business_id, amount=money, **facts)


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


def test_credit_is_listed_by_business_and_currency_where_there_is_any(session):
    """1.00 and 2.00 of one business, 4.00 of another, and 5.00 that was paid out again; another's are nobody's here."""
    customer, stranger, second = a_customer(session), a_customer(session, "C2"), another_business(session)
    assert credit.balances(session, SYSTEM, customer.id) == []
    record(session, customer, bank_transfer(4_00), business_id=second.id)
    for amount, currency in ((2_00, "USD"), (1_00, "EUR"), (5_00, "JPY")):
        record(session, customer, bank_transfer(amount, currency=currency))
    record(session, stranger, bank_transfer(8_00))
    credit.pay_out(
        session,
        SYSTEM,
        customer_id=customer.id,
        business_id=customer.business_id,
        amount=Money(5_00, "JPY"),
        method=PaymentMethod.CASH,
        reason="asked",
        today=TODAY,
        now=NOW,
    )

    own = customer.business_id
    found = credit.balances(session, SYSTEM, customer.id)
    assert found == [(own, Money(1_00, "EUR")), (own, Money(2_00, "USD")), (second.id, Money(4_00, "EUR"))]
    assert [credit.balance(session, business_id, customer.id, money.currency) for business_id, money in found] == [
        money for _, money in found
    ]
    assert credit.balance(session, second.id, customer.id, "USD") == Money(0, "USD")
    with pytest.raises(NotFound):
        credit.balances(session, SYSTEM, 77)


def test_an_allocation_that_there_is_not_is_not_released(session):
    with pytest.raises(NotFound, match="There is no such allocation"):
        release(session, 77)


@pytest.mark.parametrize(("today", "counts_on"), [(TODAY, TODAY), (date(2026, 2, 27), date(2026, 3, 1))])
def test_credit_counts_from_the_day_on_which_it_is_used_and_not_before_the_invoice(session, today, counts_on):
    """The invoice is of 1 March, and nothing of it is given back before it was used."""
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "5")
    pay(session, customer, 5_00)
    credit.apply(session, SYSTEM, invoice.id, amount_minor=5_00, today=today, now=NOW)
    (allocation,) = queries.allocations(session, SYSTEM, invoice_id=invoice.id)
    credit.release(session, SYSTEM, allocation.id, reason="x", today=today, now=NOW)

    days = select(LedgerEntry.effective_on).where(LedgerEntry.kind == EntryKind.CREDIT_APPLIED)
    assert session.scalars(days).all() == [counts_on, counts_on]
    assert allocation.allocated_on == counts_on
    audited = select(AuditEntry.subject_label).where(AuditEntry.action == "payment.apply_credit")
    assert session.scalars(audited).all() == [invoice.number]


def test_what_is_released_later_counts_on_the_day_on_which_it_is(session):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "5")
    pay(session, customer, 5_00, **{str(invoice.id): 5_00})
    (allocation,) = queries.allocations(session, SYSTEM, invoice_id=invoice.id)
    tomorrow = TODAY + timedelta(days=1)
    credit.release(session, SYSTEM, allocation.id, reason="r" * 500, today=tomorrow, now=NOW)

    (audited,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "payment.release"))
    assert (audited.subject_label, audited.after["reason"]) == (invoice.number, "r" * 500)
    last = select(LedgerEntry.effective_on, LedgerEntry.memo).order_by(LedgerEntry.id.desc()).limit(1)
    assert session.execute(last).one() == (tomorrow, "r" * 200)


def test_paying_out_is_a_refund_of_credit_in_the_ledger_and_in_the_audit_log(session):
    customer = a_customer(session)
    pay(session, customer, 5_00)
    made = pay_out(session, customer, 2_00, reference=" RF7 ", reason=" asked for it ")

    (row,) = queries.refunds(session, SYSTEM)
    assert (row.id, row.source, row.amount_minor, row.method, row.refunded_on, row.reference, row.reason) == (
        *(made.id, RefundSource.CREDIT, 2_00, PaymentMethod.CASH, TODAY, "RF7", "asked for it"),
    )
    entry = session.get_one(LedgerEntry, made.entry_id)
    assert (entry.kind, entry.document, entry.effective_on, entry.memo) == (
        *(EntryKind.CREDIT_PAID_OUT, f"customer:{customer.id}", TODAY, "RF7"),
    )
    (audited,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "payment.pay_out_credit"))
    assert (audited.subject_kind, audited.subject_id, audited.subject_label) == (
        "customer",
        f"{customer.id}",
        "Carla C1",
    )

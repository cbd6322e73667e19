"""Refunds: how much of a paid invoice goes back, by which way, and on which days."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing_core.dates import Period
from billing_core.errors import Conflict, Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes
from billing_core.invoices.models import InvoiceState
from billing_core.payments import credit, received, refunds
from billing_core.payments.models import PaymentMethod, RefundSource
from billing_core.payments.refunds import MoneyBack
from tests.payments.books import NOW, TODAY, a_customer, accounts, an_open_invoice, bank_transfer, pay, record

CASH = PaymentMethod.CASH
ISSUED = date(2026, 3, 1)


def days_from(on: date, days: int) -> date:
    return on + timedelta(days=days)


def paid(session, *parts):
    """An invoice of 10.00 of 1 March, and what pays it by the day on which it came in: (minor units, day)."""
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "10")
    for amount, day in parts:
        record(session, customer, replace(bank_transfer(amount), received_on=day), {invoice.id: amount})
    return invoice


def refund(session, invoice, amount=None, *, method=CASH, on=TODAY, today=TODAY, reference=""):
    wanted = MoneyBack("returned", method, on, amount, reference)
    return refunds.refund(session, SYSTEM, invoice.id, wanted=wanted, today=today, now=NOW)


def test_all_that_is_left_goes_back_unless_an_amount_is_named(session):
    invoice = paid(session, (10_00, TODAY))
    made = [refund(session, invoice, amount) for amount in (1, 3_00, None)]

    assert [one.amount_minor for one in made] == [1, 3_00, 6_99]
    assert (invoice.refunded_minor, invoice.state, accounts(session)) == (10_00, InvoiceState.PAID, {})
    for amount in (None, 1):
        with pytest.raises(Invalid) as refusal:
            refund(session, invoice, amount)
        assert refusal.value.fields == {"amount": "must be more than 0 and at most 0.00 EUR"}


@pytest.mark.parametrize("first", [4_00, 9_99])
def test_no_more_goes_back_than_is_left(session, first):
    invoice = paid(session, (10_00, TODAY))
    refund(session, invoice, first)
    with pytest.raises(Invalid) as refusal:
        refund(session, invoice, 10_00 - first + 1)

    left = {4_00: "6.00 EUR", 9_99: "0.01 EUR"}[first]
    assert refusal.value.fields == {"amount": f"must be more than 0 and at most {left}"}
    assert refund(session, invoice, 10_00 - first).amount_minor == 10_00 - first


def test_lines_are_refunded_with_their_tax_and_no_more_of_them_than_is_left(session):
    """Of 10.00 and 5.00, both paid: half of the first, then all of what is left."""
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "10", "5", tax_rate="20")
    record(session, customer, bank_transfer(18_00), {invoice.id: 18_00})
    first, second = (one.line_id for one in credit_notes.creditable(session, SYSTEM, invoice.id))
    wanted = MoneyBack("returned", CASH, TODAY, lines={first: Decimal("0.5")})
    assert refunds.refund(session, SYSTEM, invoice.id, wanted=wanted, today=TODAY, now=NOW).amount_minor == 6_00
    with pytest.raises(Invalid):
        refunds.refund(
            session, SYSTEM, invoice.id, wanted=replace(wanted, lines={first: Decimal(1)}), today=TODAY, now=NOW
        )
    rest = replace(wanted, lines={first: Decimal("0.5"), second: Decimal(1)})
    assert refunds.refund(session, SYSTEM, invoice.id, wanted=rest, today=TODAY, now=NOW).amount_minor == 12_00
    assert (invoice.refunded_minor, accounts(session)) == (18_00, {})


def test_no_line_is_refunded_beyond_what_is_left_of_an_invoice_after_an_amount(session):
    invoice = paid(session, (10_00, TODAY))
    refund(session, invoice, 6_00)
    (line,) = (one.line_id for one in credit_notes.creditable(session, SYSTEM, invoice.id))
    wanted = MoneyBack("returned", CASH, TODAY, lines={line: Decimal(1)})
    with pytest.raises(Conflict, match=r"4\.00 EUR are left"):
        refunds.refund(session, SYSTEM, invoice.id, wanted=wanted, today=TODAY, now=NOW)


def test_an_invoice_of_nothing_has_nothing_to_give_back(session):
    invoice = an_open_invoice(session, a_customer(session), "0")
    assert invoice.state is InvoiceState.PAID
    with pytest.raises(Invalid):
        refund(session, invoice)


@pytest.mark.parametrize(
    ("method", "expected"),
    [(CASH, {"bank": 10_00, "cash": -4_00, "credit": 0}), (None, {"bank": 10_00, "cash": 0, "credit": 4_00})],
)
def test_it_goes_back_by_its_own_way_or_is_kept_as_credit(session, method, expected):
    """10.00 came by bank. 4.00 of revenue are taken back either way."""
    invoice = paid(session, (10_00, TODAY))
    made = refund(session, invoice, 4_00, method=method, reference=" RF9 ")

    books = accounts(session)
    assert books["revenue"] == -6_00
    assert books.get("cash", 0) == expected["bank"] + expected["cash"]
    assert credit.balance(session, invoice.business_id, invoice.customer_id, "EUR").minor == expected["credit"]
    (note,) = credit_notes.of_invoice(session, SYSTEM, invoice.id)
    assert (made.source, made.method, made.invoice_id, made.credit_note_id) == (
        *(RefundSource.INVOICE, method, invoice.id, note.id),
    )
    assert (made.reference, made.reason, made.refunded_on, note.total_minor) == ("RF9", "returned", TODAY, 4_00)


def test_money_goes_back_from_the_day_on_which_the_last_of_it_came_in_until_today(session):
    last = days_from(TODAY, -2)
    invoice = paid(session, (4_00, days_from(TODAY, -4)), (6_00, last))
    assert refunds.possible_days(session, invoice.id, ISSUED, today=TODAY) == Period(last, TODAY)

    for day, words in ((days_from(last, -1), f"is before {last}"), (days_from(TODAY, 1), "lies in the future")):
        with pytest.raises(Invalid) as refusal:
            refund(session, invoice, 1_00, on=day)
        assert refusal.value.fields["refunded_on"].startswith(words)
    for day in (last, TODAY):
        assert refund(session, invoice, 1_00, on=day).refunded_on == day


def test_what_was_taken_off_the_invoice_again_does_not_count(session):
    """8.00 came in today by error, and 10.00 two days before."""
    came_in = days_from(TODAY, -2)
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "10")
    wrong = pay(session, customer, 8_00, **{str(invoice.id): 8_00})
    received.undo(session, SYSTEM, wrong.id, reason="not ours", today=TODAY, now=NOW)
    record(session, customer, replace(bank_transfer(10_00), received_on=came_in), {invoice.id: 10_00})
    other = an_open_invoice(session, customer, "1")
    pay(session, customer, 1_00, **{str(other.id): 1_00})

    assert refunds.possible_days(session, invoice.id, ISSUED, today=TODAY) == Period(came_in, TODAY)


def test_what_was_paid_before_the_invoices_day_goes_back_from_that_day_on(session):
    invoice = paid(session, (10_00, days_from(ISSUED, -3)))

    assert refunds.possible_days(session, invoice.id, ISSUED, today=TODAY) == Period(ISSUED, TODAY)
    with pytest.raises(Invalid):
        refund(session, invoice, on=days_from(ISSUED, -1))
    assert refund(session, invoice, on=ISSUED).refunded_on == ISSUED


@pytest.mark.parametrize(
    ("issued_on", "today", "days"),
    [
        (ISSUED, TODAY, Period(ISSUED, TODAY)),
        (TODAY, ISSUED, Period(TODAY, TODAY)),  # dated ahead
        (TODAY, TODAY, Period(TODAY, TODAY)),
    ],
)
def test_without_a_payment_the_invoices_own_day_is_the_first(session, issued_on, today, days):
    assert refunds.possible_days(session, 77, issued_on, today=today) == days


def test_money_that_came_in_later_than_today_goes_back_today(session):
    """The business has moved to a time zone where it is a day before."""
    invoice = paid(session, (10_00, TODAY))
    yesterday = days_from(TODAY, -1)
    assert refunds.possible_days(session, invoice.id, ISSUED, today=yesterday) == Period(yesterday, yesterday)


@pytest.mark.parametrize("state", [InvoiceState.OPEN, InvoiceState.CANCELLED])
def test_only_what_is_paid_in_full_is_refunded(session, state):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "10")
    if state is InvoiceState.OPEN:
        pay(session, customer, 9_99, **{str(invoice.id): 9_99})
    else:
        credit_notes.issue(session, SYSTEM, invoice.id, reason="wrong", issued_on=TODAY, today=TODAY, now=NOW)
    assert invoice.state is state
    with pytest.raises(Conflict, match="Only a paid invoice"):
        refund(session, invoice)

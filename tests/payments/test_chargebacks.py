"""Where the money is that a payer's bank takes back, whatever became of the payment before and after."""

import csv
import io
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.dates import Period
from billing_core.errors import Conflict, Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices import queries as invoices
from billing_core.invoices import service
from billing_core.invoices.payment_links import Mode
from billing_core.money import Money
from billing_core.payments import (
    allocated,
    chargeback_queries,
    chargebacks,
    credit,
    queries,
    received,
    refunds,
    write_offs,
)
from billing_core.payments.chargebacks import TakenBack
from billing_core.payments.models import PaymentMethod
from billing_core.payments.queries import PaymentFilter
from billing_core.payments.received import GatewayNames, Received
from billing_core.payments.refunds import MoneyBack
from billing_core.receivables import statement, verification
from billing_core.receivables.exporting import what
from billing_core.receivables.statement import StatementRequest
from tests.payments.books import NOW, TODAY, a_customer, a_draft, accounts, an_open_invoice, receivable

DAY = {"today": TODAY, "now": NOW}
STRIPE = PaymentMethod.STRIPE


def collected(session, invoice, amount, *, pays=True):
    money, names = Received("EUR", amount, STRIPE, TODAY), GatewayNames(Mode.TEST, f"pi_{invoice.id}")
    return received.record_collected(session, SYSTEM, invoice, received=money, names=names, pays=pays, **DAY)


def take(session, payment, amount, *, key="dispute:dp_1", lost=False):
    """(where from, how much) of each part."""
    made = chargebacks.take_back(session, SYSTEM, payment.id, TakenBack(key, amount, "lost", lost), **DAY)
    assert proved(session)
    return [(one.source.value, one.invoice_id, one.amount_minor) for one in made]


def refund(session, invoice, amount, method, payment=None):
    made = refunds.refund(session, SYSTEM, invoice.id, wanted=MoneyBack("returned", method, TODAY, amount), **DAY)
    made.payment_id = payment.id if payment else None
    session.flush()


def proved(session):
    return [check for check in verification.checks(session, today=TODAY) if check.wrong] == []


def test_credit_goes_first_and_what_it_paid_since_comes_last(session):
    """150.00 came and were kept: 30.00 of it paid an invoice, 20.00 were paid out through the gateway."""
    customer = a_customer(session)
    meant, other = an_open_invoice(session, customer), an_open_invoice(session, customer, "30")
    payment = collected(session, meant, 150_00, pays=False)
    credit.apply(session, SYSTEM, other.id, amount_minor=30_00, **DAY)
    out = {"customer_id": customer.id, "business_id": customer.business_id, "method": STRIPE, "reason": "asked"}
    credit.pay_out(session, SYSTEM, amount=Money(20_00, "EUR"), **out, **DAY).payment_id = payment.id
    # Another payment's invoice is not touched.
    paid = an_open_invoice(session, customer, "70")
    collected(session, paid, 70_00)

    assert take(session, payment, 140_00) == [
        ("credit", None, 100_00),
        ("invoice", other.id, 30_00),
        ("loss", None, 10_00),
    ]
    assert (other.due_minor, paid.due_minor, meant.due_minor) == (30_00, 0, 100_00)
    assert accounts(session) == {
        "bad_debt": 10_00,
        "cash": 150_00 - 20_00 + 70_00 - 140_00,
        "receivable": 130_00,
        "revenue": -200_00,
    }


def test_what_was_refunded_as_credit_is_taken_from_that(session):
    invoice = an_open_invoice(session, a_customer(session))
    payment = collected(session, invoice, 100_00)
    refund(session, invoice, 40_00, None)
    assert take(session, payment, 100_00) == [("credit", None, 40_00), ("invoice", invoice.id, 60_00)]
    assert (invoice.paid_minor, invoice.refunded_minor, invoice.due_minor) == (40_00, 40_00, 60_00)


def test_what_was_given_back_another_way_went_twice(session):
    invoice = an_open_invoice(session, a_customer(session))
    payment = collected(session, invoice, 100_00)
    refund(session, invoice, 100_00, PaymentMethod.BANK_TRANSFER)
    assert take(session, payment, 100_00, lost=True) == [("loss", None, 100_00)]
    assert accounts(session) == {"bad_debt": 100_00, "cash": -100_00}
    assert chargebacks.give_back(session, SYSTEM, "dispute:dp_1", **DAY) == 100_00
    assert accounts(session) == {}


def test_what_comes_back_is_refunded_as_one_sum(session):
    """Of 100.00: 30.00 refunded, 70.00 lost and won again; the rest is then refunded and lost a second time."""
    invoice = an_open_invoice(session, a_customer(session))
    payment = collected(session, invoice, 100_00)
    refund(session, invoice, 30_00, STRIPE, payment)
    take(session, payment, 70_00)
    chargebacks.give_back(session, SYSTEM, "dispute:dp_1", **DAY)
    assert (invoice.paid_minor, invoice.due_minor) == (100_00, 0)
    assert take(session, payment, 70_00, key="dispute:dp_2") == [("invoice", invoice.id, 70_00)]


def test_a_loss_that_comes_back_is_none_any_more_and_all_of_it_is_on_record(session):
    """On the statement too: 60.00 taken back and written off on the 10th, returned on the 12th."""
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer)
    payment = collected(session, invoice, 100_00)
    take(session, payment, 60_00, lost=True)
    assert (invoice.paid_minor, invoice.written_off_minor, invoice.due_minor) == (40_00, 60_00, 0)
    later = TODAY + timedelta(days=2)
    assert chargebacks.give_back(session, SYSTEM, "dispute:dp_1", today=later, now=NOW) == 60_00
    session.flush()

    assert (invoice.paid_minor, invoice.written_off_minor, invoice.due_minor) == (100_00, 0, 0)
    stand = [one for one in queries.allocations(session, SYSTEM, payment_id=payment.id) if one.undone_at is None]
    assert [(one.amount_minor, one.allocated_on) for one in stand] == [(100_00, later)]
    row = queries.one(session, SYSTEM, payment.id)
    assert (row.allocated_minor, row.charged_back_minor, row.kept_minor) == (100_00, 0, 0)
    (taken,) = chargeback_queries.of_payment(session, SYSTEM, payment.id)
    assert (taken.invoice_number, taken.written_off, taken.taken_on, taken.returned_on) == (
        *(invoice.number, True, TODAY),
        later,
    )
    period = Period(date(2026, 3, 1), later)
    rows = statement.each(session, SYSTEM, StatementRequest(customer.id, "EUR", period))
    assert [(what(one), one.document, one.amount_minor, one.on) for one in rows] == [
        ("Invoice", invoice.number, 100_00, date(2026, 3, 1)),
        ("Payment", "", -100_00, TODAY),
        ("Chargeback", invoice.number, 60_00, TODAY),
        ("Write-off", invoice.number, -60_00, TODAY),
        ("Write-off undone", invoice.number, 60_00, later),
        ("Chargeback returned", invoice.number, -60_00, later),
    ]
    told = session.scalars(
        select(AuditEntry.action).where(AuditEntry.subject_kind == "payment").order_by(AuditEntry.id)
    ).all()
    assert [one for one in told if "take_back" in one or "come_back" in one] == [
        "payment.take_back",
        "payment.come_back",
    ]
    assert proved(session)


def test_what_is_taken_of_an_invoice_that_is_dated_ahead_counts_from_its_day(session):
    """By then the invoice is owed, and 100.00 were credit until it was."""
    customer = a_customer(session)
    draft = a_draft(session, customer)
    ahead = replace(invoices.content(session, draft), issued_on=TODAY + timedelta(days=9), due_on=date(2026, 4, 30))
    service.edit(session, SYSTEM, draft.id, ahead, drawn_from=draft.version, now=NOW)
    invoice = service.send(session, SYSTEM, draft.id, now=NOW)
    payment = collected(session, invoice, 100_00)
    made = chargebacks.take_back(session, SYSTEM, payment.id, TakenBack("dispute:dp_1", 100_00, "lost"), **DAY)
    assert [(one.source.value, one.taken_on) for one in made] == [("invoice", TODAY + timedelta(days=9))]
    assert proved(session)


def test_credit_that_a_dispute_took_is_credit_again_when_it_comes_back(session):
    """100.00 are kept; the bank takes 40.00 of these, and returns them."""
    invoice = an_open_invoice(session, a_customer(session))
    payment = collected(session, invoice, 100_00, pays=False)
    assert take(session, payment, 40_00) == [("credit", None, 40_00)]
    assert (accounts(session)["cash"], accounts(session)["customer_credit"]) == (60_00, -60_00)
    assert chargebacks.give_back(session, SYSTEM, "dispute:dp_1", **DAY) == 40_00
    assert (accounts(session)["cash"], accounts(session)["customer_credit"]) == (100_00, -100_00)
    assert (invoice.paid_minor, invoice.due_minor) == (0, 100_00)
    assert proved(session)


def test_what_comes_back_for_an_invoice_that_was_paid_again_is_credit(session):
    invoice = an_open_invoice(session, a_customer(session))
    payment = collected(session, invoice, 100_00)
    assert take(session, payment, 100_00) == [("invoice", invoice.id, 100_00)]
    received.record_for(session, SYSTEM, invoice.id, received=Received("EUR", 100_00, STRIPE, TODAY), **DAY)
    assert chargebacks.give_back(session, SYSTEM, "dispute:dp_1", **DAY) == 100_00
    assert (accounts(session)["cash"], accounts(session)["customer_credit"]) == (200_00, -100_00)
    assert (invoice.paid_minor, invoice.due_minor) == (100_00, 0)
    assert proved(session)


def test_a_write_off_that_was_undone_meanwhile_is_not_undone_again(session):
    invoice = an_open_invoice(session, a_customer(session))
    payment = collected(session, invoice, 100_00)
    take(session, payment, 60_00, lost=True)
    write_offs.undo_write_off(session, SYSTEM, invoice.id, reason="asked for", **DAY)
    write_offs.write_off(session, SYSTEM, invoice.id, reason="gone", amount_minor=20_00, **DAY)
    assert chargebacks.give_back(session, SYSTEM, "dispute:dp_1", **DAY) == 60_00
    # 40.00 were due, and 20.00 stay written off: so much is too much.
    assert (invoice.paid_minor, invoice.written_off_minor, invoice.due_minor) == (80_00, 20_00, 0)
    assert credit.balance(session, invoice.business_id, invoice.customer_id, "EUR").minor == 20_00
    assert chargebacks.give_back(session, SYSTEM, "dispute:dp_1", **DAY) == 0
    assert proved(session)


def test_a_dispute_takes_once_and_nothing_of_an_undone_payment(session):
    invoice = an_open_invoice(session, a_customer(session))
    payment = collected(session, invoice, 100_00)
    take(session, payment, 10_00)
    with pytest.raises(Conflict, match="recorded already"):
        take(session, payment, 10_00)
    payment.undone_at = NOW
    with pytest.raises(Conflict, match="was undone already"):
        take(session, payment, 10_00, key="dispute:dp_2")


AMOUNTS = st.integers(1, 120_00)
STEPS = st.one_of(
    st.tuples(st.just("refund"), AMOUNTS, st.sampled_from([STRIPE, PaymentMethod.CASH, None])),
    st.tuples(st.just("take"), AMOUNTS, st.booleans()),
    st.tuples(st.just("return"), st.integers(0, 5), st.none()),
    st.tuples(st.just("pay"), AMOUNTS, st.none()),
    st.tuples(st.just("use"), AMOUNTS, st.none()),
)


@pytest.mark.drawn
@given(steps=st.lists(STEPS, max_size=8), kept=st.integers(0, 50_00))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mix_of_refunds_and_disputes_keeps_cash_and_what_is_due(session, steps, kept):
    """Cash is what came in less what went back, counted apart, in the ledger and in the file of payments; what is due
    is what the ledger has; ``verify`` holds.
    """
    undo = session.begin_nested()
    customer = a_customer(session)
    invoice, other = an_open_invoice(session, customer), an_open_invoice(session, customer, "20")
    payment = collected(session, invoice, 100_00)
    cash = Counter(paid=100_00)
    if kept:
        received.record_for(session, SYSTEM, other.id, received=Received("EUR", kept, STRIPE, TODAY), **DAY)
        cash["paid"] += kept
    taken: list[int] = []
    for kind, number, how in steps:
        attempt = session.begin_nested()
        try:
            if kind == "refund":
                refund(session, invoice, number, how, payment if how is STRIPE else None)
                cash["refunded"] -= number if how else 0
            elif kind == "take":
                take(session, payment, number, key=f"dispute:{len(taken)}", lost=how)
                taken.append(number)
                cash["disputed"] -= number
            elif kind == "return" and number < len(taken):
                cash["disputed"] += chargebacks.give_back(session, SYSTEM, f"dispute:{number}", **DAY)
            elif kind == "pay":
                received.record_for(session, SYSTEM, invoice.id, received=Received("EUR", number, STRIPE, TODAY), **DAY)
                cash["paid"] += number
            elif kind == "use":
                credit.apply(session, SYSTEM, other.id, amount_minor=number, **DAY)
            attempt.commit()
        except (Conflict, Invalid):
            attempt.rollback()
        assert accounts(session).get("cash", 0) == cash.total()
        assert receivable(session, invoice) == invoice.due_minor
        assert receivable(session, other) == other.due_minor
    assert proved(session)
    exported = list(allocated.as_csv(session, SYSTEM, PaymentFilter()).chunks)
    rows = list(csv.DictReader(io.StringIO(b"".join(exported).decode())))
    came = [row for row in rows if row["kind"] in ("payment", "kept_as_credit", "taken_by_bank")]
    assert minor(came, "amount") == cash["paid"]
    assert minor(rows, "amount") == cash.total()
    for one in (invoice, other):
        assert minor([row for row in rows if row["invoice_id"] == one.public_id], "paid_on_invoice") == one.paid_minor
    undo.rollback()
    session.expire_all()


def minor(rows, name):
    return sum(int(row[name].replace(".", "")) for row in rows)

"""Refunds, credit notes and write-offs: what is given back or up, and where it stands afterwards."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.errors import Conflict, Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes, lifecycle, numbering
from billing_core.invoices.content.totals import Share
from billing_core.invoices.credit_notes import parts_of
from billing_core.invoices.documents import document, presentation
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import CreditNoteLine, InvoiceState
from billing_core.languages.formats import writing
from billing_core.money import Money
from billing_core.payments import credit, refunds, write_offs
from billing_core.payments.models import PaymentMethod
from billing_core.payments.refunds import MoneyBack
from tests.payments.books import NOW, TODAY, a_customer, accounts, an_open_invoice, pay

D = Decimal


def _paid(session, *prices, tax_rate="0"):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, *prices, tax_rate=tax_rate)
    pay(session, customer, invoice.total_minor, **{str(invoice.id): invoice.total_minor})
    return customer, invoice


def _refund(session, invoice, amount=None, method=PaymentMethod.BANK_TRANSFER):
    wanted = MoneyBack("returned", method, TODAY, amount)
    return refunds.refund(session, SYSTEM, invoice.id, wanted=wanted, today=TODAY, now=NOW)


def test_a_full_refund_gives_everything_back_with_a_credit_note(session):
    _, invoice = _paid(session, "100", tax_rate="19")
    _refund(session, invoice)

    assert lifecycle.status(invoice, TODAY) is InvoiceStatus.REFUNDED
    assert accounts(session) == {}
    (note,) = credit_notes.of_invoice(session, SYSTEM, invoice.id)
    assert (note.number, note.subtotal_minor, note.tax_minor, note.refund_minor) == (
        "CN-2026-001",
        10_000,
        1_900,
        11_900,
    )


def test_a_part_refund_leaves_the_invoice_paid_and_the_rest_can_follow(session):
    """59.50 of 119.00 at 19 % is 50.00 and 9.50 tax."""
    _, invoice = _paid(session, "100", tax_rate="19")
    _refund(session, invoice, 5_950)
    assert lifecycle.status(invoice, TODAY) is InvoiceStatus.PAID
    assert accounts(session) == {"cash": 5_950, "revenue": -5_000, "tax_payable": -950}

    with pytest.raises(Invalid):
        _refund(session, invoice, 5_951)
    _refund(session, invoice)
    assert lifecycle.status(invoice, TODAY) is InvoiceStatus.REFUNDED
    assert accounts(session) == {}


def test_the_paper_of_a_part_refunded_invoice_adds_up(session):
    _, invoice = _paid(session, "100")
    _refund(session, invoice, 4_000)
    paper = presentation.sums(document.of_invoice(session, invoice.id), writing("en"))
    assert [(row.label, row.amount) for row in paper[2:]] == [
        ("Total", "€100.00"),
        ("Paid", "-100.00"),
        ("Credited", "-40.00"),
        ("Refunded", "40.00"),
    ]


def test_a_refund_can_stay_with_us_as_credit_and_be_paid_out_later(session):
    customer, invoice = _paid(session, "100")
    _refund(session, invoice, 2_500, method=None)
    there = credit.balance(session, customer.business_id, customer.id, "EUR")
    assert there == Money(2_500, "EUR")

    credit.pay_out(
        session,
        SYSTEM,
        customer_id=customer.id,
        business_id=customer.business_id,
        amount=there,
        method=PaymentMethod.CASH,
        reason="asked for it",
        today=TODAY,
        now=NOW,
    )
    assert accounts(session) == {"cash": 7_500, "revenue": -7_500}


def test_only_what_was_paid_can_be_refunded(session):
    invoice = an_open_invoice(session, a_customer(session))
    with pytest.raises(Conflict, match="Only a paid invoice"):
        _refund(session, invoice)


@pytest.mark.parametrize("amount", [0, -1, 100_01])
def test_no_other_amount_is_refunded_than_what_was_paid(session, amount):
    _, invoice = _paid(session, "100")
    with pytest.raises(Invalid) as refusal:
        _refund(session, invoice, amount)

    assert refusal.value.fields == {"amount": "must be more than 0 and at most 100.00 EUR"}
    assert (accounts(session), invoice.refunded_minor) == ({"cash": 100_00, "revenue": -100_00}, 0)


def test_a_credit_note_lowers_what_is_due(session):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "100", tax_rate="19")
    note = credit_notes.issue(
        session, SYSTEM, invoice.id, amount_minor=1_190, reason="damaged", issued_on=TODAY, today=TODAY, now=NOW
    )

    assert (note.subtotal_minor, note.tax_minor, invoice.due_minor) == (1_000, 190, 10_710)
    assert accounts(session) == {"receivable": 10_710, "revenue": -9_000, "tax_payable": -1_710}


def test_an_invoice_credited_in_full_is_cancelled_and_keeps_its_number(session):
    invoice = an_open_invoice(session, a_customer(session), "100")
    credit_notes.issue(session, SYSTEM, invoice.id, reason="wrong", issued_on=TODAY, today=TODAY, now=NOW)

    assert (invoice.state, invoice.number, accounts(session)) == (InvoiceState.CANCELLED, "INV-2026-001", {})


def test_credit_notes_refuse_too_much_too_early_too_late_and_no_reason(session):
    invoice = an_open_invoice(session, a_customer(session), "1")
    for wanted in (
        {"amount_minor": 101, "reason": "x", "issued_on": TODAY},
        {"amount_minor": 0, "reason": "x", "issued_on": TODAY},
        {"amount_minor": -1, "reason": "x", "issued_on": TODAY},
        {"reason": " ", "issued_on": TODAY},
        {"reason": "x", "issued_on": date(2026, 2, 28)},
        {"reason": "x", "issued_on": date(2026, 3, 11)},
    ):
        with pytest.raises(Invalid):
            credit_notes.issue(session, SYSTEM, invoice.id, today=TODAY, now=NOW, **wanted)
    assert numbering.series(session)[-1].last == 1


def test_parts_at_several_rates_add_up_to_the_amount_and_never_exceed_what_is_left():
    """1.00 of 2.38 (1.00 + 0.19) + 1.07 (1.00 + 0.07) …: shares by gross, each split at its own rate."""
    service, product, fee = ("service", D(19), 100, 19), ("product", D(7), 100, 7), ("fee", D(0), 3, 0)
    shares = [Share(*service), Share(*product), Share(*fee)]
    for amount in range(1, 230):
        parts = parts_of(shares, amount, "EUR")
        assert sum(part.net_minor + part.tax_minor for part in parts) == amount
        for part in parts:
            (whole,) = (share for share in shares if share.type == part.type)
            assert 0 <= part.net_minor <= whole.net_minor
            assert 0 <= part.tax_minor <= whole.tax_minor
    with pytest.raises(Conflict):
        parts_of(shares, 230, "EUR")


def test_the_lines_of_a_credit_note_add_up_to_it(session):
    invoice = an_open_invoice(session, a_customer(session), "10.01", "20.02", tax_rate="7.5")
    note = credit_notes.issue(
        session, SYSTEM, invoice.id, amount_minor=1_234, reason="x", issued_on=TODAY, today=TODAY, now=NOW
    )
    lines = session.execute(
        select(CreditNoteLine.amount_minor, CreditNoteLine.tax_minor).where(CreditNoteLine.credit_note_id == note.id)
    ).all()

    assert sum(net for net, _ in lines) == note.subtotal_minor
    assert sum(tax for _, tax in lines) == note.tax_minor
    assert note.total_minor == 1_234


def test_what_is_written_off_is_a_loss_and_not_less_revenue(session):
    invoice = an_open_invoice(session, a_customer(session), "100")
    write_offs.write_off(session, SYSTEM, invoice.id, reason="bankrupt", today=TODAY, now=NOW)

    assert lifecycle.status(invoice, TODAY) is InvoiceStatus.CANCELLED
    assert accounts(session) == {"bad_debt": 10_000, "revenue": -10_000}

    write_offs.undo_write_off(session, SYSTEM, invoice.id, reason="they pay", today=TODAY, now=NOW)
    assert (invoice.state, invoice.due_minor) == (InvoiceState.OPEN, 10_000)
    assert accounts(session) == {"receivable": 10_000, "revenue": -10_000}


def test_a_small_rest_written_off_leaves_the_invoice_paid(session):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "100")
    pay(session, customer, 9_999, **{str(invoice.id): 9_999})
    write_offs.write_off(session, SYSTEM, invoice.id, reason="bank fee", today=TODAY, now=NOW)

    assert lifecycle.status(invoice, TODAY) is InvoiceStatus.PAID
    assert accounts(session) == {"bad_debt": 1, "cash": 9_999, "revenue": -10_000}


@pytest.mark.parametrize("reference", ["RF\x0018", "R" * 121])
def test_a_reference_that_cannot_be_kept_is_named_and_nothing_is_given_back(session, reference):
    customer, invoice = _paid(session, "100")
    wanted = MoneyBack("returned", PaymentMethod.CASH, TODAY, reference=reference)
    with pytest.raises(Invalid) as refusal:
        refunds.refund(session, SYSTEM, invoice.id, wanted=wanted, today=TODAY, now=NOW)
    assert list(refusal.value.fields) == ["reference"]

    pay(session, customer, 500)
    with pytest.raises(Invalid) as refusal:
        credit.pay_out(
            session,
            SYSTEM,
            customer_id=customer.id,
            business_id=customer.business_id,
            amount=Money(500, "EUR"),
            method=PaymentMethod.CASH,
            reason="asked",
            reference=reference,
            today=TODAY,
            now=NOW,
        )
    assert list(refusal.value.fields) == ["reference"]

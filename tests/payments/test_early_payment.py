"""A payment in time of exactly the reduced amount settles the invoice; base and tax shrink at each rate.

By hand: 100.00 at 19 % and 50.00 at 7 % are 119.00 and 53.50, together 172.50. 2 % of that is 3.45, of which 2.38 is at
19 % (2.00 and 0.38) and 1.07 at 7 % (1.00 and 0.07). 169.05 is to be paid.
"""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.commands.verify import checks
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.invoices import queries
from billing_core.invoices.content.early_payment import offers
from billing_core.invoices.models import CreditNote, CreditNoteLine, Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.payments import credit, received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import GatewayNames, Received
from billing_core.receivables import attention
from tests.invoices.company import NOW, TODAY, a_customer, a_line, an_invoice

TERMS = "14 Tage 2 % Skonto, 30 Tage netto"
LAST = TODAY + timedelta(days=14)


@pytest.fixture
def invoice(session) -> Invoice:
    lines = (a_line("Work", "1", "100", "19"), a_line("Book", "1", "50", "7"))
    return an_invoice(session, a_customer(session, language="de"), *lines, payment_terms=TERMS, language="de")


def money(amount_minor: int, on: date) -> Received:
    return Received("USD", amount_minor, PaymentMethod.BANK_TRANSFER, on)


def needing_attention(session) -> list[int]:
    return [row[0] for row in session.execute(attention.UNDONE_DISCOUNTS.rows(Scope(today=TODAY)))]


def by_hand(session, invoice, amount_minor, on):
    paid = {invoice.id: amount_minor}
    received.record(
        session,
        SYSTEM,
        customer_id=invoice.customer_id,
        received=money(amount_minor, on),
        allocations=paid,
        today=on,
        now=NOW,
    )


def for_one(session, invoice, amount_minor, on):
    received.record_for(session, SYSTEM, invoice.id, received=money(amount_minor, on), today=on, now=NOW)


def online(session, invoice, amount_minor, on):
    names = GatewayNames(Mode.SANDBOX, "pay_1")
    locked = queries.for_change(session, SYSTEM, invoice.id)
    received.record_collected(
        session, SYSTEM, locked, received=money(amount_minor, on), names=names, pays=True, today=on, now=NOW
    )


@pytest.mark.parametrize("way", [by_hand, for_one, online])
def test_the_reduced_amount_in_time_settles_the_invoice_and_corrects_tax_at_each_rate(session, invoice, way):
    assert [(one.discount_minor, one.to_pay_minor, one.until) for one in offers(invoice)] == [(345, 16_905, LAST)]
    way(session, invoice, 16_905, LAST)

    assert (invoice.state, invoice.due_minor) == (InvoiceState.PAID, 0)
    assert (invoice.paid_minor, invoice.credited_minor) == (16_905, 345)
    note = session.scalars(select(CreditNote)).one()
    assert (note.issued_on, note.subtotal_minor, note.tax_minor, note.total_minor) == (LAST, 300, 45, 345)
    assert " ".join(note.reason.split()) == "2 % Skonto"
    lines = session.scalars(select(CreditNoteLine).order_by(CreditNoteLine.tax_rate))
    assert [(one.tax_rate, one.amount_minor, one.tax_minor) for one in lines] == [
        (Decimal(7), 100, 7),
        (Decimal(19), 200, 38),
    ]
    assert [check for check in checks(session) if check.wrong] == []


def from_credit(session, invoice, amount_minor, on):
    """Of 200.00 that the customer had before."""
    kept = {"customer_id": invoice.customer_id, "received": money(200_00, TODAY), "allocations": {}}
    received.record(session, SYSTEM, **kept, today=on, now=NOW)
    credit.apply(session, SYSTEM, invoice.id, amount_minor=amount_minor, today=on, now=NOW)


def asked_for(session, invoice, amount_minor, on):
    """By a link; the bank took two days longer."""
    names = GatewayNames(Mode.SANDBOX, "pay_1")
    locked, late = queries.for_change(session, SYSTEM, invoice.id), on + timedelta(days=2)
    came = {"received": money(amount_minor, late), "pays": True, "asked": True, "today": late}
    received.record_collected(session, SYSTEM, locked, names=names, **came, now=NOW)


@pytest.mark.parametrize("way", [from_credit, asked_for])
def test_credit_that_is_used_in_time_and_what_we_asked_for_take_the_discount_too(session, invoice, way):
    way(session, invoice, 16_905, LAST)
    assert (invoice.state, invoice.paid_minor, invoice.credited_minor) == (InvoiceState.PAID, 16_905, 345)
    assert session.scalars(select(CreditNote.early_payment)).one() is True
    assert [check for check in checks(session) if check.wrong] == []


def test_credit_that_is_used_too_late_is_a_part_payment(session, invoice):
    from_credit(session, invoice, 16_905, LAST + timedelta(days=1))
    assert (invoice.state, invoice.due_minor) == (InvoiceState.OPEN, 345)


@pytest.mark.parametrize(("amount", "days"), [(16_905, 15), (16_904, 1), (16_906, 1)])
def test_too_late_or_another_amount_is_a_part_payment(session, invoice, amount, days):
    for_one(session, invoice, amount, TODAY + timedelta(days=days))
    assert (invoice.state, invoice.due_minor) == (InvoiceState.OPEN, 17_250 - amount)
    assert invoice.credited_minor == 0


def test_the_discount_is_not_offered_again_after_the_payment_was_undone(session, invoice):
    for_one(session, invoice, 16_905, LAST)
    (payment_id,) = [one.payment_id for one in session.scalars(select(received.Allocation))]
    received.undo(session, SYSTEM, payment_id, reason="Another customer's", today=LAST, now=NOW)
    assert (invoice.state, invoice.due_minor) == (InvoiceState.OPEN, 16_905)
    assert offers(invoice) == []
    assert needing_attention(session) == [invoice.id]
    for_one(session, invoice, 16_905, LAST)
    assert needing_attention(session) == []
    assert [check for check in checks(session) if check.wrong] == []

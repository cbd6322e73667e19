"""What is written off, what of it comes back when that is undone, and which amounts are refused."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from billing_core.errors import Conflict, Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices.models import InvoiceState
from billing_core.ledger.models import EntryKind, LedgerEntry
from billing_core.payments import write_offs
from tests.payments.books import NOW, TODAY, a_customer, accounts, an_open_invoice, pay


def write_off(session, invoice, amount=None, *, today=TODAY):
    facts = {"amount_minor": amount, "reason": "bankrupt", "today": today, "now": NOW}
    write_offs.write_off(session, SYSTEM, invoice.id, **facts)


def undo(session, invoice, *, today=TODAY):
    write_offs.undo_write_off(session, SYSTEM, invoice.id, reason="they pay", today=today, now=NOW)


def kept(invoice) -> tuple[InvoiceState, int, int]:
    """Its state, what is written off, and what is due."""
    return invoice.state, invoice.written_off_minor, invoice.due_minor


def test_undoing_leaves_what_was_written_off_other_invoices(session):
    customer = a_customer(session)
    first, second = an_open_invoice(session, customer, "10"), an_open_invoice(session, customer, "20")
    for invoice in (first, second):
        write_off(session, invoice)

    undo(session, first)

    assert kept(first) == (InvoiceState.OPEN, 0, 10_00)
    assert kept(second) == (InvoiceState.CANCELLED, 20_00, 0)
    assert accounts(session, invoice_id=first.id) == {"receivable": 10_00}
    assert accounts(session, invoice_id=second.id) == {"bad_debt": 20_00}
    assert accounts(session) == {"bad_debt": 20_00, "receivable": 10_00, "revenue": -30_00}


def test_what_was_written_off_in_parts_comes_back_together(session):
    invoice = an_open_invoice(session, a_customer(session), "10")
    for part in (1, 2_99, 5_00):
        write_off(session, invoice, part)
    assert kept(invoice) == (InvoiceState.OPEN, 8_00, 2_00)

    undo(session, invoice)

    assert kept(invoice) == (InvoiceState.OPEN, 0, 10_00)
    assert accounts(session) == {"receivable": 10_00, "revenue": -10_00}


def test_a_write_off_can_be_undone_again_after_another(session):
    """The second time takes back 4.00, not the 10.00 of the first once more."""
    invoice = an_open_invoice(session, a_customer(session), "10")
    for part in (10_00, 4_00):
        write_off(session, invoice, part)
        undo(session, invoice)
        assert kept(invoice) == (InvoiceState.OPEN, 0, 10_00)
        assert accounts(session) == {"receivable": 10_00, "revenue": -10_00}

        with pytest.raises(Conflict, match="No part of this invoice was written off"):
            undo(session, invoice)
    assert accounts(session) == {"receivable": 10_00, "revenue": -10_00}


def test_what_was_paid_stays_paid_when_the_rest_is_due_again(session):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "10")
    pay(session, customer, 6_00, **{str(invoice.id): 6_00})
    write_off(session, invoice)
    assert (kept(invoice), invoice.paid_at) == ((InvoiceState.PAID, 4_00, 0), NOW)

    undo(session, invoice)

    assert (kept(invoice), invoice.paid_minor, invoice.paid_at) == ((InvoiceState.OPEN, 0, 4_00), 6_00, None)


@pytest.mark.parametrize("amount", [0, -1, 10_01])
def test_no_other_amount_is_written_off_than_what_is_due(session, amount):
    invoice = an_open_invoice(session, a_customer(session), "10")

    with pytest.raises(Invalid) as refusal:
        write_off(session, invoice, amount)

    assert refusal.value.fields == {"amount": "must be more than 0 and at most 10.00 EUR"}
    assert kept(invoice) == (InvoiceState.OPEN, 0, 10_00)
    assert accounts(session) == {"receivable": 10_00, "revenue": -10_00}


def test_all_that_is_due_can_be_written_off_to_the_last_cent_and_no_more(session):
    invoice = an_open_invoice(session, a_customer(session), "10")
    write_off(session, invoice, 9_99)
    assert kept(invoice) == (InvoiceState.OPEN, 9_99, 1)
    write_off(session, invoice, 1)
    assert kept(invoice) == (InvoiceState.CANCELLED, 10_00, 0)

    with pytest.raises(Conflict, match="Nothing is due"):
        write_off(session, invoice, 1)
    assert accounts(session) == {"bad_debt": 10_00, "revenue": -10_00}


def test_it_counts_from_the_day_on_which_it_was_done_and_not_before_the_invoice(session):
    """The invoice is of 1 March."""
    invoice = an_open_invoice(session, a_customer(session), "10")
    write_off(session, invoice, 1_00, today=date(2026, 2, 27))
    write_off(session, invoice, 1_00)
    undo(session, invoice, today=TODAY + timedelta(days=3))

    days = select(LedgerEntry.kind, LedgerEntry.effective_on).where(LedgerEntry.kind != EntryKind.INVOICE)
    assert session.execute(days.order_by(LedgerEntry.id)).all() == [
        (EntryKind.WRITE_OFF, date(2026, 3, 1)),
        (EntryKind.WRITE_OFF, TODAY),
        (EntryKind.REVERSAL, date(2026, 3, 13)),
        (EntryKind.REVERSAL, date(2026, 3, 13)),
    ]


def test_the_ledger_keeps_what_fits_of_a_long_reason(session):
    invoice = an_open_invoice(session, a_customer(session), "10")
    facts = {"today": TODAY, "now": NOW}
    write_offs.write_off(session, SYSTEM, invoice.id, reason="b" * 500, **facts)
    write_offs.undo_write_off(session, SYSTEM, invoice.id, reason="p" * 500, **facts)

    entries = select(LedgerEntry.memo).where(LedgerEntry.kind.in_((EntryKind.WRITE_OFF, EntryKind.REVERSAL)))
    assert session.scalars(entries.order_by(LedgerEntry.id)).all() == ["b" * 200, "p" * 200]

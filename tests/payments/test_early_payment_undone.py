"""Where a payment that took a discount is undone or taken back, base and tax come back; as much is due as before it.

The amounts are those of `paying_early`; a refund is another thing, since it credits what was paid.
"""

import csv
import io
from contextlib import closing
from datetime import timedelta

import pytest
from pypdf import PdfReader
from sqlalchemy import func, select

from billing_core.commands.verify import checks
from billing_core.errors import Conflict
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.invoices.content.early_payment import offers
from billing_core.invoices.documents import document
from billing_core.invoices.documents.pdf_credit_note import credit_note_pdf
from billing_core.invoices.lists import credited
from billing_core.invoices.lists.credited import CreditNoteFilter
from billing_core.invoices.models import CreditNote, Invoice, InvoiceState
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.mailing.documents import prepare_credit_note, send_credit_note
from billing_core.payments import chargebacks, credit, early_discounts, received, refunds
from billing_core.payments.chargebacks import TakenBack
from billing_core.payments.models import Allocation, Payment, PaymentMethod
from billing_core.payments.refunds import MoneyBack
from billing_core.receivables import attention
from billing_core.tax_returns.documents import documents
from tests.invoices.company import NOW, TODAY, a_line, an_invoice
from tests.payments.paying_early import LAST, TERMS, by_hand, for_one, from_credit, money, online, two_rates


@pytest.fixture
def invoice(session) -> Invoice:
    return two_rates(session)


def needing_attention(session) -> list[int]:
    return [row[0] for row in session.execute(attention.UNDONE_DISCOUNTS.rows(Scope(today=TODAY)))]


def undo(session, invoice, on=LAST):
    paid = select(Allocation.payment_id).where(Allocation.invoice_id == invoice.id, Allocation.undone_at.is_(None))
    payment_id = session.scalars(paid).one()
    received.undo(session, SYSTEM, payment_id, reason="The cheque bounced", today=on, now=NOW)


def release(session, invoice, on=LAST):
    allocation_id = session.scalars(select(Allocation.id).where(Allocation.invoice_id == invoice.id)).one()
    credit.release(session, SYSTEM, allocation_id, reason="Another invoice's", today=on, now=NOW)


def take_back(session, invoice, on=LAST, amount=16_905, key="dp_1", lost=False):
    payment_id = session.scalars(select(Payment.id).where(Payment.customer_id == invoice.customer_id)).one()
    taken = TakenBack(key, amount, "Not ordered", lost)
    chargebacks.take_back(session, SYSTEM, payment_id, taken, today=on, now=NOW)


def posted(session, account) -> dict[str, int]:
    """What stands in the ledger by rate or type, as a debit is positive."""
    rows = session.execute(
        select(LedgerPosting.detail, func.sum(LedgerPosting.amount_minor))
        .where(LedgerPosting.account == account)
        .group_by(LedgerPosting.detail)
    )
    return {detail: int(minor) for detail, minor in rows if minor}


def all_is_proven(session) -> bool:
    return [check for check in checks(session) if check.wrong] == []


WAYS_BACK = [(by_hand, undo), (for_one, release), (from_credit, release), (online, release), (online, take_back)]


@pytest.mark.parametrize(("way", "back"), WAYS_BACK)
def test_undoing_what_took_a_discount_withdraws_it_and_the_invoice_is_due_as_before(session, invoice, way, back):
    before = [posted(session, account) for account in (Account.REVENUE, Account.TAX_PAYABLE)]
    assert before == [{"service": -150_00}, {"7": -3_50, "19": -19_00}]
    way(session, invoice, 16_905, LAST)
    assert posted(session, Account.TAX_PAYABLE) == {"7": -3_43, "19": -18_62}
    back(session, invoice)

    assert (invoice.state, invoice.due_minor) == (InvoiceState.OPEN, 172_50)
    assert (invoice.paid_minor, invoice.credited_minor) == (0, 0)
    assert [posted(session, account) for account in (Account.REVENUE, Account.TAX_PAYABLE)] == before
    note = session.scalars(select(CreditNote)).one()
    assert (note.withdrawn_on, note.total_minor) == (LAST, 345)
    assert [(one.discount_minor, one.to_pay_minor, one.until) for one in offers(invoice)] == [(345, 16_905, LAST)]
    assert needing_attention(session) == []
    assert all_is_proven(session)


def test_a_discount_can_be_taken_again_in_time_and_not_later_after_it_was_withdrawn(session, invoice):
    for_one(session, invoice, 16_905, TODAY)
    undo(session, invoice, TODAY)
    for_one(session, invoice, 16_905, LAST)
    assert (invoice.state, invoice.credited_minor) == (InvoiceState.PAID, 345)
    undo(session, invoice)
    for_one(session, invoice, 16_905, LAST + timedelta(days=1))
    assert (invoice.state, invoice.due_minor, invoice.credited_minor) == (InvoiceState.OPEN, 345, 0)
    notes = session.scalars(select(CreditNote.withdrawn_on).order_by(CreditNote.id)).all()
    assert notes == [TODAY, LAST]
    assert all_is_proven(session)


def test_undoing_a_payment_of_several_invoices_withdraws_the_discount_of_each_that_took_one(session, invoice):
    """A second invoice of 100.00 without tax: 2.00 off. A third one is paid in part."""
    second = an_invoice(session, invoice.customer_id, a_line("Work", "1", "100", "0"), payment_terms=TERMS)
    third = an_invoice(session, invoice.customer_id, a_line("Work", "1", "50", "0"), payment_terms=TERMS)
    paid = {invoice.id: 169_05, second.id: 98_00, third.id: 10_00}
    received.record(
        session,
        SYSTEM,
        customer_id=invoice.customer_id,
        received=money(277_05, LAST),
        allocations=paid,
        today=LAST,
        now=NOW,
    )
    payment_id = session.scalars(select(Payment.id)).one()
    assert [one.due_minor for one in (invoice, second, third)] == [0, 0, 40_00]

    received.undo(session, SYSTEM, payment_id, reason="The cheque bounced", today=LAST, now=NOW)
    assert [one.due_minor for one in (invoice, second, third)] == [172_50, 100_00, 50_00]
    assert [one.credited_minor for one in (invoice, second, third)] == [0, 0, 0]
    assert all_is_proven(session)


def test_a_refund_of_what_took_a_discount_leaves_it_credited_and_together_they_are_the_invoice(session, invoice):
    for_one(session, invoice, 16_905, LAST)
    wanted = MoneyBack("Returned", PaymentMethod.BANK_TRANSFER, LAST)
    refunds.refund(session, SYSTEM, invoice.id, wanted=wanted, today=LAST, now=NOW)
    totals = session.execute(select(CreditNote.total_minor, CreditNote.withdrawn_on).order_by(CreditNote.id)).all()
    assert totals == [(345, None), (16_905, None)]
    assert (posted(session, Account.REVENUE), posted(session, Account.TAX_PAYABLE)) == ({}, {})
    assert all_is_proven(session)


def test_a_part_that_a_bank_takes_back_makes_the_whole_discount_due(session, invoice):
    """Of 169.05 the bank takes 69.05: 100.00 of 172.50 is paid."""
    online(session, invoice, 16_905, LAST)
    take_back(session, invoice, amount=69_05)
    assert (invoice.paid_minor, invoice.credited_minor, invoice.due_minor) == (100_00, 0, 72_50)
    take_back(session, invoice, amount=100_00, key="dp_2")
    assert invoice.due_minor == 172_50
    chargebacks.give_back(session, SYSTEM, "dp_1", today=LAST, now=NOW)
    assert (invoice.due_minor, invoice.credited_minor) == (103_45, 0)
    chargebacks.give_back(session, SYSTEM, "dp_2", today=LAST, now=NOW)
    assert (invoice.state, invoice.due_minor, invoice.credited_minor) == (InvoiceState.PAID, 0, 345)
    assert all_is_proven(session)


def test_a_dispute_lost_writes_the_discount_off_too_and_one_won_after_all_credits_it_anew(session, invoice):
    """Three weeks later the days of the discount are over, but the customer had paid in time."""
    online(session, invoice, 16_905, LAST)
    take_back(session, invoice, lost=True)
    assert (invoice.written_off_minor, invoice.credited_minor, invoice.due_minor) == (172_50, 0, 0)
    assert posted(session, Account.BAD_DEBT) == {"": 172_50}
    assert all_is_proven(session)

    later = LAST + timedelta(days=21)
    chargebacks.give_back(session, SYSTEM, "dp_1", today=later, now=NOW)
    assert (invoice.state, invoice.paid_minor, invoice.credited_minor) == (InvoiceState.PAID, 16_905, 345)
    assert posted(session, Account.TAX_PAYABLE) == {"7": -3_43, "19": -18_62}
    notes = session.execute(select(CreditNote.issued_on, CreditNote.withdrawn_on).order_by(CreditNote.id)).all()
    assert notes == [(LAST, LAST), (later, None)]
    assert all_is_proven(session)


def test_a_dispute_after_a_part_refund_leaves_due_what_was_not_refunded_with_the_discount(session, invoice):
    """172.50 less the 30.00 that were refunded: 142.50."""
    online(session, invoice, 16_905, LAST)
    wanted = MoneyBack("Returned", PaymentMethod.BANK_TRANSFER, LAST, 30_00)
    refunds.refund(session, SYSTEM, invoice.id, wanted=wanted, today=LAST, now=NOW)
    take_back(session, invoice, amount=139_05)
    assert (invoice.due_minor, invoice.refunded_minor, invoice.credited_minor) == (142_50, 30_00, 0)
    assert all_is_proven(session)


def test_the_tax_return_and_the_file_of_credit_notes_take_a_withdrawn_discount_back_on_its_day(session, invoice):
    for_one(session, invoice, 16_905, LAST)
    undo(session, invoice, LAST + timedelta(days=3))
    found = documents(Scope(today=TODAY)).c
    rows = session.execute(
        select(found.kind, found.rate, found.day, found.net, found.tax).where(found.kind != "invoice")
    )
    assert sorted((kind, int(rate), day, int(net), int(tax)) for kind, rate, day, net, tax in rows) == [
        ("credit_note", 7, LAST, -100, -7),
        ("credit_note", 19, LAST, -200, -38),
        ("credit_note_withdrawn", 7, LAST + timedelta(days=3), 100, 7),
        ("credit_note_withdrawn", 19, LAST + timedelta(days=3), 200, 38),
    ]
    with closing(credited.as_csv(session, SYSTEM, CreditNoteFilter()).chunks) as chunks:
        lines = list(csv.DictReader(io.StringIO(b"".join(chunks).decode("utf-8-sig"))))
    assert [(one["kind"], one["issued_date"], one["tax_rate"], one["total_amount"]) for one in lines] == [
        ("early_payment", str(LAST), "19", "2.38"),
        ("early_payment", str(LAST), "7", "1.07"),
        ("withdrawn", str(LAST + timedelta(days=3)), "19", "-2.38"),
        ("withdrawn", str(LAST + timedelta(days=3)), "7", "-1.07"),
    ]
    on_the_last = credited.as_csv(session, SYSTEM, CreditNoteFilter(issued_to=LAST)).chunks
    assert b"withdrawn" not in b"".join(on_the_last)


def test_the_document_of_a_withdrawn_discount_says_so(session, invoice):
    for_one(session, invoice, 16_905, LAST)
    undo(session, invoice)
    note_id = session.scalars(select(CreditNote.id)).one()
    content = credit_note_pdf(document.of_credit_note(session, note_id))
    assert "Zurückgenommen" in PdfReader(io.BytesIO(content)).pages[0].extract_text()


def test_a_withdrawn_discount_is_not_mailed_any_more(session, invoice):
    for_one(session, invoice, 16_905, LAST)
    note_id = session.scalars(select(CreditNote.id)).one()
    to = prepare_credit_note(session, SYSTEM, note_id).recipients
    send_credit_note(session, SYSTEM, note_id, to=to, now=NOW)
    undo(session, invoice)
    with pytest.raises(Conflict, match="was withdrawn: nothing is credited by it any more"):
        send_credit_note(session, SYSTEM, note_id, to=to, now=NOW)


def test_a_discount_that_an_earlier_release_left_needs_attention_until_the_invoice_is_paid(
    session, invoice, monkeypatch
):
    for_one(session, invoice, 16_905, LAST)
    with monkeypatch.context() as earlier:
        earlier.setattr(early_discounts, "withdraw", lambda *_, **__: early_discounts.Withdrawn())
        undo(session, invoice)
    assert (invoice.due_minor, offers(invoice)) == (16_905, [])
    assert needing_attention(session) == [invoice.id]
    for_one(session, invoice, 16_905, LAST)
    assert needing_attention(session) == []
    assert all_is_proven(session)

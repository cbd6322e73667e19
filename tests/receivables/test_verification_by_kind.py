"""Each sentence of the proof by itself: everything that may be so is accepted, and each way to break it is named."""

from itertools import islice

import pytest
from sqlalchemy import select, text

from billing_core.businesses.models import Business
from billing_core.identity import SYSTEM
from billing_core.ledger import service as ledger
from billing_core.ledger.models import Account, EntryKind
from billing_core.ledger.service import Entry, Side
from billing_core.payments import credit
from billing_core.payments.models import Allocation, Payment
from billing_core.receivables import verification
from tests.ledger.damaging import as_if_nothing_refused
from tests.receivables.history import History

INVOICES, ALLOCATIONS, PAYMENTS, CREDIT_NOTES, REFUNDS, CREDIT, FIGURES = range(7)


@pytest.fixture
def history(session) -> History:
    """Of each kind one, by its id:

    invoices: 1 paid to the last cent of its payment, 2 refunded in cash and as credit, 3 open, of which a payment was
    undone and one was taken off, 4 cancelled after a part of it was credited, 5 written off, 6 of another business;
    payments: 1 of 10.00, spent; 2 of 25.00 for invoices 2 and 6 that was undone; 3 of 20.00 with a fee of 1.00 told
    later; 4 of 8.00, of which 3.00 were taken off invoice 3; 5 of 6.00 to the other business.
    """
    history = History(session)
    one, other = history.a_customer("C1"), history.a_customer("C2")
    second = Business(name="Second", currency="USD", time_zone="UTC", invoice_format="B{seq}")
    session.add(second)
    session.flush()
    first, refunded, still_open = (history.send(one, amount) for amount in (10_00, 20_00, 30_00))
    cancelled, written_off = history.send(other, 40_00), history.send(other, 50_00)
    theirs = history.send(one, 60_00, business_id=second.id)
    history.next_step(days=1)
    history.pay({first: 10_00})
    history.undo_payment(history.pay({refunded: 20_00, still_open: 2_00}, kept=3_00, fee=1_00))
    paid = session.get_one(Payment, history.pay({refunded: 20_00}))
    fee = [Side(Account.FEES, 1_00, paid.method), Side(Account.CASH, -1_00, paid.method)]
    told = Entry(1, one.id, "USD", EntryKind.FEE, f"payment:{paid.public_id}", history.day, fee)
    paid.fee_entry_id, paid.fee_minor = ledger.post(session, SYSTEM, told, now=history.now), 1_00
    partly = history.pay({still_open: 3_00}, kept=5_00)
    allocation_id = session.scalars(select(Allocation.id).where(Allocation.payment_id == partly)).one()
    credit.release(session, SYSTEM, allocation_id, reason="wrong", today=history.day, now=history.now)
    history.pay({theirs: 4_00}, kept=2_00)
    history.refund(refunded, 7_00)
    history.refund(refunded, 1_00, method=None)
    history.apply_credit(still_open, 6_00)
    history.pay_out(one, 1_50)
    history.credit_note(cancelled, 4_00)
    history.cancel(cancelled)
    history.write_off(written_off, 50_00)
    session.flush()
    return history


def test_all_that_may_be_so_is_accepted_and_counted(session, history):
    checks = list(verification.checks(session, today=history.day))

    assert [check.wrong for check in checks] == [()] * 9
    # Allocations: of payment 2 two, of the others one each, and one of credit. Credit: two businesses of one customer.
    assert [check.proven for check in checks[:6]] == [6, 7, 5, 3, 3, 2]
    assert checks[FIGURES].proven == 9


def of(invoice_id):
    return f"invoice id {invoice_id}, " + {6: "B1"}.get(invoice_id, f"INV-2026-{invoice_id:03}")


def strange(invoice_id):
    return f"postings to invoice id {invoice_id}, which is not this customer's or currency's"


def used_up(business_id):
    return (f"customer 1 with business {business_id} in USD",)


def posted(change, account, entry):
    """A change of the only posting that this entry of this kind and document has to the account."""
    return f"UPDATE ledger_postings SET {change} WHERE account = '{account}' AND entry_id = ({entry})"


SENT = "SELECT id FROM ledger_entries WHERE kind = 'invoice' AND document = 'invoice:{}'"
OF_PAYMENT = "SELECT entry_id FROM payments WHERE id = {}"
OF_FEE = "SELECT fee_entry_id FROM payments WHERE id = 3"
OF_REFUND = "SELECT entry_id FROM refunds WHERE amount_minor = {}"
OF_NOTE = "SELECT entry_id FROM credit_notes WHERE total_minor = {}"


CREDIT_NOTE = ("credit note CN-2026-003",)
BROKEN = [
    # What is due on what is open, and nothing on what is not.
    ("UPDATE invoices SET state = 'open' WHERE id = 5", INVOICES, ()),
    ("UPDATE invoices SET state = 'cancelled' WHERE id = 1", INVOICES, ()),
    ("UPDATE invoices SET state = 'draft' WHERE id = 3", INVOICES, (of(3),)),
    ("UPDATE invoices SET state = 'open' WHERE id = 4", INVOICES, (of(4),)),
    ("UPDATE invoices SET paid_minor = 601 WHERE id = 3", INVOICES, (of(3),)),
    ("UPDATE invoices SET credited_minor = 399 WHERE id = 4", INVOICES, (of(4),)),
    ("UPDATE invoices SET written_off_minor = 4999 WHERE id = 5", INVOICES, (of(5),)),
    (posted("amount_minor = 3001", "receivable", SENT.format(3)), INVOICES, (of(3),)),
    (posted("amount_minor = 2999", "receivable", SENT.format(3)), INVOICES, (of(3),)),
    # Postings to an invoice that there is not, of another customer, of two, or in another currency or two.
    (posted("invoice_id = 77", "receivable", SENT.format(3)), INVOICES, (of(3), strange(77))),
    (posted("currency = 'EUR'", "receivable", SENT.format(1)), INVOICES, (strange(1),)),
    (posted("currency = 'VND'", "receivable", SENT.format(1)), INVOICES, (strange(1),)),
    (posted("customer_id = 2", "receivable", SENT.format(3)), INVOICES, (strange(3),)),
    (posted("customer_id = 1", "receivable", SENT.format(5)), INVOICES, (strange(5),)),
    ("UPDATE invoices SET customer_id = 2 WHERE id = 3", INVOICES, (strange(3),)),
    ("UPDATE invoices SET currency = 'EUR' WHERE id = 3", INVOICES, (strange(3),)),
    # What an invoice got and what a payment gave.
    ("UPDATE invoices SET paid_minor = 601 WHERE id = 3", ALLOCATIONS, (of(3),)),
    ("DELETE FROM payment_allocations WHERE payment_id = 1", ALLOCATIONS, (of(1),)),
    ("UPDATE payment_allocations SET amount_minor = 599 WHERE kind = 'credit'", ALLOCATIONS, (of(3),)),
    ("UPDATE payment_allocations SET undone_at = created_at WHERE kind = 'credit'", ALLOCATIONS, (of(3),)),
    (
        "UPDATE payment_allocations SET undone_at = NULL WHERE payment_id = 4",
        ALLOCATIONS,
        (of(3),),
    ),
    (
        "UPDATE payment_allocations SET undone_at = NULL WHERE payment_id = 2 AND invoice_id = 3",
        ALLOCATIONS,
        (of(3), "payment 2 gave more than it had"),
    ),
    ("UPDATE payments SET amount_minor = 999 WHERE id = 1", ALLOCATIONS, ("payment 1 gave more than it had",)),
    ("UPDATE payments SET amount_minor = 1001 WHERE id = 1", ALLOCATIONS, ()),
    # A payment, its fee and whether it was undone.
    ("UPDATE payments SET amount_minor = 1001 WHERE id = 1", PAYMENTS, ("payment 1",)),
    ("UPDATE payments SET fee_minor = 1 WHERE id = 1", PAYMENTS, ("payment 1",)),
    ("UPDATE payments SET fee_minor = 0 WHERE id = 2", PAYMENTS, ("payment 2",)),
    ("UPDATE payments SET fee_minor = 99 WHERE id = 3", PAYMENTS, ("payment 3",)),
    ("UPDATE payments SET fee_entry_id = NULL WHERE id = 3", PAYMENTS, ("payment 3",)),
    ("UPDATE payments SET undone_at = NULL WHERE id = 2", PAYMENTS, ("payment 2",)),
    ("UPDATE payments SET undone_at = created_at WHERE id = 4", PAYMENTS, ("payment 4",)),
    (posted("amount_minor = 999", "cash", OF_PAYMENT.format(1)), PAYMENTS, ("payment 1",)),
    (posted("amount_minor = 99", "fees", OF_PAYMENT.format(2)), PAYMENTS, ("payment 2",)),
    (posted("amount_minor = 101", "fees", OF_FEE), PAYMENTS, ("payment 3",)),
    # A credit note's revenue and tax.
    ("UPDATE credit_notes SET subtotal_minor = 399, tax_minor = 1 WHERE total_minor = 400", CREDIT_NOTES, CREDIT_NOTE),
    (
        "UPDATE credit_notes SET subtotal_minor = 401, total_minor = 401 WHERE total_minor = 400",
        CREDIT_NOTES,
        CREDIT_NOTE,
    ),
    (posted("amount_minor = 399", "revenue", OF_NOTE.format(400)), CREDIT_NOTES, CREDIT_NOTE),
    (posted("account = 'tax_payable'", "revenue", OF_NOTE.format(400)), CREDIT_NOTES, CREDIT_NOTE),
    # A refund in cash, one that was kept as credit, one of credit, and what an invoice keeps of them.
    ("UPDATE refunds SET amount_minor = 151 WHERE source = 'credit'", REFUNDS, ("refund 3",)),
    ("UPDATE refunds SET amount_minor = 101 WHERE amount_minor = 100", REFUNDS, ("refund 2", of(2))),
    (posted("amount_minor = -699", "cash", OF_REFUND.format(700)), REFUNDS, ("refund 1",)),
    (posted("amount_minor = -99", "customer_credit", OF_REFUND.format(100)), REFUNDS, ("refund 2",)),
    (posted("amount_minor = -149", "cash", OF_REFUND.format(150)), REFUNDS, ("refund 3",)),
    (posted("amount_minor = 149", "customer_credit", OF_REFUND.format(150)), REFUNDS, ()),
    ("UPDATE invoices SET refunded_minor = 799 WHERE id = 2", REFUNDS, (of(2),)),
    ("UPDATE invoices SET refunded_minor = 1 WHERE id = 1", REFUNDS, (of(1),)),
    # Credit of each business by itself: one's does not make up for the other's.
    (posted("amount_minor = -49", "customer_credit", OF_PAYMENT.format(4)), CREDIT, used_up(1)),
    (posted("amount_minor = 1", "customer_credit", OF_PAYMENT.format(5)), CREDIT, used_up(2)),
    (posted("amount_minor = -1", "customer_credit", OF_PAYMENT.format(5)), CREDIT, ()),
]


def test_each_way_to_break_it_is_named(session, history, subtests):
    for change, check, found in BROKEN:
        with subtests.test(change=change):
            undo = session.begin_nested()
            if "UPDATE ledger" in change or "customer_id = 2" in change:
                as_if_nothing_refused(session, change)
            else:
                assert session.execute(text(change)).rowcount == 1
            checks = verification.checks(session, today=history.day)
            assert next(islice(checks, check, None)).wrong == found
            undo.rollback()

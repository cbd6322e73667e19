"""The proof finds whatever a document keeps that the ledger does not say."""

import pytest
from sqlalchemy import text

from billing_core.receivables import verification
from tests.ledger.damaging import as_if_nothing_refused
from tests.receivables.history import FIRST, History

INVOICES, ALLOCATIONS, PAYMENTS, CREDIT_NOTES, REFUNDS, CREDIT, FIGURES = range(7)


@pytest.fixture
def history(session) -> History:
    """Invoice 1 is paid and refunded in part, 2 partly paid, credited and written off, 3 is a draft's neighbour."""
    history = History(session)
    customer = history.a_customer("C1")
    first, second = history.send(customer, 100_00), history.send(customer, 50_00)
    history.send(customer, 7_00)
    history.next_step(days=1)
    history.pay({first: 100_00, second: 20_00}, kept=5_00, fee=2_00)
    history.credit_note(second, 5_00)
    history.write_off(second, 1_00)
    history.refund(first, 30_00)
    return history


def wrong(session) -> dict[int, tuple[str, ...]]:
    checks = enumerate(verification.checks(session, today=FIRST))
    return {number: check.wrong for number, check in checks if check.wrong}


def test_everything_agrees_and_says_over_how_much(session, history):
    checks = list(verification.checks(session, today=FIRST))

    assert [check.wrong for check in checks] == [()] * 9
    assert [check.proven for check in checks[:6]] == [3, 2, 1, 2, 1, 1]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE invoices SET paid_minor = 1900 WHERE id = 2", {INVOICES, ALLOCATIONS, FIGURES}),
        ("UPDATE invoices SET credited_minor = 400, written_off_minor = 200 WHERE id = 2", {INVOICES}),
        ("UPDATE invoices SET written_off_minor = 0 WHERE id = 2", {INVOICES, FIGURES}),
        ("UPDATE invoices SET refunded_minor = 2900 WHERE id = 1", {REFUNDS}),
        ("UPDATE invoices SET state = 'cancelled' WHERE id = 3", {INVOICES, FIGURES}),
        ("UPDATE invoices SET state = 'draft' WHERE id = 3", {INVOICES, FIGURES}),
        ("UPDATE invoices SET currency = 'EUR' WHERE id = 3", {INVOICES, FIGURES}),
        ("UPDATE payments SET amount_minor = 12501", {PAYMENTS}),
        ("UPDATE payments SET fee_minor = 199", {PAYMENTS}),
        ("UPDATE payments SET undone_at = created_at", {ALLOCATIONS, PAYMENTS}),
        ("UPDATE payment_allocations SET amount_minor = 1999 WHERE invoice_id = 2", {ALLOCATIONS}),
        ("UPDATE credit_notes SET subtotal_minor = 499, total_minor = 499 WHERE invoice_id = 2", {CREDIT_NOTES}),
        ("UPDATE refunds SET amount_minor = 2999", {REFUNDS}),
    ],
)
def test_a_kept_amount_that_was_not_posted_is_found(session, history, change, found):
    assert session.execute(text(change)).rowcount == 1

    assert set(wrong(session)) == found


def test_credit_may_be_used_to_the_last_cent_and_one_more_is_found(session, history):
    """5.00 are kept, and another customer's 9.00 are nothing to them."""
    other = history.a_customer("C2")
    history.pay({history.send(other, 1_00): 1_00}, kept=9_00)
    history.apply_credit(history.invoices[2], 5_00)
    assert wrong(session) == {}

    used = "UPDATE ledger_postings SET amount_minor = 501 WHERE account = 'customer_credit' AND amount_minor = 500"
    as_if_nothing_refused(session, used)

    assert wrong(session)[CREDIT] == (f"customer {history.customers[0].id} with business 1 in USD",)


def test_what_is_wrong_is_named(session, history):
    session.execute(text("UPDATE invoices SET paid_minor = 1900 WHERE id = 2"))

    assert wrong(session)[INVOICES] == ("invoice id 2, INV-2026-002",)

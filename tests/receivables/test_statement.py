"""A statement worked out by hand, and its file."""

from datetime import date, timedelta

import pytest
from sqlalchemy import update

from billing_core.businesses.models import Business
from billing_core.dates import Period
from billing_core.errors import Forbidden, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.ledger import service as ledger
from billing_core.ledger.models import EntryKind
from billing_core.payments.models import Payment
from billing_core.receivables import legibility, statement
from billing_core.receivables.exporting import statement_as_csv, statement_as_pdf, what
from billing_core.receivables.statement import StatementRequest, StatementRow
from tests.ledger.books import NOW, a_payment_entry, parties
from tests.payments import books
from tests.receivables.history import History

FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))


@pytest.fixture
def history(session) -> History:
    """January: 100.00 invoiced and 40.00 paid. February: the rest of what can happen, two days apart."""
    history = History(session)
    customer = history.a_customer("=C1")
    first = history.send(customer, 100_00)
    history.next_step(days=10)
    history.pay({first: 40_00})
    history.next_step(days=22)
    second = history.send(customer, 50_00)
    history.next_step(days=2)
    history.pay({first: 60_00, second: 20_00}, kept=5_00)
    history.next_step(days=2)
    history.apply_credit(second, 5_00)
    history.next_step(days=2)
    history.credit_note(second, 10_00)
    history.next_step(days=2)
    history.write_off(second, 15_00)
    history.next_step(days=2)
    history.refund(first, 30_00)
    history.next_step(days=2)
    third = history.send(customer, 70_00)
    history.cancel(third)
    return history


def of_february(history, **facts) -> StatementRequest:
    return StatementRequest(history.customers[0].id, "USD", FEBRUARY, **facts)


def test_it_leads_row_by_row_from_what_was_owed_to_what_is_owed(session, history):
    found = statement.statement(session, SYSTEM, of_february(history))

    assert (found.opening_minor, found.closing_minor, found.complete) == (60_00, 0, True)
    assert [(row.on.day, what(row), row.document, row.amount_minor, row.balance_minor) for row in found.rows] == [
        (2, "Invoice", "INV-2026-002", 50_00, 110_00),
        (4, "Payment", "", -85_00, 25_00),
        (8, "Credit note", "CN-2026-001", -10_00, 15_00),
        (10, "Write-off", "INV-2026-002", -15_00, 0),
        (12, "Credit note", "CN-2026-002", -30_00, -30_00),
        (12, "Refund", "INV-2026-001", 30_00, 0),
        (14, "Invoice", "INV-2026-003", 70_00, 70_00),
        (14, "Invoice cancelled", "INV-2026-003", -70_00, 0),
    ]
    assert (found.charged_minor, found.settled_minor) == (150_00, 210_00)
    assert found.aged == (0, 0, 0, 0, 0)


def test_it_says_how_old_what_is_left_is(session, history):
    end = date(2026, 2, 3)
    found = statement.statement(
        session, SYSTEM, StatementRequest(history.customers[0].id, "USD", Period(FEBRUARY.start, end))
    )

    assert found.closing_minor == 110_00
    assert found.aged == (50_00, 60_00, 0, 0, 0)


def test_an_undone_payment_is_owed_again_from_its_own_day(session):
    history = History(session)
    invoice = history.send(history.a_customer("C1"), 100_00)
    payment = history.pay({invoice: 100_00})
    history.next_step(days=40)
    history.undo_payment(payment)

    found = statement.statement(session, SYSTEM, of_february(history))
    assert [(what(row), row.amount_minor, row.balance_minor) for row in found.rows] == [
        ("Payment undone", 100_00, 100_00)
    ]


def test_what_was_recorded_later_was_not_on_it_then(session, history):
    known_at = history.now - timedelta(days=7)

    found = statement.statement(session, SYSTEM, of_february(history, known_at=known_at))

    assert [what(row) for row in found.rows] == ["Invoice", "Payment"]
    assert found.closing_minor == 25_00


def test_more_rows_than_fit_are_said_to_be_missing(session, history):
    found = statement.statement(session, SYSTEM, of_february(history), limit=3)

    assert (len(found.rows), found.complete, found.closing_minor) == (3, False, 0)


def test_other_currencies_stand_on_statements_of_their_own(session, history):
    customer = history.customers[0]
    history.send(customer, 9_00, currency="EUR")

    assert statement.currencies(session, SYSTEM, customer.id) == ["EUR", "USD"]
    euros = statement.statement(session, SYSTEM, StatementRequest(customer.id, "EUR", FEBRUARY))
    assert [row.amount_minor for row in euros.rows] == [9_00]


def test_a_statement_of_one_business_leaves_out_what_is_owed_to_another(session):
    """Of ours 100.00 less 30.00, and 5.00 too much; of the other 20.00 less 15.00. Both are due on March 31st."""
    second = Business(name="Second", currency="EUR", time_zone="UTC", invoice_format="B{seq}-{year}")
    session.add(second)
    session.flush()
    customer = books.a_customer(session)
    ours = books.an_open_invoice(session, customer, "100")
    theirs = books.an_open_invoice(session, customer, "20", business_id=second.id)
    books.record(session, customer, books.bank_transfer(35_00), {ours.id: 30_00})
    books.record(session, customer, books.bank_transfer(15_00), {theirs.id: 15_00})

    def of(business_id, period):
        asked = StatementRequest(customer.id, "EUR", period, business_id)
        found = statement.statement(session, SYSTEM, asked)
        return (
            found.opening_minor,
            [(what(row), row.document, row.amount_minor, row.balance_minor) for row in found.rows],
            found.closing_minor,
            found.aged,
        )

    march, april = Period(date(2026, 3, 1), date(2026, 3, 31)), Period(date(2026, 4, 1), date(2026, 4, 30))
    our_rows = [("Invoice", "INV-2026-001", 100_00, 100_00), ("Payment", "", -35_00, 65_00)]
    their_rows = [("Invoice", "B1-2026", 20_00, 20_00), ("Payment", "", -15_00, 5_00)]
    assert of(customer.business_id, march) == (0, our_rows, 65_00, (70_00, 0, 0, 0, 0))
    assert of(second.id, march) == (0, their_rows, 5_00, (5_00, 0, 0, 0, 0))
    assert of(customer.business_id, april) == (65_00, [], 65_00, (0, 70_00, 0, 0, 0))
    assert of(second.id, april) == (5_00, [], 5_00, (0, 5_00, 0, 0, 0))
    assert of(None, april) == (70_00, [], 70_00, (0, 75_00, 0, 0, 0))
    kept = [
        statement.statement(session, SYSTEM, StatementRequest(customer.id, "EUR", march, one)).credit_minor
        for one in (customer.business_id, second.id)
    ]
    assert kept == [5_00, 0]
    assert statement.issuers(session, SYSTEM, customer.id) == [customer.business_id, second.id]
    assert statement.issuers(session, SYSTEM, books.a_customer(session, "C9").id) == []
    assert of(77, march) == (0, [], 0, (0, 0, 0, 0, 0))


def test_the_file_has_the_balances_and_numbers_to_compute_with(session, history):
    file = statement_as_csv(session, SYSTEM, of_february(history))

    lines = b"".join(file.chunks).decode().splitlines()

    assert lines[0] == "date,what,document,reference,due_date,currency,charge,credit,balance"
    assert lines[1] == "2026-02-01,Opening balance,,,,USD,,,60.00"
    assert lines[2] == "2026-02-02,Invoice,INV-2026-002,,2026-03-04,USD,50.00,,110.00"
    assert lines[6] == "2026-02-12,Credit note,CN-2026-002,,,USD,,30.00,-30.00"
    assert lines[-1] == "2026-02-28,Closing balance,,,,USD,,,0.00"


def test_a_reference_that_looks_like_a_formula_stays_text(session, history):
    session.execute(update(Payment).values(reference="=1+1"))
    lines = b"".join(statement_as_csv(session, SYSTEM, of_february(history)).chunks).decode().splitlines()

    assert lines[3] == "2026-02-04,Payment,,'=1+1,,USD,,85.00,25.00"


def test_only_who_may_see_the_customer_gets_it(session, history):
    other = history.a_customer("C2")
    bound = actor_with(Role.MANAGER, user_id=None, name="Otto", customer_id=other.id)
    finance = actor_with(Role.FINANCE, user_id=None, name="Fay")

    with pytest.raises(NotFound):
        statement.statement(session, bound, of_february(history))
    with pytest.raises(NotFound):
        statement_as_csv(session, bound, of_february(history))
    assert statement.closing(session, bound, of_february(history)) == 0
    assert statement.currencies(session, bound, history.customers[0].id) == []
    with pytest.raises(Forbidden):
        statement_as_csv(session, finance, of_february(history))


def test_one_cent_is_charged_and_one_is_credited(session):
    history = History(session)
    invoice = history.send(history.a_customer("C1"), 1)
    history.pay({invoice: 1})

    january = Period(date(2026, 1, 1), date(2026, 1, 31))
    found = statement.statement(session, SYSTEM, StatementRequest(history.customers[0].id, "USD", january))
    assert (found.charged_minor, found.settled_minor, found.closing_minor) == (1, 1, 0)


@pytest.mark.parametrize(("limit", "complete"), [(8, True), (7, False), (9, True)])
def test_it_is_complete_while_every_row_fits(session, history, limit, complete):
    """Seven entries, of which the refund is two rows to the customer."""
    found = statement.statement(session, SYSTEM, of_february(history), limit=limit)

    assert (found.complete, len(found.rows)) == (complete, min(limit, 8))


def test_the_statement_leaves_as_a_letter_under_its_own_name(session, history):
    file = statement_as_pdf(session, SYSTEM, of_february(history))

    assert (file.file_name, file.media_type) == ("statement-=C1-USD-2026-02-28.pdf", "application/pdf")
    assert b"".join(file.chunks).startswith(b"%PDF-")
    assert statement_as_csv(session, SYSTEM, of_february(history)).file_name == "statement-=C1-USD-2026-02-28.csv"


@pytest.mark.parametrize("kind", EntryKind)
@pytest.mark.parametrize("undone", [False, True])
def test_each_kind_of_row_has_its_words(kind, undone):
    row = StatementRow(1, FEBRUARY.start, kind, undone, "", "", None, None, None, 1, 1)
    words = {
        EntryKind.INVOICE: ("Invoice", "Invoice cancelled"),
        EntryKind.PAYMENT: ("Payment", "Payment undone"),
        EntryKind.REFUND: ("Refund", "Refund undone"),
        EntryKind.CREDIT_NOTE: ("Credit note", "Credit note withdrawn"),
        EntryKind.CREDIT_APPLIED: ("Credit applied", "Credit applied undone"),
        EntryKind.CREDIT_PAID_OUT: ("Credit paid out", "Credit paid out undone"),
        EntryKind.WRITE_OFF: ("Write-off", "Write-off undone"),
        EntryKind.CHARGEBACK: ("Chargeback", "Chargeback undone"),
        EntryKind.PREPAID_GRANTED: ("Prepaid granted", "Prepaid granted undone"),
        EntryKind.PREPAID_ENDED: ("Prepaid ended", "Prepaid ended undone"),
        EntryKind.FEE: ("Fee", "Fee undone"),
        EntryKind.REVERSAL: ("Reversal", "Reversal undone"),
    }
    assert what(row) == words[kind][undone]


def test_pages_and_letters_have_two_thousand_rows_and_the_file_has_all(session):
    """2,001 payments of one cent."""
    party = parties(session)
    entries = [a_payment_entry(party, {}, kept=1, on=FEBRUARY.start)] * 2_001
    ledger.post_many(session, SYSTEM, entries, now=NOW)
    asked = StatementRequest(party.id, "USD", FEBRUARY)

    found = statement.statement(session, SYSTEM, asked)
    assert (len(found.rows), found.complete, found.closing_minor) == (2_000, False, -2_001)
    assert len(list(statement.each(session, SYSTEM, asked))) == 2_001


def test_what_its_pdf_cannot_show_is_named(session, history):
    """A letter of the Yuan dynasty, in what a payer wrote and in the customer's own name."""
    request = of_february(history)
    history.customers[0].name = "Acme ꡀ"
    session.execute(update(Payment).values(reference="paid ꡀ"))
    session.expire_all()
    found = legibility.of_statement(session, SYSTEM, statement.statement(session, SYSTEM, request))
    assert found["Customer"] == ["ꡀ"]
    assert len(found) > 1
    assert all(characters == ["ꡀ"] for characters in found.values())

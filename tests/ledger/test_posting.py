"""Posting: balanced, append-only, undone at most once."""

from datetime import date, timedelta

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError

from billing_core.errors import Conflict, NotFound
from billing_core.identity import SYSTEM
from billing_core.ledger import service
from billing_core.ledger.models import Account, EntryKind, LedgerEntry, LedgerPosting, UnsealedEntry
from billing_core.ledger.service import Side
from tests.at_once import at_once
from tests.ledger.books import NOW, TODAY, an_entry, an_invoice_entry, parties


def sides_of(session, entry_id):
    found = select(LedgerPosting.account, LedgerPosting.detail, LedgerPosting.amount_minor).where(
        LedgerPosting.entry_id == entry_id
    )
    return [tuple(row) for row in session.execute(found.order_by(LedgerPosting.id))]


def test_an_entry_is_written_with_its_sides_and_waits_for_its_seal(session):
    acme = parties(session)

    entry_id = service.post(session, SYSTEM, an_invoice_entry(acme, 7, net=100_00, tax=19_00), now=NOW)

    assert sides_of(session, entry_id) == [
        (Account.RECEIVABLE, "", 119_00),
        (Account.REVENUE, "service", -100_00),
        (Account.TAX_PAYABLE, "19", -19_00),
    ]
    entry = session.get_one(LedgerEntry, entry_id)
    assert (entry.document, entry.recorded_by, entry.recorded_at) == ("invoice:7", "system", NOW)
    assert session.scalars(select(UnsealedEntry.entry_id)).all() == [entry_id]


def test_postings_repeat_what_their_entry_says(session):
    acme = parties(session)

    entry_id = service.post(session, SYSTEM, an_invoice_entry(acme, 7, net=100), now=NOW)

    posting = session.scalars(select(LedgerPosting).where(LedgerPosting.account == Account.RECEIVABLE)).one()
    assert (posting.entry_id, posting.business_id, posting.customer_id) == (entry_id, acme.business_id, acme.id)
    assert (posting.invoice_id, posting.currency, posting.effective_on, posting.recorded_at) == (7, "USD", TODAY, NOW)


def test_sides_that_do_not_add_up_are_a_bug_and_write_nothing(session):
    acme = parties(session)
    wrong = an_entry(acme, EntryKind.PAYMENT, [Side(Account.CASH, 100), Side(Account.RECEIVABLE, -99)])

    with pytest.raises(ValueError, match="add up to 1"):
        service.post(session, SYSTEM, wrong, now=NOW)
    with pytest.raises(ValueError, match="add up to 1"):
        service.post_many(session, SYSTEM, [an_invoice_entry(acme, 1, net=5), wrong], now=NOW)

    assert session.scalar(select(func.count()).select_from(LedgerEntry)) == 0


def test_a_side_of_nothing_is_left_out(session):
    acme = parties(session)
    free = service.post(session, SYSTEM, an_invoice_entry(acme, 7, net=0, tax=0), now=NOW)
    untaxed = service.post(session, SYSTEM, an_invoice_entry(acme, 8, net=100, tax=0), now=NOW)

    assert sides_of(session, free) == []
    assert sides_of(session, untaxed) == [(Account.RECEIVABLE, "", 100), (Account.REVENUE, "service", -100)]


def test_many_are_posted_with_their_ids_in_order(session):
    acme = parties(session)

    posted = service.post_many(
        session, SYSTEM, [an_invoice_entry(acme, number, net=number) for number in range(1, 2_501)], now=NOW
    )

    documents = dict(session.execute(select(LedgerEntry.id, LedgerEntry.document)).all())
    assert [documents[entry_id] for entry_id in posted] == [f"invoice:{number}" for number in range(1, 2_501)]
    assert sides_of(session, posted[41]) == [(Account.RECEIVABLE, "", 42), (Account.REVENUE, "service", -42)]
    assert service.post_many(session, SYSTEM, [], now=NOW) == []


def test_a_reversal_is_the_exact_opposite_on_its_own_day(session):
    acme = parties(session)
    original = service.post(session, SYSTEM, an_invoice_entry(acme, 7, net=100_00, tax=19_00), now=NOW)
    tomorrow = date(2026, 5, 5)

    undone = service.reverse(
        session, SYSTEM, original, effective_on=tomorrow, memo="wrong", now=NOW + timedelta(days=1)
    )

    assert [amount for *_, amount in sides_of(session, undone)] == [-119_00, 100_00, 19_00]
    entry = session.get_one(LedgerEntry, undone)
    assert (entry.kind, entry.reverses_id, entry.document) == (EntryKind.REVERSAL, original, "invoice:7")
    assert (entry.effective_on, entry.memo) == (tomorrow, "wrong")


def test_an_entry_is_reversed_once_and_a_reversal_never(session):
    acme = parties(session)
    original = service.post(session, SYSTEM, an_invoice_entry(acme, 7, net=100), now=NOW)
    undone = service.reverse(session, SYSTEM, original, effective_on=TODAY, now=NOW)

    for entry_id in (original, undone):
        with pytest.raises(Conflict):
            service.reverse(session, SYSTEM, entry_id, effective_on=TODAY, now=NOW)
    with pytest.raises(NotFound):
        service.reverse(session, SYSTEM, undone + 1, effective_on=TODAY, now=NOW)


def test_of_two_that_reverse_at_once_one_is_refused(sessions):
    with sessions.begin() as session:
        original = service.post(session, SYSTEM, an_invoice_entry(parties(session), 7, net=100), now=NOW)

    def undo():
        with sessions.begin() as session:
            return service.reverse(session, SYSTEM, original, effective_on=TODAY, now=NOW)

    assert sorted(map(type, at_once(undo, undo)), key=str) == [Conflict, int]


@pytest.mark.parametrize("table", [LedgerEntry, LedgerPosting])
@pytest.mark.parametrize("change", [lambda table: update(table).values(currency="EUR"), delete])
def test_the_database_refuses_to_change_what_was_posted(session, table, change):
    service.post(session, SYSTEM, an_invoice_entry(parties(session), 7, net=100), now=NOW)

    with pytest.raises(DBAPIError, match="append-only"):
        session.execute(change(table))

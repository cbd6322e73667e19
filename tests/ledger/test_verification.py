"""What the proof of the ledger accepts, what it finds, and over how much it says so."""

from datetime import timedelta

import pytest

from billing_core import proof
from billing_core.identity import SYSTEM
from billing_core.ledger import sealing, service, verification
from billing_core.ledger.models import Account, EntryKind
from billing_core.ledger.service import Entry, Side
from tests.ledger.books import NOW, TODAY, a_payment_entry, an_invoice_entry, parties
from tests.ledger.damaging import as_if_nothing_refused

BALANCE, REPETITION, REVERSALS, DAYS, PLACES, DIGESTS = range(6)
RECEIVABLE, REVENUE, TAX, CREDIT = Account.RECEIVABLE, Account.REVENUE, Account.TAX_PAYABLE, Account.CUSTOMER_CREDIT


def checked(session, check):
    return list(verification.checks(session))[check]


def test_it_says_over_how_many_entries_postings_reversals_days_and_seals(session):
    """Two invoices of three postings, a payment of two and its reversal of two; all but the last are sealed."""
    acme = parties(session)
    for number in (1, 2):
        service.post(session, SYSTEM, an_invoice_entry(acme, number, net=100, tax=19), now=NOW)
    paid = service.post(session, SYSTEM, a_payment_entry(acme, {1: 50}), now=NOW)
    sealing.seal(session, now=NOW)
    service.reverse(session, SYSTEM, paid, effective_on=TODAY, now=NOW)

    checks = list(verification.checks(session))

    assert [check.wrong for check in checks] == [()] * 6
    # Five accounts of one day, of which the receivable has a total of invoices and one of payments.
    assert [check.proven for check in checks] == [4, 10, 1, 5, 4, 3]


def reversed_with(session, original: Entry, *sides: Side):
    """What the check of reversals finds where these sides reverse the entry."""
    entry_id = service.post(session, SYSTEM, original, now=NOW)
    reversal = Entry(
        original.business_id,
        original.customer_id,
        original.currency,
        EntryKind.REVERSAL,
        original.document,
        TODAY,
        sides,
        reverses_id=entry_id,
    )
    reversal_id = service.post(session, SYSTEM, reversal, now=NOW)
    assert {f"ledger entry {reversal_id}, which reverses {entry_id}"} >= set(checked(session, REVERSALS).wrong)
    return bool(checked(session, REVERSALS).wrong)


def of_7(receivable, revenue, tax, *, invoice_id=7, detail="19"):
    return (
        Side(RECEIVABLE, receivable, invoice_id=invoice_id),
        Side(REVENUE, revenue, "service", 7),
        Side(TAX, tax, detail, 7),
    )


@pytest.mark.parametrize(
    ("sides", "found"),
    [
        (of_7(-119, 100, 19), False),
        (of_7(-118, 99, 19), False),
        (of_7(-1, 1, 0), False),
        ((), False),
        (of_7(-120, 101, 19), True),
        (of_7(-120, 100, 20), True),
        (of_7(1, -1, 0), True),
        (of_7(1, 0, -1), True),
        # It comes to the right sum, but takes back as revenue what was tax.
        (of_7(-119, 101, 18), True),
        (of_7(-119, 119, 0), True),
        (of_7(-119, 99, 20), True),
        (of_7(-119, 100, 19, invoice_id=8), True),
        # What it leaves of the revenue turns up at another invoice.
        ((*of_7(-119, 99, 19), Side(RECEIVABLE, 1, invoice_id=8)), True),
        (of_7(-119, 100, 19, detail="7"), True),
    ],
)
def test_a_cancelled_invoice_takes_back_all_that_was_posted_or_less_and_never_more(session, sides, found):
    """100 and 19 of tax; what credit notes took back before stays."""
    assert reversed_with(session, an_invoice_entry(parties(session), 7, net=100, tax=19), *sides) is found


@pytest.mark.parametrize(
    ("sides", "found"),
    [
        (of_7(119, -100, -19), False),
        (of_7(118, -99, -19), False),
        (of_7(120, -101, -19), True),
        (of_7(-1, 1, 0), True),
    ],
)
def test_so_does_one_that_owes_the_customer_something(session, sides, found):
    assert reversed_with(session, an_invoice_entry(parties(session), 7, net=-100, tax=-19), *sides) is found


@pytest.mark.parametrize(
    ("receivable", "kept", "found"), [(50, 10, False), (49, 11, True), (51, 9, True), (0, 60, True), (50, 9, True)]
)
def test_anything_else_is_taken_back_to_the_last_cent(session, receivable, kept, found):
    """A payment of 60, of which 50 for an invoice."""
    paid = a_payment_entry(parties(session), {7: 50}, kept=10)
    sides = (
        Side(Account.CASH, -receivable - kept, "bank_transfer"),
        Side(RECEIVABLE, receivable, invoice_id=7),
        Side(CREDIT, kept),
    )
    assert reversed_with(session, paid, *sides) is found


def test_no_more_broken_links_are_named_than_anybody_reads_and_all_are_counted(session):
    acme = parties(session)
    several = proof.NAMED + 5
    entries = [an_invoice_entry(acme, number, net=number) for number in range(1, several + 1)]
    entry_ids = service.post_many(session, SYSTEM, entries, now=NOW)
    sealing.seal(session, now=NOW)
    as_if_nothing_refused(session, f"UPDATE ledger_entries SET memo = 'x' WHERE id <> {entry_ids[-1]}")

    found = checked(session, DIGESTS)

    numbered = enumerate(entry_ids[: proof.NAMED], start=1)
    assert found.wrong == tuple(f"ledger entry {entry_id} (seal {number})" for number, entry_id in numbered)
    assert found.proven == 1


@pytest.mark.parametrize("links", [1, 2, 3, 6, 7])
def test_the_chain_is_followed_from_part_to_part(session, monkeypatch, links):
    monkeypatch.setattr(verification, "_LINKS", links)
    acme = parties(session)
    entries = [an_invoice_entry(acme, number, net=100, tax=19) for number in range(1, 7)]
    entry_ids = service.post_many(session, SYSTEM, entries, now=NOW)
    sealing.seal(session, now=NOW)
    assert (checked(session, DIGESTS).proven, checked(session, DIGESTS).wrong) == (6, ())

    as_if_nothing_refused(session, f"UPDATE ledger_postings SET detail = '7' WHERE entry_id = {entry_ids[3]}")

    assert checked(session, DIGESTS).wrong == (f"ledger entry {entry_ids[3]} (seal 4)",)
    assert checked(session, DIGESTS).proven == 5


def test_seals_that_are_missing_at_the_beginning_are_counted(session):
    acme = parties(session)
    entries = [an_invoice_entry(acme, number, net=100) for number in range(1, 5)]
    first, second, *_ = service.post_many(session, SYSTEM, entries, now=NOW)
    sealing.seal(session, now=NOW)
    as_if_nothing_refused(session, "DELETE FROM ledger_seals WHERE sequence < 3")

    missing = "2 of the first 4 seals are missing"
    assert checked(session, PLACES).wrong == (f"ledger entry {first}", f"ledger entry {second}", missing)


def test_a_posting_without_its_entry_is_found(session):
    acme = parties(session)
    entry_id = service.post(session, SYSTEM, an_invoice_entry(acme, 1, net=100), now=NOW)
    as_if_nothing_refused(session, "DELETE FROM ledger_unsealed", "DELETE FROM ledger_entries")

    assert checked(session, REPETITION).wrong == tuple(f"posting {n} of ledger entry {entry_id}" for n in (1, 2))


REPEATED = {
    "business_id": "99",
    "customer_id": "99",
    "currency": "'EUR'",
    "effective_on": f"'{TODAY + timedelta(days=1)}'",
    "recorded_at": "'2026-05-04 12:00:01.000000'",
}


@pytest.mark.parametrize("column", REPEATED)
def test_a_posting_that_does_not_repeat_its_entry_is_found(session, column):
    acme = parties(session)
    entry_id = service.post(session, SYSTEM, an_invoice_entry(acme, 1, net=100), now=NOW)
    as_if_nothing_refused(session, f"UPDATE ledger_postings SET {column} = {REPEATED[column]} WHERE id = 2")

    assert checked(session, REPETITION).wrong == (f"posting 2 of ledger entry {entry_id}",)

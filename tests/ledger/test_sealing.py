"""The chain: it follows the writers, two may seal at once, and whatever is changed afterwards is found."""

from dataclasses import replace
from functools import partial
from hashlib import sha256

import pytest
from sqlalchemy import func, select, text

from billing_core.database import Sessions, connect
from billing_core.identity import SYSTEM
from billing_core.ledger import sealing, service, verification
from billing_core.ledger.models import Account, EntryKind, LedgerEntry, LedgerSeal, UnsealedEntry
from billing_core.ledger.service import Side
from tests.at_once import at_once
from tests.ledger.books import NOW, TODAY, a_payment_entry, an_entry, an_invoice_entry, parties
from tests.ledger.damaging import as_if_nothing_refused

BALANCE, REPETITION, REVERSALS, DAYS, PLACES, DIGESTS = range(6)
WHOLE = [()] * 6
# What an entry of an invoice posts to.
ITS_DAY = tuple(f"2026-05-04: {account}, invoice in USD" for account in ("receivable", "revenue", "tax_payable"))


def posted(session, count=3):
    acme = parties(session)
    entries = [an_invoice_entry(acme, number, net=100 * number, tax=19) for number in range(1, count + 1)]
    return service.post_many(session, SYSTEM, entries, now=NOW)


def wrong(session):
    """What each check finds, in their order."""
    return [check.wrong for check in verification.checks(session)]


def test_entries_are_chained_in_order_and_wait_no_more(session):
    entry_ids = posted(session)

    assert sealing.seal(session, now=NOW) == 3

    seals = session.execute(select(LedgerSeal.sequence, LedgerSeal.entry_id).order_by(LedgerSeal.sequence)).all()
    assert [tuple(seal) for seal in seals] == list(zip([1, 2, 3], entry_ids, strict=True))
    assert session.scalar(select(func.count()).select_from(UnsealedEntry)) == 0
    assert sealing.seal(session, now=NOW) == 0


def test_a_digest_is_what_anybody_can_compute(session):
    acme = parties(session)
    service.post(session, SYSTEM, an_invoice_entry(acme, 7, net=100_00, tax=19_00), now=NOW)
    sealing.seal(session, now=NOW)

    content = (
        f'["{"0" * 64}",1,1,{acme.id},"USD","invoice","invoice:7","","2026-05-04",'
        '"2026-05-04T12:00:00+00:00",null,"system",null,'
        '[[1,1,"receivable","",7,11900],[1,2,"revenue","service",7,-10000],[1,3,"tax_payable","19",7,-1900]]]'
    )
    assert session.scalar(select(LedgerSeal.digest)) == sha256(content.encode()).hexdigest()


def test_letters_of_every_language_are_digested_as_they_are(session):
    """As UTF-8 and not as JSON's escapes: whoever writes them otherwise breaks every chain that there is."""
    acme = parties(session)
    sides = [Side(Account.CASH, 5, "cash"), Side(Account.CUSTOMER_CREDIT, -5)]
    entry = replace(an_entry(acme, EntryKind.PAYMENT, sides), memo="Überweisung „5 €“")
    service.post(session, SYSTEM, entry, now=NOW)
    sealing.seal(session, now=NOW)

    content = (
        f'["{"0" * 64}",1,1,{acme.id},"USD","payment","payment:1","Überweisung „5 €“","2026-05-04",'
        '"2026-05-04T12:00:00+00:00",null,"system",null,'
        '[[1,1,"cash","cash",null,5],[1,2,"customer_credit","",null,-5]]]'
    )
    assert session.scalar(select(LedgerSeal.digest)) == sha256(content.encode()).hexdigest()


def test_the_chain_goes_on_where_it_ended(session):
    posted(session, 5)

    assert [sealing.seal(session, now=NOW, limit=2) for _ in range(4)] == [2, 2, 1, 0]

    assert wrong(session) == WHOLE


def test_a_ledger_without_entries_is_whole(session):
    assert wrong(session) == WHOLE


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE ledger_entries SET memo = 'nothing to see' WHERE id = 2", {DIGESTS: ("ledger entry 2 (seal 2)",)}),
        (
            "UPDATE ledger_entries SET effective_on = '2026-05-05' WHERE id = 2",
            {
                DIGESTS: ("ledger entry 2 (seal 2)",),
                REPETITION: tuple(f"posting {n} of ledger entry 2" for n in (4, 5, 6)),
                DAYS: tuple(line for was in ITS_DAY for line in (was, was.replace("05-04", "05-05"))),
            },
        ),
        (
            "UPDATE ledger_postings SET amount_minor = amount_minor + 1 WHERE id = 4",
            {DIGESTS: ("ledger entry 2 (seal 2)",), BALANCE: ("ledger entry 2",), DAYS: ITS_DAY[:1]},
        ),
        ("UPDATE ledger_postings SET detail = '7' WHERE id = 6", {DIGESTS: ("ledger entry 2 (seal 2)",)}),
        ("UPDATE ledger_postings SET customer_id = 99 WHERE id = 5", {REPETITION: ("posting 5 of ledger entry 2",)}),
        (
            "DELETE FROM ledger_postings WHERE entry_id = 2",
            {DIGESTS: ("ledger entry 2 (seal 2)",), DAYS: ITS_DAY},
        ),
        ("UPDATE ledger_days SET amount_minor = amount_minor - 1 WHERE account = 'revenue'", {DAYS: ITS_DAY[1:2]}),
        (
            "UPDATE ledger_seals SET digest = 'f' || substr(digest, 2) WHERE sequence = 2 AND digest NOT LIKE 'f%'",
            {DIGESTS: ("ledger entry 2 (seal 2)", "ledger entry 3 (seal 3)")},
        ),
        (
            "DELETE FROM ledger_seals WHERE sequence = 2",
            {
                DIGESTS: ("ledger entry 3 (seal 3)",),
                PLACES: ("ledger entry 2", "1 of the first 3 seals are missing"),
                DAYS: ITS_DAY,
            },
        ),
        ("INSERT INTO ledger_unsealed (entry_id) VALUES (2)", {PLACES: ("ledger entry 2",)}),
    ],
)
def test_what_was_changed_afterwards_is_found(session, change, found):
    posted(session)
    sealing.seal(session, now=NOW)
    as_if_nothing_refused(session, change)

    assert wrong(session) == [found.get(check, ()) for check in range(6)]


def test_an_entry_that_neither_waits_nor_is_sealed_is_found(session):
    posted(session)
    session.execute(text("DELETE FROM ledger_unsealed WHERE entry_id = 2"))

    assert wrong(session)[PLACES] == ("ledger entry 2",)


def test_a_reversal_that_is_not_the_opposite_is_found(session):
    acme = parties(session)
    paid = service.post(session, SYSTEM, a_payment_entry(acme, {7: 100}), now=NOW)
    undone = service.reverse(session, SYSTEM, paid, effective_on=TODAY, now=NOW)
    assert wrong(session)[REVERSALS] == ()

    as_if_nothing_refused(session, f"UPDATE ledger_postings SET invoice_id = 8 WHERE entry_id = {undone}")

    assert wrong(session)[REVERSALS] == (f"ledger entry {undone}, which reverses {paid}",)


def test_two_that_seal_at_once_make_one_chain(sessions):
    """On PostgreSQL they meet inside; on SQLite the second waits before it begins."""
    with sessions.begin() as session:
        posted(session, 400)

    def seal_everything(sealing_sessions):
        sealed = 0
        while True:
            with sealing_sessions.begin() as session:
                count = sealing.seal(session, now=NOW, limit=7)
            if not count:
                return sealed
            sealed += count

    other = Sessions(connect(sessions.engine.url.render_as_string(hide_password=False)))
    counts = at_once(partial(seal_everything, sessions), partial(seal_everything, other))
    other.engine.dispose()

    assert sum(counts) == 400
    with sessions() as session:
        assert wrong(session) == WHOLE
        assert session.scalar(select(func.max(LedgerSeal.sequence))) == 400


def test_a_writer_does_not_wait_for_the_sealing(sessions):
    if sessions.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with sessions.begin() as session:
        posted(session)
    with sessions.begin() as sealing_session:
        sealing.seal(sealing_session, now=NOW)
        with sessions.begin() as session:
            session.execute(text("SET LOCAL lock_timeout = '5s'"))
            service.post(session, SYSTEM, an_invoice_entry(parties(session, "BETA"), 9, net=5), now=NOW)
    with sessions.begin() as session:
        assert sealing.seal(session, now=NOW) == 1


def test_an_entry_that_commits_late_is_sealed_late(sessions):
    """Its id is lower than one that is sealed already."""
    if sessions.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with sessions.begin() as session:
        acme = parties(session)
    with sessions.begin() as slow:
        service.post(slow, SYSTEM, an_invoice_entry(acme, 1, net=1), now=NOW)
        with sessions.begin() as session:
            service.post(session, SYSTEM, an_invoice_entry(acme, 2, net=2), now=NOW)
        with sessions.begin() as session:
            sealing.seal(session, now=NOW)
    with sessions.begin() as session:
        sealing.seal(session, now=NOW)

    with sessions() as session:
        order = session.scalars(select(LedgerSeal.entry_id).order_by(LedgerSeal.sequence)).all()
        assert order == sorted(order, reverse=True)
        assert wrong(session) == WHOLE
        assert session.scalar(select(func.count()).select_from(LedgerEntry)) == 2


def test_entries_wait_until_the_last_of_them_is_sealed(session):
    assert not sealing.waiting(session)
    posted(session, 3)
    for limit, left in ((2, True), (1, False)):
        assert sealing.waiting(session)
        assert sealing.seal(session, now=NOW, limit=limit) == limit
        assert sealing.waiting(session) is left

"""The sealing job: it finds what waits, survives a failure, and ends with its process."""

import threading

import pytest
from sqlalchemy import func, select

from billing_core import runtime
from billing_core.identity import SYSTEM
from billing_core.jobs import ledger_sealing
from billing_core.jobs.periodic import Periodic
from billing_core.ledger import service
from billing_core.ledger.models import LedgerSeal, UnsealedEntry
from tests.ledger.books import NOW, an_invoice_entry, parties


@pytest.fixture
def entries(sessions, monkeypatch) -> int:
    """More of them than one batch."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    monkeypatch.setattr(ledger_sealing, "_BATCH", 4)
    with sessions.begin() as session:
        acme = parties(session)
        service.post_many(session, SYSTEM, [an_invoice_entry(acme, n, net=n) for n in range(1, 11)], now=NOW)
    return 10


def sealed_and_waiting(sessions) -> tuple[int, int]:
    with sessions() as session:
        return tuple(session.scalar(select(func.count()).select_from(table)) for table in (LedgerSeal, UnsealedEntry))


def test_a_turn_seals_everything_that_waits(sessions, entries):
    assert ledger_sealing.seal_waiting() == entries
    assert sealed_and_waiting(sessions) == (entries, 0)
    assert ledger_sealing.seal_waiting() == 0


def test_a_turn_ends_between_two_batches_when_the_process_does(sessions, entries):
    asked = iter([False, True])

    ledger_sealing.seal_waiting(lambda: next(asked))

    assert sealed_and_waiting(sessions) == (4, 6)


def test_work_is_done_again_after_a_failure_until_it_is_stopped():
    turns, third = [], threading.Event()

    def work(_ending):
        turns.append(len(turns))
        if len(turns) == 1:
            raise RuntimeError("the database is away")
        if len(turns) == 3:
            third.set()

    job = Periodic("test", work, every_seconds=0.001)
    job.start()
    assert third.wait(timeout=300)
    job.stop(timeout_seconds=300)

    assert not any(thread.name == "test" for thread in threading.enumerate())

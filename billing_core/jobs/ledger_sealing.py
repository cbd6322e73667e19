"""Ledger entries are sealed right after their commit, of which every edge tells by a nudge."""

from collections.abc import Callable
from typing import Final

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.jobs.periodic import Periodic
from billing_core.ledger import sealing
from billing_core.processes.models import Queue

# Small enough to go unnoticed on SQLite, with its one writer at a time.
_BATCH: Final = 500


def seal_waiting(ending: Callable[[], bool] = lambda: False) -> int:
    """Seal all waiting entries, one transaction per batch; returns how many."""
    sealed = 0
    while not ending():
        # Read first: on SQLite an idle turn must not take the write lock.
        with runtime.sessions()() as session:
            if not sealing.waiting(session):
                break
        with runtime.sessions().begin() as session:
            sealed += sealing.seal(session, now=utc_now(), limit=_BATCH)
    return sealed


job = Periodic("ledger sealing", seal_waiting, queue=Queue.SEALING)

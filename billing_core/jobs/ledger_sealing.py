"""Ledger entries are sealed within seconds of their commit."""

from collections.abc import Callable
from typing import Final

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.jobs.periodic import Periodic
from billing_core.ledger import sealing
from billing_core.processes.models import Queue

# Small enough to go unnoticed on SQLite, with its one writer at a time.
_BATCH: Final = 500
# Commands post entries too, and do not nudge.
_EVERY_SECONDS: Final = 4


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


job = Periodic("ledger sealing", seal_waiting, every_seconds=_EVERY_SECONDS, queue=Queue.SEALING)

"""The ledger's entries get their seals within seconds of being committed."""

from collections.abc import Callable
from typing import Final

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.jobs.periodic import Periodic
from billing_core.ledger import sealing

# Small enough that on SQLite, with its one writer at a time, nobody notices.
_BATCH: Final = 500


def seal_waiting(ending: Callable[[], bool] = lambda: False) -> int:
    """Seal whatever waits, a transaction a batch, and return how many entries that were."""
    sealed = 0
    while not ending():
        # Read before: on SQLite a turn without anything to do must not take the place of a writer.
        with runtime.sessions()() as session:
            if not sealing.waiting(session):
                break
        with runtime.sessions().begin() as session:
            sealed += sealing.seal(session, now=utc_now(), limit=_BATCH)
    return sealed


job = Periodic("ledger sealing", seal_waiting, every_seconds=2)

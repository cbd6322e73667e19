"""Prepaid credit that was bought is there soon after it was paid, and what has expired is gone."""

from collections.abc import Callable
from typing import Final

import structlog

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.jobs import outbox_delivery
from billing_core.jobs.periodic import Periodic
from billing_core.payments.prepaid import upkeep
from billing_core.processes.models import Queue

log = structlog.get_logger()

# Of each kind of work, in one transaction.
_BATCH: Final = 100
# Payments come in by many ways, none of which tells of itself.
_EVERY_SECONDS: Final = 10


def keep_up(ending: Callable[[], bool] = lambda: False) -> int:
    """Do all that is due, one transaction per batch; returns with how many purchases and grants."""
    done = 0
    while not ending():
        now = utc_now()
        # Read first: on SQLite an idle turn must not take the write lock.
        with runtime.sessions()() as session:
            if not upkeep.due(session, now=now):
                break
        with runtime.sessions().begin() as session:
            some = upkeep.run(session, SYSTEM, now=now, limit=_BATCH)
        done += some
        outbox_delivery.nudge()
    if done:
        log.info("prepaid_credit_kept_up", changes=done)
    return done


job = Periodic("prepaid credit", keep_up, every_seconds=_EVERY_SECONDS, queue=Queue.PREPAID_CREDIT)

"""Received gateway events are applied right after they are stored. The inbox itself records what is left to do."""

from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.jobs import nudges, outbox_delivery
from billing_core.jobs.periodic import Periodic
from billing_core.online_payments import configured
from billing_core.online_payments.webhooks import inbox
from billing_core.online_payments.webhooks.refusals import refusals
from billing_core.processes.models import Queue
from billing_core.settings import settings

log = structlog.get_logger()

# After this many events, check the outbox, and whether the process is about to end.
_BATCH: Final = 50
# What customers paid, and the cards that they gave us.
_FOLLOWING: Final = (Queue.CHARGES, Queue.PREPAID_CREDIT)


def process_waiting(ending: Callable[[], bool] = lambda: False) -> int:
    """Apply what is due, one transaction per event; returns how many events were handled."""
    sessions = runtime.sessions()
    refusals.write(sessions)
    applied = 0
    while not ending():
        # Read first: on SQLite an idle turn must not take the write lock.
        with sessions() as session:
            if not inbox.something_due(session, now=utc_now()):
                break
        applied += inbox.apply_due(sessions, configured.mode(settings()), limit=_BATCH, ending=ending)
        outbox_delivery.nudge()
    if applied:
        nudges.tell(*_FOLLOWING)
        log.info("webhooks_processed", events=applied)
    return applied


def write_refusals() -> None:
    """When the process ends: the counts since the last turn."""
    try:
        refusals.write(runtime.sessions())
    except SQLAlchemyError:
        log.warning("refusals_not_written")


def nudge() -> None:
    """Check the inbox now: an event was stored. Cheap, from any thread, also where no jobs run here."""
    nudges.tell(Queue.INCOMING_WEBHOOKS)


job = Periodic("webhook processing", process_waiting, queue=Queue.INCOMING_WEBHOOKS)

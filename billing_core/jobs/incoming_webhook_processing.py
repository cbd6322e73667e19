"""What the payment gateway has told us is applied within a moment of its being stored.

The inbox itself remembers what is left to do.
"""

from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.jobs import outbox_delivery
from billing_core.jobs.periodic import Periodic
from billing_core.online_payments import configured
from billing_core.online_payments.webhooks import inbox
from billing_core.online_payments.webhooks.refusals import refusals
from billing_core.settings import settings

log = structlog.get_logger()

# After so many events the outbox is looked into, and it is asked whether the process is about to end.
_BATCH: Final = 50


def process_waiting(ending: Callable[[], bool] = lambda: False) -> int:
    """Apply whatever is due, a transaction an event; how many events that concerned."""
    sessions = runtime.sessions()
    refusals.write(sessions)
    applied = 0
    while not ending():
        # Read before: on SQLite a turn without anything to do must not take the place of a writer.
        with sessions() as session:
            if not inbox.something_due(session, now=utc_now()):
                break
        applied += inbox.apply_due(sessions, configured.mode(settings()), limit=_BATCH, ending=ending)
        outbox_delivery.nudge()
    if applied:
        log.info("webhooks_processed", events=applied)
    return applied


def stop(*, patience_seconds: float) -> None:
    """Begin no more, wait so long for the event that is being applied, and keep what was counted since."""
    job.stop(patience_seconds=patience_seconds)
    try:
        refusals.write(runtime.sessions())
    except SQLAlchemyError:
        log.warning("refusals_not_written")


def nudge() -> None:
    """Look into the inbox now: an event was stored. Costs nothing, from any thread, also without jobs here."""
    job.nudge()


job = Periodic("webhook processing", process_waiting, every_seconds=3)

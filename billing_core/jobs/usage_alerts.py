"""Usage is held against what people watch for shortly after it was recorded, and when a day begins; the table of checks
says whose.
"""

from collections.abc import Callable
from typing import Final

import structlog

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.jobs import outbox_delivery
from billing_core.jobs.periodic import Periodic
from billing_core.mailing import usage_alerts
from billing_core.processes.models import Queue
from billing_core.usage import threshold_checks

log = structlog.get_logger()

# Customers whose rows are locked, and whose usage is added up, at once.
_BATCH: Final = 200
# Programs that record all the time ask all the time: each customer is looked at this often, and not at each batch.
_EVERY_SECONDS: Final = 15
# Days begin at quarters of an hour, somewhere in the world.
_DAYS_EVERY_SECONDS: Final = 15 * 60


def check_waiting(ending: Callable[[], bool] = lambda: False) -> int:
    """Check all who wait, one transaction per batch; returns how many thresholds were reached."""
    reached = 0
    while not ending():
        # Read first: on SQLite an idle turn must not take the write lock.
        with runtime.sessions()() as session:
            if not threshold_checks.due(session):
                break
        with runtime.sessions().begin() as session:
            now = utc_now()
            checked = threshold_checks.check(session, SYSTEM, now=now, limit=_BATCH)
            usage_alerts.send(session, SYSTEM, checked.reached, now=now)
        if checked.reached:
            outbox_delivery.nudge()
            reached += len(checked.reached)
    if reached:
        log.info("usage_thresholds_reached", thresholds=reached)
    return reached


def ask_where_a_day_began(_ending: Callable[[], bool] = lambda: False) -> None:
    """Have those checked whose costs are watched for, and who were not on their day."""
    with runtime.sessions().begin() as session:
        threshold_checks.ask_where_a_day_began(session, SYSTEM, now=utc_now())


job = Periodic("usage alerts", check_waiting, every_seconds=_EVERY_SECONDS, queue=Queue.USAGE_ALERTS)
days = Periodic(
    "usage alerts of a day", ask_where_a_day_began, every_seconds=_DAYS_EVERY_SECONDS, queue=Queue.USAGE_ALERTS
)

"""Payment links end with their last day, and test links when the product collects real money.

Checked at the start and every hour, so that a process that was down catches up.
"""

from datetime import datetime
from typing import Any, Final

import structlog
from dbos import DBOS

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.jobs import outbox_delivery
from billing_core.online_payments import configured
from billing_core.online_payments.links import expiry
from billing_core.settings import settings

log = structlog.get_logger()

_SCHEDULE: Final = "payment-links"


def start() -> None:
    """Run it every hour from now on, once for all processes together; and once now."""
    DBOS.apply_schedules([{"schedule_name": _SCHEDULE, "workflow_fn": end_links, "schedule": "5 * * * *"}])
    DBOS.start_workflow(end_links, utc_now(), None)


@DBOS.workflow()
def end_links(_due_at: datetime, _context: Any) -> None:
    _end_step()


def end_due(now: datetime | None = None) -> int:
    """End every expired link, one transaction per batch; returns how many."""
    now = now or utc_now()
    ended = 0
    while True:
        with runtime.sessions().begin() as session:
            some = expiry.end_due(session, SYSTEM, mode=configured.mode(settings()), now=now)
        if not some:
            break
        ended += some
        outbox_delivery.nudge()
    if ended:
        log.info("payment_links_ended", links=ended)
    return ended


@DBOS.step(name="end_due_links")
def _end_step() -> int:
    return end_due()

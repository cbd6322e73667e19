"""Payment links end with their last day, and test links when the product collects real money.

A link that ends with a discount for paying early is followed by one for what is due then. Checked every hour, and at
the start if nobody has since the hour began.
"""

from datetime import datetime
from typing import Any

import structlog
from dbos import DBOS

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import SYSTEM
from billing_core.jobs import outbox_delivery, pauses
from billing_core.jobs.schedules import outcomes
from billing_core.online_payments import configured
from billing_core.online_payments.links import expiry, workflow
from billing_core.processes.models import Queue
from billing_core.settings import settings

log = structlog.get_logger()


@DBOS.workflow(name="end_links")
def end_links(_due_at: datetime, _context: Any) -> None:
    if not pauses.is_paused(Queue.LINK_EXPIRY):
        with outcomes.recorded(Queue.LINK_EXPIRY):
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


def renew(now: datetime | None = None) -> int:
    """Create links for what is due in place of those that ended with an early-payment discount; how many were."""
    now = now or utc_now()
    with runtime.sessions()() as session:
        invoice_ids = expiry.to_renew(session, now=now)
    made = 0
    for invoice_id in invoice_ids:
        try:
            gateway = configured.gateway(runtime.sessions(), settings())
            workflow.create(runtime.sessions(), SYSTEM, gateway, invoice_id, now=now)
        except BillingError as refusal:
            log.warning("payment_link_not_renewed", invoice_id=invoice_id, because=str(refusal))
        else:
            made += 1
    return made


@DBOS.step(name="end_due_links")
def _end_step() -> int:
    ended = end_due()
    renew()
    return ended

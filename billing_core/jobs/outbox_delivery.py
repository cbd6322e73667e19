"""Mails are sent right after the commit that added them to the outbox.

The outbox itself records what is left to do; a DBOS workflow sends it, so that it is visible among the other jobs.
"""

from collections.abc import Callable
from typing import Final

import structlog
from dbos import DBOS
from sqlalchemy import not_, or_

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.jobs import gateway_delivery, outgoing_webhook_delivery
from billing_core.jobs.periodic import Periodic
from billing_core.mailing import dispatch
from billing_core.outbox import delivery
from billing_core.outbox.delivery import Outcome
from billing_core.settings import settings

log = structlog.get_logger()

# Webhooks and gateways have jobs of their own.
QUEUE: Final = not_(or_(outgoing_webhook_delivery.QUEUE, gateway_delivery.QUEUE))
# Messages per workflow, so that the process can end in between.
_BATCH: Final = 20


def deliver_waiting(ending: Callable[[], bool] = lambda: False) -> None:
    """Send what is due, one workflow per batch."""
    while not ending():
        with runtime.sessions()() as session:
            if not delivery.something_due(session, now=utc_now(), queue=QUEUE):
                return
        deliver_batch()


def deliver_some() -> int:
    """Send at most one batch of what is due; returns how many messages were handled. Needs no DBOS."""
    sessions = runtime.sessions()
    adapters = dispatch.adapters(sessions, settings())
    outcome: Outcome = delivery.deliver_due(sessions, adapters, queue=QUEUE, delivered=dispatch.delivered, limit=_BATCH)
    if outcome.total:
        log.info("messages_delivered", delivered=outcome.delivered, postponed=outcome.postponed, failed=outcome.failed)
    return outcome.total


def nudge() -> None:
    """Check the outbox now: a change was committed. Cheap, from any thread, also where no jobs run here."""
    job.nudge()
    gateway_delivery.job.nudge()


@DBOS.workflow()
def deliver_batch() -> int:
    return _deliver_some_step()


_deliver_some_step = DBOS.step(name="deliver_some")(deliver_some)


job = Periodic("outbox delivery", deliver_waiting, every_seconds=3)

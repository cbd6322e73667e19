"""Mails are sent right after the commit that added them to the outbox, which itself records what is left to do."""

from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy import not_, or_

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.jobs import gateway_delivery, nudges, outgoing_webhook_delivery
from billing_core.jobs.periodic import Periodic
from billing_core.mailing import dispatch
from billing_core.outbox import delivery
from billing_core.outbox.delivery import Outcome
from billing_core.processes import current
from billing_core.processes.models import Queue
from billing_core.settings import settings

log = structlog.get_logger()

# Webhooks and gateways have jobs of their own.
QUEUE: Final = not_(or_(outgoing_webhook_delivery.QUEUE, gateway_delivery.QUEUE))
# Messages between two looks for what stops them all, such as a channel without an adapter.
_BATCH: Final = 20


def deliver_waiting(ending: Callable[[], bool] = lambda: False) -> None:
    """Send what is due, batch by batch."""
    while not ending():
        # Read first: on SQLite an idle turn must not take the write lock.
        with runtime.sessions()() as session:
            if not delivery.something_due(session, now=utc_now(), queue=QUEUE):
                return
        if not deliver_some(ending):
            return


def deliver_some(ending: Callable[[], bool] = lambda: False) -> int:
    """Send at most one batch of what is due; returns how many messages were handled."""
    sessions = runtime.sessions()
    adapters = dispatch.adapters(sessions, settings())
    outcome: Outcome = delivery.deliver_due(
        sessions,
        adapters,
        queue=QUEUE,
        process_id=current.process_id,
        delivered=dispatch.delivered,
        limit=_BATCH,
        ending=ending,
    )
    if outcome.total:
        log.info("messages_delivered", delivered=outcome.delivered, postponed=outcome.postponed, failed=outcome.failed)
    return outcome.total


def nudge() -> None:
    """A change was committed, which may have added messages and ledger entries. Cheap, from any thread, also where no
    jobs run here.
    """
    nudges.tell(Queue.MAILS, Queue.GATEWAYS, Queue.OUTGOING_WEBHOOKS, Queue.SEALING)


job = Periodic("outbox delivery", deliver_waiting, queue=Queue.MAILS)

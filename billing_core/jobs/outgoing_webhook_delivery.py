"""Webhooks are sent right after the commit, by a job of their own, so that a slow endpoint delays no mail."""

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from billing_core import runtime
from billing_core.jobs.periodic import Periodic
from billing_core.outbox import delivery
from billing_core.outbox.models import WEBHOOK, OutboxMessage
from billing_core.outgoing_webhooks import delivery as outgoing_webhooks_delivery
from billing_core.outgoing_webhooks.delivery import Rendering, Serialising
from billing_core.processes import current
from billing_core.processes.models import Queue
from billing_core.settings import settings

log = structlog.get_logger()

QUEUE: Final = OutboxMessage.channel == WEBHOOK


def deliver_waiting(render: Rendering, serialise: Serialising, ending: Callable[[], bool] = lambda: False) -> int:
    """Send what is due; returns how many messages were handled."""
    sessions, configured = runtime.sessions(), settings()
    call = outgoing_webhooks_delivery.adapter(
        sessions,
        signing_key=configured.signing_key(),
        render=render,
        serialise=serialise,
        private_allowed=configured.allow_private_webhooks,
    )
    handled = delivery.deliver_all(sessions, {WEBHOOK: call}, queue=QUEUE, process_id=current.process_id, ending=ending)
    if handled:
        log.info("webhooks_sent", messages=handled)
    return handled


def job(render: Rendering, serialise: Serialising) -> Periodic:
    """``render`` and ``serialise`` write objects as the published APIs do, which this package does not import."""
    return Periodic("webhook delivery", partial(deliver_waiting, render, serialise), queue=Queue.OUTGOING_WEBHOOKS)

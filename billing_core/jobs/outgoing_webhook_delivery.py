"""Webhooks leave within a moment of the commit, in a lane of their own, so that a slow endpoint delays no mail."""

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
from billing_core.settings import settings

log = structlog.get_logger()

LANE: Final = OutboxMessage.channel == WEBHOOK


def deliver_waiting(render: Rendering, serialise: Serialising, ending: Callable[[], bool] = lambda: False) -> int:
    """Tell whatever is due; how many messages that concerned."""
    sessions, configured = runtime.sessions(), settings()
    call = outgoing_webhooks_delivery.adapter(
        sessions,
        signing_key=configured.signing_key(),
        render=render,
        serialise=serialise,
        private_allowed=configured.allow_private_webhooks,
    )
    handled = delivery.deliver_all(sessions, {WEBHOOK: call}, lane=LANE, ending=ending)
    if handled:
        log.info("webhooks_sent", messages=handled)
    return handled


def job(render: Rendering, serialise: Serialising) -> Periodic:
    """``render`` and ``serialise`` write objects as the published APIs do, which stand right of here."""
    return Periodic("webhook delivery", partial(deliver_waiting, render, serialise), every_seconds=2)

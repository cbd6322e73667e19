"""Messages to payment gateways are sent right after the commit, by a job of their own, so that a slow gateway delays no
mail.

And vice versa: the deactivation of a link reaches the gateway even while a mail server is slow.
"""

from collections.abc import Callable
from typing import Final

import structlog

from billing_core import runtime
from billing_core.invoices.payment_links import GATEWAY
from billing_core.jobs.periodic import Periodic
from billing_core.online_payments import delivery as online_payments
from billing_core.online_payments.models import SANDBOX
from billing_core.outbox import delivery
from billing_core.outbox.models import OutboxMessage
from billing_core.processes import current
from billing_core.processes.models import Queue
from billing_core.settings import settings

log = structlog.get_logger()

QUEUE: Final = OutboxMessage.channel.in_([GATEWAY, SANDBOX])


def deliver_waiting(ending: Callable[[], bool] = lambda: False) -> int:
    """Send what is due; returns how many messages were handled."""
    sessions = runtime.sessions()
    adapters = online_payments.adapters(sessions, settings())
    handled = delivery.deliver_all(sessions, adapters, queue=QUEUE, process_id=current.process_id, ending=ending)
    if handled:
        log.info("gateways_told", messages=handled)
    return handled


job = Periodic("gateway delivery", deliver_waiting, queue=Queue.GATEWAYS)

"""Payment gateways are told within a moment of the commit; in a lane of its own, so that a slow one delays no mail.

And the other way round: that a link may not be used any more reaches the gateway while a mail server takes its time.
"""

from collections.abc import Callable
from typing import Final

import structlog

from billing_core import runtime
from billing_core.invoices.payment_links import GATEWAY
from billing_core.jobs.periodic import Periodic
from billing_core.online_payments import delivery as online_payments
from billing_core.online_payments.sandbox.events import SANDBOX
from billing_core.outbox import delivery
from billing_core.outbox.models import OutboxMessage
from billing_core.settings import settings

log = structlog.get_logger()

LANE: Final = OutboxMessage.channel.in_([GATEWAY, SANDBOX])


def deliver_waiting(ending: Callable[[], bool] = lambda: False) -> int:
    """Tell whatever is due; how many messages that concerned."""
    sessions = runtime.sessions()
    adapters = online_payments.adapters(sessions, settings())
    handled = delivery.deliver_all(sessions, adapters, lane=LANE, ending=ending)
    if handled:
        log.info("gateways_told", messages=handled)
    return handled


job = Periodic("gateway delivery", deliver_waiting, every_seconds=3)

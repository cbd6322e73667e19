"""The figure of webhook messages that could not be delivered."""

from typing import Any, Final

from sqlalchemy import Select, String, cast, select, true

from billing_core.figures import Figure, Scope, bound, day_of, one_each
from billing_core.identity import Permission
from billing_core.outbox.models import WEBHOOK, MessageState, OutboxMessage
from billing_core.outgoing_webhooks.models import WebhookEndpoint


def _failed(scope: Scope) -> Select[*tuple[Any, ...]]:
    """Of active endpoints: messages to a removed one need no action."""
    active = select(cast(WebhookEndpoint.id, String)).where(WebhookEndpoint.active == true())
    rows = one_each(OutboxMessage.id, OutboxMessage.title, day_of(OutboxMessage.created_at)).where(
        OutboxMessage.state == MessageState.FAILED,
        OutboxMessage.channel == WEBHOOK,
        OutboxMessage.subject_id.in_(active),
    )
    return bound(rows, scope, OutboxMessage.customer_id)


FAILED_WEBHOOKS: Final = Figure(
    key="failed_outgoing_webhooks",
    title="Webhook messages that failed",
    definition="Events that a program of others did not take within a day, and that are not sent again by themselves.",
    formula="number of messages",
    permission=Permission.WEBHOOK_ENDPOINT_WRITE,
    rows=_failed,
)

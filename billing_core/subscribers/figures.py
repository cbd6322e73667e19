"""The figure of what subscribers could not be told."""

from typing import Any, Final

from sqlalchemy import Date, Select, String, cast, func, literal, null, select, true, type_coerce

from billing_core.figures import Figure, Scope
from billing_core.outbox.models import WEBHOOK, MessageState, OutboxMessage
from billing_core.subscribers.models import Subscriber


def _failed(asked: Scope) -> Select[*tuple[Any, ...]]:
    """Of addresses that are still told: those of a removed one need no hand."""
    told = select(cast(Subscriber.id, String)).where(Subscriber.active == true())
    rows = select(
        OutboxMessage.id.label("id"),
        OutboxMessage.title.label("label"),
        type_coerce(func.date(OutboxMessage.created_at), Date).label("date"),
        cast(null(), String).label("currency"),
        literal(1).label("amount"),
    ).where(
        OutboxMessage.state == MessageState.FAILED,
        OutboxMessage.channel == WEBHOOK,
        OutboxMessage.subject_id.in_(told),
    )
    return rows if asked.customer_id is None else rows.where(OutboxMessage.customer_id == asked.customer_id)


FAILED_WEBHOOKS: Final = Figure(
    key="failed_outgoing_webhooks",
    title="Webhook messages that failed",
    definition="Events that a program of others did not take within a day, and that are not sent again by themselves.",
    formula="number of messages",
    rows=_failed,
)

"""The figure of what could not be delivered."""

from typing import Any, Final

from sqlalchemy import Date, Select, String, cast, func, literal, null, select, type_coerce

from billing_core.figures import Figure, Scope
from billing_core.outbox.models import WEBHOOK, MessageState, OutboxMessage


def _failed(asked: Scope) -> Select[*tuple[Any, ...]]:
    rows = select(
        OutboxMessage.id.label("id"),
        (OutboxMessage.title + ", " + OutboxMessage.recipient).label("label"),
        type_coerce(func.date(OutboxMessage.created_at), Date).label("date"),
        cast(null(), String).label("currency"),
        literal(1).label("amount"),
    ).where(OutboxMessage.state == MessageState.FAILED, OutboxMessage.channel != WEBHOOK)
    return rows if asked.customer_id is None else rows.where(OutboxMessage.customer_id == asked.customer_id)


FAILED_MAILS: Final = Figure(
    key="failed_mails",
    title="Messages that failed",
    definition="Mails, and what payment services are told, that could not be delivered and are not tried again.",
    formula="number of messages",
    rows=_failed,
)

"""The figures of what could not be delivered."""

from typing import Any, Final

from sqlalchemy import Select

from billing_core.figures import Figure, Scope, bound, day_of, one_each
from billing_core.identity import Permission
from billing_core.outbox.models import RECALLABLE, WEBHOOK, MessageState, OutboxMessage


def _failed(scope: Scope) -> Select[*tuple[Any, ...]]:
    named = OutboxMessage.title + ", " + OutboxMessage.recipient
    rows = one_each(OutboxMessage.id, named, day_of(OutboxMessage.created_at))
    rows = rows.where(OutboxMessage.state == MessageState.FAILED, OutboxMessage.channel != WEBHOOK)
    return bound(rows, scope, OutboxMessage.customer_id)


def _kept(scope: Scope) -> Select[*tuple[Any, ...]]:
    named = OutboxMessage.title + ", " + OutboxMessage.recipient
    rows = one_each(OutboxMessage.id, named, day_of(OutboxMessage.created_at))
    rows = rows.where(OutboxMessage.state == MessageState.HELD_BACK, OutboxMessage.channel == RECALLABLE)
    return bound(rows, scope, OutboxMessage.customer_id)


FAILED_MAILS: Final = Figure(
    key="failed_mails",
    title="Messages that failed",
    definition="Mails, and what payment services are told, that could not be delivered and are not tried again.",
    formula="number of messages",
    permission=Permission.OUTBOX_READ,
    rows=_failed,
)

KEPT_MAILS: Final = Figure(
    key="kept_mails",
    title="Mails that are kept",
    definition="Mails that nobody has got, since there was no mail server; they leave only when somebody sends them.",
    formula="number of mails",
    permission=Permission.OUTBOX_READ,
    rows=_kept,
)

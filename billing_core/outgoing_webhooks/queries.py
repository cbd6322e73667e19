"""Reads of webhook deliveries."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.outbox.models import WEBHOOK, MessageState, OutboxMessage

# The most that one step takes; repeating the step takes the next.
MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One message to one endpoint; ``not_before`` is the instant of the next try of one that waits."""

    id: int
    topic: str
    title: str
    content: dict[str, Any]
    state: MessageState
    attempts: int
    last_error: str
    created_at: datetime
    not_before: datetime
    delivered_at: datetime | None

    @property
    def event_id(self) -> str:
        return str(self.content.get("event_id", ""))


def deliveries(
    session: Session,
    actor: Actor,
    endpoint_id: int,
    *,
    states: Sequence[MessageState] = (),
    limit: int = 50,
    offset: int = 0,
) -> list[DeliveryRow]:
    """The newest first."""
    actor.require(Permission.WEBHOOK_ENDPOINT_WRITE)
    columns = [getattr(OutboxMessage, field.name) for field in fields(DeliveryRow)]
    statement = select(*columns).where(*_of(endpoint_id, states)).order_by(OutboxMessage.id.desc())
    return [DeliveryRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def delivery_count(session: Session, actor: Actor, endpoint_id: int, *, states: Sequence[MessageState] = ()) -> int:
    actor.require(Permission.WEBHOOK_ENDPOINT_WRITE)
    statement = select(func.count()).select_from(OutboxMessage).where(*_of(endpoint_id, states))
    return session.scalar(statement) or 0


def failed(session: Session, actor: Actor, endpoint_id: int, *, limit: int = MOST_AT_ONCE) -> list[int]:
    """The ids of failed messages, oldest first."""
    actor.require(Permission.WEBHOOK_ENDPOINT_WRITE)
    statement = select(OutboxMessage.id).where(*_of(endpoint_id, [MessageState.FAILED]))
    return list(session.scalars(statement.order_by(OutboxMessage.id).limit(limit)))


def failed_counts(session: Session, actor: Actor) -> dict[int, int]:
    """The number of failed messages by endpoint, of those that have some."""
    actor.require(Permission.WEBHOOK_ENDPOINT_WRITE)
    failed = (OutboxMessage.channel == WEBHOOK, OutboxMessage.state == MessageState.FAILED)
    counted = select(OutboxMessage.subject_id, func.count()).where(*failed).group_by(OutboxMessage.subject_id)
    return {int(row[0]): row[1] for row in session.execute(counted)}


def _of(endpoint_id: int, states: Sequence[MessageState]) -> list[Any]:
    conditions = [
        OutboxMessage.subject_kind == "webhook_endpoint",
        OutboxMessage.subject_id == str(endpoint_id),
        OutboxMessage.channel == WEBHOOK,
    ]
    return conditions if not states else [*conditions, OutboxMessage.state.in_(states)]

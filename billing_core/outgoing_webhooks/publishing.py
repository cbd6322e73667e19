"""Publishing events: written into the outbox in the transaction of the change itself, one message per endpoint."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, event, select, true
from sqlalchemy.orm import Mapper, Session, object_session

from billing_core.dates import in_utc
from billing_core.identity import Actor
from billing_core.outbox import service as outbox
from billing_core.outbox.models import WEBHOOK
from billing_core.outbox.service import Message
from billing_core.outgoing_webhooks.addresses import host_of
from billing_core.outgoing_webhooks.models import EventType, WebhookEndpoint

_LISTENING = select(WebhookEndpoint.id, WebhookEndpoint.public_id, WebhookEndpoint.url, WebhookEndpoint.events).where(
    WebhookEndpoint.active == true()
)
_READ: Final = "endpoints read"


@dataclass(frozen=True, slots=True)
class Announcement:
    """``about`` is ("invoice", 7) or ("report", 3). ``event_id`` is set where the event must be sent only once, however
    often it is detected.
    """

    type: EventType
    about: tuple[str, int]
    customer_id: int | None = None
    event_id: str = ""


def announce(session: Session, actor: Actor, announcements: Sequence[Announcement], *, now: datetime) -> int:
    """Queue a message for every endpoint that takes the event; returns how many. They are read once in a transaction.

    The calling verb has made the change. The object is read when the message is sent, in its state by then.
    """
    if not announcements:
        return 0
    endpoints = _listening(session)
    messages = [
        _message(one, event_id, endpoint.id, endpoint.public_id, endpoint.url, now)
        for one, event_id in ((one, one.event_id or f"evt_{secrets.token_hex(12)}") for one in announcements)
        for endpoint in endpoints
        if not endpoint.events or one.type.value in endpoint.events
    ]
    if messages:
        outbox.put_many(session, actor, messages, now=now)
    return len(messages)


def _listening(session: Session) -> Sequence[Row[int, str, str, list[str]]]:
    """The active endpoints: id, public id, address, events."""
    connection = session.connection()
    transaction = session.get_nested_transaction() or session.get_transaction()
    read: tuple[object, Sequence[Row[int, str, str, list[str]]]] | None = session.info.get(_READ)
    if read is None or read[0] is not transaction:
        read = transaction, connection.execute(_LISTENING).all()
        session.info[_READ] = read
    return read[1]


@event.listens_for(WebhookEndpoint, "after_insert")
@event.listens_for(WebhookEndpoint, "after_update")
def _forget(_mapper: Mapper[Any], _connection: Connection, endpoint: WebhookEndpoint) -> None:
    session = object_session(endpoint)
    if session is not None:
        session.info.pop(_READ, None)


def ping(session: Session, actor: Actor, endpoint: WebhookEndpoint, *, now: datetime) -> int:
    """Queue a test message; returns its id."""
    event_id = f"evt_{secrets.token_hex(12)}"
    announced = Announcement(EventType.PING, ("webhook_endpoint", endpoint.id))
    message = _message(announced, event_id, endpoint.id, endpoint.public_id, endpoint.url, now)
    return outbox.put(session, actor, message, now=now)


def _message(one: Announcement, event_id: str, endpoint_id: int, public_id: str, url: str, now: datetime) -> Message:
    kind, identity = one.about
    return Message(
        channel=WEBHOOK,
        topic=one.type.value,
        key=f"{event_id}:{public_id}",
        recipient=host_of(url)[:320],
        title=f"{one.type.value} to {host_of(url)}",
        subject=("webhook_endpoint", endpoint_id),
        content={
            "event_id": event_id,
            "type": one.type.value,
            "created": int(in_utc(now).timestamp()),
            "about": [kind, identity],
        },
        customer_id=one.customer_id,
    )

"""Publishing events: written into the outbox in the transaction of the change itself, one message per endpoint."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, true
from sqlalchemy.orm import Session

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
    """Queue a message for every endpoint that takes the event; returns how many. Costs one read where none does.

    The calling verb has made the change. The object is read when the message is sent, in its state by then.
    """
    if not announcements:
        return 0
    endpoints = session.connection().execute(_LISTENING).all()
    messages = [
        _message(one, event_id, endpoint.id, endpoint.public_id, endpoint.url, now)
        for one, event_id in ((one, one.event_id or f"evt_{secrets.token_hex(12)}") for one in announcements)
        for endpoint in endpoints
        if not endpoint.events or one.type.value in endpoint.events
    ]
    if messages:
        outbox.put_many(session, actor, messages, now=now)
    return len(messages)


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

"""Registering, changing and removing webhook endpoints."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.outgoing_webhooks import publishing
from billing_core.outgoing_webhooks.addresses import checked_url
from billing_core.outgoing_webhooks.models import EventType, WebhookEndpoint
from billing_core.text import control_character

MOST = 50
LONGEST_DESCRIPTION = 200


@dataclass(frozen=True, slots=True)
class EndpointDetails:
    """``events`` empty: all events, including those added later."""

    url: str
    events: tuple[str, ...] = ()
    description: str = ""


def register(
    session: Session, actor: Actor, details: EndpointDetails, *, private_allowed: bool, now: datetime
) -> WebhookEndpoint:
    """A new endpoint. ``signing.secret_of`` gives the secret that its owner needs."""
    actor.require(Permission.WEBHOOK_ENDPOINT_WRITE)
    checked = _checked(details, private_allowed=private_allowed)
    if (session.scalar(select(func.count()).where(WebhookEndpoint.active == true())) or 0) >= MOST:
        raise Conflict(f"There are {MOST} addresses already: remove one first")
    endpoint = WebhookEndpoint(
        url=checked.url,
        events=list(checked.events),
        description=checked.description,
        created_at=now,
        created_by=actor.name,
    )
    session.add(endpoint)
    session.flush()
    _record(session, actor, "webhook_endpoint.register", endpoint, after=_facts(endpoint), now=now)
    return endpoint


def change(
    session: Session,
    actor: Actor,
    endpoint_id: int,
    details: EndpointDetails,
    *,
    private_allowed: bool,
    drawn_from: int,
    now: datetime,
) -> WebhookEndpoint:
    """Save an address as the form shows it; Conflict where somebody has saved in between."""
    actor.require(Permission.WEBHOOK_ENDPOINT_WRITE)
    checked = _checked(details, private_allowed=private_allowed)
    endpoint = one(session, actor, endpoint_id, for_change=True)
    if endpoint.version != drawn_from:
        raise Conflict("Somebody has changed this address in the meantime. Look at it again.")
    before = _facts(endpoint)
    endpoint.url, endpoint.events, endpoint.description = checked.url, list(checked.events), checked.description
    session.flush()
    was, became = audit.changed(before, _facts(endpoint))
    if became:
        _record(session, actor, "webhook_endpoint.change", endpoint, before=was, after=became, now=now)
    return endpoint


def rotate(session: Session, actor: Actor, endpoint_id: int, *, now: datetime) -> WebhookEndpoint:
    """A new signing secret; the former one is no longer used."""
    actor.require(Permission.WEBHOOK_ENDPOINT_WRITE)
    endpoint = one(session, actor, endpoint_id, for_change=True)
    endpoint.secret_turn += 1
    session.flush()
    _record(session, actor, "webhook_endpoint.rotate", endpoint, after={"secret": endpoint.secret_turn}, now=now)
    return endpoint


def remove(session: Session, actor: Actor, endpoint_id: int, *, now: datetime) -> None:
    """Send it nothing more. Sent messages stay in the log; waiting ones are not sent."""
    actor.require(Permission.WEBHOOK_ENDPOINT_WRITE)
    endpoint = one(session, actor, endpoint_id, for_change=True)
    endpoint.active = False
    session.flush()
    _record(session, actor, "webhook_endpoint.remove", endpoint, before=_facts(endpoint), now=now)


def ping(session: Session, actor: Actor, endpoint_id: int, *, now: datetime) -> int:
    """Send a test message, to see whether the address works; returns the message's id."""
    actor.require(Permission.WEBHOOK_ENDPOINT_WRITE)
    return publishing.ping(session, actor, one(session, actor, endpoint_id), now=now)


def one(session: Session, actor: Actor, endpoint_id: int, *, for_change: bool = False) -> WebhookEndpoint:
    """An active endpoint; NotFound where there is none, or where it was removed."""
    actor.require(Permission.WEBHOOK_ENDPOINT_WRITE)
    statement = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id, WebhookEndpoint.active == true())
    if for_change:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    endpoint = session.scalars(statement).one_or_none()
    if endpoint is None:
        raise NotFound("There is no such address")
    return endpoint


def every(session: Session, actor: Actor) -> list[WebhookEndpoint]:
    """All active endpoints, oldest first; there are at most ``MOST``."""
    actor.require(Permission.WEBHOOK_ENDPOINT_WRITE)
    return list(
        session.scalars(select(WebhookEndpoint).where(WebhookEndpoint.active == true()).order_by(WebhookEndpoint.id))
    )


def _checked(details: EndpointDetails, *, private_allowed: bool) -> EndpointDetails:
    known: Collection[str] = {one.value for one in EventType} - {EventType.PING.value}
    unknown = [event for event in details.events if event not in known]
    if unknown:
        raise Invalid(f"There is no event {unknown[0]}", fields={"events": f"there is no event {unknown[0]}"})
    description = " ".join(details.description.split())
    if len(description) > LONGEST_DESCRIPTION or control_character(description):
        reason = f"may have at most {LONGEST_DESCRIPTION} printable characters"
        raise Invalid(f"The description {reason}", fields={"description": reason})
    url = checked_url(details.url, private_allowed=private_allowed)
    return EndpointDetails(url, tuple(sorted(set(details.events))), description)


def _facts(endpoint: WebhookEndpoint) -> dict[str, object]:
    return {"url": endpoint.url, "events": endpoint.events, "description": endpoint.description}


def _record(
    session: Session,
    actor: Actor,
    action: str,
    endpoint: WebhookEndpoint,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    now: datetime,
) -> None:
    audit.record(
        session,
        actor,
        action,
        ("webhook_endpoint", endpoint.id),
        label=endpoint.url,
        before=before,
        after=after,
        now=now,
    )

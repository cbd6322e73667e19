"""Registering, changing and removing the addresses that are told of events."""

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
from billing_core.outgoing_webhooks.models import EventType, Subscriber
from billing_core.text import control_character

MOST = 50
LONGEST_DESCRIPTION = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """``events`` empty: of everything, also of what will be added some day."""

    url: str
    events: tuple[str, ...] = ()
    description: str = ""


def register(session: Session, actor: Actor, wanted: Wanted, *, private_allowed: bool, now: datetime) -> Subscriber:
    """A new address, told from now on. ``signing.secret_of`` gives the secret that its owner needs."""
    actor.require(Permission.SUBSCRIBER_WRITE)
    kept = _checked(wanted, private_allowed=private_allowed)
    if (session.scalar(select(func.count()).where(Subscriber.active == true())) or 0) >= MOST:
        raise Conflict(f"There are {MOST} addresses already: remove one first")
    subscriber = Subscriber(
        url=kept.url, events=list(kept.events), description=kept.description, created_at=now, created_by=actor.name
    )
    session.add(subscriber)
    session.flush()
    _record(session, actor, "subscriber.register", subscriber, after=_facts(subscriber), now=now)
    return subscriber


def change(
    session: Session,
    actor: Actor,
    subscriber_id: int,
    wanted: Wanted,
    *,
    private_allowed: bool,
    drawn_from: int,
    now: datetime,
) -> Subscriber:
    """Save an address as the form shows it; Conflict where somebody has saved in between."""
    actor.require(Permission.SUBSCRIBER_WRITE)
    kept = _checked(wanted, private_allowed=private_allowed)
    subscriber = one(session, actor, subscriber_id, for_change=True)
    if subscriber.version != drawn_from:
        raise Conflict("Somebody has changed this address in the meantime. Look at it again.")
    before = _facts(subscriber)
    subscriber.url, subscriber.events, subscriber.description = kept.url, list(kept.events), kept.description
    session.flush()
    was, became = audit.changed(before, _facts(subscriber))
    if became:
        _record(session, actor, "subscriber.change", subscriber, before=was, after=became, now=now)
    return subscriber


def rotate(session: Session, actor: Actor, subscriber_id: int, *, now: datetime) -> Subscriber:
    """A new signing secret; the former one signs nothing any more."""
    actor.require(Permission.SUBSCRIBER_WRITE)
    subscriber = one(session, actor, subscriber_id, for_change=True)
    subscriber.secret_turn += 1
    session.flush()
    _record(session, actor, "subscriber.rotate", subscriber, after={"secret": subscriber.secret_turn}, now=now)
    return subscriber


def remove(session: Session, actor: Actor, subscriber_id: int, *, now: datetime) -> None:
    """Tell it nothing any more. What was told stays in the log; what still waits does not leave."""
    actor.require(Permission.SUBSCRIBER_WRITE)
    subscriber = one(session, actor, subscriber_id, for_change=True)
    subscriber.active = False
    session.flush()
    _record(session, actor, "subscriber.remove", subscriber, before=_facts(subscriber), now=now)


def ping(session: Session, actor: Actor, subscriber_id: int, *, now: datetime) -> int:
    """Send a message that means nothing, to see whether the address works; the message's id."""
    actor.require(Permission.SUBSCRIBER_WRITE)
    return publishing.ping(session, actor, one(session, actor, subscriber_id), now=now)


def one(session: Session, actor: Actor, subscriber_id: int, *, for_change: bool = False) -> Subscriber:
    """An address that is told; NotFound where there is none, or none any more."""
    actor.require(Permission.SUBSCRIBER_WRITE)
    wanted = select(Subscriber).where(Subscriber.id == subscriber_id, Subscriber.active == true())
    if for_change:
        wanted = wanted.with_for_update().execution_options(populate_existing=True)
    found = session.scalars(wanted).one_or_none()
    if found is None:
        raise NotFound("There is no such address")
    return found


def every(session: Session, actor: Actor) -> list[Subscriber]:
    """All addresses that are told, the oldest first; there are at most ``MOST``."""
    actor.require(Permission.SUBSCRIBER_WRITE)
    return list(session.scalars(select(Subscriber).where(Subscriber.active == true()).order_by(Subscriber.id)))


def _checked(wanted: Wanted, *, private_allowed: bool) -> Wanted:
    known: Collection[str] = {one.value for one in EventType} - {EventType.PING.value}
    unknown = [event for event in wanted.events if event not in known]
    if unknown:
        raise Invalid(f"There is no event {unknown[0]}", fields={"events": f"there is no event {unknown[0]}"})
    description = " ".join(wanted.description.split())
    if len(description) > LONGEST_DESCRIPTION or control_character(description):
        reason = f"may have at most {LONGEST_DESCRIPTION} printable characters"
        raise Invalid(f"The description {reason}", fields={"description": reason})
    url = checked_url(wanted.url, private_allowed=private_allowed)
    return Wanted(url, tuple(sorted(set(wanted.events))), description)


def _facts(subscriber: Subscriber) -> dict[str, object]:
    return {"url": subscriber.url, "events": subscriber.events, "description": subscriber.description}


def _record(
    session: Session,
    actor: Actor,
    action: str,
    subscriber: Subscriber,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    now: datetime,
) -> None:
    audit.record(
        session,
        actor,
        action,
        ("subscriber", subscriber.id),
        label=subscriber.url,
        before=before,
        after=after,
        now=now,
    )

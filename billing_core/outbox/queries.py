"""Reads of the outbox: waiting, sent and failed messages. Webhook messages are read elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, bindparam, case, cast, func, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.database.functions import mentions
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.outbox import receiving
from billing_core.outbox.models import WEBHOOK, MessageState, OutboxMessage


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Empty fields do not limit. ``text`` occurs in the recipient or the title; ``subject`` such as ("invoice", 7)."""

    state: tuple[MessageState, ...] = ()
    topic: tuple[str, ...] = ()
    text: str = ""
    customer_id: int | None = None
    subject: tuple[str, object] | None = None


@dataclass(frozen=True, slots=True)
class MessageRow:
    """``not_before`` is the instant of the next try of one that waits."""

    id: int
    channel: str
    topic: str
    recipient: str
    receivers: list[list[str]] | None
    title: str
    subject_kind: str
    subject_id: str
    customer_id: int | None
    state: MessageState
    attempts: int
    not_before: datetime
    last_error: str
    created_at: datetime
    created_by: str
    delivered_at: datetime | None
    bounced_at: datetime | None


@dataclass(frozen=True, slots=True)
class Earlier:
    """``waiting``: one of them leaves by itself, and nobody has tried to send it yet. ``last_at``: when the last
    unrecalled one was added. ``sent_at``: when the last one left that anybody has. Of those that nobody has,
    ``waiting_at``, ``failed_at`` and ``kept_at`` say when the last one was added that waits, failed or is kept;
    ``bounced_at`` when the last one left that came back from somebody, which counts as none that anybody has.
    """

    count: int = 0
    waiting: bool = False
    last_at: datetime | None = None
    sent_at: datetime | None = None
    waiting_at: datetime | None = None
    failed_at: datetime | None = None
    kept_at: datetime | None = None
    bounced_at: datetime | None = None


COLUMNS = tuple(getattr(OutboxMessage, field.name) for field in fields(MessageRow))

# What has left for some of its receivers is not taken back.
_RECALLED = (OutboxMessage.state == MessageState.RECALLED) & OutboxMessage.delivered_at.is_(None)
_UNTRIED = (OutboxMessage.state == MessageState.WAITING) & (OutboxMessage.attempts == 0)


def _last(column: InstrumentedAttribute[Any], which: ColumnElement[bool]) -> ColumnElement[datetime | None]:
    return func.max(case((which, column)), type_=column.type)


def _nobody_has(state: MessageState) -> ColumnElement[bool]:
    return (OutboxMessage.state == state) & OutboxMessage.delivered_at.is_(None)


# Built once: building a statement takes as long as running it.
_EARLIER = (
    select(
        OutboxMessage.subject_id,
        func.count(),
        func.count(case((_UNTRIED, 1))),
        _last(OutboxMessage.created_at, ~_RECALLED),
        _last(OutboxMessage.delivered_at, OutboxMessage.state != MessageState.BOUNCED),
        _last(OutboxMessage.created_at, _nobody_has(MessageState.WAITING)),
        _last(OutboxMessage.created_at, _nobody_has(MessageState.FAILED)),
        _last(OutboxMessage.created_at, _nobody_has(MessageState.HELD_BACK)),
        _last(OutboxMessage.delivered_at, OutboxMessage.state == MessageState.BOUNCED),
    )
    .where(
        OutboxMessage.subject_kind == bindparam("kind"),
        OutboxMessage.subject_id.in_(bindparam("subjects", expanding=True)),
        OutboxMessage.topic.in_(bindparam("topics", expanding=True)),
    )
    .group_by(OutboxMessage.subject_id)
)


def page(
    session: Session, actor: Actor, filters: MessageFilter, *, limit: int = 50, offset: int = 0
) -> list[MessageRow]:
    """One page of the matching messages, newest first."""
    actor.require(Permission.OUTBOX_READ)
    newest_first = (OutboxMessage.created_at.desc(), OutboxMessage.id.desc())
    statement = _limited(select(*COLUMNS), actor, filters).order_by(*newest_first).limit(limit).offset(offset)
    return [MessageRow(*row) for row in session.execute(statement)]


def count(session: Session, actor: Actor, filters: MessageFilter) -> int:
    actor.require(Permission.OUTBOX_READ)
    return session.scalar(_limited(select(func.count()).select_from(OutboxMessage), actor, filters)) or 0


def counts(session: Session, actor: Actor) -> dict[MessageState, int]:
    """The number of messages in each state that occurs."""
    actor.require(Permission.OUTBOX_READ)
    statement = select(OutboxMessage.state, func.count()).where(*_listed_for(actor)).group_by(OutboxMessage.state)
    return {row[0]: row[1] for row in session.execute(statement)}


def counts_of_all(session: Session, actor: Actor) -> dict[tuple[str, MessageState], int]:
    """The number of messages of each channel in each state that occurs; webhooks included."""
    actor.require(Permission.OUTBOX_READ)
    grouped = (OutboxMessage.channel, OutboxMessage.state)
    statement = select(*grouped, func.count()).where(_visible_to(actor)).group_by(*grouped)
    return {(row[0], row[1]): row[2] for row in session.execute(statement)}


def one(session: Session, actor: Actor, message_id: int) -> OutboxMessage:
    """The whole message with its content; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.OUTBOX_READ)
    statement = select(OutboxMessage).where(OutboxMessage.id == message_id, _visible_to(actor))
    message = session.scalars(statement).one_or_none()
    if message is None:
        raise NotFound(f"There is no message {message_id}")
    return message


def earlier(session: Session, kind: str, subject_ids: Sequence[int], topics: Sequence[str]) -> dict[int, Earlier]:
    """Earlier messages about these subjects, on these topics; for services, which have checked the permission."""
    by_subject: dict[int, Earlier] = {}
    for start in range(0, len(subject_ids), 500):
        batch = [str(subject_id) for subject_id in subject_ids[start : start + 500]]
        rows = session.execute(_EARLIER, {"kind": kind, "subjects": batch, "topics": list(topics)})
        by_subject |= {int(row[0]): Earlier(row[1], row[2] > 0, *row[3:]) for row in rows}
    return by_subject


def newest_states(
    session: Session, actor: Actor, kind: str, subject_ids: Sequence[int], topics: Sequence[str]
) -> dict[int, MessageState]:
    """What became of the newest message about each of these subjects, on these topics; recalled ones are none."""
    actor.require(Permission.OUTBOX_READ)
    of_them = (OutboxMessage.subject_kind == kind, OutboxMessage.subject_id.in_([str(one) for one in subject_ids]))
    newest = (
        select(func.max(OutboxMessage.id))
        .where(*of_them, OutboxMessage.topic.in_(topics), ~_RECALLED, _visible_to(actor))
        .group_by(OutboxMessage.subject_id)
    )
    rows = session.execute(select(OutboxMessage.subject_id, OutboxMessage.state).where(OutboxMessage.id.in_(newest)))
    return {int(subject_id): state for subject_id, state in rows}


def with_kept(known: Mapping[int, Earlier]) -> list[int]:
    """Of which of them a message is kept."""
    return [subject_id for subject_id, earlier in known.items() if earlier.kept_at is not None]


def missed(session: Session, kind: str, subject_id: int) -> list[str]:
    """Who does not have a message about this subject that others of its receivers have; for whom it is tried again. For
    callers who have checked the permission.
    """
    of_it = (OutboxMessage.subject_kind == kind, OutboxMessage.subject_id == str(subject_id))
    in_part = OutboxMessage.answers.is_not(None) & OutboxMessage.state.in_([MessageState.WAITING, MessageState.FAILED])
    messages = session.scalars(select(OutboxMessage).where(*of_it, in_part).order_by(OutboxMessage.id))
    return list(dict.fromkeys(one for message in messages for one in receiving.left(message)))


def _visible_to(actor: Actor) -> ColumnElement[bool]:
    return true() if actor.customer_id is None else OutboxMessage.customer_id == actor.customer_id


def _listed_for(actor: Actor) -> tuple[ColumnElement[bool], ...]:
    return _visible_to(actor), OutboxMessage.channel != WEBHOOK


def _limited(statement: Select[*tuple[Any, ...]], actor: Actor, filters: MessageFilter) -> Select[*tuple[Any, ...]]:
    statement = statement.where(*_listed_for(actor))
    if filters.state:
        statement = statement.where(OutboxMessage.state.in_(filters.state))
    if filters.topic:
        statement = statement.where(OutboxMessage.topic.in_(filters.topic))
    if text := filters.text.strip():
        of_all = (OutboxMessage.recipient, cast(OutboxMessage.receivers, Text), OutboxMessage.title)
        statement = statement.where(mentions(text, *of_all))
    if filters.customer_id is not None:
        statement = statement.where(OutboxMessage.customer_id == filters.customer_id)
    if filters.subject is not None:
        kind, identity = filters.subject
        statement = statement.where(OutboxMessage.subject_kind == kind, OutboxMessage.subject_id == str(identity))
    return statement

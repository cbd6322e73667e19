"""Adding messages to the outbox, and what people can do about waiting ones."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.database.functions import among
from billing_core.database.upserts import insert_into
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.outbox import receiving
from billing_core.outbox.mail import mail_id
from billing_core.outbox.models import RECALLABLE, MessageState, OutboxMessage
from billing_core.recipients import Recipients

RECALLED, WAITING = MessageState.RECALLED, MessageState.WAITING
FAILED, HELD_BACK = MessageState.FAILED, MessageState.HELD_BACK
_TITLE = 500
# Rows of a dozen values each: SQLite allows 32,766 values in one statement.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Message:
    """A message to deliver once. ``key`` is unique: a second message of the same key is the same message. ``content``
    is what the adapter of the ``channel`` needs; ``subject`` what it is about, such as ("invoice", 7).
    ``receivers`` are those of a mail to several, of whom ``recipient`` is the first. ``kept``: as nothing could deliver
    it, it does not leave until a person releases it.
    """

    channel: str
    topic: str
    key: str
    recipient: str
    title: str
    subject: tuple[str, object]
    content: dict[str, Any] = field(default_factory=dict)
    customer_id: int | None = None
    receivers: Recipients | None = None
    kept: bool = False


def put(session: Session, actor: Actor, message: Message, *, now: datetime, not_before: datetime | None = None) -> int:
    """Have it delivered once this transaction is committed, not before an instant; returns its id.

    The calling verb has checked the permission.
    """
    return put_many(session, actor, [message], now=now, not_before=not_before)[0]


def put_many(
    session: Session, actor: Actor, messages: Sequence[Message], *, now: datetime, not_before: datetime | None = None
) -> list[int]:
    """``put`` for many, in a few statements; returns their ids in order, also of those that existed already."""
    known: dict[str, int] = {}
    for start in range(0, len(messages), _AT_ONCE):
        batch = messages[start : start + _AT_ONCE]
        rows = [_row(actor, message, now, not_before or now) for message in batch]
        # The rows beside the statement, which is then the same each time and need not be built again.
        new = insert_into(session, OutboxMessage.__table__).on_conflict_do_nothing(index_elements=["key"])
        session.execute(new, rows)
        same_keys = OutboxMessage.key.in_([message.key for message in batch])
        stored = session.execute(select(OutboxMessage.key, OutboxMessage.id).where(same_keys))
        known.update((row.key, row.id) for row in stored)
    return [known[message.key] for message in messages]


def recall(session: Session, actor: Actor, message_ids: Collection[int], *, now: datetime) -> int:
    """Recall mails that nobody has tried to deliver yet; returns how many.

    Everything done with them stays: an invoice whose mail is recalled is still sent.
    """
    actor.require(Permission.INVOICE_SEND)
    untried = OutboxMessage.state.in_([WAITING, HELD_BACK]) & (OutboxMessage.attempts == 0)
    untried &= OutboxMessage.channel == RECALLABLE
    return len(_move(session, actor, _these(message_ids) & untried, RECALLED, "outbox.recall", now=now))


def retry(session: Session, actor: Actor, message_ids: Collection[int], *, now: datetime) -> int:
    """Retry failed and waiting messages now; returns how many. Conflict where none can be retried.

    A message that has used up its tries gets one more.
    """
    actor.require(Permission.INVOICE_SEND)
    # A claimed message is being delivered.
    free = or_(OutboxMessage.claimed_until.is_(None), OutboxMessage.claimed_until <= now)
    tried = (OutboxMessage.state == WAITING) & (OutboxMessage.attempts > 0) & free
    unlucky = (OutboxMessage.state == FAILED) | tried
    moved = _move(session, actor, _these(message_ids) & unlucky, WAITING, "outbox.retry", now=now)
    if not moved:
        raise Conflict("There is nothing to retry: it was sent, waits for its first try, or was recalled")
    return len(moved)


def release(session: Session, actor: Actor, message_ids: Collection[int], *, now: datetime) -> int:
    """Release messages that were held back because nothing could deliver them; returns how many."""
    actor.require(Permission.INVOICE_SEND)
    held_back = OutboxMessage.state == HELD_BACK
    return len(_move(session, actor, _these(message_ids) & held_back, WAITING, "outbox.release", now=now))


def replace_kept(
    session: Session,
    actor: Actor,
    kind: str,
    subject_ids: Sequence[int],
    topics: Sequence[str],
    *,
    now: datetime,
    key: str = "",
) -> None:
    """Newer ones take the place of kept messages about these subjects, on these topics: released together, they would
    say the same thing several times, and the older ones what is no longer so. The calling verb has checked the
    permission, and puts the newer ones in; ``key`` of one that may be in already.
    """
    kept = (OutboxMessage.state == HELD_BACK) & (OutboxMessage.key != key)
    kept &= (OutboxMessage.subject_kind == kind) & OutboxMessage.topic.in_(topics)
    for start in range(0, len(subject_ids), _AT_ONCE):
        subjects = [str(subject_id) for subject_id in subject_ids[start : start + _AT_ONCE]]
        which = kept & OutboxMessage.subject_id.in_(subjects)
        _move(session, actor, which, RECALLED, "outbox.replace", now=now, last_error="A newer one took its place")


def lay_aside(session: Session, actor: Actor, message_ids: Collection[int], *, now: datetime) -> int:
    """Set failed messages aside that are not needed any more; returns how many."""
    actor.require(Permission.INVOICE_SEND)
    failed = OutboxMessage.state == FAILED
    return len(_move(session, actor, _these(message_ids) & failed, RECALLED, "outbox.lay_aside", now=now))


def _these(message_ids: Collection[int]) -> ColumnElement[bool]:
    return among(OutboxMessage.id, message_ids)


def _move(
    session: Session,
    actor: Actor,
    which: ColumnElement[bool],
    to: MessageState,
    action: str,
    *,
    now: datetime,
    **others: Any,
) -> list[int]:
    """One statement: a delivering process comes before or after it, never in between."""
    facts: dict[str, Any] = {"state": to, **others}
    if to is WAITING:
        facts |= {"not_before": now, "claimed_until": None}
    moved = session.execute(
        update(OutboxMessage)
        .where(which)
        .values(facts)
        .returning(OutboxMessage.id, OutboxMessage.title)
        .execution_options(synchronize_session=False)
    ).all()
    traces = [audit.Trace(("message", row.id), row.title, after={"state": to.value}) for row in moved]
    audit.record_many(session, actor, action, traces, now=now)
    return [row.id for row in moved]


def _row(actor: Actor, message: Message, now: datetime, not_before: datetime) -> dict[str, Any]:
    kind, identity = message.subject
    return {
        "key": message.key,
        "channel": message.channel,
        "topic": message.topic,
        "recipient": message.recipient,
        "receivers": receiving.stored(message.receivers),
        "title": message.title[:_TITLE],
        "content": message.content,
        "subject_kind": kind,
        "subject_id": str(identity),
        "customer_id": message.customer_id,
        "state": HELD_BACK if message.kept else WAITING,
        "attempts": 0,
        "not_before": not_before,
        "created_at": now,
        "created_by_id": actor.user_id,
        "created_by": actor.name,
        "last_error": "",
        "mail_id": mail_id(message.key) if message.channel == RECALLABLE else None,
    }

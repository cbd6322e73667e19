"""Delivering messages: claim one, call its adapter outside any transaction, record the outcome.

A killed process leaves its claim behind, which is freed when the process is missed, or else expires. So nothing is
lost; a message is sent twice only where the process ends between the receiver's acceptance and our mark, or where it is
taken for dead while it delivers.
"""

import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import ColumnElement, case, or_, select, true, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.dates import utc_now
from billing_core.errors import BillingError, UpstreamFailed
from billing_core.outbox import receiving
from billing_core.outbox.models import MessageState, OutboxMessage

log = structlog.get_logger()

# The delays before the second try, the third …; after the last try a message fails.
WAITS: Final = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=12),
)
# How long a claim lasts where nobody misses its process: longer than a dozen answers of a mail server, each at its time
# limit.
LEASE: Final = timedelta(minutes=15)
# Seconds between the tries to record a delivery while the database is busy or down: all within the claim.
MARK_AGAIN: Final = (1, 5, 15, 60, 120)
WAITING, FAILED = MessageState.WAITING, MessageState.FAILED
# A mail may have come back before this is known, or from those who got it at an earlier try.
_LEFT = case((OutboxMessage.bounced_at.is_not(None), MessageState.BOUNCED), else_=MessageState.DELIVERED)
_CHANCE = random.SystemRandom()


class Refused(UpstreamFailed):
    """The receiver will never accept this message: no retry."""


class InPart(UpstreamFailed):
    """Some of several receivers have it. ``answers`` of each that was asked about, empty where it has it; ``final``: no
    other will have it by a retry.
    """

    def __init__(self, answers: Mapping[str, str], *, final: bool) -> None:
        super().__init__(f"Not all have it. {'; '.join(filter(None, answers.values()))}")
        self.answers, self.final = dict(answers), final


class Unwanted(Exception):
    """The message's subject has changed, so that it must not be sent any more; the text says how."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this process may deliver."""

    id: int
    key: str
    topic: str
    recipient: str
    receivers: list[list[str]] | None
    answers: dict[str, Any] | None
    title: str
    content: dict[str, Any]
    subject_kind: str
    subject_id: str
    customer_id: int | None
    attempts: int
    created_at: datetime
    created_by_id: int | None
    created_by: str
    claimed_until: datetime


# Delivers, or raises Refused, Unwanted, or any other BillingError for "not now".
Adapter = Callable[[Claimed], None]
# The messages that a job delivers, as a condition, so that slow receivers of one channel do not delay the others.
Queue = ColumnElement[bool]
EVERY_QUEUE: Final[Queue] = true()
# Called in the transaction that marks a message as delivered, to those receivers: the others have it, or do not yet.
Witness = Callable[[Session, Claimed, datetime, Sequence[str]], None]


@dataclass(slots=True)
class Outcome:
    """How many messages ended in which state in one turn."""

    delivered: int = 0
    postponed: int = 0
    failed: int = 0
    unwanted: int = 0
    held_back: int = 0

    @property
    def total(self) -> int:
        return self.delivered + self.postponed + self.failed + self.unwanted + self.held_back


_COLUMNS = tuple(getattr(OutboxMessage, name) for name in Claimed.__slots__)
# Not freed since.
_CLAIMED = (OutboxMessage.state == WAITING, OutboxMessage.claimed_until > OutboxMessage.not_before)


def something_due(session: Session, *, now: datetime, queue: Queue = EVERY_QUEUE) -> bool:
    """Whether a message is due. Polled often, so it takes no lock."""
    return session.scalar(select(OutboxMessage.id).where(_due(now), queue).limit(1)) is not None


def deliver_all(
    sessions: Sessions,
    adapters: Mapping[str, Adapter],
    *,
    queue: Queue,
    process_id: Callable[[], str | None] = lambda: None,
    ending: Callable[[], bool] = lambda: False,
) -> int:
    """Deliver until nothing in the queue is due; returns how many messages were handled."""
    handled = 0
    while not ending():
        # Read first: on SQLite an idle turn must not take the write lock.
        with sessions() as session:
            if not something_due(session, now=utc_now(), queue=queue):
                break
        done = deliver_due(sessions, adapters, queue=queue, process_id=process_id, ending=ending).total
        if not done:
            break
        handled += done
    return handled


def deliver_due(
    sessions: Sessions,
    adapters: Mapping[str, Adapter],
    *,
    queue: Queue = EVERY_QUEUE,
    process_id: Callable[[], str | None] = lambda: None,
    delivered: Witness | None = None,
    now_of: Callable[[], datetime] = utc_now,
    limit: int = 100,
    ending: Callable[[], bool] = lambda: False,
    chance: Callable[[], float] = _CHANCE.random,
    pause: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Deliver due messages, one after the other, at most ``limit``; any number of processes may do so at once.
    ``process_id``: by which what this process takes up is freed when it dies; asked for each message, since one that
    was taken for dead goes on under another.

    A message of a channel without an adapter is held back, for a person to release: set up weeks later, it must not be
    sent by itself. Other queues are not touched. ``chance`` (0 to 1) spreads the next tries, so that they do not all
    come in the same second. ``pause`` waits this many seconds.
    """
    outcome = Outcome()
    outcome.held_back = _hold_back(sessions, adapters, queue, now_of())
    outcome.failed = _give_up(sessions, queue, now_of())
    for _ in range(limit):
        if ending():
            break
        with sessions.begin() as session:
            message, channel = _claim(session, adapters, queue, process_id(), now=now_of())
        if message is None:
            break
        _deliver(sessions, adapters[channel], message, outcome, delivered, now_of, chance, pause)
    return outcome


def _deliver(
    sessions: Sessions,
    adapter: Adapter,
    message: Claimed,
    outcome: Outcome,
    delivered: Witness | None,
    now_of: Callable[[], datetime],
    chance: Callable[[], float],
    pause: Callable[[float], None],
) -> None:
    try:
        adapter(message)
    except Unwanted as change:
        outcome.unwanted += 1
        _mark(sessions, message, state=MessageState.RECALLED, last_error=str(change)[:500])
    except Refused as refusal:
        outcome.failed += 1
        _mark(sessions, message, state=FAILED, last_error=str(refusal)[:500])
        log.warning("message_refused", message_id=message.id, topic=message.topic)
    except InPart as part:
        facts: dict[str, Any] = {"last_error": str(part)[:500], "answers": (message.answers or {}) | part.answers}
        if part.final or message.attempts > len(WAITS):
            outcome.failed += 1
            facts |= {"state": FAILED}
        else:
            outcome.postponed += 1
            facts |= {"state": WAITING, "not_before": _next_try(message, now_of(), chance)}
        reached = [one for one in receiving.left(message) if part.answers.get(one) == ""]
        _mark_delivered(sessions, message, delivered, now_of(), pause, facts, reached)
    except Exception as error:  # the edge of the job: a bug in one message must not stop the others
        if isinstance(error, BillingError):
            reason = str(error)[:500]
        else:
            reference = secrets.token_hex(4)
            log.exception("message_failed", message_id=message.id, topic=message.topic, reference=reference)
            reason = f"Something went wrong on our side. Reference {reference}"
        if message.attempts > len(WAITS):
            outcome.failed += 1
            _mark(sessions, message, state=FAILED, last_error=reason)
        else:
            outcome.postponed += 1
            not_before = _next_try(message, now_of(), chance)
            _mark(sessions, message, state=WAITING, last_error=reason, not_before=not_before)
    else:
        outcome.delivered += 1
        facts = {"state": _LEFT, "last_error": "", "answers": None}
        _mark_delivered(sessions, message, delivered, now_of(), pause, facts, receiving.left(message))


def _next_try(message: Claimed, now: datetime, chance: Callable[[], float]) -> datetime:
    return now + WAITS[message.attempts - 1] * (1 + chance() / 5)


def _mark_delivered(
    sessions: Sessions,
    message: Claimed,
    delivered: Witness | None,
    now: datetime,
    pause: Callable[[float], None],
    facts: Mapping[str, Any],
    reached: Sequence[str],
) -> None:
    """These have it by now, and would get it again without this mark: a busy database is retried, a witness's bug is
    logged. Whichever process holds the claim by now.
    """
    mark = update(OutboxMessage).where(OutboxMessage.id == message.id)
    mark = mark.values(delivered_at=now, claimed_until=None, **facts)
    waits = iter(MARK_AGAIN)
    recorded = delivered
    while True:
        try:
            with sessions.begin() as session:
                session.execute(mark)
                if recorded is not None:
                    recorded(session, message, now, reached)
            return
        except OperationalError:
            if (wait := next(waits, None)) is None:
                raise
            log.warning("message_not_marked_yet", message_id=message.id, topic=message.topic, again_in_seconds=wait)
            pause(wait)
        except Exception:  # the witness: its write is lost, which is better than sending twice
            if recorded is None:
                raise
            log.exception("message_witness_failed", message_id=message.id, topic=message.topic)
            recorded = None


def _claim(
    session: Session, adapters: Mapping[str, Adapter], queue: Queue, claimed_by: str | None, *, now: datetime
) -> tuple[Claimed, str] | tuple[None, str]:
    """The message that is due the longest; counts this try."""
    first = (
        select(OutboxMessage.id)
        .where(_due(now), queue, OutboxMessage.channel.in_(list(adapters)))
        .order_by(OutboxMessage.not_before, OutboxMessage.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    message_id = session.scalar(first)
    if message_id is None:
        return None, ""
    row = session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == message_id)
        .values(attempts=OutboxMessage.attempts + 1, claimed_until=now + LEASE, claimed_by=claimed_by)
        .returning(OutboxMessage.channel, *_COLUMNS)
        .execution_options(synchronize_session=False)
    ).one()
    return Claimed(*row[1:]), row.channel


def claimants(session: Session) -> set[str]:
    """The processes that have claimed a message, as far as claims name one."""
    claimed_by = select(OutboxMessage.claimed_by).where(*_CLAIMED, OutboxMessage.claimed_by.is_not(None)).distinct()
    return {str(process_id) for process_id in session.scalars(claimed_by)}


def free(session: Session, process_ids: Sequence[str]) -> list[tuple[str, str]]:
    """What these processes were delivering is due at once; returns the process and the channel of each message.

    It stays visible that it was claimed: where every try ends its process, it is given up. A message that is locked is
    passed over, since nobody may wait for the transaction of a vanished machine.
    """
    theirs = (*_CLAIMED, OutboxMessage.claimed_by.in_(process_ids))
    unlocked = select(OutboxMessage.id).where(*theirs).with_for_update(skip_locked=True).correlate(None)
    due = {"claimed_until": OutboxMessage.not_before}
    freed = update(OutboxMessage).where(OutboxMessage.id.in_(unlocked)).values(due)
    return [
        (str(row.claimed_by), row.channel)
        for row in session.execute(freed.returning(OutboxMessage.claimed_by, OutboxMessage.channel))
    ]


def _mark(sessions: Sessions, message: Claimed, **facts: Any) -> None:
    """Unless another process has claimed it since, which then records the outcome."""
    ours = (OutboxMessage.id == message.id, OutboxMessage.claimed_until == message.claimed_until)
    with sessions.begin() as session:
        session.execute(update(OutboxMessage).where(*ours).values(claimed_until=None, **facts))


def _hold_back(sessions: Sessions, adapters: Mapping[str, Adapter], queue: Queue, now: datetime) -> int:
    stuck = (_due(now), queue, OutboxMessage.channel.not_in(list(adapters)))
    with sessions() as session:
        if session.scalar(select(OutboxMessage.id).where(*stuck).limit(1)) is None:
            return 0
    with sessions.begin() as session:
        held = update(OutboxMessage).where(*stuck).values(state=MessageState.HELD_BACK, claimed_until=None)
        return len(session.execute(held.returning(OutboxMessage.id)).all())


def _give_up(sessions: Sessions, queue: Queue, now: datetime) -> int:
    """Messages whose every try has ended its process without an outcome; returns how many. The next try would, too."""
    tried_out = (_due(now), queue, OutboxMessage.claimed_until.is_not(None), OutboxMessage.attempts > len(WAITS))
    with sessions() as session:
        if session.scalar(select(OutboxMessage.id).where(*tried_out).limit(1)) is None:
            return 0
    reason = "The process ended while it was delivering this, at the last try too. It may have left."
    with sessions.begin() as session:
        given_up = update(OutboxMessage).where(*tried_out).values(state=FAILED, claimed_until=None, last_error=reason)
        ids = session.scalars(given_up.returning(OutboxMessage.id)).all()
    for message_id in ids:
        log.warning("message_given_up", message_id=message_id)
    return len(ids)


def _due(now: datetime) -> ColumnElement[bool]:
    free = or_(OutboxMessage.claimed_until.is_(None), OutboxMessage.claimed_until <= now)
    return (OutboxMessage.state == WAITING) & (OutboxMessage.not_before <= now) & free

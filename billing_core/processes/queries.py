"""Which processes live, and which were lost."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, SQLColumnExpression, String, and_, cast, exists, null, select, union_all
from sqlalchemy.orm import Session

from billing_core.database.functions import database_clock
from billing_core.processes.models import KNOWN_QUEUES, PausedQueue, Process, ProcessKind, Queue

# How often a process says that it lives, and after how long a silence it is taken for dead: three times may fail. With
# the beats that an observer waits for, it is noticed within 27 seconds (`jobs/presence/heartbeat.py`).
BEAT_SECONDS: Final = 4
SILENCE_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process, for lists. The instants are the database's."""

    id: str
    kind: ProcessKind
    host: str
    pid: int
    version: str
    started_at: datetime
    last_heard_at: datetime
    ended_at: datetime | None
    lost_at: datetime | None


_COLUMNS = tuple(getattr(Process, name) for name in ProcessRow.__slots__)


def living(session: Session, *, limit: int = 200) -> list[ProcessRow]:
    """Those that were heard of lately, the eldest first."""
    statement = select(*_COLUMNS).where(_lives()).order_by(Process.started_at, Process.id).limit(limit)
    return [ProcessRow(*row) for row in session.execute(statement)]


def lost(session: Session, *, since: datetime, limit: int = 50) -> list[ProcessRow]:
    """Those that others missed since then, the latest first."""
    statement = select(*_COLUMNS).where(Process.lost_at >= since).order_by(Process.lost_at.desc(), Process.id)
    return [ProcessRow(*row) for row in session.execute(statement.limit(limit))]


def silent_and_paused(session: Session) -> tuple[set[str], set[Queue]]:
    """The ids of the processes that should be heard of and are not, and the queues that are paused: what each beat
    wants to know, in one statement.
    """
    unheard = Process.last_heard_at < database_clock(seconds=-SILENCE_SECONDS)
    silent = select(Process.id, null()).where(unsettled(), unheard)
    # As text: a database knows no enumeration.
    paused = select(null(), cast(PausedQueue.queue, String))
    rows: Any = session.execute(union_all(silent, paused)).all()
    return {row[0] for row in rows if row[0]}, {Queue(row[1]) for row in rows if row[1] in KNOWN_QUEUES}


def is_living(process_id: SQLColumnExpression[str | None] | SQLColumnExpression[str]) -> ColumnElement[bool]:
    """In SQL: the process with the id in this column lives."""
    return exists().where(Process.id == process_id, _lives())


def unsettled() -> ColumnElement[bool]:
    """In SQL: it neither ended nor was lost, as far as anybody has noticed."""
    return and_(Process.ended_at.is_(None), Process.lost_at.is_(None))


def _lives() -> ColumnElement[bool]:
    return and_(unsettled(), Process.last_heard_at >= database_clock(seconds=-SILENCE_SECONDS))

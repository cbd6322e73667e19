"""Work in the background by queue, the schedules, and what of both is paused."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import String, cast, select
from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.jobs.overview import backlog, processes, schedules
from billing_core.jobs.overview.backlog import Backlog
from billing_core.jobs.overview.processes import ProcessRow, ProcessState
from billing_core.jobs.overview.schedules import ScheduleRow
from billing_core.processes.models import KNOWN_QUEUES, PausedQueue, Queue

# What is due by the clock, and leaves no row behind that waits.
SCHEDULED: Final = (Queue.REMINDERS, Queue.LINK_EXPIRY, Queue.PRUNING, Queue.USAGE_ARCHIVES, Queue.BOUNCES)


@dataclass(frozen=True, slots=True)
class Pause:
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class QueueRow:
    """``oldest_seconds``: how long the oldest waiting thing has been due."""

    queue: Queue
    backlog: Backlog
    oldest_seconds: int | None
    pause: Pause | None


@dataclass(frozen=True, slots=True)
class Overview:
    """``schedules``: none where no jobs have run yet. ``pauses`` has the schedules' too."""

    queues: list[QueueRow]
    schedules: list[ScheduleRow]
    processes: list[ProcessRow]
    pauses: dict[Queue, Pause]

    @property
    def living(self) -> list[ProcessRow]:
        return [row for row in self.processes if row.state is ProcessState.LIVING]


def read(session: Session, actor: Actor, *, now: datetime) -> Overview:
    """Everything at once."""
    actor.require(Permission.JOBS_MANAGE)
    return Overview(
        queues(session, actor, now=now),
        schedules.listed(session.get_bind().engine, now=now),
        processes.listed(session),
        _pauses(session),
    )


def queues(session: Session, actor: Actor, *, now: datetime) -> list[QueueRow]:
    """The queues that hold work, in the order of ``Queue``."""
    actor.require(Permission.JOBS_MANAGE)
    pauses = _pauses(session)
    return [_row(queue, held, pauses.get(queue), now) for queue, held in backlog.of_all(session, now=now).items()]


def _row(queue: Queue, held: Backlog, pause: Pause | None, now: datetime) -> QueueRow:
    age = None if held.oldest_at is None else max(0, int((now - held.oldest_at).total_seconds()))
    return QueueRow(queue, held, age, pause)


def _pauses(session: Session) -> dict[Queue, Pause]:
    queue = cast(PausedQueue.queue, String).label("queue")
    rows = session.execute(select(queue, PausedQueue.paused_at, PausedQueue.paused_by))
    return {Queue(row.queue): Pause(row.paused_at, row.paused_by) for row in rows if row.queue in KNOWN_QUEUES}

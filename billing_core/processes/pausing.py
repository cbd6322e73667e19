"""Kinds of work that nobody takes up for a while, because a person said so."""

from datetime import datetime

from sqlalchemy import String, cast, delete, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.database.upserts import insert_into
from billing_core.errors import Conflict
from billing_core.identity.permissions import Actor, Permission
from billing_core.processes.models import KNOWN_QUEUES, PausedQueue, Queue


def pause(session: Session, actor: Actor, queue: Queue, *, now: datetime) -> None:
    """Nothing of this kind is taken up from now on; what is under way is completed."""
    actor.require(Permission.JOBS_MANAGE)
    by = {"queue": queue, "paused_at": now, "paused_by_id": actor.user_id, "paused_by": actor.name}
    added = insert_into(session, PausedQueue).values(by).on_conflict_do_nothing().returning(PausedQueue.queue)
    if session.scalar(added) is None:
        raise Conflict(f"“{queue.value.capitalize()}” is paused already")
    audit.record(session, actor, "jobs.pause", ("queue", queue.value), now=now)


def resume(session: Session, actor: Actor, queue: Queue, *, now: datetime) -> None:
    """What waits is taken up again."""
    actor.require(Permission.JOBS_MANAGE)
    removed = delete(PausedQueue).where(PausedQueue.queue == queue).returning(PausedQueue.queue)
    if session.scalar(removed) is None:
        raise Conflict(f"“{queue.value.capitalize()}” is not paused")
    audit.record(session, actor, "jobs.resume", ("queue", queue.value), now=now)


def paused(session: Session) -> set[Queue]:
    """Those that this version knows."""
    names = session.scalars(select(cast(PausedQueue.queue, String)))
    return {Queue(name) for name in names if name in KNOWN_QUEUES}

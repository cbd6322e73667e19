"""Processes say that they live, and who is missed is declared lost. All by the database's clock."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.database.functions import database_clock
from billing_core.errors import Conflict
from billing_core.identity.permissions import Actor, Permission
from billing_core.processes.models import Process, ProcessKind, Queue
from billing_core.processes.queries import SILENCE_SECONDS, unsettled


def register(session: Session, process_id: str, kind: ProcessKind, *, host: str, pid: int, version: str) -> None:
    session.execute(
        insert(Process).values(
            id=process_id,
            kind=kind,
            host=host[:200],
            pid=pid,
            version=version[:40],
            started_at=database_clock(),
            last_heard_at=database_clock(),
        )
    )


def beat(session: Session, process_id: str) -> bool:
    """Say that it lives. False: it has been declared lost, its work is with others, and it needs another id."""
    ours = update(Process).where(Process.id == process_id, unsettled()).values(last_heard_at=database_clock())
    return session.scalar(ours.returning(Process.id)) is not None


def end(session: Session, process_id: str) -> None:
    """It says goodbye: it has handed over what it had taken up."""
    session.execute(update(Process).where(Process.id == process_id, unsettled()).values(ended_at=database_clock()))


def lose(session: Session, process_ids: Collection[str]) -> list[str]:
    """Declare lost whoever of these is still silent; returns their ids. What they had taken up is to be freed in the
    same transaction. Of several observers one gets each id. A row that is locked is left for later: an observer that
    waited for the transaction of a vanished machine would fall silent itself.
    """
    silent = select(Process.id).where(
        Process.id.in_(sorted(process_ids)),
        unsettled(),
        Process.last_heard_at < database_clock(seconds=-SILENCE_SECONDS),
    )
    missed = update(Process).where(Process.id.in_(silent.with_for_update(skip_locked=True).correlate(None)))
    missed = missed.values(lost_at=database_clock()).execution_options(synchronize_session=False)
    return sorted(session.scalars(missed.returning(Process.id)))


def dismiss(session: Session, actor: Actor, process_id: str, *, now: datetime) -> None:
    """A person has seen that it was lost, so that it needs no attention any more."""
    actor.require(Permission.JOBS_MANAGE)
    lost = update(Process).where(Process.id == process_id, Process.lost_at.is_not(None), Process.dismissed_at.is_(None))
    row = session.execute(lost.values(dismissed_at=now).returning(Process.host, Process.pid)).one_or_none()
    if row is None:
        raise Conflict("This process is not lost, or was dismissed already")
    audit.record(session, actor, "jobs.dismiss", ("process", process_id), label=f"{row.host}, {row.pid}", now=now)


def note_in_hand(session: Session, process_id: str, in_hand: Mapping[Queue, int]) -> None:
    """How many things of each kind were freed that a lost process had taken up."""
    counts = {queue.value: count for queue, count in in_hand.items()}
    session.execute(update(Process).where(Process.id == process_id).values(in_hand=counts))


def forget(session: Session, *, before: datetime) -> int:
    """Delete those that ended or were lost before then; returns how many."""
    over = delete(Process).where((Process.ended_at < before) | (Process.lost_at < before))
    return len(session.scalars(over.returning(Process.id)).all())

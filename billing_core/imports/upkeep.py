"""What is done with everybody's files: what failed is tried again, what waits called off, what is over deleted."""

from datetime import datetime, timedelta

from sqlalchemy import and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from billing_core.audit import service as audit
from billing_core.database import Sessions
from billing_core.identity import Actor, Permission
from billing_core.imports import parts
from billing_core.imports.models import FileState, Holds, ImportFile, ImportFilePart, ImportJob, PostedImport
from billing_core.imports.received import BUSY, WAITING

KEPT_SECONDS = 24 * 3600


def retry_failed(session: Session, actor: Actor, *, limit: int, now: datetime) -> int:
    """Go on with jobs that failed through no fault of their files, in their owners' names; returns how many."""
    actor.require(Permission.JOBS_MANAGE)
    actor.require(Permission.IMPORT)
    left = and_(ImportFile.job_id == ImportJob.id, ImportFile.state == FileState.REFUSED)
    failed = select(ImportJob.id).where(ImportJob.reason != "", exists().where(left)).order_by(ImportJob.id)
    ids = list(session.scalars(failed.limit(limit).with_for_update()))
    if not ids:
        return 0
    session.execute(
        update(ImportJob)
        .where(ImportJob.id.in_(ids))
        .values(attempt=ImportJob.attempt + 1, process_id=None, finished_at=None, reason="")
    )
    files = update(ImportFile).where(ImportFile.job_id.in_(ids), ImportFile.state == FileState.REFUSED)
    session.execute(files.values(WAITING))
    audit.record(session, actor, "jobs.retry", ("queue", "imports"), after={"jobs": ids}, now=now)
    return len(ids)


def cancel_waiting(session: Session, actor: Actor, *, limit: int, now: datetime) -> int:
    """Call off jobs that no process has taken up: their files are as before them. Returns how many."""
    actor.require(Permission.JOBS_MANAGE)
    actor.require(Permission.IMPORT)
    waiting = select(ImportJob.id).where(ImportJob.finished_at.is_(None), ImportJob.process_id.is_(None))
    ids = list(session.scalars(waiting.order_by(ImportJob.id).limit(limit).with_for_update()))
    if not ids:
        return 0
    session.execute(update(ImportJob).where(ImportJob.id.in_(ids)).values(cancelled_at=now, finished_at=now))
    files = update(ImportFile).where(ImportFile.job_id.in_(ids), ImportFile.state.in_(BUSY))
    session.execute(files.values(state=FileState.NEW, job_id=None))
    audit.record(session, actor, "jobs.cancel", ("queue", "imports"), after={"jobs": ids}, now=now)
    return len(ids)


def forget(sessions: Sessions, *, now: datetime, limit: int = 100) -> None:
    """Delete files and finished jobs after a day, and at once what discarded and imported files hold, but for the rows
    of these that are to be repaired. Programs see for that day what became of a file that they called off.
    """
    file, before = ImportFile, now - timedelta(seconds=KEPT_SECONDS)
    holds = exists().where(ImportFilePart.file_id == file.id)
    part = aliased(ImportFile)
    needed = exists().where(part.source_id == file.id, part.state.in_(BUSY))
    old = and_(file.received_at < before, file.state.not_in(BUSY), ~needed)
    needless = holds.where(ImportFilePart.holds.in_(parts.IMPORTED))
    seen = and_(exists().where(PostedImport.file_id == file.id), file.received_at >= before)
    thrown_away = and_(file.state == FileState.DISCARDED, or_(~seen, holds))
    ended = or_(old, thrown_away, and_(file.state == FileState.IMPORTED, needless))
    unneeded = and_(ImportJob.finished_at < before, ~exists().where(file.job_id == ImportJob.id))
    with sessions() as session:
        ids = list(session.scalars(select(file.id).where(ended).order_by(file.id).limit(limit)))
        if not ids and not session.scalar(select(exists().where(unneeded))):
            return
    with sessions.begin() as session:
        # First out of everybody's sight, so that nobody begins anything with them meanwhile.
        session.execute(update(file).where(file.id.in_(ids), old).values(state=FileState.DISCARDED, job_id=None))
        over = (FileState.DISCARDED, FileState.IMPORTED)
        ended_files = session.execute(select(file.id, file.state).where(file.id.in_(ids), file.state.in_(over)))
        states = {row.id: row.state for row in ended_files}
    for file_id, state in states.items():
        parts.remove(sessions, file_id, parts.IMPORTED if state is FileState.IMPORTED else tuple(Holds))
    gone = (file.id.in_(states), file.state == FileState.DISCARDED, ~holds, ~seen)
    unneeded_files = delete(file).where(*gone)
    with sessions.begin() as session:
        session.execute(delete(PostedImport).where(PostedImport.file_id.in_(select(file.id).where(*gone))))
        # The parts of a file name the one that keeps it.
        session.execute(unneeded_files.where(file.source_id.is_not(None)))
        session.execute(unneeded_files.where(file.id.not_in(select(file.source_id).where(file.source_id.is_not(None)))))
        session.execute(delete(ImportJob).where(unneeded))

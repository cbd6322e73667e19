"""Reads of past imports, and of those under way."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.imports.models import FileState, ImportFile, ImportJob, ImportRun, JobAim
from billing_core.processes.queries import is_living


@dataclass(frozen=True, slots=True)
class HistoryRow:
    created_at: datetime
    created_by: str
    kind: str
    file_name: str
    new: int
    changed: int
    unchanged: int


def history(session: Session, actor: Actor, *, limit: int = 50, offset: int = 0) -> list[HistoryRow]:
    """One page of imported files, newest first."""
    actor.require(Permission.IMPORT)
    run = ImportRun
    statement = (
        select(
            run.created_at,
            run.created_by,
            run.kind,
            run.file_name,
            run.new_count,
            run.changed_count,
            run.unchanged_count,
        )
        .order_by(run.created_at.desc(), run.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return [HistoryRow(*row) for row in session.execute(statement)]


def history_count(session: Session, actor: Actor) -> int:
    actor.require(Permission.IMPORT)
    return session.scalar(select(func.count()).select_from(ImportRun)) or 0


@dataclass(frozen=True, slots=True)
class FileProgress:
    """A file of a job that is not over: ``done`` of ``total`` of ``step``. ``worked_on``: a living process has taken
    the job up. ``taken_up``: one has, though it may have died since, and the job cannot be called off.
    """

    job_id: int
    file_name: str
    state: FileState
    step: str
    done: int
    total: int
    worked_on: bool
    taken_up: bool


def under_way(session: Session, actor: Actor) -> list[FileProgress]:
    """The actor's files that are being checked or imported, or wait for it."""
    actor.require(Permission.IMPORT)
    file, job = ImportFile, ImportJob
    statement = (
        select(
            job.id,
            file.file_name,
            file.state,
            file.step,
            file.done,
            file.total,
            is_living(job.process_id),
            job.process_id.is_not(None),
        )
        .join(job, job.id == file.job_id)
        .where(
            file.owner_id.is_not_distinct_from(actor.user_id),
            file.state.in_((FileState.WAITING, FileState.RUNNING)),
        )
        .order_by(job.id, file.id)
    )
    return [FileProgress(*row) for row in session.execute(statement)]


@dataclass(frozen=True, slots=True)
class Workload:
    """How many jobs are in which state. ``failed``: through no fault of their files, since they are kept for a day.
    ``done_lately``: in the last hour.
    """

    running: int
    waiting: int
    failed: int
    done_lately: int
    oldest_waiting_at: datetime | None
    last_reason: str


def workload(session: Session, *, now: datetime) -> Workload:
    """What there is to do, what was done, what failed: in one statement, and another one where something failed."""
    job = ImportJob
    unfinished = job.finished_at.is_(None)
    running, failed = is_living(job.process_id), job.reason != ""
    waits = unfinished & ~running
    lately = (job.finished_at >= now - timedelta(hours=1)) & ~failed & job.cancelled_at.is_(None)
    counts = session.execute(
        select(
            func.count().filter(unfinished, running),
            func.count().filter(waits),
            func.count().filter(failed),
            func.count().filter(lately),
            func.min(job.requested_at).filter(waits),
        )
    ).one()
    last = select(job.reason).where(failed).order_by(job.finished_at.desc(), job.id.desc()).limit(1)
    return Workload(*counts, last_reason=(session.scalar(last) or "") if counts[2] else "")


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job that is not over, or failed. ``files`` is how many it has, ``file_name`` the first of them."""

    id: int
    aim: JobAim
    requested_at: datetime
    requested_by: str
    started_at: datetime | None
    finished_at: datetime | None
    reason: str
    worked_on: bool
    files: int
    file_name: str | None


def jobs(session: Session, actor: Actor, *, limit: int = 50) -> list[JobRow]:
    """Everybody's jobs that run, wait or failed, the newest first."""
    actor.require(Permission.JOBS_MANAGE)
    job, file = ImportJob, ImportFile
    theirs = file.job_id == job.id
    files = select(func.count()).where(theirs).correlate(job).scalar_subquery()
    first = select(file.file_name).where(theirs).order_by(file.id).limit(1).correlate(job).scalar_subquery()
    statement = (
        select(
            job.id,
            job.aim,
            job.requested_at,
            job.requested_by,
            job.started_at,
            job.finished_at,
            job.reason,
            is_living(job.process_id),
            files,
            first,
        )
        .where(job.finished_at.is_(None) | (job.reason != ""))
        .order_by(job.id.desc())
        .limit(limit)
    )
    return [JobRow(*row) for row in session.execute(statement)]

"""Reads of past imports, of those under way, and of those that failed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, select
from sqlalchemy.orm import Session

from billing_core.figures import Figure, Scope, day_of, one_each
from billing_core.identity import Actor, Permission
from billing_core.imports import Kind
from billing_core.imports.models import FileState, ImportFile, ImportJob, ImportRun
from billing_core.processes.queries import is_living


@dataclass(frozen=True, slots=True)
class HistoryRow:
    id: int
    created_at: datetime
    created_by: str
    kind: str
    file_name: str
    new: int
    changed: int
    unchanged: int
    gone: int
    taken_back_at: datetime | None
    taken_back_by: str | None
    set_aside: int


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Imports of this ``kind``, at instants from ``since`` to before ``until``; None: any."""

    kind: Kind | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        run = ImportRun
        return [
            *([run.kind == self.kind.value] if self.kind is not None else []),
            *([run.created_at >= self.since] if self.since is not None else []),
            *([run.created_at < self.until] if self.until is not None else []),
        ]


EVERY_IMPORT: Final = HistoryFilter()


def history(
    session: Session, actor: Actor, chosen: HistoryFilter = EVERY_IMPORT, *, limit: int = 50, offset: int = 0
) -> list[HistoryRow]:
    """One page of imported files, newest first."""
    actor.require(Permission.IMPORT)
    run = ImportRun
    statement: Select[*tuple[Any, ...]] = (
        select(
            run.id,
            run.created_at,
            run.created_by,
            run.kind,
            run.file_name,
            run.new_count,
            run.changed_count,
            run.unchanged_count,
            run.gone_count,
            run.taken_back_at,
            run.taken_back_by,
            run.set_aside_count,
        )
        .where(*chosen.conditions())
        .order_by(run.created_at.desc(), run.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return [HistoryRow(*row) for row in session.execute(statement)]


def history_count(session: Session, actor: Actor, chosen: HistoryFilter = EVERY_IMPORT) -> int:
    actor.require(Permission.IMPORT)
    return session.scalar(select(func.count()).select_from(ImportRun).where(*chosen.conditions())) or 0


@dataclass(frozen=True, slots=True)
class FileProgress:
    """A file of a job that is not over: ``done`` of ``total`` of ``step``. ``worked_on``: a living process has taken
    the job up. ``taken_up``: one has, though it may have died since, and the job cannot be called off.
    """

    job_id: int
    file_name: str
    kind: Kind | None
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
            file.kind,
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


def failed_import() -> ColumnElement[bool]:
    """In SQL: the job failed, and still has a file that it left undone. Once its owner tries that file again or throws
    it away, nothing is left to do.
    """
    left = exists().where(ImportFile.job_id == ImportJob.id, ImportFile.state == FileState.REFUSED)
    return and_(ImportJob.finished_at.is_not(None), ImportJob.reason != "", left)


def _failed(_scope: Scope) -> Select[*tuple[Any, ...]]:
    named = ImportJob.requested_by + ": " + ImportJob.reason
    return one_each(ImportJob.id, named, day_of(ImportJob.requested_at)).where(failed_import())


FAILED_IMPORTS: Final = Figure(
    key="failed_imports",
    title="Imports that failed",
    definition="Imports that failed through no fault of their files, which nobody has tried again or thrown away.",
    formula="number of imports",
    permission=Permission.JOBS_MANAGE,
    rows=_failed,
)

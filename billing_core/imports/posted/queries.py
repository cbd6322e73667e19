"""The imports that a program has posted: how far each is, and what was found."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from billing_core.database.ordering import no_such_start
from billing_core.errors import Conflict, NotFound
from billing_core.identity import Actor, Permission
from billing_core.imports import Kind, parts
from billing_core.imports.models import FileState, Holds, ImportFile, ImportFilePart, ImportJob, JobAim, PostedImport
from billing_core.imports.received import BUSY


class PostedState(enum.StrEnum):
    CHECKING = "checking"
    WAITING_FOR_CONFIRMATION = "waiting_for_confirmation"
    NEEDS_ANSWERS = "needs_answers"
    IMPORTING = "importing"
    IMPORTED = "imported"
    FAILED = "failed"
    CALLED_OFF = "called_off"


@dataclass(frozen=True, slots=True)
class Poster:
    """Who posts: ``owner`` names the key or the person, who alone sees what was posted."""

    actor: Actor
    owner: str


@dataclass(frozen=True, slots=True)
class Posted:
    """``size`` in bytes. ``done`` of ``total`` is the progress of ``step``. ``found``: what the latest check, or the
    import, says of the files; None before one is through. ``problem``: why it failed.
    """

    id: int
    file_id: int
    file_name: str
    size: int
    posted_at: datetime
    state: PostedState
    step: str
    done: int
    total: int
    answers: dict[str, list[str]]
    when_certain: bool
    found: dict[str, Any] | None
    confirm_token: str
    changed: bool
    problem: str


def one(session: Session, poster: Poster, posted_id: int) -> Posted:
    """NotFound where this poster has none with this id."""
    poster.actor.require(Permission.IMPORT)
    row = session.execute(_posted(poster).where(PostedImport.id == posted_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such import")
    return _of_row(row)


def newest(session: Session, poster: Poster, *, before: int | None, limit: int) -> list[Posted]:
    """So many of the poster's imports, the newest first: those before this id, which must be one of them."""
    poster.actor.require(Permission.IMPORT)
    statement = _posted(poster).order_by(PostedImport.id.desc()).limit(limit)
    if before is not None:
        mine = select(PostedImport.id).where(PostedImport.id == before, PostedImport.owner == poster.owner)
        if session.scalar(mine) is None:
            raise no_such_start()
        statement = statement.where(PostedImport.id < before)
    return [_of_row(row) for row in session.execute(statement)]


def state_of(file: FileState, aim: JobAim | None, reason: str) -> PostedState:
    """``aim`` and ``reason``: of its latest job."""
    if file in BUSY:
        return PostedState.CHECKING if aim is JobAim.CHECK else PostedState.IMPORTING
    if file is FileState.REFUSED:
        return PostedState.FAILED if reason else PostedState.NEEDS_ANSWERS
    ends = {FileState.READY: PostedState.WAITING_FOR_CONFIRMATION, FileState.IMPORTED: PostedState.IMPORTED}
    # Without a job, its last one was called off by an admin.
    return ends.get(file, PostedState.CALLED_OFF)


def listed(
    session: Session, poster: Poster, posted_id: int, holds: Holds, *, kind: Kind | None, file_name: str | None
) -> Iterator[bytes]:
    """The CSV file of the rejected rows, or of the lines that go, of what was posted. NotFound where there is none;
    Conflict where there are several, and it is not said of which kind and file.
    """
    posted = one(session, poster, posted_id)
    held = exists().where(ImportFilePart.file_id == ImportFile.id, ImportFilePart.holds == holds)
    lists = select(ImportFile.id, ImportFile.kind, ImportFile.file_name).where(
        ImportFile.source_id == posted.file_id, ImportFile.state != FileState.DISCARDED, held
    )
    if kind is not None:
        lists = lists.where(ImportFile.kind == kind)
    if file_name is not None:
        lists = lists.where(ImportFile.file_name == file_name)
    rows = session.execute(lists.order_by(ImportFile.id)).all()
    if posted.state in (PostedState.CHECKING, PostedState.IMPORTING) or not rows:
        raise NotFound("There is no such list of this import")
    if len(rows) > 1:
        named = "; ".join(f"kind={row.kind.value} of file={row.file_name}" for row in rows[:20])
        raise Conflict(f"There is one for each kind. Say which: {named}")
    return parts.chunks(session, rows[0].id, holds)


def _posted(poster: Poster) -> Select[*tuple[Any, ...]]:
    posted, file, job = PostedImport, ImportFile, ImportJob
    columns: Select[*tuple[Any, ...]] = (
        select(
            posted.id,
            posted.file_id,
            file.file_name,
            file.size,
            file.received_at,
            file.state,
            job.aim,
            job.reason,
            file.step,
            file.done,
            file.total,
            posted.answers,
            posted.when_certain,
            posted.found,
            posted.confirm_token,
            posted.changed,
            file.problem,
        )
        .join(file, file.id == posted.file_id)
        .outerjoin(job, job.id == file.job_id)
        .where(posted.owner == poster.owner)
    )
    return columns


def _of_row(row: Any) -> Posted:
    return Posted(
        row.id,
        row.file_id,
        row.file_name,
        row.size,
        row.received_at,
        state_of(row.state, row.aim, row.reason or ""),
        row.step,
        row.done,
        row.total,
        row.answers,
        row.when_certain,
        row.found,
        row.confirm_token,
        row.changed,
        row.problem,
    )

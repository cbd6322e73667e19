"""Checking and importing what programs have posted, in the background.

What is imported and its mark "imported" are one transaction, which also compares it with what the check has shown. So
a process may be killed at any point: nothing is imported twice, by half, or otherwise than it was shown.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.dates import utc_now
from billing_core.errors import BillingError, Conflict
from billing_core.imports import parts
from billing_core.imports.automatic import taking_in
from billing_core.imports.automatic.taking_in import File, Part
from billing_core.imports.claims import Elsewhere, Job, Progress, finish, of_job
from billing_core.imports.models import FileState, Holds, ImportFile, JobAim, PostedImport
from billing_core.imports.posted import answers, shown
from billing_core.imports.received import BUSY


class _Changed(Conflict):
    """What is there is not as it was when this was checked."""


def posted_in(sessions: Sessions, job_id: int) -> PostedImport | None:
    """What this job is about; None where it is about files of a page."""
    posted = select(PostedImport).join(ImportFile, ImportFile.id == PostedImport.file_id)
    with sessions() as session:
        return session.scalar(posted.where(ImportFile.job_id == job_id))


def work_off(job: Job, posted: PostedImport) -> None:
    """Do what is left of a job."""
    with suppress(Elsewhere):
        if _left(job, posted):
            _check_or_import(job, posted)
    with job.sessions.begin() as session:
        finish(session, job)


def _check_or_import(job: Job, posted: PostedImport) -> None:
    try:
        if job.aim is JobAim.CHECK:
            _check(job, posted, changed=False)
        elif not _imported_as_shown(job, posted):
            _check(job, posted, changed=True)
    except FileNotFoundError:
        if _left(job, posted):
            raise
        raise Elsewhere from None


def _left(job: Job, posted: PostedImport) -> bool:
    job.still()
    left = select(ImportFile.id).where(
        ImportFile.id == posted.file_id, ImportFile.job_id == job.id, ImportFile.state.in_(BUSY)
    )
    with job.sessions() as session:
        return session.scalar(left) is not None


def _check(job: Job, posted: PostedImport, *, changed: bool) -> None:
    """``changed``: it was confirmed, and is no longer what was shown. Whoever confirmed that looks again."""
    with _opened(job, posted) as files:
        taking_in.rehearse(job.sessions, job.actor, files, now=utc_now())
        doubts = [doubt for file in files for doubt in file.doubts]
        ready = all(file.usable for file in files) and not any(doubt.must for doubt in doubts)
        token = shown.token(posted.id, files) if ready else ""
        _store_lists(job.sessions, posted, files)
        if ready and not doubts and posted.when_certain and not changed:
            if _taken_in(job, posted, files, token):
                return
            changed = True
        else:
            _show(job, posted, files, token, changed=changed)
            return
    # With what is remembered of its columns by now.
    _check(job, posted, changed=changed)


def _imported_as_shown(job: Job, posted: PostedImport) -> bool:
    with _opened(job, posted) as files:
        return all(file.usable for file in files) and _taken_in(job, posted, files, posted.confirm_token)


def _taken_in(job: Job, posted: PostedImport, files: Sequence[File], token: str) -> bool:
    """Import all, if that does what the check has shown, whose ``token`` this is; whether it did."""
    now = utc_now()

    def mark(session: Session) -> None:
        if shown.token(posted.id, files) != token:
            raise _Changed("What is there has changed since the check")
        done = of_job(job).where(ImportFile.id == posted.file_id).values(state=FileState.IMPORTED, problem="")
        if session.scalar(done.returning(ImportFile.id)) is None:
            raise Elsewhere
        told = {"files": taking_in.told(job.sessions, files, now=now)}
        over = update(PostedImport).where(PostedImport.id == posted.id)
        session.execute(over.values(found=told, confirm_token="", changed=False))

    try:
        taking_in.take_in_together(job.sessions, job.actor, files, now=now, also=mark)
    except BillingError:
        # The check that follows says what it is.
        return False
    parts.remove(job.sessions, posted.file_id, parts.IMPORTED)
    return True


def _show(job: Job, posted: PostedImport, files: Sequence[File], token: str, *, changed: bool) -> None:
    told = {"files": taking_in.told(job.sessions, files, now=utc_now())}
    state = FileState.READY if token else FileState.REFUSED
    with job.sessions.begin() as session:
        done = of_job(job).where(ImportFile.id == posted.file_id).values(state=state, problem="")
        if session.scalar(done.returning(ImportFile.id)) is None:
            raise Elsewhere
        found = update(PostedImport).where(PostedImport.id == posted.id)
        session.execute(found.values(found=told, confirm_token=token, changed=changed))


@contextmanager
def _opened(job: Job, posted: PostedImport) -> Iterator[list[File]]:
    with job.sessions() as session:
        file = session.get_one(ImportFile, posted.file_id)
    given = answers.read(posted.answers)
    with (
        parts.opened(job.sessions, file.id, file.size) as stream,
        taking_in.opened(job.sessions, job.actor, [(file.file_name, stream)], given) as found,
    ):
        files = taking_in.only(found, answers.member(posted.answers))
        progress = Progress(job, file.id)
        for each in files:
            each.progress = progress
        yield files


def _store_lists(sessions: Sessions, posted: PostedImport, files: Sequence[File]) -> None:
    """The CSV files of the rejected rows and of the lines that go, in place of those of a check before."""
    with sessions() as session:
        before = session.scalars(select(ImportFile.id).where(ImportFile.source_id == posted.file_id)).all()
    for file_id in before:
        parts.remove(sessions, file_id)
    for file in files:
        for part in file.parts:
            if part.outcome is not None and (part.outcome.rejected or part.outcome.gone):
                _store_lists_of(sessions, posted, file, part)


def _store_lists_of(sessions: Sessions, posted: PostedImport, file: File, part: Part) -> None:
    kept = ImportFile(
        token=secrets.token_hex(12),
        source_id=posted.file_id,
        owner_id=None,
        file_name=file.found.file_name[:255],
        kind=part.found.kind,
        received_at=utc_now(),
        mapping={},
    )
    with sessions.begin() as session:
        session.add(kept)
    for holds, rows in ((Holds.REJECTED, part.rejected), (Holds.GONE, part.removed)):
        rows.seek(0)
        parts.store(sessions, kept.id, holds, rows)

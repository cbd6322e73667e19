"""What programs do with a file that they post: have it checked, answer what is unsure, confirm it, call it off."""

import hmac
import io
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.errors import Conflict, NotFound
from billing_core.identity import Permission
from billing_core.imports import parts
from billing_core.imports.models import FileState, Holds, ImportFile, ImportJob, JobAim, PostedImport
from billing_core.imports.posted import answers
from billing_core.imports.posted.answers import Given
from billing_core.imports.posted.queries import Poster
from billing_core.imports.reading import shown
from billing_core.imports.received import BUSY, WAITING

_OVER: Final = (FileState.NEW, FileState.DISCARDED)


def post(
    sessions: Sessions,
    poster: Poster,
    file_name: str,
    content: Iterable[bytes],
    given: Given,
    *,
    when_certain: bool,
    now: datetime,
    also: Callable[[Session], None],
) -> tuple[int, int]:
    """Store a file and have it checked: the ids of the import and of the job, to be begun. With ``when_certain`` it is
    imported then, unless anything is unsure of it. What ``also`` writes is committed with it.
    """
    poster.actor.require(Permission.IMPORT)
    answers.read(given)
    # Nobody's, so that no page shows it.
    file = ImportFile(
        token=secrets.token_hex(12), owner_id=None, file_name=shown(file_name), received_at=now, mapping={}
    )
    with sessions.begin() as session:
        session.add(file)
    size = parts.store(sessions, file.id, Holds.RECEIVED, io.BufferedReader(_Chunks(content)))
    with sessions.begin() as session:
        session.execute(update(ImportFile).where(ImportFile.id == file.id).values(size=size))
        posted = PostedImport(file_id=file.id, owner=poster.owner, answers=_plain(given), when_certain=when_certain)
        session.add(posted)
        session.flush()
        job_id = _request(session, poster, posted, JobAim.CHECK, now)
        also(session)
    return posted.id, job_id


def answer(session: Session, poster: Poster, posted_id: int, given: Given, *, now: datetime) -> int:
    """Have it checked again with these answers, in place of all that were given before; it waits then for who confirms
    it. The job's id.
    """
    posted, file = _locked(session, poster, posted_id)
    answers.read(given)
    _must_be_idle(file)
    posted.answers, posted.found, posted.confirm_token, posted.changed = _plain(given), None, "", False
    # Somebody decides now, and sees what comes of it first.
    posted.when_certain = False
    return _request(session, poster, posted, JobAim.CHECK, now)


def confirm(session: Session, poster: Poster, posted_id: int, token: str, *, now: datetime) -> int:
    """Have imported what the check has shown, whose token this is. The job's id."""
    posted, file = _locked(session, poster, posted_id)
    _must_be_idle(file)
    if file.state is not FileState.READY:
        raise Conflict("There is nothing to confirm: it needs answers first")
    if not hmac.compare_digest(posted.confirm_token.encode(), token.encode()):
        raise Conflict("This is not the token of what the latest check has shown. See what it shows now")
    return _request(session, poster, posted, JobAim.IMPORT, now)


def call_off(session: Session, poster: Poster, posted_id: int) -> None:
    """It is not imported. One that a process works on, or that is imported, is a Conflict."""
    poster.actor.require(Permission.IMPORT)
    # Jobs before files, as whoever calls one off as an admin locks them.
    job = select(ImportJob).join(ImportFile, ImportFile.job_id == ImportJob.id)
    job = job.join(PostedImport, PostedImport.file_id == ImportFile.id)
    job = job.where(PostedImport.id == posted_id, PostedImport.owner == poster.owner)
    at_work = session.scalar(job.with_for_update(of=ImportJob))
    posted, file = _locked(session, poster, posted_id)
    if file.state is FileState.IMPORTED:
        raise Conflict("It is imported already. It can be taken back among the imports")
    if file.state in BUSY and (at_work is None or at_work.process_id is not None):
        raise Conflict("It is being worked on. It can be called off when that is over")
    of_it = or_(ImportFile.id == file.id, ImportFile.source_id == file.id)
    session.execute(update(ImportFile).where(of_it).values(state=FileState.DISCARDED, job_id=None))
    posted.found, posted.confirm_token = None, ""


def _locked(session: Session, poster: Poster, posted_id: int) -> tuple[PostedImport, ImportFile]:
    """This poster's import, which nobody else changes meanwhile."""
    poster.actor.require(Permission.IMPORT)
    mine = select(ImportFile).join(PostedImport, PostedImport.file_id == ImportFile.id)
    mine = mine.where(PostedImport.id == posted_id, PostedImport.owner == poster.owner)
    file = session.scalar(mine.with_for_update(of=ImportFile).execution_options(populate_existing=True))
    if file is None:
        raise NotFound("There is no such import")
    return session.get_one(PostedImport, posted_id, populate_existing=True), file


def _must_be_idle(file: ImportFile) -> None:
    if file.state in BUSY:
        raise Conflict("It is being worked on")
    if file.state is FileState.IMPORTED:
        raise Conflict("It is imported already")
    if file.state in _OVER:
        raise Conflict("It was called off. Post the file again")


def _request(session: Session, poster: Poster, posted: PostedImport, aim: JobAim, now: datetime) -> int:
    actor = poster.actor
    job = ImportJob(aim=aim, requested_at=now, requested_by_id=actor.user_id, requested_by=actor.name)
    session.add(job)
    session.flush()
    session.execute(update(ImportFile).where(ImportFile.id == posted.file_id).values(job_id=job.id, **WAITING))
    return job.id


def _plain(given: Given) -> dict[str, list[str]]:
    return {name: list(values) for name, values in given.items()}


class _Chunks(io.RawIOBase):
    """What comes in pieces of any length, as a stream."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        super().__init__()
        self._chunks, self._left = iter(chunks), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._left:
            piece = next(self._chunks, None)
            if piece is None:
                return 0
            self._left = piece
        taken = self._left[: len(buffer)]
        buffer[: len(taken)] = taken
        self._left = self._left[len(taken) :]
        return len(taken)

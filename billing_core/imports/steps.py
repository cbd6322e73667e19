"""Working through an import job. The tables are the truth about what is done.

A file's rows and its mark "imported" are one transaction, and so are a check's findings about all its files. So a
process may be killed at any point, and two may work on one job: no file is imported twice, by half, or left out.
"""

import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, cast

import structlog
from sqlalchemy import exists, select, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.database.functions import database_clock
from billing_core.dates import utc_now
from billing_core.errors import BillingError, Conflict, Invalid
from billing_core.identity import Actor, Permission
from billing_core.imports import Kind, parts, received, rejections, service
from billing_core.imports.claims import Elsewhere, Job, Progress, finish, of_job
from billing_core.imports.incoming import Incoming
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.mapping import Origin
from billing_core.imports.models import FileState, Holds, ImportFile, ImportFilePart, ImportJob, JobAim
from billing_core.imports.outcome import Outcome
from billing_core.imports.posted import working
from billing_core.imports.received import BUSY, Received

log = structlog.get_logger()

# How often a job is put into the queue, where processes die of it or the database fails again and again.
MOST_ATTEMPTS: Final = 20
_OUR_FAULT: Final = "Something went wrong that is not the file's fault. Nothing of it was imported. Reference {}"


def work_off(
    sessions: Sessions, job_id: int, *, process_id: str | None = None, still: Callable[[], None] = lambda: None
) -> None:
    """Do what is left of a job. Does nothing where it is over.

    Whatever happens, no file stays busy for good, as its owner could do nothing with it. Where the database failed,
    another attempt finds out whether it is back.
    """
    with sessions.begin() as session:
        row = session.execute(_take_up(job_id, process_id)).one_or_none()
    if row is None:
        return
    actor = Actor(row.requested_by_id, row.requested_by, frozenset({Permission.IMPORT}))
    job = Job(job_id, row.aim, row.attempt, actor, sessions, still)
    try:
        if (posted := working.posted_in(sessions, job_id)) is not None:
            working.work_off(job, posted)
        elif job.aim is JobAim.CHECK:
            _check(job)
        else:
            _import(job)
    except Exception as failure:  # the edge of the background: nothing above would report to the files' owner
        if _database_failed(job, failure) and job.attempt < MOST_ATTEMPTS:
            raise
        _fail(job, failure)


def _take_up(job_id: int, process_id: str | None) -> Any:
    job = update(ImportJob).where(ImportJob.id == job_id, ImportJob.finished_at.is_(None))
    taken = job.values(process_id=process_id, started_at=database_clock())
    return taken.returning(ImportJob.aim, ImportJob.attempt, ImportJob.requested_by_id, ImportJob.requested_by)


def unfinished(session: Session) -> list[tuple[int, int]]:
    """The jobs that are to be worked off, each with its attempt, in the order in which they were requested."""
    rows = session.execute(
        select(ImportJob.id, ImportJob.attempt).where(ImportJob.finished_at.is_(None)).order_by(ImportJob.id)
    )
    return [(row.id, row.attempt) for row in rows]


def attempt_of(session: Session, job_id: int) -> int | None:
    """How often an unfinished job was put into the queue."""
    return session.scalar(select(ImportJob.attempt).where(ImportJob.id == job_id, ImportJob.finished_at.is_(None)))


def begin_again(sessions: Sessions, job_id: int, attempt: int) -> int | None:
    """After an attempt that ended without finishing the job: the number of the next one; None where there is none."""
    with sessions.begin() as session:
        mine = (ImportJob.id == job_id, ImportJob.attempt == attempt, ImportJob.finished_at.is_(None))
        if attempt < MOST_ATTEMPTS:
            again = update(ImportJob).where(*mine).values(attempt=attempt + 1)
            return session.scalar(again.returning(ImportJob.attempt))
        if session.scalar(select(ImportJob.id).where(*mine).with_for_update()) is not None:
            reference = secrets.token_hex(4)
            log.error("import_given_up", job_id=job_id, reference=reference)
            _give_up(session, job_id, reference)
    return None


def _check(job: Job) -> None:
    files = _left(job)
    with _works(job, files) as works:
        answers = service.rehearse(job.sessions, job.actor, [work.incoming for work in works], now=utc_now())
        for work, answer in zip(works, answers, strict=True):
            work.store_lists(answer)
        refused: dict[Kind | None, str] = {}
        with job.sessions.begin() as session:
            for file, answer in zip(files, answers, strict=True):
                found = _after_check(file, answer, refused)
                if found["state"] is FileState.REFUSED:
                    refused[file.kind] = file.file_name
                session.execute(of_job(job).where(ImportFile.id == file.id).values(found))
            finish(session, job)


def _after_check(
    file: Received, answer: Outcome | BillingError, refused: AnyMapping[Kind | None, str]
) -> dict[str, Any]:
    """``refused``: the names of the job's files that were refused before this one, by their kind."""
    if isinstance(answer, BillingError):
        return {"state": FileState.REFUSED, "problem": received.printable(str(answer))}
    problem = answer.question or rejections.waits_for(answer.groups, refused)
    held_up = rejections.waits_for_everyone(file.mapping, refused)
    state = FileState.REFUSED if answer.refused or held_up else FileState.READY
    return {"state": state, "outcome": received.outcome_json(answer), "problem": problem or held_up}


def _import(job: Job) -> None:
    """One file after the other. One that is refused holds up those alone that need what it would have brought."""
    while files := _left(job):
        with suppress(Elsewhere):
            _take_in(job, [file for file in files if file.kept_as == files[0].kept_as])
    with job.sessions.begin() as session:
        finish(session, job)


def _take_in(job: Job, file: list[Received]) -> None:
    """Import all parts of a file, or write down why not."""
    ids, refused_before = [part.id for part in file], _refused(job)

    def mark(session: Session, outcomes: list[Outcome]) -> None:
        for part, outcome in zip(file, outcomes, strict=True):
            done = of_job(job).where(ImportFile.id == part.id)
            values = {"state": FileState.IMPORTED, "outcome": received.outcome_json(outcome)}
            if session.scalar(done.values(values).returning(ImportFile.id)) is None:
                raise Elsewhere
        for work in works:
            parts.add(session, work.file.id, Holds.LEFT_OUT, work.left_out)
        others = (received.kept_as() == file[0].kept_as, ImportFile.left_out)
        session.execute(update(ImportFile).where(*others).values(state=FileState.DISCARDED, job_id=None))

    with _works(job, file) as works:
        answers: list[Outcome | BillingError]
        try:
            for part in file:
                if held_up := rejections.waits_for_everyone(part.mapping, refused_before):
                    raise Conflict(held_up)
            outcomes = service.apply_together(
                job.sessions, job.actor, [work.incoming for work in works], now=utc_now(), also=mark
            )
            answers = [*outcomes]
        except BillingError as refusal:
            answers = [refusal]
        except FileNotFoundError:
            if file[0].id in {left.id for left in _left(job)}:
                raise
            raise Elsewhere from None
        refused, answer = works[len(answers) - 1], answers[-1]
        if isinstance(answer, Outcome) and answer.applied:
            for work, outcome in zip(works, outcomes, strict=True):
                work.store_set_aside(outcome)
            for file_id in {*ids, file[0].kept_as}:
                parts.remove(job.sessions, file_id, parts.IMPORTED)
            return
        refused.store_lists(answer)
    with job.sessions.begin() as session:
        found = _after_check(refused.file, answer, refused_before)
        session.execute(of_job(job).where(ImportFile.id == refused.file.id).values(found))
        because = f"Not imported, because another part of {file[0].file_name} was refused."
        session.execute(of_job(job).where(ImportFile.id.in_(ids)).values(state=FileState.NEW, problem=because))


def _refused(job: Job) -> dict[Kind | None, str]:
    """The names of the job's files that were refused, by their kind."""
    of_job = (ImportFile.job_id == job.id, ImportFile.state == FileState.REFUSED)
    with job.sessions() as session:
        rows = session.execute(select(ImportFile.kind, ImportFile.file_name).where(*of_job).order_by(ImportFile.id))
        return {row.kind: row.file_name for row in rows}


def _left(job: Job) -> list[Received]:
    """The files that are still to be worked on, in the order in which they depend on each other."""
    job.still()
    left = received.files().where(ImportFile.job_id == job.id, ImportFile.state.in_(BUSY))
    with job.sessions() as session:
        return [received.of_row(row) for row in session.execute(left)]


def _database_failed(job: Job, failure: Exception) -> bool:
    """A file's rows go to the driver itself, so that its own errors come too."""
    driver: Any = job.sessions.engine.dialect.loaded_dbapi
    return isinstance(failure, (OperationalError, InterfaceError, driver.OperationalError, driver.InterfaceError))


def _fail(job: Job, failure: Exception) -> None:
    reference = secrets.token_hex(4)
    log.error("import_failed", job_id=job.id, reference=reference, exc_info=failure)
    with job.sessions.begin() as session:
        _give_up(session, job.id, reference)


def _give_up(session: Session, job_id: int, reference: str) -> None:
    busy = update(ImportFile).where(ImportFile.job_id == job_id, ImportFile.state.in_(BUSY))
    session.execute(busy.values(state=FileState.REFUSED, problem=_OUR_FAULT.format(reference)))
    over = update(ImportJob).where(ImportJob.id == job_id, ImportJob.finished_at.is_(None))
    reason = f"Something went wrong on our side. Reference {reference}"
    session.execute(over.values(finished_at=database_clock(), reason=reason))


@dataclass(frozen=True, slots=True)
class _Work:
    """A file of the job while it is worked on: what the import reads, and where it puts its rejected rows.

    They are stored after the import's transaction, which on SQLite would not let them in.
    """

    job: Job
    file: Received
    incoming: Incoming
    rejected: BinaryIO
    gone: BinaryIO
    left_out: BinaryIO

    def store_lists(self, answer: Outcome | BillingError) -> None:
        """Write down the CSV files of the rejected rows and of the lines that go; without any, delete those of a former
        attempt.
        """
        found = None if isinstance(answer, BillingError) else answer
        self._store(Holds.REJECTED, self.rejected, found.rejected if found else 0)
        self._store(Holds.GONE, self.gone, found.gone if found else 0)

    def store_set_aside(self, imported: Outcome) -> None:
        """Write down the rows that were not imported with the others."""
        self._store(Holds.REJECTED, self.rejected, imported.set_aside)

    def _store(self, holds: Holds, listed: BinaryIO, rows: int) -> None:
        listed.seek(0)
        if not rows:
            listed.truncate()
        parts.store(self.job.sessions, self.file.id, holds, listed)


@contextmanager
def _works(job: Job, files: Sequence[Received]) -> Iterator[list[_Work]]:
    """Parts of one file share its stream, so that it is read once for all of them."""
    with ExitStack() as opened:
        streams: dict[int, BinaryIO] = {}
        for file in files:
            if file.kept_as not in streams:
                streams[file.kept_as] = opened.enter_context(parts.opened(job.sessions, file.kept_as, file.size))
        yield [opened.enter_context(_work(job, file, streams[file.kept_as])) for file in files]


@contextmanager
def _work(job: Job, file: Received, stream: BinaryIO) -> Iterator[_Work]:
    if file.kind is None:
        raise Invalid(f"Say what {file.file_name} contains.")
    # The page's mapping is complete: what it leaves out is left out.
    left_out: dict[str, Origin | None] = {
        item.name: None for item in DEFINITIONS[file.kind].fields if item.name not in file.mapping
    }
    changes, progress = {**left_out, **file.mapping}, Progress(job, file.id)
    with job.sessions() as session:
        kinds = received.kinds_beside(session, file)
    with (
        tempfile.SpooledTemporaryFile(max_size=parts.PART_BYTES) as spool,
        tempfile.SpooledTemporaryFile(max_size=parts.PART_BYTES) as other_spool,
        tempfile.SpooledTemporaryFile(max_size=parts.PART_BYTES) as third_spool,
    ):
        rejected, gone, without = (cast("BinaryIO", one) for one in (spool, other_spool, third_spool))
        lines = file.lines if file.kind is Kind.ORDER_ITEMS else None
        incoming = Incoming(
            file.kind,
            stream,
            file.file_name,
            changes,
            progress,
            rejected,
            gone,
            without,
            _left_out_before(job) if file.kind is Kind.ORDER_ITEMS else (),
            lines,
            file.repeats,
            may_set_aside=file.may_set_aside,
            layout=file.layout,
            kinds=kinds,
        )
        yield _Work(job, file, incoming, rejected, gone, without)


def _left_out_before(job: Job) -> list[Iterator[bytes]]:
    """The numbers of the orders that were left out of the owner's files that are imported, and still on the page."""
    mine = (ImportFile.owner_id.is_not_distinct_from(job.actor.user_id), ImportFile.state == FileState.IMPORTED)
    held = exists().where(ImportFilePart.file_id == ImportFile.id, ImportFilePart.holds == Holds.LEFT_OUT)
    with job.sessions() as session:
        ids = session.scalars(select(ImportFile.id).where(*mine, held).order_by(ImportFile.id)).all()
    return [parts.read(job.sessions, file_id, Holds.LEFT_OUT) for file_id in ids]

"""Which process works on which import job: what it changes of it, and how far it tells its owner that it is."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Update, func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from billing_core.database import Sessions, turns
from billing_core.database.functions import database_clock
from billing_core.identity import Actor
from billing_core.imports.models import FileState, ImportFile, ImportJob, JobAim
from billing_core.imports.received import BUSY

# How often a file's progress is written at most.
PROGRESS_SECONDS: Final = 1.0


class Elsewhere(Exception):
    """Another process has meanwhile done this, or its owner has called it off."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job that this process has taken up. ``still`` is called between steps, and raises where it should not go on."""

    id: int
    aim: JobAim
    attempt: int
    actor: Actor
    sessions: Sessions
    still: Callable[[], None]


def of_job(job: Job) -> Update:
    """Changes files of the job that nobody has finished with or taken out of it."""
    return update(ImportFile).where(ImportFile.job_id == job.id, ImportFile.state.in_(BUSY))


def finish(session: Session, job: Job) -> None:
    over = update(ImportJob).where(ImportJob.id == job.id, ImportJob.finished_at.is_(None))
    session.execute(over.values(finished_at=database_clock()))


@dataclass(slots=True)
class Progress:
    """Tells the owner how far the file is, once a second at most. It is never waited for: what is in its way while an
    import commits leaves it out.
    """

    job: Job
    file_id: int
    told: float = field(default=float("-inf"))
    step: str = ""

    def __call__(self, step: str, done: int, total: int) -> None:
        self.job.still()
        if step == self.step and time.monotonic() - self.told < PROGRESS_SECONDS:
            return
        self.step, self.told = step, time.monotonic()
        progress = of_job(self.job).where(ImportFile.id == self.file_id)
        values = {"state": FileState.RUNNING, "step": step, "done": done, "total": total}
        with suppress(OperationalError), turns.unless_busy(self.job.sessions.engine) as connection:
            connection.execute(progress.values(values))


def free(session: Session, process_ids: Sequence[str]) -> dict[str, int]:
    """Jobs that these processes have not completed wait for another one; returns how many each had in hand.

    What is locked is passed over: where a machine vanished, its transaction may still be open, and nobody may wait for
    that. Whoever takes up the job next claims it anyway.
    """
    theirs = (ImportJob.process_id.in_(process_ids), ImportJob.finished_at.is_(None))
    counted = select(ImportJob.process_id, func.count()).where(*theirs).group_by(ImportJob.process_id)
    in_hand = {str(row[0]): row[1] for row in session.execute(counted)}
    at_work = (ImportFile.job_id.in_(select(ImportJob.id).where(*theirs)), ImportFile.state == FileState.RUNNING)
    for kind, which, values in (
        (ImportFile, at_work, {"state": FileState.WAITING, "step": "", "done": 0}),
        (ImportJob, theirs, {"process_id": None}),
    ):
        unlocked = select(kind.id).where(*which).with_for_update(skip_locked=True).correlate(None)
        freed = update(kind).where(kind.id.in_(unlocked)).values(values)
        session.execute(freed.execution_options(synchronize_session=False))
    return in_hand

"""A job that a process has taken up: what it changes, and how far it tells its owner that it is."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Update, update
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

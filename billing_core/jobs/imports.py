"""Imports in the background: each job is a workflow, and the installation runs one at a time."""

from collections.abc import Callable
from typing import Final

from dbos import DBOS

from billing_core import runtime
from billing_core.database import sqlite
from billing_core.dates import utc_now
from billing_core.imports import steps, upkeep
from billing_core.jobs import nudges, queues
from billing_core.jobs.periodic import Periodic
from billing_core.processes import current, pausing
from billing_core.processes.models import Queue

# How often a process looks for jobs that nobody has put into the queue, unless it is told.
LOOK_SECONDS: Final = 30
_ENDED: Final = {"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"}


def begin(job_id: int) -> None:
    """Put a job into the queue, after its request is committed. Calling it twice has no further effect.

    Nothing is lost where it is not called, or no jobs run in this process: ``keep_going`` finds the job.
    """
    with runtime.sessions()() as session:
        attempt = steps.attempt_of(session, job_id)
    if attempt is not None:
        _enqueue(job_id, attempt)


def keep_going(_ending: Callable[[], bool]) -> None:
    """Begin every unfinished job without a workflow under way, and delete what nobody needs any more.

    A job has no workflow where a process died between the commit and the queue, DBOS's rows were lost, or an attempt
    ended without finishing it.
    """
    sessions = runtime.sessions()
    upkeep.forget(sessions, now=utc_now())
    with sessions() as session:
        waiting = steps.unfinished(session)
    for job_id, attempt in waiting:
        status = DBOS.get_workflow_status(_name(job_id, attempt))
        if status is None:
            _enqueue(job_id, attempt)
        elif status.status in _ENDED and (next_attempt := steps.begin_again(sessions, job_id, attempt)):
            _enqueue(job_id, next_attempt)


@DBOS.workflow(name="import_job", max_recovery_attempts=5)
def work_off(job_id: int) -> None:
    """Returns without having done anything while imports are paused, which this process may not have heard yet: then
    another attempt does it.
    """
    with runtime.sessions()() as session:
        if Queue.IMPORTS in pausing.paused(session):
            return
    steps.work_off(runtime.sessions(), job_id, process_id=current.process_id(), still=queues.hand_over_if_ending)
    # A table may be many times as large as it was.
    sqlite.refresh_statistics(runtime.sessions().engine)
    # Usage that came with it may have reached what people watch for.
    nudges.tell(Queue.USAGE_ALERTS)


def _enqueue(job_id: int, attempt: int) -> None:
    queues.enqueue(queues.IMPORTS, work_off, job_id, workflow_id=_name(job_id, attempt))


def _name(job_id: int, attempt: int) -> str:
    return f"import-job-{job_id}.{attempt}"


job: Final = Periodic("imports", keep_going, every_seconds=LOOK_SECONDS, queue=Queue.IMPORTS)

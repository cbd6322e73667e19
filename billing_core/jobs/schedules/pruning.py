"""What DBOS, the tables of processes and sign-ins, and dropped files keep of what is done: for a while only."""

from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from dbos import DBOS

from billing_core import runtime
from billing_core.database import sqlite
from billing_core.dates import utc_now
from billing_core.identity import attempts
from billing_core.imports import upkeep
from billing_core.jobs import pauses
from billing_core.jobs.schedules import outcomes
from billing_core.processes import service
from billing_core.processes.models import Queue
from billing_core.settings import settings

log = structlog.get_logger()

ENDED: Final = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
# Small enough to go unnoticed on SQLite, with its one writer at a time.
_BATCH: Final = 500


@DBOS.workflow(name="prune_old")
def prune_old(_due_at: datetime, _context: Any) -> None:
    if not pauses.is_paused(Queue.PRUNING):
        with outcomes.recorded(Queue.PRUNING):
            _prune_step()


def prune(now: datetime | None = None) -> int:
    """Delete workflows that ended, and processes that ended or were lost, more than the days of the setting ago;
    returns how many workflows. Dropped files go after their own time, also while imports are paused.
    """
    now = now or utc_now()
    upkeep.forget(runtime.sessions(), now=now)
    before = now - timedelta(days=settings().keep_jobs_days)
    pruned = 0
    while ids := _ended_before(before):
        DBOS.delete_workflows(ids)
        pruned += len(ids)
    with runtime.sessions().begin() as session:
        forgotten = service.forget(session, before=before)
        attempts.forget(session, now=now)
    # After the day's deletions, and while hardly anybody waits.
    sqlite.refresh_statistics(runtime.sessions().engine)
    if pruned or forgotten:
        log.info("jobs_pruned", workflows=pruned, processes=forgotten)
    return pruned


def _ended_before(before: datetime) -> list[str]:
    ended = DBOS.list_workflows(
        status=ENDED, completed_before=before.isoformat(), limit=_BATCH, load_input=False, load_output=False
    )
    return [workflow.workflow_id for workflow in ended]


@DBOS.step(name="prune")
def _prune_step() -> int:
    return prune()

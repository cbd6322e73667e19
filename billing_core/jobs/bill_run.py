"""The bill run as a durable workflow: one customer is one step and one transaction."""

import structlog
from dbos import DBOS, SetWorkflowID

from billing_core import runtime
from billing_core.bill_runs import steps
from billing_core.jobs import bill_run_work
from billing_core.jobs.queues import ready

log = structlog.get_logger()

_ENDED = {"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"}


def begin(run_id: int) -> None:
    """Start a planned run in the background, after the plan is committed. Calling it twice has no further effect.

    Nothing is lost where it is not called, or no jobs run in this process: ``begin_unfinished`` finds the run.
    """
    if not ready.is_set():
        log.warning("bill_run_waits", run_id=run_id, because="no jobs run in this process")
        return
    with runtime.sessions()() as session:
        attempt = steps.attempt_of(session, run_id)
    status = DBOS.get_workflow_status(_name(run_id, attempt))
    if status is not None and status.status in _ENDED:
        with runtime.sessions().begin() as session:
            attempt = steps.begin_again(session, run_id)
        status = None
    if status is None:
        with SetWorkflowID(_name(run_id, attempt)):
            DBOS.start_workflow(work_off, run_id)


def begin_unfinished() -> None:
    """Start every run that should be in progress, except those that DBOS has resumed."""
    with runtime.sessions()() as session:
        waiting = steps.unfinished(session)
    for run_id in waiting:
        begin(run_id)


@DBOS.workflow()
def work_off(run_id: int) -> None:
    """Returns early where the process is about to end; the next one starts the rest as another attempt."""
    while ready.is_set():
        if not _bill_next_step(run_id):
            _finish_step(run_id)
            return


_bill_next_step = DBOS.step(name="bill_next")(bill_run_work.bill_next)
_finish_step = DBOS.step(name="finish")(bill_run_work.finish)


def _name(run_id: int, attempt: int) -> str:
    return f"report-run-{run_id}-{attempt}"

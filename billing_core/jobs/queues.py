"""The queues of DBOS that every process takes work from."""

import threading
from collections.abc import Callable
from typing import Any, Final

import structlog
from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

from billing_core.jobs import nudges
from billing_core.processes.models import Queue

log = structlog.get_logger()

BILL_RUNS: Final = "bill-runs"
IMPORTS: Final = "imports"
RENEWALS: Final = "renewals"
CHARGES: Final = "charges"
SCHEDULES: Final = "schedules"

# Which of these has the work of each kind.
HEARD: Final = {
    Queue.BILL_RUNS: BILL_RUNS,
    Queue.IMPORTS: IMPORTS,
    Queue.RENEWALS: RENEWALS,
    Queue.CHARGES: CHARGES,
    Queue.REMINDERS: SCHEDULES,
    Queue.LINK_EXPIRY: SCHEDULES,
    Queue.PRUNING: SCHEDULES,
    Queue.USAGE_ARCHIVES: SCHEDULES,
    Queue.BOUNCES: SCHEDULES,
}
# Kinds of work with a queue of DBOS's to themselves: where they are paused, nothing is taken from it.
PAUSED_WHOLE: Final = (Queue.BILL_RUNS, Queue.IMPORTS, Queue.RENEWALS, Queue.CHARGES)
_TOLD: Final = {
    BILL_RUNS: Queue.BILL_RUNS,
    IMPORTS: Queue.IMPORTS,
    RENEWALS: Queue.RENEWALS,
    CHARGES: Queue.CHARGES,
    SCHEDULES: Queue.REMINDERS,
}
# Seconds between two looks, of which few reach the database: see ``pacing``.
_TURN_SECONDS: Final = 0.2

# Set while DBOS runs in this process and may take up work.
ready = threading.Event()


class HandedOver(BaseException):
    """The process ends: another one goes on with this workflow. Not an Exception, which DBOS would record as its
    outcome.
    """


def register() -> None:
    """Declare the queues, after the launch."""
    DBOS.register_queue(
        BILL_RUNS, worker_concurrency=2, polling_interval_sec=_TURN_SECONDS, on_conflict="always_update"
    )
    DBOS.register_queue(IMPORTS, global_concurrency=1, polling_interval_sec=_TURN_SECONDS, on_conflict="always_update")
    DBOS.register_queue(RENEWALS, worker_concurrency=2, polling_interval_sec=_TURN_SECONDS, on_conflict="always_update")
    # They wait for the gateway, and not for a processor.
    DBOS.register_queue(CHARGES, worker_concurrency=4, polling_interval_sec=_TURN_SECONDS, on_conflict="always_update")
    DBOS.register_queue(
        SCHEDULES, worker_concurrency=2, polling_interval_sec=_TURN_SECONDS, on_conflict="always_update"
    )


def enqueue(
    name: str, workflow: Callable[..., Any], *arguments: Any, workflow_id: str, place: int | None = None
) -> bool:
    """Put a workflow into the queue of this name, after the commit of what it is about. Idempotent by its id: a second
    call has no effect, also when the workflow has ended. False where no jobs run in this process. ``place``: from 1 on,
    lower ones are taken first, and those without one before all of them.
    """
    if not ready.is_set():
        log.warning("work_waits", workflow_id=workflow_id, because="no jobs run in this process")
        nudges.tell(_TOLD[name])
        return False
    with SetWorkflowID(workflow_id), SetEnqueueOptions(priority=place):
        DBOS.enqueue_workflow(name, workflow, *arguments)
    nudges.tell(_TOLD[name])
    return True


def enqueue_once(name: str, workflow: Callable[..., Any], *arguments: Any, work: str) -> None:
    """Put a workflow into the queue of this name, unless one for the same ``work`` waits there or is under way: for
    work that is found again and again until it is done. No effect where no jobs run in this process.
    """
    if ready.is_set():
        with SetEnqueueOptions(deduplication_id=work, duplication_policy="return-existing"):
            DBOS.enqueue_workflow(name, workflow, *arguments)
        nudges.tell(_TOLD[name])


def hand_over_if_ending() -> None:
    """For workflows, between two steps: stop here where the process ends, for another one to go on."""
    if not ready.is_set():
        raise HandedOver

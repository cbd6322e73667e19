"""Bill runs in the background: their chunks are work of a queue that all processes share.

DBOS hands the chunks out, and to somebody else when a process dies; what is done says our own table, customer by
customer. A chunk's workflow may therefore be repeated, and has no steps.

Runs take turns, chunk by chunk: a small one does not wait for all of a large one that was there before.
"""

from collections.abc import Callable
from typing import Final

import structlog
from dbos import DBOS

from billing_core import runtime
from billing_core.bill_runs import taking
from billing_core.dates import utc_now
from billing_core.jobs import bill_run_work, pauses, queues
from billing_core.jobs.periodic import Periodic
from billing_core.processes.models import Queue

log = structlog.get_logger()

# How often a process looks for runs that nobody has put into the queue, unless it is told.
_LOOK_SECONDS: Final = 30
_CHUNK: Final = "bill_chunk"
_UNDER_WAY: Final = ["ENQUEUED", "DELAYED", "PENDING"]


def begin(run_id: int) -> None:
    """Start a planned run in the background, after the plan is committed. Calling it twice has no further effect.

    Nothing is lost where it is not called, or no jobs run in this process: ``keep_going`` finds the run.
    """
    with runtime.sessions()() as session:
        attempt = taking.terms(session, run_id).attempt
    _begin(run_id, attempt)


def keep_going(ending: Callable[[], bool] = lambda: False) -> None:
    """Begin every run in which somebody waits and nobody works: nobody began it, or its work was lost."""
    with runtime.sessions()() as session:
        runs = taking.unfinished(session)
    for run_id, attempt in runs:
        if ending():
            return
        _finish(run_id, attempt)
        if DBOS.get_workflow_status(_name(run_id, attempt)) is None:
            _begin(run_id, attempt)
        elif not _under_way(run_id, attempt) and _somebody_waits(run_id):
            _begin_again(run_id, attempt)


@DBOS.workflow(name="hand_out_chunks")
def hand_out_chunks(run_id: int, attempt: int) -> None:
    """Put the chunks of this attempt into the queue."""
    # As a step, so that a repetition goes through the same ones: DBOS knows what it started by their order.
    for place, chunk in _waiting_chunks_step(run_id, attempt):
        queues.hand_over_if_ending()
        name = f"{_name(run_id, attempt)}-chunk-{chunk}"
        queues.enqueue(queues.BILL_RUNS, bill_chunk, run_id, attempt, chunk, workflow_id=name, place=place)
    _finish(run_id, attempt)


@DBOS.workflow(name=_CHUNK)
def bill_chunk(run_id: int, attempt: int, chunk: int) -> None:
    """Bill the customers of one chunk, and finish the run if they were the last."""
    bill_run_work.work_off(run_id, attempt, chunk, _is_to_stop)
    queues.hand_over_if_ending()
    _finish(run_id, attempt)


def _is_to_stop() -> bool:
    """The process ends, or an administrator has paused bill runs: once resumed, the keeper begins what is left."""
    return not queues.ready.is_set() or pauses.is_paused(Queue.BILL_RUNS)


def _finish(run_id: int, attempt: int) -> None:
    if bill_run_work.finish(run_id, attempt):
        log.info("bill_run_finished", run_id=run_id)


@DBOS.step(name="waiting_chunks")
def _waiting_chunks_step(run_id: int, attempt: int) -> list[tuple[int, int]]:
    """Each with its place in the queue before it: one after the other, beginning where the other runs are by now. From
    the first place on, this one would keep them all waiting until it has caught up with them.
    """
    with runtime.sessions()() as session:
        chunks = taking.waiting_chunks(session, run_id, attempt)
    others = DBOS.list_workflows(name=_CHUNK, status="ENQUEUED", limit=1, load_input=False, load_output=False)
    first = others[0].priority if others else None
    return list(enumerate(chunks, start=first or 1))


def _begin(run_id: int, attempt: int) -> None:
    name = _name(run_id, attempt)
    queues.enqueue(queues.BILL_RUNS, hand_out_chunks, run_id, attempt, workflow_id=name)


def _under_way(run_id: int, attempt: int) -> bool:
    """Whether the workflow that hands out its chunks, or that of a chunk, has not ended."""
    # With the dash, or attempt 1 would find those of attempt 10.
    chunks = {"workflow_id_prefix": f"{_name(run_id, attempt)}-"}
    return any(
        DBOS.list_workflows(status=_UNDER_WAY, limit=1, load_input=False, load_output=False, **which)
        for which in ({"workflow_ids": [_name(run_id, attempt)]}, chunks)
    )


def _somebody_waits(run_id: int) -> bool:
    """Asked once its workflows have ended. Who is in the hands of a command is left to it."""
    with runtime.sessions()() as session:
        return taking.left_over(session, taking.terms(session, run_id))


def _begin_again(run_id: int, attempt: int) -> None:
    """As another attempt: workflows that have ended would not begin again under their names."""
    with runtime.sessions().begin() as session:
        ours = taking.begin_again(session, run_id, attempt, now=utc_now())
    if ours:
        log.warning("bill_run_begun_again", run_id=run_id, attempt=attempt + 1)
        _begin(run_id, attempt + 1)


def _name(run_id: int, attempt: int) -> str:
    return f"bill-run-{run_id}.{attempt}"


job: Final = Periodic("bill runs", keep_going, every_seconds=_LOOK_SECONDS, queue=Queue.BILL_RUNS)

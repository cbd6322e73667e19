"""Starting and stopping the jobs of this process, and DBOS, which remembers unfinished work when a process ends."""

import asyncio
import functools
import gc
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from dbos import DBOS, DBOSConfig
from sqlalchemy import Engine

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.jobs import (
    bill_run,
    gateway_delivery,
    imports,
    incoming_webhook_processing,
    ledger_sealing,
    nudges,
    outbox_delivery,
    outgoing_webhook_delivery,
    pauses,
    prepaid_credit,
    queues,
    system_database,
    usage_alerts,
)
from billing_core.jobs.pacing import INTERNAL, Pacing, be_executor, known_workflows
from billing_core.jobs.periodic import Periodic
from billing_core.jobs.presence import taking_over
from billing_core.jobs.presence.heartbeat import Heartbeat
from billing_core.jobs.schedules import due
from billing_core.jobs.subscriptions import charges, renewals
from billing_core.outgoing_webhooks.delivery import Rendering, Serialising
from billing_core.processes import current, service
from billing_core.processes import queries as processes
from billing_core.processes.models import ProcessKind, Queue

log = structlog.get_logger()

# Fixed: by default it is a hash of the code, and an upgrade would abandon unfinished work.
APPLICATION_VERSION: Final = "1"
# An ending process has ten seconds: so long for the current steps, so long for handing over what is left, the rest for
# what ends beside the jobs.
_FINISH_SECONDS: Final = 4.0
_HAND_OVER_SECONDS: Final = 1.5
_LEAVE_SECONDS: Final = 0.5
# Workflows of former versions, of which our own tables tell what is left to do.
_RETIRED: Final = ("work_off", "deliver_batch")


@dataclass(slots=True)
class _Running:
    """What ``start`` has started."""

    heartbeat: Heartbeat
    pacing: Pacing
    listener: nudges.Listener
    loops: list[Periodic]
    woken: list[tuple[Queue, Callable[[], None]]]


_running: _Running | None = None
# The end of the last launch, which may outlast ``stop``: it would take the next one with it.
_leaving: threading.Thread | None = None
_stopping = threading.Lock()
# Whether the last stop left no workflow behind.
_all_ended = True


def start(*, kind: ProcessKind = ProcessKind.APP, further: Sequence[Periodic] = ()) -> None:
    """Take up work, also what others left. ``further``: loops besides those that every process has. Connects only to
    the database.
    """
    global _running
    if _leaving is not None:
        _leaving.join()
    heartbeat = Heartbeat(kind, be_executor)
    process_id = heartbeat.register()
    with runtime.sessions()() as session:
        _, paused = processes.silent_and_paused(session)
    pauses.learn(paused)
    DBOS(config=_config(runtime.sessions().engine, process_id))
    # Before the launch, which begins to take up work.
    queues.ready.set()
    DBOS.launch()
    queues.register()
    pacing = Pacing(_is_held)
    woken: list[tuple[Queue, Callable[[], None]]] = [
        (queue, functools.partial(pacing.look, name, INTERNAL)) for queue, name in queues.HEARD.items()
    ]
    for queue, look in woken:
        nudges.wait_for(queue, look)
    _cancel_retired()
    taking_over.hand_on_orphans()
    nudges.start_sending()
    listener = nudges.Listener()
    listener.start()
    loops = [
        heartbeat.loop,
        ledger_sealing.job,
        outbox_delivery.job,
        gateway_delivery.job,
        incoming_webhook_processing.job,
        bill_run.job,
        imports.job,
        usage_alerts.job,
        usage_alerts.days,
        prepaid_credit.job,
        renewals.job,
        renewals.reminders,
        charges.job,
        *further,
    ]
    for loop in loops:
        loop.start()
    _running = _Running(heartbeat, pacing, listener, loops, woken)
    due.start(utc_now())


def stop() -> bool:
    """End within ten seconds: no new work is taken up, current steps are completed, and what is left is handed over to
    other processes, or else to the next ``start``. False where a workflow still runs, or waits for what becomes of it
    elsewhere, which keeps the interpreter from ending. Whoever calls it while it is under way waits for the same end.
    """
    global _running, _all_ended
    with _stopping:
        if _running is not None:
            running, _running = _running, None
            _all_ended = _stop(running)
        return _all_ended


def _stop(running: _Running) -> bool:
    global _leaving
    finished_by = time.monotonic() + _FINISH_SECONDS
    queues.ready.clear()
    work = [loop for loop in running.loops if loop is not running.heartbeat.loop]
    running.listener.end()
    for loop in work:
        loop.end()
    busy = [loop for loop in work if not loop.stop(timeout_seconds=max(0, finished_by - time.monotonic()))]
    while running.pacing.in_hand() and time.monotonic() < finished_by:
        time.sleep(0.05)
    left = running.pacing.in_hand()
    _within(_HAND_OVER_SECONDS, functools.partial(_hand_over, delivering=bool(busy)))
    running.heartbeat.loop.stop(timeout_seconds=0.5)
    for queue, look in running.woken:
        nudges.wait_no_more(queue, look)
    nudges.stop_sending(timeout_seconds=0.5)
    running.listener.stop(timeout_seconds=0.5)
    current.become(None)
    if left:
        log.warning("steps_cut_off", workflows=left)
    _leaving = _within(_LEAVE_SECONDS, DBOS.destroy)
    return not left and running.pacing.ends(within_seconds=_LEAVE_SECONDS)


def _hand_over(*, delivering: bool) -> None:
    """What is left waits for others, who hear of it at once.

    ``delivering``: a message may still be on its way. Sent by others now it could arrive twice, so it stays claimed
    until they miss this process, which is gone by then.
    """
    incoming_webhook_processing.write_refusals()
    process_id = current.process_id()
    if process_id is None:
        return
    with runtime.sessions().begin() as session:
        taking_over.free(session, [process_id], messages=not delivering)
        if not delivering:
            service.end(session, process_id)
    taking_over.hand_on([process_id])
    nudges.tell(*Queue)


def _within(seconds: float, work: Callable[[], object]) -> threading.Thread:
    """A database that does not answer must not keep an ending process: others will miss it, and take over then."""
    thread = threading.Thread(target=work, name="ending", daemon=True)
    thread.start()
    thread.join(seconds)
    return thread


@asynccontextmanager
async def lifespan(
    render: Rendering, serialise: Serialising, *, kind: ProcessKind = ProcessKind.APP
) -> AsyncIterator[None]:
    """``start`` and ``stop`` around the process's life, off the event loop. The arguments are for webhooks."""
    telling = outgoing_webhook_delivery.job(render, serialise)
    await asyncio.to_thread(start, kind=kind, further=[telling])
    # What is there by now stays: to look for garbage in it again and again took a sixth of the time of billing.
    gc.freeze()
    try:
        yield
    finally:
        if not await asyncio.to_thread(stop):
            # Python would wait for the thread of the workflow, however long that takes.
            threading.Timer(1, os._exit, args=[0]).start()


def _config(ours: Engine, process_id: str) -> DBOSConfig:
    """On PostgreSQL one pool of connections serves DBOS too."""
    config: DBOSConfig = {
        "name": "billing",
        "system_database_url": system_database.address(ours.url),
        "application_version": APPLICATION_VERSION,
        "executor_id": process_id,
        "log_level": "WARNING",
    }
    if ours.dialect.name == "postgresql":
        config["system_database_engine"] = ours
    return config


def _is_held(queue_name: str) -> bool:
    """Nothing is taken from this queue of DBOS's now."""
    return not queues.ready.is_set() or any(
        pauses.is_paused(queue) for queue in queues.PAUSED_WHOLE if queues.HEARD[queue] == queue_name
    )


def _cancel_retired() -> None:
    """Work that this version does otherwise. Left alone, it would be taken up and lie there as unknown."""
    names = sorted(set(_RETIRED) - known_workflows())
    waiting = DBOS.list_workflows(name=names, status=["ENQUEUED", "PENDING"], load_input=False, load_output=False)
    if waiting:
        DBOS.cancel_workflows([workflow.workflow_id for workflow in waiting])
        log.info("retired_workflows_cancelled", workflows=len(waiting))

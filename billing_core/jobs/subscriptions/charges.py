"""What subscriptions ask for is charged, in chunks of invoices that all processes share, like renewals.

Each charge is written down before it is made. Cut off, it is made again under its own key once the time is over in
which its process may still be at it.
"""

from collections.abc import Callable
from typing import Final

import structlog
from dbos import DBOS

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.jobs import nudges, pauses, queues
from billing_core.jobs.periodic import Periodic
from billing_core.online_payments import configured
from billing_core.online_payments.gateway import Gateway
from billing_core.processes.models import Queue
from billing_core.settings import settings
from billing_core.subscriptions import clock, collecting

log = structlog.get_logger()

_LOOK_SECONDS: Final = 30
# A gateway takes a second for each.
_CHUNK_SIZE: Final = 20
_CHUNKS_AT_ONCE: Final = 50
_FOLLOWING: Final = (Queue.MAILS, Queue.GATEWAYS, Queue.OUTGOING_WEBHOOKS, Queue.SEALING)


def keep_going(ending: Callable[[], bool] = lambda: False) -> None:
    """Hand out what is to be charged, and what was cut off while somebody waited for it; before that, see what
    customers have paid, and which cards they gave us.
    """
    now = utc_now()
    if clock.look_after(runtime.sessions(), SYSTEM, now=now, ending=ending):
        nudges.tell(*_FOLLOWING)
    with runtime.sessions()() as session:
        chunks = collecting.due_chunks(session, now=now, size=_CHUNK_SIZE, limit=_CHUNKS_AT_ONCE)
        cut_off = clock.somebody_was_cut_off(session, now=now)
    if cut_off:
        queues.enqueue_once(queues.CHARGES, complete_cut_off, work="charges-cut-off")
    for chunk in chunks:
        if ending():
            return
        queues.enqueue_once(queues.CHARGES, collect_chunk, chunk.start, chunk.stop, work=f"charges-{chunk.start}")


@DBOS.workflow(name="collect_chunk")
def collect_chunk(first_id: int, end_id: int) -> None:
    """Charge what is due on the invoices with these ids, ``end_id`` not included."""
    collect(range(first_id, end_id), _is_to_stop)
    queues.hand_over_if_ending()


@DBOS.workflow(name="complete_cut_off")
def complete_cut_off() -> None:
    """Find out what came of charges that somebody waited for when their process died."""
    clock.recover(runtime.sessions(), SYSTEM, _gateway(), now=utc_now())
    nudges.tell(*_FOLLOWING)


def collect(chunk: range, ending: Callable[[], bool] = lambda: False) -> int:
    """Charge what is due on these; returns how many came to something."""
    sessions = runtime.sessions()
    done = sum(1 for _ in clock.collect(sessions, SYSTEM, _gateway(), now=utc_now(), ending=ending, within=chunk))
    if done:
        log.info("subscriptions_charged", charges=done, first_id=chunk.start)
        nudges.tell(*_FOLLOWING)
    return done


def _gateway() -> Gateway:
    return configured.gateway(runtime.sessions(), settings())


def _is_to_stop() -> bool:
    """The process ends, or an administrator has paused charges."""
    return not queues.ready.is_set() or pauses.is_paused(Queue.CHARGES)


job: Final = Periodic("charges", keep_going, every_seconds=_LOOK_SECONDS, queue=Queue.CHARGES)

"""Trials end and periods begin, in chunks of subscriptions that all processes share.

Whoever looks puts every chunk in which something is due into the queue, unless it is there or in work. What is done is
done one subscription after the other, each in a transaction of its own which sets it on: a chunk's workflow may be
repeated, and has no steps.
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
from billing_core.processes.models import Queue
from billing_core.subscriptions import clock
from billing_core.subscriptions import queries as subscriptions

log = structlog.get_logger()

# Periods begin at minutes of their own, and nobody says so.
_LOOK_SECONDS: Final = 30
_REMIND_SECONDS: Final = 5 * 60
_CHUNK_SIZE: Final = 50
_CHUNKS_AT_ONCE: Final = 50
# Renewals make charges, mails and events.
_FOLLOWING: Final = (Queue.CHARGES, Queue.MAILS, Queue.GATEWAYS, Queue.OUTGOING_WEBHOOKS, Queue.SEALING)


def keep_going(ending: Callable[[], bool] = lambda: False) -> None:
    """Hand out what is due."""
    with runtime.sessions()() as session:
        chunks = subscriptions.due_chunks(session, now=utc_now(), size=_CHUNK_SIZE, limit=_CHUNKS_AT_ONCE)
    for chunk in chunks:
        if ending():
            return
        queues.enqueue_once(queues.RENEWALS, renew_chunk, chunk.start, chunk.stop, work=f"renewals-{chunk.start}")


@DBOS.workflow(name="renew_chunk")
def renew_chunk(first_id: int, end_id: int) -> None:
    """Do what is due of the subscriptions with these ids, ``end_id`` not included."""
    renew(range(first_id, end_id), _is_to_stop)
    queues.hand_over_if_ending()


def renew(chunk: range, ending: Callable[[], bool] = lambda: False) -> int:
    """Do what is due of these; returns how many steps that were."""
    done = sum(1 for _ in clock.renew(runtime.sessions(), SYSTEM, now=utc_now(), ending=ending, within=chunk))
    if done:
        log.info("subscriptions_renewed", steps=done, first_id=chunk.start)
        nudges.tell(*_FOLLOWING)
    return done


def remind(ending: Callable[[], bool] = lambda: False) -> None:
    """Tell customers of trials that end, cards that expire, and moves to other terms."""
    if told := clock.remind(runtime.sessions(), SYSTEM, now=utc_now(), ending=ending):
        log.info("subscribers_reminded", mails=told)
        nudges.tell(*_FOLLOWING)


def _is_to_stop() -> bool:
    """The process ends, or an administrator has paused renewals: once resumed, what is left is handed out again."""
    return not queues.ready.is_set() or pauses.is_paused(Queue.RENEWALS)


job: Final = Periodic("renewals", keep_going, every_seconds=_LOOK_SECONDS, queue=Queue.RENEWALS)
reminders: Final = Periodic("subscription reminders", remind, every_seconds=_REMIND_SECONDS, queue=Queue.RENEWALS)

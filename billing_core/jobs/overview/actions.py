"""What an admin can do about work in the background, a queue at a time. Each step also needs what it would take on the
page of the work itself.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.bill_runs import planning
from billing_core.bill_runs.figures import failed_customers, going_on
from billing_core.bill_runs.models import BillRun, BillRunCustomer
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.imports import upkeep
from billing_core.jobs.overview.backlog import MESSAGE_FAILED, OF_QUEUE
from billing_core.online_payments.webhooks import inbox
from billing_core.outbox import service as outbox
from billing_core.outbox.models import RECALLABLE, MessageState, OutboxMessage
from billing_core.processes.models import Queue

# The most that one step takes; repeating the step takes the next.
MOST_AT_ONCE: Final = 500
# Seals never fail for good.
RETRIED: Final = frozenset({Queue.BILL_RUNS, Queue.IMPORTS, Queue.INCOMING_WEBHOOKS, *OF_QUEUE})
# Messages to other systems must follow our changes.
CANCELLED: Final = frozenset({Queue.BILL_RUNS, Queue.IMPORTS, Queue.MAILS})


@dataclass(frozen=True, slots=True)
class Retried:
    """How many things are tried again, and the runs that are to be begun once that is committed."""

    count: int
    run_ids: tuple[int, ...] = ()


def retry_failed(session: Session, actor: Actor, queue: Queue, *, now: datetime) -> Retried:
    """Try again what failed, the longest ago first. Conflict where nothing did."""
    actor.require(Permission.JOBS_MANAGE)
    match queue:
        case Queue.BILL_RUNS:
            retried = _retry_runs(session, actor, now)
        case Queue.IMPORTS:
            retried = Retried(upkeep.retry_failed(session, actor, limit=MOST_AT_ONCE, now=now))
        case Queue.INCOMING_WEBHOOKS:
            retried = Retried(inbox.process_failed_again(session, actor, limit=MOST_AT_ONCE, now=now))
        case _ if queue in OF_QUEUE:
            failed = select(OutboxMessage.id).where(MESSAGE_FAILED, OF_QUEUE[queue])
            eldest = failed.order_by(OutboxMessage.not_before, OutboxMessage.id).limit(MOST_AT_ONCE)
            message_ids = session.scalars(eldest).all()
            retried = Retried(outbox.retry(session, actor, message_ids, now=now) if message_ids else 0)
        case _:
            retried = Retried(0)
    if not retried.count:
        raise Conflict(f"Nothing has failed among {queue.value}")
    return retried


def cancel_waiting(session: Session, actor: Actor, queue: Queue, *, now: datetime) -> int:
    """Recall the mails that nobody has tried to deliver yet, call off the imports that nobody has taken up, or stop the
    runs that go on; returns how many.
    """
    actor.require(Permission.JOBS_MANAGE)
    cancelled = 0
    if queue is Queue.MAILS:
        untried = (
            OutboxMessage.state == MessageState.WAITING,
            OutboxMessage.channel == RECALLABLE,
            OutboxMessage.attempts == 0,
        )
        eldest = select(OutboxMessage.id).where(*untried).order_by(OutboxMessage.not_before, OutboxMessage.id)
        message_ids = session.scalars(eldest.limit(MOST_AT_ONCE)).all()
        cancelled = outbox.recall(session, actor, message_ids, now=now)
    elif queue is Queue.IMPORTS:
        cancelled = upkeep.cancel_waiting(session, actor, limit=MOST_AT_ONCE, now=now)
    elif queue is Queue.BILL_RUNS:
        going = session.scalars(select(BillRun.id).where(going_on()).order_by(BillRun.id).limit(MOST_AT_ONCE)).all()
        for run_id in going:
            planning.cancel(session, actor, run_id, now=now)
        cancelled = len(going)
    if not cancelled:
        raise Conflict(f"Nothing among {queue.value} can be cancelled")
    return cancelled


def _retry_runs(session: Session, actor: Actor, now: datetime) -> Retried:
    """Run by run: one that another run stands in the way of, or that is paused, does not keep the others."""
    runs = select(BillRun.id).join(BillRunCustomer).where(*failed_customers()).distinct().order_by(BillRun.id)
    retried, refusal = [], None
    for run_id in session.scalars(runs.limit(MOST_AT_ONCE)).all():
        try:
            with session.begin_nested():
                planning.retry_failed(session, actor, run_id, now=now)
        except Conflict as conflict:
            refusal = conflict
        else:
            retried.append(run_id)
    if refusal is not None and not retried:
        raise refusal
    return Retried(len(retried), tuple(retried))

"""What a process had taken up, and did not complete, is for the others.

DBOS re-enqueues a dead executor's workflows only if it is told which one is dead: finding that out is left to a paid
service of its makers, so the heartbeats in our own tables say it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import structlog
from dbos import DBOS
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.bill_runs import claims as bill_run_claims
from billing_core.imports import claims as import_claims
from billing_core.invoices.payment_links import GATEWAY
from billing_core.jobs import nudges
from billing_core.online_payments.models import SANDBOX
from billing_core.outbox import delivery
from billing_core.outbox.models import WEBHOOK
from billing_core.processes import service
from billing_core.processes.models import Process, Queue
from billing_core.processes.queries import unsettled

log = structlog.get_logger()

# More workflows than all processes together can have in hand at once.
_MOST_IN_HAND: Final = 1000
_QUEUES: Final = {GATEWAY: Queue.GATEWAYS, SANDBOX: Queue.GATEWAYS, WEBHOOK: Queue.OUTGOING_WEBHOOKS}
_DELIVERED: Final = (Queue.MAILS, Queue.GATEWAYS, Queue.OUTGOING_WEBHOOKS)


def declare_lost(process_ids: Sequence[str]) -> list[str]:
    """Of these, those that are still silent: their claims are free from the same moment on. Returns their ids."""
    with runtime.sessions().begin() as session:
        lost = service.lose(session, process_ids)
        free(session, lost)
    for process_id in lost:
        log.warning("process_lost", process_id=process_id)
    if lost:
        nudges.tell(*Queue)
    return lost


def free(session: Session, process_ids: Sequence[str], *, messages: bool = True) -> None:
    """What these had taken up waits for whoever comes first; ``messages``: also what they were delivering."""
    if not process_ids:
        return
    in_hand: dict[str, Counter[Queue]] = {process_id: Counter() for process_id in process_ids}
    for process_id, channel in delivery.free(session, process_ids) if messages else ():
        in_hand[process_id][_QUEUES.get(channel, Queue.MAILS)] += 1
    for process_id, customers in bill_run_claims.free(session, process_ids).items():
        in_hand[process_id][Queue.BILL_RUNS] = customers
    for process_id, jobs in import_claims.free(session, process_ids).items():
        in_hand[process_id][Queue.IMPORTS] = jobs
    for process_id, counts in in_hand.items():
        service.note_in_hand(session, process_id, counts)


def hand_on_orphans() -> int:
    """Re-enqueue the workflows of executors that are no living process: lost, ended, long forgotten, or of a version
    that did not register. Returns of how many executors. Whoever of several observers is first does it, once.

    Messages too: one that was taken for dead may claim some more before it knows.
    """
    # In this order: who takes up work has registered before.
    taken_up = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False, limit=_MOST_IN_HAND)
    with runtime.sessions()() as session:
        delivering = delivery.claimants(session)
        alive = set(session.scalars(select(Process.id).where(unsettled())))
    if left := sorted(delivering - alive):
        with runtime.sessions().begin() as session:
            freed = delivery.free(session, left)
        log.warning("messages_freed", messages=len(freed), process_ids=left)
        nudges.tell(*_DELIVERED)
    gone = sorted({workflow.executor_id or "" for workflow in taken_up} - alive)
    hand_on(gone)
    return len(gone)


def hand_on(process_ids: Sequence[str]) -> None:
    """Re-enqueue what DBOS holds for these. Nothing happens to a workflow that another process has by now."""
    if process_ids:
        DBOS._recover_pending_workflows(list(process_ids))
        nudges.tell(*Queue)

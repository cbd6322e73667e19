"""How much work of each kind there is, from the tables that hold it: a statement or two for each of them.

They are asked every few seconds, beside a million delivered messages: each counts by an index of what is left to do.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.orm import Session

from billing_core.bill_runs.figures import failed_customers, going_on
from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunOutcome
from billing_core.imports.models import ImportJob
from billing_core.imports.queries import failed_import
from billing_core.invoices.payment_links import GATEWAY
from billing_core.ledger.models import LedgerEntry, LedgerSeal, UnsealedEntry
from billing_core.metering.alerts import UsageCheck
from billing_core.online_payments.models import SANDBOX, ChargeAttempt, WebhookEvent, WebhookState
from billing_core.outbox.models import WEBHOOK, MessageState, OutboxMessage
from billing_core.outgoing_webhooks.models import WebhookEndpoint
from billing_core.payments.prepaid import top_ups, upkeep
from billing_core.payments.prepaid.models import Origin, PrepaidGrant, PrepaidMovement
from billing_core.processes.models import Queue
from billing_core.processes.queries import is_living
from billing_core.subscriptions.models import InvoiceKind, Subscription, SubscriptionInvoice

_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)
# Written out, so that both databases can match the indexes of some rows alone.
CUSTOMER_WAITS: Final = text("bill_run_customers.outcome = 'waiting'")
_EVENT_WAITS: Final = text("webhook_events.state = 'waiting'")
OUTBOX_QUEUE: Final = case(
    (OutboxMessage.channel == WEBHOOK, literal(Queue.OUTGOING_WEBHOOKS.value)),
    (OutboxMessage.channel.in_([GATEWAY, SANDBOX]), literal(Queue.GATEWAYS.value)),
    else_=literal(Queue.MAILS.value),
)
OF_QUEUE: Final[dict[Queue, ColumnElement[bool]]] = {
    Queue.OUTGOING_WEBHOOKS: OutboxMessage.channel == WEBHOOK,
    Queue.GATEWAYS: OutboxMessage.channel.in_([GATEWAY, SANDBOX]),
    Queue.MAILS: OutboxMessage.channel.not_in([WEBHOOK, GATEWAY, SANDBOX]),
}
# Messages to a removed endpoint need no action.
_WANTED: Final = or_(
    OutboxMessage.channel != WEBHOOK,
    OutboxMessage.subject_id.in_(select(cast(WebhookEndpoint.id, String)).where(WebhookEndpoint.active == true())),
)
MESSAGE_FAILED: Final = and_(OutboxMessage.state == MessageState.FAILED, _WANTED)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Work of one kind: a customer of a run, a message, an event, a ledger entry, a file. ``waiting``: due, and nobody
    has taken it up. ``scheduled``: due later, also for another try. ``held_back``: nobody takes it up until a person
    does something. ``oldest_at``: since when the oldest waiting one has been due. ``done`` counts in the last hour,
    ``per_minute`` in the last minute.
    """

    running: int = 0
    waiting: int = 0
    scheduled: int = 0
    held_back: int = 0
    failed: int = 0
    last_error: str = ""
    oldest_at: datetime | None = None
    done: int = 0
    per_minute: int = 0


def of_all(session: Session, *, now: datetime) -> dict[Queue, Backlog]:
    """The backlog of each queue that our tables hold; the others are schedules alone."""
    backlogs = {
        Queue.BILL_RUNS: _of_bill_runs(session, now),
        Queue.IMPORTS: _of_imports(session, now),
        **_of_outbox(session, now),
        Queue.INCOMING_WEBHOOKS: _of_incoming_webhooks(session, now),
        Queue.SEALING: _of_sealing(session, now),
        Queue.USAGE_ALERTS: _of_usage_alerts(session, now),
        Queue.PREPAID_CREDIT: _of_prepaid_credit(session, now),
        Queue.RENEWALS: _of_renewals(session, now),
        Queue.CHARGES: _of_charges(session, now),
    }
    return {queue: backlogs[queue] for queue in Queue if queue in backlogs}


def _of_bill_runs(session: Session, now: datetime) -> Backlog:
    paused, taken_up = BillRun.paused_at.is_not(None), is_living(BillRunCustomer.process_id)
    counted = select(
        _count(and_(~paused, taken_up)),
        _count(and_(~paused, ~taken_up)),
        _count(paused),
        func.min(case((and_(~paused, ~taken_up), BillRun.created_at))),
    )
    of_runs = counted.join_from(BillRunCustomer, BillRun).where(CUSTOMER_WAITS, going_on())
    running, waiting, held_back, oldest_at = session.execute(of_runs).one()
    failed = select(BillRunCustomer.reason, BillRunCustomer.finished_at).join(BillRun).where(*failed_customers())
    count, reason = _count_and_last(session, failed, BillRunCustomer.finished_at)
    made = BillRunCustomer.outcome.in_([RunOutcome.CREATED, RunOutcome.UNCHANGED])
    done, per_minute = _done(session, BillRunCustomer.finished_at, now, made)
    return Backlog(running, waiting, 0, held_back, count, reason, oldest_at, done, per_minute)


def _of_imports(session: Session, now: datetime) -> Backlog:
    """In jobs, each of some files of one person."""
    taken_up = is_living(ImportJob.process_id)
    going = and_(ImportJob.finished_at.is_(None), or_(ImportJob.cancelled_at.is_(None), taken_up))
    counted = select(_count(taken_up), _count(~taken_up), func.min(case((~taken_up, ImportJob.requested_at))))
    running, waiting, oldest_at = session.execute(counted.where(going)).one()
    failed = select(ImportJob.reason, ImportJob.finished_at).where(failed_import())
    count, reason = _count_and_last(session, failed, ImportJob.finished_at)
    made = and_(ImportJob.reason == "", ImportJob.cancelled_at.is_(None))
    done, per_minute = _done(session, ImportJob.finished_at, now, made)
    return Backlog(running, waiting, 0, 0, count, reason, oldest_at, done, per_minute)


def _of_outbox(session: Session, now: datetime) -> dict[Queue, Backlog]:
    waits, claimed = OutboxMessage.state == MessageState.WAITING, OutboxMessage.claimed_until > now
    free, due = or_(OutboxMessage.claimed_until.is_(None), ~claimed), OutboxMessage.not_before <= now
    left = [MessageState.WAITING, MessageState.FAILED, MessageState.HELD_BACK]
    counted = (
        select(
            OUTBOX_QUEUE.label("queue"),
            _count(and_(waits, claimed)),
            _count(and_(waits, free, due)),
            _count(and_(waits, free, ~due)),
            _count(OutboxMessage.state == MessageState.HELD_BACK),
            _count(MESSAGE_FAILED),
            func.min(case((and_(waits, free, due), OutboxMessage.not_before))),
        )
        .where(OutboxMessage.state.in_(left))
        .group_by(text("queue"))
    )
    open_ones = {Queue(row[0]): row for row in session.execute(counted)}
    errors = _last_errors(session, [queue for queue, row in open_ones.items() if row[5]])
    gone = (
        select(OUTBOX_QUEUE.label("queue"), func.count(), _count(OutboxMessage.delivered_at >= now - _MINUTE))
        .where(OutboxMessage.delivered_at >= now - _HOUR)
        .group_by(text("queue"))
    )
    done = {Queue(row[0]): (row[1], row[2]) for row in session.execute(gone)}
    backlogs = {}
    for queue in OF_QUEUE:
        _, running, waiting, scheduled, held_back, failed, oldest_at = open_ones.get(
            queue, (queue, 0, 0, 0, 0, 0, None)
        )
        error = errors.get(queue, "")
        backlogs[queue] = Backlog(
            running, waiting, scheduled, held_back, failed, error, oldest_at, *done.get(queue, (0, 0))
        )
    return backlogs


def _last_errors(session: Session, queues: list[Queue]) -> dict[Queue, str]:
    """Of the message of each queue that failed last."""
    if not queues:
        return {}
    each = [
        select(literal(queue.value).label("queue"), OutboxMessage.last_error)
        .where(MESSAGE_FAILED, OF_QUEUE[queue])
        .order_by(OutboxMessage.not_before.desc(), OutboxMessage.id.desc())
        .limit(1)
        .subquery()
        for queue in queues
    ]
    rows = session.execute(union_all(*(select(one.c.queue, one.c.last_error) for one in each)))
    return {Queue(name): error for name, error in rows}


def _of_incoming_webhooks(session: Session, now: datetime) -> Backlog:
    """Whoever handles an event holds it locked in one transaction, which nobody else sees: none is ever running."""
    due = WebhookEvent.not_before <= now
    counted = select(_count(due), _count(~due), func.min(case((due, WebhookEvent.not_before)))).where(_EVENT_WAITS)
    waiting, scheduled, oldest_at = session.execute(counted).one()
    # Not its handled_at alone, by whose index all the others would be passed.
    last = func.coalesce(WebhookEvent.handled_at, WebhookEvent.received_at)
    failed = select(WebhookEvent.last_error, last).where(WebhookEvent.state == WebhookState.FAILED)
    count, reason = _count_and_last(session, failed, last)
    done, per_minute = _done(session, WebhookEvent.handled_at, now, WebhookEvent.state != WebhookState.FAILED)
    return Backlog(0, waiting, scheduled, 0, count, reason, oldest_at, done, per_minute)


def _of_sealing(session: Session, now: datetime) -> Backlog:
    waiting = session.scalar(select(func.count()).select_from(UnsealedEntry)) or 0
    eldest = select(LedgerEntry.recorded_at).join(UnsealedEntry, UnsealedEntry.entry_id == LedgerEntry.id)
    oldest_at = session.scalar(eldest.order_by(UnsealedEntry.entry_id).limit(1)) if waiting else None
    newest_first = LedgerSeal.sequence.desc()
    # The chain is numbered without holes: the difference of two numbers is how many seals lie between.
    numbers = [
        session.scalar(select(LedgerSeal.sequence).where(before).order_by(newest_first).limit(1)) or 0
        for before in (true(), LedgerSeal.sealed_at < now - _HOUR, LedgerSeal.sealed_at < now - _MINUTE)
    ]
    return Backlog(
        waiting=waiting, oldest_at=oldest_at, done=numbers[0] - numbers[1], per_minute=numbers[0] - numbers[2]
    )


def _of_usage_alerts(session: Session, now: datetime) -> Backlog:
    """In customers: once checked, one counts as done at its latest check."""
    counted = select(func.count(), func.min(UsageCheck.asked_at)).where(UsageCheck.asked_at.is_not(None))
    waiting, oldest_at = session.execute(counted).one()
    done, per_minute = _done(session, UsageCheck.checked_at, now)
    return Backlog(waiting=waiting, oldest_at=oldest_at, done=done, per_minute=per_minute)


def _of_prepaid_credit(session: Session, now: datetime) -> Backlog:
    """In purchases and grants: what is done has left a movement, or a grant that was bought."""
    bought = PrepaidGrant.origin == Origin.BOUGHT
    by_itself = PrepaidMovement.allocation_id.is_(None)
    granted, moved = (
        _done(session, PrepaidGrant.created_at, now, bought),
        _done(session, PrepaidMovement.created_at, now, by_itself),
    )
    waiting = upkeep.count_due(session, now=now) + top_ups.count_due(session, now=now)
    return Backlog(waiting=waiting, done=granted[0] + moved[0], per_minute=granted[1] + moved[1])


def _of_renewals(session: Session, now: datetime) -> Backlog:
    """In subscriptions. Whoever renews one holds it locked in one transaction, which nobody else sees."""
    waits = select(func.count(), func.min(Subscription.next_at)).where(
        Subscription.next_at <= now, Subscription.held_at.is_(None)
    )
    waiting, oldest_at = session.execute(waits).one()
    held = select(func.count()).where(Subscription.held_at.is_not(None))
    by_itself = SubscriptionInvoice.kind.in_([InvoiceKind.PERIOD, InvoiceKind.FINAL])
    done, per_minute = _done(session, SubscriptionInvoice.created_at, now, by_itself)
    return Backlog(
        waiting=waiting, held_back=session.scalar(held) or 0, oldest_at=oldest_at, done=done, per_minute=per_minute
    )


def _of_charges(session: Session, now: datetime) -> Backlog:
    """In invoices of subscriptions. What is scheduled is tried again then, or was cut off."""
    going, due = SubscriptionInvoice.attempt_id.is_not(None), SubscriptionInvoice.collect_at <= now
    counted = select(
        _count(and_(going, ~due)),
        _count(due),
        _count(and_(~going, ~due)),
        func.min(case((due, SubscriptionInvoice.collect_at))),
    ).where(SubscriptionInvoice.collect_at.is_not(None))
    running, waiting, scheduled, oldest_at = session.execute(counted).one()
    done, per_minute = _done(session, ChargeAttempt.finished_at, now)
    return Backlog(running, waiting, scheduled, oldest_at=oldest_at, done=done, per_minute=per_minute)


def _count(which: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((which, 1), else_=0)), 0)


def _count_and_last(session: Session, failed: Select[*tuple[Any, ...]], moment: Any) -> tuple[int, str]:
    """How many rows, and the reason, their first column, of the latest."""
    count = session.scalar(select(func.count()).select_from(failed.subquery())) or 0
    return (count, session.execute(failed.order_by(moment.desc()).limit(1)).one()[0]) if count else (0, "")


def _done(session: Session, moment: Any, now: datetime, *which: ColumnElement[bool]) -> tuple[int, int]:
    """How many in the last hour, and in the last minute."""
    row = session.execute(select(func.count(), _count(moment >= now - _MINUTE)).where(moment >= now - _HOUR, *which))
    hour, minute = row.one()
    return hour, minute

"""The processes that work in the background: those that live, and those that ended or were lost lately."""

import enum
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from billing_core.bill_runs.models import BillRunCustomer
from billing_core.database.functions import database_clock
from billing_core.imports.models import ImportJob
from billing_core.jobs.overview.backlog import CUSTOMER_WAITS, OUTBOX_QUEUE
from billing_core.outbox.models import OutboxMessage
from billing_core.processes.models import KNOWN_QUEUES, Process, ProcessKind, Queue
from billing_core.processes.queries import SILENCE_SECONDS, unsettled

# How long one that ended is still listed; one that was lost, until somebody dismisses it.
LISTED: Final = timedelta(days=1)
# A product that is killed and started again and again leaves many: these are the newest, after those that may live.
MOST: Final = 100


class ProcessState(enum.StrEnum):
    """SILENT: not heard of for so long that it is about to be taken for lost."""

    LIVING = "living"
    SILENT = "silent"
    LOST = "lost"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process. The instants are the database's; ``heard_seconds_ago`` too. ``in_hand``: how many things it has taken
    up, by kind; of a lost one, what it had when it was lost, all of which was set free.
    """

    id: str
    state: ProcessState
    kind: ProcessKind
    host: str
    pid: int
    version: str
    started_at: datetime
    last_heard_at: datetime
    heard_seconds_ago: int
    ended_at: datetime | None
    lost_at: datetime | None
    dismissed_at: datetime | None
    in_hand: dict[Queue, int]


def listed(session: Session) -> list[ProcessRow]:
    """The living first, then the lost, then those that ended; of each the latest first."""
    # Commands that come and go push nobody off the list who lives, or who was lost.
    place = case({each.value: number for number, each in enumerate(ProcessState)}, value=_state())
    newest_first = (place, func.coalesce(Process.lost_at, Process.ended_at, Process.started_at).desc(), Process.id)
    statement: Any = select(Process, _state(), database_clock()).where(_recent()).order_by(*newest_first).limit(MOST)
    found = session.execute(statement.execution_options(populate_existing=True)).all()
    in_hand = _in_hand(session)
    return [_row(process, ProcessState(state), clock, in_hand) for process, state, clock in found]


def counts(session: Session) -> dict[ProcessState, int]:
    """How many there are in each state, also where more are there than are listed."""
    counted: Any = select(_state().label("state"), func.count()).where(_recent()).group_by("state")
    found = {row[0]: row[1] for row in session.execute(counted)}
    return {each: found.get(each.value, 0) for each in ProcessState}


def _recent() -> ColumnElement[bool]:
    since = database_clock(seconds=-LISTED.total_seconds())
    return or_(
        unsettled(),
        Process.ended_at >= since,
        and_(Process.lost_at.is_not(None), or_(Process.dismissed_at.is_(None), Process.lost_at >= since)),
    )


def _state() -> ColumnElement[str]:
    return case(
        (Process.lost_at.is_not(None), ProcessState.LOST.value),
        (Process.ended_at.is_not(None), ProcessState.ENDED.value),
        (Process.last_heard_at < database_clock(seconds=-SILENCE_SECONDS), ProcessState.SILENT.value),
        else_=ProcessState.LIVING.value,
    )


def _row(process: Process, state: ProcessState, clock: datetime, in_hand: dict[str, dict[Queue, int]]) -> ProcessRow:
    had = {
        ProcessState.LOST: {Queue(name): int(count) for name, count in process.in_hand.items() if name in KNOWN_QUEUES},
        ProcessState.ENDED: {},
    }
    return ProcessRow(
        process.id,
        state,
        process.kind,
        process.host,
        process.pid,
        process.version,
        process.started_at,
        process.last_heard_at,
        max(0, int((clock - process.last_heard_at).total_seconds())),
        process.ended_at,
        process.lost_at,
        process.dismissed_at,
        had.get(state, in_hand.get(process.id, {})),
    )


def _in_hand(session: Session) -> dict[str, dict[Queue, int]]:
    """What processes have taken up at present, by their ids."""
    messages: Any = (
        select(OutboxMessage.claimed_by, OUTBOX_QUEUE.label("queue"), func.count())
        .where(OutboxMessage.claimed_by.is_not(None), OutboxMessage.claimed_until > OutboxMessage.not_before)
        .group_by(OutboxMessage.claimed_by, "queue")
    )
    customers: Any = (
        select(BillRunCustomer.process_id, func.count())
        .where(CUSTOMER_WAITS, BillRunCustomer.process_id.is_not(None))
        .group_by(BillRunCustomer.process_id)
    )
    files: Any = (
        select(ImportJob.process_id, func.count())
        .where(ImportJob.finished_at.is_(None), ImportJob.process_id.is_not(None))
        .group_by(ImportJob.process_id)
    )
    taken: dict[str, dict[Queue, int]] = defaultdict(dict)
    for process_id, queue, count in session.execute(messages):
        taken[process_id][Queue(queue)] = count
    for process_id, count in session.execute(customers):
        taken[process_id][Queue.BILL_RUNS] = count
    for process_id, count in session.execute(files):
        taken[process_id][Queue.IMPORTS] = count
    return taken

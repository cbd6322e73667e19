"""Who takes up which customers of a run, and when it is finished. The tables are the truth about what is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias, cast

import structlog
from sqlalchemy import ColumnElement, Table, and_, bindparam, exists, func, not_, or_, select, update
from sqlalchemy.orm import Session

from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome, RunSource
from billing_core.bill_runs.planning import needed
from billing_core.businesses import queries as businesses
from billing_core.dates import Day, Period, today_in
from billing_core.identity.permissions import Actor, Permission
from billing_core.invoices.from_reports import Grouping
from billing_core.processes.models import Process, ProcessKind
from billing_core.processes.queries import is_living

log = structlog.get_logger()

# Columns of the customer in the run. WAITING as outcome: the draft needs a payment link before it can be sent.
Facts: TypeAlias = dict[str, Any]

# Attempts in a row that finish nobody: about ten minutes.
MOST_FRUITLESS: Final = 20
_CUSTOMERS: Final = cast("Table", BillRunCustomer.__table__)
# Built once: building a statement takes as long as running it.
_ITEM = (BillRunCustomer.run_id == bindparam("run")) & (BillRunCustomer.customer_id == bindparam("customer"))
_WAITING = BillRunCustomer.outcome == RunOutcome.WAITING
_GOES_ON = (
    (BillRun.attempt == bindparam("attempt"))
    & BillRun.finished_at.is_(None)
    & BillRun.paused_at.is_(None)
    & BillRun.cancelled_at.is_(None)
)
_FACTS = (
    BillRunCustomer.customer_id,
    BillRunCustomer.report_id,
    BillRunCustomer.made,
    BillRunCustomer.invoice_id,
    BillRunCustomer.late_invoice_id,
)
# Who is worked on already is passed over.
_CHUNK = (
    select(*_FACTS)
    .join(BillRun, BillRun.id == BillRunCustomer.run_id)
    .where(BillRunCustomer.run_id == bindparam("run"), BillRunCustomer.chunk == bindparam("chunk"), _WAITING, _GOES_ON)
    .order_by(BillRunCustomer.customer_id)
    .with_for_update(of=BillRunCustomer, skip_locked=True)
)
_NEXT = _CHUNK.limit(1)
_AGAIN = select(*_FACTS).where(_ITEM, _WAITING).with_for_update()


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every customer of one attempt of a run. ``actor`` may do what its goal needs, and no more."""

    run_id: int
    attempt: int
    source: RunSource
    goal: RunGoal
    with_links: bool
    period: Period
    service_ids: tuple[int, ...]
    line_grouping: Grouping
    tax_rate: Decimal
    actor: Actor
    zones: tuple[tuple[int, str], ...]

    def today(self, now: datetime) -> Day:
        """The day in each business: an invoice has that of its own."""
        return today_in(self.zones, now)


@dataclass(frozen=True, slots=True)
class Taken:
    """A waiting customer, locked until the transaction ends, and what earlier tries have made for it."""

    customer_id: int
    report_id: int | None
    made: bool
    invoice_id: int | None
    late_invoice_id: int | None

    @property
    def invoice_ids(self) -> tuple[int, ...]:
        return tuple(one for one in (self.invoice_id, self.late_invoice_id) if one is not None)


def terms(session: Session, run_id: int) -> Terms:
    """The terms of a run's present attempt."""
    run = session.get_one(BillRun, run_id, populate_existing=True)
    allowed = {*needed(run.source, run.goal, with_links=run.with_links), Permission.REPORT_READ}
    return Terms(
        run_id=run_id,
        attempt=run.attempt,
        source=run.source,
        goal=run.goal,
        with_links=run.with_links,
        period=Period(run.period_start, run.period_end),
        service_ids=tuple(int(part) for part in run.services.split(",") if part),
        line_grouping=run.line_grouping,
        tax_rate=run.tax_rate,
        actor=Actor(run.created_by_id, run.created_by, frozenset(allowed), run.bound_to),
        zones=tuple(businesses.zones(session)),
    )


def take_up(session: Session, terms: Terms, chunk: int, process_id: str | None) -> None:
    """Say that this process has the chunk in hand, as far as no other living process has."""
    free = or_(BillRunCustomer.process_id.is_(None), ~is_living(BillRunCustomer.process_id))
    _claim(session, terms, chunk, free, process_id)


def let_go(session: Session, terms: Terms, chunk: int, process_id: str | None) -> None:
    """The reverse of ``take_up``, for those who still wait."""
    _claim(session, terms, chunk, BillRunCustomer.process_id == process_id, None)


def _claim(session: Session, terms: Terms, chunk: int, which: ColumnElement[bool], process_id: str | None) -> None:
    """Not of a row that is locked: a vanished machine may hold it for a while, and the rest of the chunk can go on."""
    of_chunk = (BillRunCustomer.run_id == terms.run_id) & (BillRunCustomer.chunk == chunk)
    unlocked = select(BillRunCustomer.customer_id).where(of_chunk, _WAITING, which).with_for_update(skip_locked=True)
    session.execute(
        update(BillRunCustomer)
        .where(of_chunk, BillRunCustomer.customer_id.in_(unlocked.correlate(None)))
        .values(process_id=process_id)
        .execution_options(synchronize_session=False)
    )


def free_chunk(session: Session, terms: Terms) -> int | None:
    """The last chunk that waits and that no living process has in hand, if there is one and the run goes on: the queue
    hands out the first ones first.
    """
    statement = (
        select(func.max(BillRunCustomer.chunk))
        .join(BillRun, BillRun.id == BillRunCustomer.run_id)
        .where(BillRunCustomer.run_id == terms.run_id, _WAITING, _GOES_ON)
        .where(or_(BillRunCustomer.process_id.is_(None), ~is_living(BillRunCustomer.process_id)))
    )
    return session.scalar(statement, {"attempt": terms.attempt})


def left_over(session: Session, terms: Terms) -> bool:
    """Whether somebody waits whom no living command has in hand, and the run goes on. For a run whose workflows are
    all over: what any other process still claims is what a failure left behind.
    """
    by_a_command = select(Process.id).where(Process.kind == ProcessKind.COMMAND)
    ours = and_(BillRunCustomer.process_id.in_(by_a_command), is_living(BillRunCustomer.process_id))
    waits = exists().where(
        BillRun.id == BillRunCustomer.run_id,
        BillRunCustomer.run_id == terms.run_id,
        _WAITING,
        _GOES_ON,
        or_(BillRunCustomer.process_id.is_(None), not_(ours)),
    )
    return session.scalar(select(waits), {"attempt": terms.attempt}) or False


def take(session: Session, terms: Terms, chunk: int) -> Taken | None:
    """Lock the next customer of a chunk; None where none waits, or where this attempt no longer goes on."""
    key = {"run": terms.run_id, "attempt": terms.attempt, "chunk": chunk}
    row = session.execute(_NEXT, key).one_or_none()
    return None if row is None else Taken(*row)


def take_all(session: Session, terms: Terms, chunk: int) -> list[Taken]:
    """Lock all customers of a chunk who wait, in the order of their ids."""
    key = {"run": terms.run_id, "attempt": terms.attempt, "chunk": chunk}
    return [Taken(*row) for row in session.execute(_CHUNK, key)]


def take_again(session: Session, terms: Terms, customer_id: int) -> Taken | None:
    """Lock this customer; None where it waits no longer, since another process was faster."""
    row = session.execute(_AGAIN, {"run": terms.run_id, "customer": customer_id}).one_or_none()
    return None if row is None else Taken(*row)


def mark(session: Session, terms: Terms, customer_id: int, facts: Facts) -> None:
    """Note what was made for a customer, or what became of it, unless that is settled."""
    mark_all(session, terms, {customer_id: facts})


def mark_all(session: Session, terms: Terms, made: Mapping[int, Facts]) -> None:
    """``mark`` of many customers: a statement for each set of facts that some of them have."""
    # The rows name what is made for them.
    session.flush()
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for customer_id, facts in made.items():
        row = {"run": terms.run_id, "customer": customer_id} | {f"new_{name}": fact for name, fact in facts.items()}
        alike.setdefault(tuple(sorted(facts)), []).append(row)
    for names, rows in alike.items():
        noted = update(_CUSTOMERS).where(_ITEM, _WAITING).values({name: bindparam(f"new_{name}") for name in names})
        session.connection().execute(noted, rows)


def finish(session: Session, run_id: int, attempt: int, *, now: datetime) -> bool:
    """Finish the run if nobody waits; True where this did. A stopped run stays open, so that it can be resumed.

    Each process asks after its last commit, so the last of them finds nobody. The attempt is compared once more with
    the locked row: a retry that came in between would have its customers overlooked.
    """
    waiting = exists().where(BillRunCustomer.run_id == run_id, _WAITING)
    ended = update(BillRun).where(
        BillRun.id == run_id,
        BillRun.attempt == attempt,
        BillRun.finished_at.is_(None),
        BillRun.cancelled_at.is_(None),
        not_(waiting),
    )
    ended = ended.values(finished_at=now, paused_at=None, pause_reason="").execution_options(synchronize_session=False)
    return session.scalar(ended.returning(BillRun.id)) is not None


def unfinished(session: Session, *, limit: int = 1_000) -> list[tuple[int, int]]:
    """(run, attempt) of those that should be in progress."""
    statement = select(BillRun.id, BillRun.attempt).where(
        BillRun.finished_at.is_(None), BillRun.cancelled_at.is_(None), BillRun.paused_at.is_(None)
    )
    return [(row.id, row.attempt) for row in session.execute(statement.order_by(BillRun.id).limit(limit))]


def waiting_chunks(session: Session, run_id: int, attempt: int) -> list[int]:
    """The chunks of this attempt in which somebody waits, if it goes on."""
    statement = (
        select(BillRunCustomer.chunk)
        .join(BillRun, BillRun.id == BillRunCustomer.run_id)
        .where(BillRunCustomer.run_id == run_id, _WAITING, _GOES_ON)
        .distinct()
        .order_by(BillRunCustomer.chunk)
    )
    return list(session.scalars(statement, {"attempt": attempt}))


def begin_again(session: Session, run_id: int, attempt: int, *, now: datetime) -> bool:
    """Count one more attempt; False where somebody else did meanwhile, or where it is given up: after so many attempts
    in a row that finished nobody, the run is paused and says why.
    """
    mine = select(BillRun).where(BillRun.id == run_id, _GOES_ON).with_for_update()
    run = session.scalar(mine.execution_options(populate_existing=True), {"attempt": attempt})
    if run is None:
        return False
    done = session.scalar(select(func.count()).where(BillRunCustomer.run_id == run_id, not_(_WAITING))) or 0
    run.fruitless = run.fruitless + 1 if done == run.done_before else 1
    run.done_before = done
    if run.fruitless > MOST_FRUITLESS:
        log.error("bill_run_given_up", run_id=run_id, attempt=attempt)
        run.paused_at = now
        run.pause_reason = f"It was begun {MOST_FRUITLESS} times, and no customer was finished. The log says why"
        return False
    run.attempt += 1
    return True

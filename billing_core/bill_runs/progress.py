"""The progress of bill runs, from the tables alone: cheap enough for pages to poll."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select, true
from sqlalchemy.orm import Session

from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunOutcome
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.dates import Period
from billing_core.errors import NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.rating.models import QuestionKind
from billing_core.reports.models import BillingReport, ReportQuestionTotal, ReportServiceTotal


@dataclass(frozen=True, slots=True)
class Progress:
    """``seconds_left`` is an estimate from the customers done so far; None before there are any."""

    run_id: int
    period: Period
    services: str
    total: int
    created: int
    unchanged: int
    failed: int
    created_at: datetime
    created_by: str
    cancelled_at: datetime | None
    finished_at: datetime | None
    seconds_left: int | None

    @property
    def done(self) -> int:
        return self.created + self.unchanged + self.failed

    @property
    def waiting(self) -> int:
        return self.total - self.done

    @property
    def running(self) -> bool:
        return self.finished_at is None and self.cancelled_at is None


@dataclass(frozen=True, slots=True)
class ItemRow:
    customer_id: int
    customer_name: str
    outcome: RunOutcome
    report_id: int | None
    total_minor: int | None
    currency: str | None
    question_count: int | None
    reason: str
    finished_at: datetime | None


def progress(session: Session, actor: Actor, run_id: int) -> Progress:
    """The progress of a run; NotFound where there is none or this actor may not see it."""
    runs = recent(session, actor, run_id=run_id, limit=1)
    if not runs:
        raise NotFound(f"There is no run {run_id}")
    return runs[0]


def recent(session: Session, actor: Actor, *, run_id: int | None = None, limit: int = 20) -> list[Progress]:
    """The newest runs first, each with its progress."""
    actor.require(Permission.REPORT_READ)
    chosen = (
        select(BillRun)
        .where(visible(actor), true() if run_id is None else BillRun.id == run_id)
        .order_by(BillRun.created_at.desc(), BillRun.id.desc())
        .limit(limit)
    )
    runs = list(session.scalars(chosen.execution_options(populate_existing=True)))
    counted: Any = session.execute(
        select(BillRunCustomer.run_id, BillRunCustomer.outcome, func.count(), func.sum(BillRunCustomer.milliseconds))
        .where(BillRunCustomer.run_id.in_([run.id for run in runs]))
        .group_by(BillRunCustomer.run_id, BillRunCustomer.outcome)
    )
    counts: dict[int, dict[RunOutcome, tuple[int, int]]] = {run.id: {} for run in runs}
    for owner, outcome, count, milliseconds in counted:
        counts[owner][outcome] = (count, int(milliseconds or 0))
    return [_progress(run, counts[run.id]) for run in runs]


def items(
    session: Session,
    actor: Actor,
    run_id: int,
    *,
    outcome: RunOutcome | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[ItemRow]:
    """One page of a run's customers by name, with outcome and reason of failure."""
    actor.require(Permission.REPORT_READ)
    statement = (
        select(
            Customer.id,
            Customer.name,
            BillRunCustomer.outcome,
            BillRunCustomer.report_id,
            BillingReport.total_minor,
            BillingReport.currency,
            BillingReport.question_count,
            BillRunCustomer.reason,
            BillRunCustomer.finished_at,
        )
        .join(Customer, Customer.id == BillRunCustomer.customer_id)
        .outerjoin(BillingReport, BillingReport.id == BillRunCustomer.report_id)
        .where(BillRunCustomer.run_id == run_id, visible_to(actor))
        .order_by(Customer.name, Customer.id)
    )
    if outcome is not None:
        statement = statement.where(BillRunCustomer.outcome == outcome)
    return [ItemRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def without_rates(session: Session, actor: Actor, run_id: int, *, limit: int = 50) -> list[str]:
    """Customers whose orders had no rate at all, by name: their reports came to 0."""
    actor.require(Permission.REPORT_READ)
    missing_rate = exists().where(
        ReportQuestionTotal.report_id == BillRunCustomer.report_id, ReportQuestionTotal.kind == QuestionKind.NO_RATE
    )
    charged = exists().where(ReportServiceTotal.report_id == BillRunCustomer.report_id)
    statement = (
        select(Customer.name)
        .join(BillRunCustomer, BillRunCustomer.customer_id == Customer.id)
        .where(BillRunCustomer.run_id == run_id, visible_to(actor), missing_rate, ~charged)
        .order_by(Customer.name, Customer.id)
    )
    return list(session.scalars(statement.limit(limit)))


def visible(actor: Actor) -> ColumnElement[bool]:
    """In SQL: an actor bound to one customer sees only the runs of actors bound to it."""
    return true() if actor.customer_id is None else BillRun.bound_to == actor.customer_id


def _progress(run: BillRun, counts: dict[RunOutcome, tuple[int, int]]) -> Progress:
    tally = {outcome: counts.get(outcome, (0, 0)) for outcome in RunOutcome}
    waiting = tally[RunOutcome.WAITING][0]
    done = sum(count for count, _ in tally.values()) - waiting
    spent = sum(milliseconds for _, milliseconds in tally.values())
    return Progress(
        run_id=run.id,
        period=Period(run.period_start, run.period_end),
        services=run.services,
        total=done + waiting,
        created=tally[RunOutcome.CREATED][0],
        unchanged=tally[RunOutcome.UNCHANGED][0],
        failed=tally[RunOutcome.FAILED][0],
        created_at=run.created_at,
        created_by=run.created_by,
        cancelled_at=run.cancelled_at,
        finished_at=run.finished_at,
        seconds_left=-(-spent * waiting // (done * 1000)) if done else None,
    )

"""The progress of bill runs, from the tables alone: cheap enough for pages to poll."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, exists, func, select, true
from sqlalchemy.orm import Session, aliased

from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome, RunSource
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.dates import Period
from billing_core.errors import NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.metering.models import UsagePeriod
from billing_core.processes.queries import is_living
from billing_core.rating.models import QuestionKind
from billing_core.reports.models import ReportQuestionTotal, ReportServiceTotal

# The rate is that of the customers finished in this time.
_LATELY: Final = timedelta(minutes=1)
_LATE_INVOICE = aliased(Invoice)


@dataclass(frozen=True, slots=True)
class Progress:
    """``billed``: what the reports or billed periods come to before tax, also rehearsed ones; ``empty``: for how many
    created ones that is 0, and nothing else was invoiced; ``questions``: how many they leave open; ``twice``: how many
    charges of rehearsed reports stand on other current ones. ``drafts``: the invoices that this run made; ``sent``:
    those of them that were sent; ``invoiced``: what they come to with tax; ``uninvoiced``: customers who are through
    and got none, as nothing was left to invoice. Sums are in minor units by currency. ``worked_on``: how many living
    processes have customers of it in hand. ``per_minute``: the customers finished within the last minute, or since the
    first of them. ``seconds_left`` is an estimate from that, and None unless somebody works on it. ``pause_reason``:
    why it was paused, unless a person did.
    """

    run_id: int
    source: RunSource
    goal: RunGoal
    with_links: bool
    period: Period
    services: str
    all_customers: bool
    total: int
    created: int
    unchanged: int
    failed: int
    empty: int
    questions: int
    twice: int
    billed: dict[str, int]
    drafts: int
    sent: int
    invoiced: dict[str, int]
    uninvoiced: int
    created_at: datetime
    created_by: str
    paused_at: datetime | None
    pause_reason: str
    cancelled_at: datetime | None
    finished_at: datetime | None
    worked_on: int
    per_minute: float
    seconds_left: int | None

    @property
    def service_ids(self) -> tuple[int, ...]:
        """Those that it is limited to; none means all of them."""
        return tuple(int(part) for part in self.services.split(",") if part)

    @property
    def done(self) -> int:
        return self.created + self.unchanged + self.failed

    @property
    def waiting(self) -> int:
        return self.total - self.done

    @property
    def running(self) -> bool:
        """It goes on, or would if a process worked on it: see ``worked_on``."""
        return self.finished_at is None and self.cancelled_at is None and self.paused_at is None


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One customer. The figures are those of the report or the billed period, also of one that was only rehearsed.
    ``invoice_id``: the invoice that the run made, or that the period of usage was billed with before;
    ``late_invoice_id``: another one that it made, of what came late. ``late_minor`` and ``credited_minor`` as in
    ``BillRunCustomer``.
    """

    customer_id: int
    customer_name: str
    outcome: RunOutcome
    report_id: int | None
    invoice_id: int | None
    invoice_number: str | None
    late_invoice_id: int | None
    late_invoice_number: str | None
    total_minor: int | None
    late_minor: int | None
    credited_minor: int | None
    currency: str | None
    order_count: int | None
    question_count: int | None
    reason: str
    finished_at: datetime | None


@dataclass(slots=True)
class _Counted:
    """What the rows of one run come to. ``milliseconds``: of the customers finished lately, together."""

    outcomes: dict[RunOutcome, int]
    lately: int = 0
    first_lately: datetime | None = None
    milliseconds: int = 0
    worked_on: int = 0
    empty: int = 0
    questions: int = 0
    twice: int = 0
    drafts: int = 0
    sent: int = 0
    uninvoiced: int = 0


def progress(session: Session, actor: Actor, run_id: int, *, now: datetime) -> Progress:
    """The progress of a run; NotFound where there is none or this actor may not see it."""
    runs = recent(session, actor, run_id=run_id, limit=1, now=now)
    if not runs:
        raise NotFound(f"There is no run {run_id}")
    return runs[0]


def recent(
    session: Session,
    actor: Actor,
    *,
    run_id: int | None = None,
    source: RunSource | None = None,
    limit: int = 20,
    now: datetime,
) -> list[Progress]:
    """The newest runs first, each with its progress; ``source``: those over it alone."""
    actor.require(Permission.REPORT_READ)
    chosen = (
        select(BillRun)
        .where(
            visible(actor),
            true() if run_id is None else BillRun.id == run_id,
            true() if source is None else BillRun.source == source,
        )
        .order_by(BillRun.created_at.desc(), BillRun.id.desc())
        .limit(limit)
    )
    runs = list(session.scalars(chosen.execution_options(populate_existing=True)))
    run_ids = [run.id for run in runs]
    counted = _counted(session, run_ids, now)
    billed, invoiced = _billed(session, run_ids), _invoiced(session, run_ids)
    return [_progress(run, counted[run.id], billed[run.id], invoiced[run.id], now) for run in runs]


def customer_ids(session: Session, actor: Actor, run_id: int) -> list[int]:
    """All customers of a run, to start another one over the same."""
    actor.require(Permission.REPORT_READ)
    statement = (
        select(BillRunCustomer.customer_id)
        .join(BillRun, BillRun.id == BillRunCustomer.run_id)
        .where(BillRun.id == run_id, visible(actor))
    )
    return list(session.scalars(statement.order_by(BillRunCustomer.customer_id)))


def report_ids(session: Session, actor: Actor, run_id: int, *, limit: int) -> list[int]:
    """The reports that the run made or found, by the names of their customers."""
    actor.require(Permission.REPORT_READ)
    statement = (
        select(BillRunCustomer.report_id)
        .join(BillRun, BillRun.id == BillRunCustomer.run_id)
        .join(Customer, Customer.id == BillRunCustomer.customer_id)
        .where(BillRun.id == run_id, visible(actor), BillRunCustomer.report_id.is_not(None))
    )
    return list(session.scalars(statement.order_by(Customer.name_order, Customer.id).limit(limit)))


def items(
    session: Session,
    actor: Actor,
    run_id: int,
    *,
    outcome: RunOutcome | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[ItemRow]:
    """One page of a run's customers by name, with outcome and reason; ``outcome`` shows only those."""
    actor.require(Permission.REPORT_READ)
    statement = (
        select(
            Customer.id,
            Customer.name,
            BillRunCustomer.outcome,
            BillRunCustomer.report_id,
            Invoice.id,
            Invoice.number,
            _LATE_INVOICE.id,
            _LATE_INVOICE.number,
            BillRunCustomer.total_minor,
            BillRunCustomer.late_minor,
            BillRunCustomer.credited_minor,
            BillRunCustomer.currency,
            BillRunCustomer.order_count,
            BillRunCustomer.question_count,
            BillRunCustomer.reason,
            BillRunCustomer.finished_at,
        )
        .join(Customer, Customer.id == BillRunCustomer.customer_id)
        .join(BillRun, BillRun.id == BillRunCustomer.run_id)
        .outerjoin(UsagePeriod, _its_period())
        .outerjoin(Invoice, Invoice.id == func.coalesce(BillRunCustomer.invoice_id, UsagePeriod.invoice_id))
        .outerjoin(_LATE_INVOICE, _LATE_INVOICE.id == BillRunCustomer.late_invoice_id)
        .where(BillRunCustomer.run_id == run_id, visible_to(actor))
        .order_by(Customer.name_order, Customer.id)
    )
    if outcome is not None:
        statement = statement.where(BillRunCustomer.outcome == outcome)
    rows: Any = session.execute(statement.limit(limit).offset(offset))
    return [ItemRow(*row) for row in rows]


def _came_to_nothing() -> ColumnElement[bool]:
    nothing_late = func.coalesce(BillRunCustomer.late_minor, 0) == 0
    return and_(BillRunCustomer.total_minor == 0, nothing_late, BillRunCustomer.invoice_id.is_(None))


def _its_period() -> ColumnElement[bool]:
    """In SQL: the standing period of usage with which the customer is billed for the days of the run."""
    return and_(
        BillRun.source == RunSource.USAGE,
        UsagePeriod.customer_id == BillRunCustomer.customer_id,
        UsagePeriod.first_day == BillRun.period_start,
        UsagePeriod.last_day == BillRun.period_end,
        UsagePeriod.replaced_at.is_(None),
    )


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
        .order_by(Customer.name_order, Customer.id)
    )
    return list(session.scalars(statement.limit(limit)))


def visible(actor: Actor) -> ColumnElement[bool]:
    """In SQL: an actor bound to one customer sees only the runs of actors bound to it."""
    return true() if actor.customer_id is None else BillRun.bound_to == actor.customer_id


def _counted(session: Session, run_ids: Collection[int], now: datetime) -> dict[int, _Counted]:
    """Two statements for all runs together: their customers, and who works on them."""
    counted = {run_id: _Counted(outcomes={}) for run_id in run_ids}
    of_runs = BillRunCustomer.run_id.in_(run_ids)
    lately = BillRunCustomer.finished_at > now - _LATELY
    by_outcome = (
        select(
            BillRunCustomer.run_id,
            BillRunCustomer.outcome,
            func.count().label("customers"),
            func.count(case((lately, 1))).label("lately"),
            func.min(case((lately, BillRunCustomer.finished_at))).label("first_lately"),
            func.coalesce(func.sum(case((lately, BillRunCustomer.milliseconds))), 0).label("milliseconds"),
            func.count(case((_came_to_nothing(), 1))).label("empty"),
            func.coalesce(func.sum(BillRunCustomer.question_count), 0).label("questions"),
            func.coalesce(func.sum(BillRunCustomer.twice_count), 0).label("twice"),
            func.count(BillRunCustomer.invoice_id).label("invoiced"),
            func.count(BillRunCustomer.late_invoice_id).label("late_drafts"),
            (func.count(Invoice.sent_at) + func.count(_LATE_INVOICE.sent_at)).label("sent"),
        )
        .outerjoin(Invoice, Invoice.id == BillRunCustomer.invoice_id)
        .outerjoin(_LATE_INVOICE, _LATE_INVOICE.id == BillRunCustomer.late_invoice_id)
        .where(of_runs)
        .group_by(BillRunCustomer.run_id, BillRunCustomer.outcome)
    )
    for row in session.execute(by_outcome):
        run = counted[row.run_id]
        run.outcomes[row.outcome] = row.customers
        run.lately += row.lately
        run.milliseconds += int(row.milliseconds)
        run.empty += row.empty if row.outcome is RunOutcome.CREATED else 0
        run.questions += int(row.questions)
        run.twice += int(row.twice)
        run.drafts += row.invoiced + row.late_drafts
        run.sent += row.sent
        if row.outcome in (RunOutcome.CREATED, RunOutcome.UNCHANGED):
            run.uninvoiced += row.customers - row.invoiced
        if row.first_lately is not None:
            run.first_lately = min(run.first_lately or row.first_lately, row.first_lately)
    hands = (
        select(BillRunCustomer.run_id, func.count(BillRunCustomer.process_id.distinct()).label("processes"))
        .where(of_runs, BillRunCustomer.outcome == RunOutcome.WAITING, is_living(BillRunCustomer.process_id))
        .group_by(BillRunCustomer.run_id)
    )
    for row in session.execute(hands):
        counted[row.run_id].worked_on = row.processes
    return counted


def _billed(session: Session, run_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """What the reports of each run come to, by currency."""
    sums = (
        select(BillRunCustomer.run_id, BillRunCustomer.currency, func.sum(BillRunCustomer.total_minor).label("total"))
        .where(BillRunCustomer.run_id.in_(run_ids), BillRunCustomer.currency.is_not(None))
        .group_by(BillRunCustomer.run_id, BillRunCustomer.currency)
        .order_by(BillRunCustomer.run_id, BillRunCustomer.currency)
    )
    return _by_currency(session.execute(sums))


def _invoiced(session: Session, run_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """What the invoices made by each run come to, by currency; cancelled ones are left out."""
    sums = (
        select(BillRunCustomer.run_id, Invoice.currency, func.sum(Invoice.total_minor).label("total"))
        .join(Invoice, Invoice.id.in_([BillRunCustomer.invoice_id, BillRunCustomer.late_invoice_id]))
        .where(BillRunCustomer.run_id.in_(run_ids), Invoice.state != InvoiceState.CANCELLED)
        .group_by(BillRunCustomer.run_id, Invoice.currency)
        .order_by(BillRunCustomer.run_id, Invoice.currency)
    )
    return _by_currency(session.execute(sums))


def _by_currency(rows: Iterable[Any]) -> dict[int, dict[str, int]]:
    """Sums of each run, in minor units."""
    sums: dict[int, dict[str, int]] = defaultdict(dict)
    for row in rows:
        sums[row.run_id][row.currency] = int(row.total)
    return sums


def _progress(
    run: BillRun, counted: _Counted, billed: dict[str, int], invoiced: dict[str, int], now: datetime
) -> Progress:
    waiting = counted.outcomes.get(RunOutcome.WAITING, 0)
    per_second = _per_second(counted, now)
    going_on = run.finished_at is None and run.cancelled_at is None and run.paused_at is None
    worked_on = counted.worked_on if going_on else 0
    return Progress(
        run_id=run.id,
        source=run.source,
        goal=run.goal,
        with_links=run.with_links,
        period=Period(run.period_start, run.period_end),
        services=run.services,
        all_customers=run.all_customers,
        total=sum(counted.outcomes.values()),
        created=counted.outcomes.get(RunOutcome.CREATED, 0),
        unchanged=counted.outcomes.get(RunOutcome.UNCHANGED, 0),
        failed=counted.outcomes.get(RunOutcome.FAILED, 0),
        empty=counted.empty,
        questions=counted.questions,
        twice=counted.twice,
        billed=billed,
        drafts=counted.drafts,
        sent=counted.sent,
        invoiced=invoiced,
        uninvoiced=counted.uninvoiced,
        created_at=run.created_at,
        created_by=run.created_by,
        paused_at=run.paused_at,
        pause_reason=run.pause_reason,
        cancelled_at=run.cancelled_at,
        finished_at=run.finished_at,
        worked_on=worked_on,
        per_minute=per_second * 60,
        seconds_left=math.ceil(waiting / per_second) if worked_on and per_second else None,
    )


def _per_second(counted: _Counted, now: datetime) -> float:
    """From when the first of them was begun, which was about one customer's time before it was finished."""
    if counted.first_lately is None:
        return 0.0
    one = timedelta(milliseconds=counted.milliseconds / counted.lately)
    span = min(_LATELY, max(now - counted.first_lately + one, timedelta(milliseconds=1)))
    return counted.lately / span.total_seconds()

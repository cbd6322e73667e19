"""Bill runs: planned over several customers, paused, resumed and stopped. Working them off is in ``steps``."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import ColumnElement, and_, case, exists, false, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome, RunSource
from billing_core.bill_runs.overlapping import refuse_overlap
from billing_core.bill_runs.progress import visible
from billing_core.bounces import queries as bounces
from billing_core.bounces.queries import BounceRow
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.invoices.content import field_checks
from billing_core.invoices.from_reports import Grouping
from billing_core.orders.models import Order
from billing_core.reports import service
from billing_core.reports.models import BillingReport
from billing_core.usage import billing

# Customers who are worked on together: some seconds of work, so that many processes get a share and a dead one's share
# is soon done by another.
CHUNK: Final = 10
# Where they are billed in one transaction, which takes a tenth of a second then, and half of that for ten.
TOGETHER: Final = 100
# How far a run of each source can go.
GOALS: Final = {
    RunSource.ORDERS: (RunGoal.REHEARSAL, RunGoal.REPORTS, RunGoal.DRAFTS, RunGoal.SENT),
    RunSource.USAGE: (RunGoal.REHEARSAL, RunGoal.DRAFTS, RunGoal.SENT),
}
_OF_GOAL: Final = {
    RunGoal.REHEARSAL: (),
    RunGoal.REPORTS: (),
    RunGoal.DRAFTS: (Permission.INVOICE_WRITE,),
    RunGoal.SENT: (Permission.INVOICE_WRITE, Permission.INVOICE_SEND),
}
_OF_SOURCE: Final = {RunSource.ORDERS: (), RunSource.USAGE: (Permission.USAGE_READ, Permission.PLAN_READ)}


@dataclass(frozen=True, slots=True)
class Reach:
    """How many customers a run would bill, and how many of them have no address to mail to."""

    customers: int
    without_email: int

    @property
    def mailed(self) -> int:
        """At most so many can be mailed."""
        return self.customers - self.without_email


def needed(source: RunSource, goal: RunGoal, *, with_links: bool = False) -> tuple[Permission, ...]:
    """What it takes to start such a run, and to change it."""
    links = (Permission.LINK_WRITE,) if with_links else ()
    # Usage that was taken back after it was billed is credited with the next bill, off what was paid for it too.
    credits_usage = source is RunSource.USAGE and goal is not RunGoal.REHEARSAL
    credit = (Permission.PAYMENT_WRITE, Permission.INVOICE_READ) if credits_usage else ()
    return (Permission.REPORT_GENERATE, *_OF_SOURCE[source], *_OF_GOAL[goal], *credit, *links)


def go_together(source: RunSource, goal: RunGoal) -> bool:
    """Whether customers of such a run can be billed in one transaction: nothing is sent, and many cost little more than
    one.
    """
    return source is RunSource.USAGE and goal in (RunGoal.REHEARSAL, RunGoal.DRAFTS)


def reach(
    session: Session,
    actor: Actor,
    *,
    source: RunSource = RunSource.ORDERS,
    customer_ids: Collection[int] | None,
    period: Period,
    service_ids: Collection[int] = (),
) -> Reach:
    """Whom ``plan`` would choose."""
    _require(actor, source, RunGoal.REHEARSAL)
    chosen = chosen_customers(session, source, customer_ids, period, service_ids)
    counted = select(func.count(), func.count(case((Customer.email == "", 1)))).where(chosen, visible_to(actor))
    return Reach(*session.execute(counted).one())


def bounced(
    session: Session,
    actor: Actor,
    *,
    source: RunSource = RunSource.ORDERS,
    customer_ids: Collection[int] | None,
    period: Period,
    service_ids: Collection[int] = (),
) -> list[BounceRow]:
    """The addresses of those whom ``plan`` would choose from which mails came back."""
    _require(actor, source, RunGoal.REHEARSAL)
    return bounces.of_customers(session, actor, chosen_customers(session, source, customer_ids, period, service_ids))


def chosen_customers(
    session: Session,
    source: RunSource,
    customer_ids: Collection[int] | None,
    period: Period,
    service_ids: Collection[int] = (),
) -> ColumnElement[bool]:
    """In SQL: ``plan`` would choose the customer, of those whom its actor sees."""
    return _chosen(source, customer_ids, period, _spelled(session, service_ids))


def plan(
    session: Session,
    actor: Actor,
    *,
    source: RunSource = RunSource.ORDERS,
    customer_ids: Collection[int] | None,
    period: Period,
    service_ids: Collection[int] = (),
    goal: RunGoal = RunGoal.REPORTS,
    with_links: bool = False,
    line_grouping: Grouping = Grouping.SERVICE,
    tax_rate: Decimal = Decimal(0),
    now: datetime,
) -> int:
    """Record a run over these customers and return its id; start it by ``jobs.bill_run.begin`` after the commit.

    None means every customer who has billable orders in the period, or a report for it already; of usage, who used
    something or was on a plan. ``tax_rate`` in percent and ``line_grouping`` are for drafts. ``Overlapping`` where an
    unfinished run bills some of the same.
    """
    _require(actor, source, goal, with_links=with_links)
    service.refuse_far_off(period)
    _refuse_what_usage_lacks(source, goal, service_ids)
    if with_links and goal is not RunGoal.SENT:
        reason = "go with invoices that are sent"
        raise Invalid(f"Payment links {reason}", fields={"with_links": reason})
    wrong: dict[str, str] = {}
    tax_rate = field_checks.percentage(wrong, "tax_rate", tax_rate)
    if wrong:
        raise Invalid(f"The tax rate {wrong['tax_rate']}", fields=wrong)
    run = BillRun(
        source=source,
        goal=goal,
        with_links=with_links,
        line_grouping=line_grouping,
        tax_rate=tax_rate,
        period_start=period.start,
        period_end=period.end,
        services=_spelled(session, service_ids),
        all_customers=customer_ids is None,
        created_at=now,
        created_by_id=actor.user_id,
        created_by=actor.name,
        bound_to=actor.customer_id,
    )
    session.add(run)
    session.flush()
    planned = _choose(session, actor, run, customer_ids)
    refuse_overlap(session, actor, run)
    after = {"source": source.value, "period": str(period), "services": run.services, "customers": planned}
    after |= {"goal": goal.value}
    after |= {"with_links": with_links, "line_grouping": line_grouping.value, "tax_rate": str(tax_rate)}
    audit.record(session, actor, "report.run", ("report_run", run.id), label=str(period), after=after, now=now)
    return run.id


def pause(session: Session, actor: Actor, run_id: int, *, now: datetime) -> None:
    """Stop before the next customer, or the next chunk that is billed together, until somebody resumes the run."""
    run = _for_change(session, actor, run_id)
    _refuse_ended(run)
    if run.paused_at is not None:
        raise Conflict("This run is paused already")
    run.paused_at = now
    audit.record(session, actor, "report.run_pause", ("report_run", run_id), now=now)


def cancel(session: Session, actor: Actor, run_id: int, *, now: datetime) -> None:
    """Stop where ``pause`` does, for good. What is done stays."""
    run = _for_change(session, actor, run_id)
    _refuse_ended(run)
    run.cancelled_at, run.paused_at, run.pause_reason = now, None, ""
    audit.record(session, actor, "report.run_cancel", ("report_run", run_id), now=now)


def resume(session: Session, actor: Actor, run_id: int, *, now: datetime) -> None:
    """Go on with the rest of a paused or stopped run. Start it after the commit."""
    run = _for_change(session, actor, run_id)
    if run.finished_at is not None:
        raise Conflict("This run is finished")
    if run.paused_at is None and run.cancelled_at is None:
        raise Conflict("This run is still in progress")
    _go_on(session, actor, run)
    audit.record(session, actor, "report.run_resume", ("report_run", run_id), now=now)


def retry_failed(session: Session, actor: Actor, run_id: int, *, now: datetime) -> None:
    """Try its failed customers again. Start it after the commit. Conflict where that would go on with others too."""
    run = _for_change(session, actor, run_id)
    held = next((word for word, at in (("paused", run.paused_at), ("stopped", run.cancelled_at)) if at), None)
    waits = exists().where(BillRunCustomer.run_id == run_id, BillRunCustomer.outcome == RunOutcome.WAITING)
    if held and session.scalar(select(waits)):
        raise Conflict(f"Run {run_id} is {held} and has customers left: resume it first")
    retried = session.scalars(
        update(BillRunCustomer)
        .where(BillRunCustomer.run_id == run_id, BillRunCustomer.outcome == RunOutcome.FAILED)
        .values(outcome=RunOutcome.WAITING, reason="", finished_at=None, process_id=None)
        .returning(BillRunCustomer.customer_id)
    ).all()
    if not retried:
        raise Conflict("No customer of this run has failed")
    _go_on(session, actor, run)
    after = {"customers": len(retried)}
    audit.record(session, actor, "report.run_retry", ("report_run", run_id), after=after, now=now)


def _go_on(session: Session, actor: Actor, run: BillRun) -> None:
    """A new attempt: work of the former ones stops by itself, and this one's is begun under names of its own."""
    run.paused_at = run.cancelled_at = run.finished_at = None
    run.pause_reason, run.fruitless = "", 0
    run.attempt += 1
    session.flush()
    refuse_overlap(session, actor, run)


def _for_change(session: Session, actor: Actor, run_id: int) -> BillRun:
    """The run, locked. Changing it takes what starting it took."""
    actor.require(Permission.REPORT_GENERATE)
    statement = (
        select(BillRun)
        .where(BillRun.id == run_id, visible(actor))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    run = session.scalars(statement).one_or_none()
    if run is None:
        raise NotFound(f"There is no run {run_id}")
    _require(actor, run.source, run.goal, with_links=run.with_links)
    return run


def _require(actor: Actor, source: RunSource, goal: RunGoal, *, with_links: bool = False) -> None:
    for permission in needed(source, goal, with_links=with_links):
        actor.require(permission)


def _refuse_what_usage_lacks(source: RunSource, goal: RunGoal, service_ids: Collection[int]) -> None:
    """Reports and services are of orders."""
    if goal not in GOALS[source]:
        raise Invalid("Usage has no reports: make drafts", fields={"goal": "is for orders"})
    if source is RunSource.USAGE and service_ids:
        raise Invalid("Usage is not limited to services", fields={"service_ids": "are of orders"})


def _refuse_ended(run: BillRun) -> None:
    if run.finished_at is not None or run.cancelled_at is not None:
        raise Conflict("This run has ended already")


def _choose(session: Session, actor: Actor, run: BillRun, customer_ids: Collection[int] | None) -> int:
    """Note the run's customers, in chunks; returns how many they are."""
    period = Period(run.period_start, run.period_end)
    chosen = _chosen(run.source, customer_ids, period, run.services)
    place = func.row_number().over(order_by=Customer.id) - 1
    session.execute(
        insert(BillRunCustomer).from_select(
            ["run_id", "customer_id", "chunk", "outcome", "made", "reason"],
            select(
                literal(run.id),
                Customer.id,
                # Whole numbers on both databases: SQLAlchemy's / would divide exactly.
                place // (TOGETHER if go_together(run.source, run.goal) else CHUNK),
                literal(RunOutcome.WAITING.value),
                false(),
                literal(""),
            ).where(chosen, visible_to(actor)),
        )
    )
    planned = session.scalar(select(func.count()).where(BillRunCustomer.run_id == run.id)) or 0
    if customer_ids is not None and planned < len(set(customer_ids)):
        known = set(session.scalars(select(BillRunCustomer.customer_id).where(BillRunCustomer.run_id == run.id)))
        missing = min(set(customer_ids) - known)
        raise Invalid(f"Customer with ID {missing} not found", fields={"customer_id": "there is no such customer"})
    if not planned:
        raise Invalid(f"No customer has {run.source} to bill from {period}")
    return planned


def _spelled(session: Session, service_ids: Collection[int]) -> str:
    """As runs and reports note which services they are limited to."""
    return ",".join(str(service_id) for service_id in service.chosen_services(session, service_ids))


def _chosen(
    source: RunSource, customer_ids: Collection[int] | None, period: Period, services: str
) -> ColumnElement[bool]:
    """In SQL: the customer is one of these, or has something to bill and is active."""
    if customer_ids is not None:
        return among(Customer.id, customer_ids)
    has_some = billing.has_to_bill(period) if source is RunSource.USAGE else _has_orders(period, services)
    return and_(Customer.active, has_some)


def _has_orders(period: Period, services: str) -> ColumnElement[bool]:
    """In SQL: the customer has billable orders in the period, or a report that may have to say 0 now."""
    orders = exists().where(Order.customer_id == Customer.id, period.contains(Order.order_date), Order.billable)
    reports = exists().where(
        BillingReport.customer_id == Customer.id,
        BillingReport.period_start == period.start,
        BillingReport.period_end == period.end,
        BillingReport.services == services,
    )
    return or_(orders, reports)

"""Bill runs: reports for several customers over one period, planned together and generated one customer at a time."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunOutcome
from billing_core.bill_runs.progress import visible
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.orders.models import Order
from billing_core.reports import service
from billing_core.reports.models import BillingReport


def plan(
    session: Session,
    actor: Actor,
    *,
    customer_ids: Collection[int] | None,
    period: Period,
    service_ids: Collection[int] = (),
    now: datetime,
) -> int:
    """Record a run over these customers and return its id; start it by ``jobs.bill_run.begin`` after the commit.

    None means every customer who has billable orders in the period, or a report for it already.
    """
    actor.require(Permission.REPORT_GENERATE)
    service.refuse_far_off(period)
    services = ",".join(str(service_id) for service_id in service.chosen_services(session, service_ids))
    run = BillRun(
        period_start=period.start,
        period_end=period.end,
        services=services,
        created_at=now,
        created_by_id=actor.user_id,
        created_by=actor.name,
        bound_to=actor.customer_id,
    )
    session.add(run)
    session.flush()
    chosen = _to_bill(period, services) if customer_ids is None else among(Customer.id, customer_ids)
    session.execute(
        insert(BillRunCustomer).from_select(
            ["run_id", "customer_id", "outcome", "reason"],
            select(literal(run.id), Customer.id, literal(RunOutcome.WAITING.value), literal("")).where(
                chosen, visible_to(actor)
            ),
        )
    )
    planned = session.scalar(select(func.count()).where(BillRunCustomer.run_id == run.id)) or 0
    if customer_ids is not None and planned < len(set(customer_ids)):
        known = set(session.scalars(select(BillRunCustomer.customer_id).where(BillRunCustomer.run_id == run.id)))
        missing = min(set(customer_ids) - known)
        raise Invalid(f"Customer with ID {missing} not found", fields={"customer_id": "there is no such customer"})
    if not planned:
        raise Invalid(f"No customer has orders to bill from {period}")
    after = {"period": str(period), "services": services, "customers": planned}
    audit.record(session, actor, "report.run", ("report_run", run.id), label=str(period), after=after, now=now)
    return run.id


def cancel(session: Session, actor: Actor, run_id: int, *, now: datetime) -> None:
    """Stop before the next customer. Finished reports stay."""
    actor.require(Permission.REPORT_GENERATE)
    run = _for_change(session, actor, run_id)
    if run.finished_at is not None or run.cancelled_at is not None:
        raise Conflict("This run has ended already")
    run.cancelled_at = now
    audit.record(session, actor, "report.run_cancel", ("report_run", run_id), now=now)


def resume(session: Session, actor: Actor, run_id: int, *, now: datetime) -> None:
    """Resume a cancelled run, and retry its failed customers. Start it after the commit."""
    actor.require(Permission.REPORT_GENERATE)
    run = _for_change(session, actor, run_id)
    if run.finished_at is None and run.cancelled_at is None:
        raise Conflict("This run is still in progress")
    session.execute(
        update(BillRunCustomer)
        .where(BillRunCustomer.run_id == run_id, BillRunCustomer.outcome == RunOutcome.FAILED)
        .values(outcome=RunOutcome.WAITING, reason="", finished_at=None)
    )
    run.cancelled_at = run.finished_at = None
    run.attempt += 1
    audit.record(session, actor, "report.run_resume", ("report_run", run_id), now=now)


def _for_change(session: Session, actor: Actor, run_id: int) -> BillRun:
    statement = (
        select(BillRun)
        .where(BillRun.id == run_id, visible(actor))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    run = session.scalars(statement).one_or_none()
    if run is None:
        raise NotFound(f"There is no run {run_id}")
    return run


def _to_bill(period: Period, services: str) -> ColumnElement[bool]:
    """In SQL: the customer has billable orders in the period, or a report that may have to say 0 now."""
    orders = exists().where(Order.customer_id == Customer.id, period.contains(Order.order_date), Order.billable)
    reports = exists().where(
        BillingReport.customer_id == Customer.id,
        BillingReport.period_start == period.start,
        BillingReport.period_end == period.end,
        BillingReport.services == services,
    )
    return or_(orders, reports)

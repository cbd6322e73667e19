"""Which orders are billed: the stored totals per customer and month, and how they are recomputed."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, case, delete, exists, func, insert, select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database.functions import among, month_of
from billing_core.dates import Period, first_of_month, last_of_month
from billing_core.orders.models import Order
from billing_core.reports.models import BillingMonth, BillingReport, ReportOrder

COLUMNS = ("customer_id", "month", "orders", "billable_orders", "unbilled_orders")


def refresh(session: Session, customer_ids: Collection[int] | None = None, period: Period | None = None) -> None:
    """Recompute the stored totals of these customers (None: all) for the months of the period (None: all).

    Called by every change of orders or reports, at the end of its transaction. Locks the customers, so that concurrent
    changes of one customer do not overwrite each other's totals.
    """
    if customer_ids is not None and not customer_ids:
        return
    session.flush()
    locked = select(Customer.id).order_by(Customer.id).with_for_update(key_share=True)
    if customer_ids is not None:
        locked = locked.where(among(Customer.id, customer_ids))
    session.execute(locked).all()
    months = None if period is None else Period(first_of_month(period.start), last_of_month(period.end))
    stale = delete(BillingMonth).where(*_within(BillingMonth.customer_id, customer_ids))
    if months is not None:
        stale = stale.where(BillingMonth.month.between(months.start, months.end))
    session.execute(stale.execution_options(synchronize_session=False))
    session.execute(insert(BillingMonth).from_select(COLUMNS, totals(customer_ids, months)))


def reach(session: Session, report_id: int, period: Period) -> Period:
    """The days of a report, and those to which its orders have moved since: once it counts no more, they are unbilled
    there.
    """
    of_report = select(func.min(Order.order_date), func.max(Order.order_date)).join(
        ReportOrder, ReportOrder.order_id == Order.id
    )
    first, last = session.execute(of_report.where(ReportOrder.report_id == report_id)).one()
    return period if first is None else Period(min(first, period.start), max(last, period.end))


def totals(customer_ids: Collection[int] | None = None, period: Period | None = None) -> Select[*tuple[Any, ...]]:
    """The same totals counted from the orders: ``refresh`` stores them and ``verify`` compares with them."""
    month = month_of(Order.order_date)
    statement = (
        select(
            Order.customer_id,
            month.label("month"),
            func.count().label("orders"),
            func.sum(case((Order.billable, 1), else_=0)).label("billable_orders"),
            func.sum(case((unbilled(), 1), else_=0)).label("unbilled_orders"),
        )
        .where(*_within(Order.customer_id, customer_ids))
        .group_by(Order.customer_id, month)
    )
    return statement if period is None else statement.where(period.contains(Order.order_date))


def unbilled() -> ColumnElement[bool]:
    """A billable order that is on no current report."""
    billed = exists().where(
        ReportOrder.order_id == Order.id,
        BillingReport.id == ReportOrder.report_id,
        BillingReport.superseded_at.is_(None),
    )
    return Order.billable & ~billed


def _within(column: SQLColumnExpression[int], customer_ids: Collection[int] | None) -> list[ColumnElement[bool]]:
    return [] if customer_ids is None else [among(column, customer_ids)]

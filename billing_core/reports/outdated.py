"""Reports whose orders have changed since they were made: how many, and by how much the report would differ.

What each order costs depends on that order alone, so the difference is that of the changed orders, rated anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, and_, delete, exists, func, insert, select, union
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.errors import BillingError
from billing_core.identity.permissions import Actor, Permission
from billing_core.money import Money
from billing_core.orders.models import Order
from billing_core.rating import statements
from billing_core.reports import queries
from billing_core.reports.models import BillingReport, ChangedOrder, ReportCharge, ReportOrder
from billing_core.reports.queries import Report

# Of so many changed orders a list says what difference they make; rating more takes seconds.
MOST_RATED = 5_000
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Outdated:
    """``difference``: what generating the report again would bill more for the changed orders; negative: less.
    None where it was not asked for, or where they cannot be billed in its currency."""

    report: Report
    order_count: int
    difference: Money | None

    @property
    def words(self) -> str:
        """Such as “orders changed: 2, difference +3.50 USD”."""
        if self.difference is None:
            return f"orders changed: {self.order_count:,}"
        sign = "+" if self.difference.minor > 0 else ""
        return f"orders changed: {self.order_count:,}, difference {sign}{self.difference}"


def any_current(session: Session) -> bool:
    """Whether there is a report that changes of orders could outdate."""
    return session.scalar(select(exists().where(BillingReport.superseded_at.is_(None)))) or False


def note(session: Session, changed: Select[int]) -> None:
    """These orders, by a SELECT of their ids, have changed: current reports that have them, or would, are outdated.

    Called by every change of orders, in its transaction.
    """
    on_it = (
        select(ReportOrder.report_id, ReportOrder.order_id)
        .join(BillingReport, BillingReport.id == ReportOrder.report_id)
        .where(BillingReport.superseded_at.is_(None), ReportOrder.order_id.in_(changed))
    )
    of_period = and_(
        BillingReport.customer_id == Order.customer_id,
        Order.order_date.between(BillingReport.period_start, BillingReport.period_end),
        BillingReport.superseded_at.is_(None),
    )
    in_period = (
        select(BillingReport.id, Order.id)
        .select_from(Order)
        .join(BillingReport, of_period)
        .where(Order.billable, Order.id.in_(changed))
    )
    rows = union(on_it, in_period).subquery("rows")
    known = exists().where(ChangedOrder.report_id == rows.c.report_id, ChangedOrder.order_id == rows.c.order_id)
    fresh = select(rows.c.report_id, rows.c.order_id).where(~known)
    session.connection().execute(insert(ChangedOrder).from_select(["report_id", "order_id"], fresh))


def settle(session: Session, report_id: int) -> None:
    """The report is what its orders come to now, or counts no more."""
    session.connection().execute(delete(ChangedOrder).where(ChangedOrder.report_id == report_id))


def of(session: Session, reports: Sequence[Report], *, most: int | None = MOST_RATED) -> dict[int, Outdated]:
    """Those of the current reports that are outdated, by id. ``most``: of more changed orders no difference."""
    current = {report.id: report for report in reports if report.current}
    counted = (
        select(ChangedOrder.report_id, func.count())
        .where(ChangedOrder.report_id.in_(current))
        .group_by(ChangedOrder.report_id)
        .order_by(ChangedOrder.report_id)
    )
    return {
        report_id: Outdated(
            current[report_id],
            orders,
            _difference(session, current[report_id]) if most is None or orders <= most else None,
        )
        for report_id, orders in session.execute(counted)
    }


def found(
    session: Session, actor: Actor, customers: Sequence[int] | Select[int], *, limit: int = SHOWN
) -> tuple[list[Outdated], int]:
    """The first outdated reports of these customers, by period, and how many there are."""
    actor.require(Permission.REPORT_READ)
    outdated = (
        BillingReport.superseded_at.is_(None),
        BillingReport.customer_id.in_(customers),
        visible_to(actor, BillingReport.customer_id),
        exists().where(ChangedOrder.report_id == BillingReport.id),
    )
    total = session.scalar(select(func.count()).select_from(BillingReport).where(*outdated)) or 0
    if not total:
        return [], 0
    first = select(*queries.COLUMNS).where(*outdated).order_by(BillingReport.period_start, BillingReport.id)
    reports = [Report(*row) for row in session.execute(first.limit(limit))]
    differing = of(session, reports, most=None)
    return [differing[report.id] for report in reports], total


def _difference(session: Session, report: Report) -> Money | None:
    currency = session.scalar(select(Customer.currency).where(Customer.id == report.customer_id))
    if currency != report.currency:
        return None
    changed = select(ChangedOrder.order_id).where(ChangedOrder.report_id == report.id)
    before = select(func.sum(ReportCharge.amount_minor)).where(
        ReportCharge.report_id == report.id, ReportCharge.order_id.in_(changed)
    )
    try:
        charges = statements.charges(
            session, report.customer_id, report.period, report.service_ids or None, among=changed
        )
    except BillingError:
        # An amount that is too large to bill: generating the report says of which order.
        return None
    after = 0 if charges is None else session.scalar(select(func.sum(charges.subquery().c.amount_minor)))
    return Money(int(after or 0) - int(session.scalar(before) or 0), report.currency)

"""Orders that are billed twice: the same order and service on two current reports of one customer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from billing_core.reports.models import BillingReport, ReportCharge, ReportOrder, ReportServiceTotal
from billing_core.reports.queries import Report


@dataclass(frozen=True, slots=True)
class OverlapRow:
    """``amount_minor`` on this report, ``other_minor`` on the other one, in the same currency."""

    order_id: int
    order_number: str
    order_date: date
    service_id: int
    service_name: str
    amount_minor: int
    other_report_id: int
    other_start: date
    other_end: date
    other_minor: int


@dataclass(frozen=True, slots=True)
class Overlaps:
    """How many charges are on another current report too, and their sum there, in minor units."""

    charge_count: int = 0
    amount_minor: int = 0

    def __bool__(self) -> bool:
        return self.charge_count > 0


_Other = aliased(ReportCharge)


def of(session: Session, report: Report) -> Overlaps:
    """A superseded report bills nothing, so it has no overlaps."""
    others = overlapping(session, report)
    if not others:
        return Overlaps()
    statement = _twice(report, others).with_only_columns(
        func.count(), func.coalesce(func.sum(_Other.amount_minor), 0), maintain_column_froms=True
    )
    charges, amount = session.execute(statement).one()
    return Overlaps(charges, int(amount))


def page(session: Session, report: Report, *, limit: int = 50, offset: int = 0) -> list[OverlapRow]:
    """One page of the charges that are on another current report too."""
    others = overlapping(session, report)
    if not others:
        return []
    order, totals = aliased(ReportOrder), aliased(ReportServiceTotal)
    statement = (
        _twice(report, others)
        .join(order, (order.report_id == ReportCharge.report_id) & (order.order_id == ReportCharge.order_id))
        .join(totals, (totals.report_id == ReportCharge.report_id) & (totals.service_id == ReportCharge.service_id))
        .join(BillingReport, BillingReport.id == _Other.report_id)
        .with_only_columns(
            ReportCharge.order_id,
            order.order_number,
            order.order_date,
            ReportCharge.service_id,
            totals.service_name,
            ReportCharge.amount_minor,
            BillingReport.id,
            BillingReport.period_start,
            BillingReport.period_end,
            _Other.amount_minor,
            maintain_column_froms=True,
        )
        .order_by(ReportCharge.order_id, ReportCharge.service_id, BillingReport.id)
    )
    rows: Sequence[Any] = session.execute(statement.limit(limit).offset(offset)).all()
    return [OverlapRow(*row) for row in rows]


def overlapping(session: Session, report: Report) -> list[int]:
    """The other current reports of the customer that share a day with this one."""
    if not report.current:
        return []
    statement = select(BillingReport.id).where(
        BillingReport.customer_id == report.customer_id,
        BillingReport.superseded_at.is_(None),
        BillingReport.id != report.id,
        report.period.overlaps(BillingReport.period_start, BillingReport.period_end),
    )
    return list(session.scalars(statement))


def _twice(report: Report, others: list[int]) -> Select[*tuple[Any, ...]]:
    return (
        select(ReportCharge.order_id)
        .join(_Other, (_Other.order_id == ReportCharge.order_id) & (_Other.service_id == ReportCharge.service_id))
        .where(ReportCharge.report_id == report.id, _Other.report_id.in_(others))
    )

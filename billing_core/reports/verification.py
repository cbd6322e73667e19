"""The proof that every stored total agrees with its rows, in a few statements over everything."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import CTE, ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from billing_core import figures, proof
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.proof import Check
from billing_core.reports import coverage
from billing_core.reports.figures import FIGURES
from billing_core.reports.models import (
    BillingMonth,
    BillingReport,
    ReportCharge,
    ReportOrder,
    ReportQuestion,
    ReportQuestionTotal,
    ReportServiceTotal,
)


def checks(session: Session) -> Iterator[Check]:
    """Every check in turn. Reads only."""
    yield _report_totals(session)
    yield _orders_and_charges(session)
    yield _services_and_charges(session)
    yield _question_totals(session)
    yield _versions(session)
    yield _billing_months(session)
    yield _figures(session)
    yield Check(
        "Reports stand in lists where their customers' names do",
        proof.count(session, BillingReport),
        proof.misplaced(session, BillingReport.customer_name, BillingReport.customer_name_order, "reports of {0}"),
    )


def _report_totals(session: Session) -> Check:
    """Header = Σ orders = Σ charges = Σ services, and each count."""
    orders = _sums(ReportOrder, total=func.sum(ReportOrder.total_minor), rows=func.count())
    charges = _sums(ReportCharge, total=func.sum(ReportCharge.amount_minor), rows=func.count())
    services = _sums(
        ReportServiceTotal,
        total=func.sum(ReportServiceTotal.amount_minor),
        rows=func.sum(ReportServiceTotal.order_count),
    )
    questions = _sums(ReportQuestion, total=func.count(), rows=func.count())
    pairs = (
        (BillingReport.total_minor, orders.c.total),
        (BillingReport.order_count, orders.c.rows),
        (BillingReport.total_minor, charges.c.total),
        (BillingReport.charge_count, charges.c.rows),
        (BillingReport.total_minor, services.c.total),
        (BillingReport.charge_count, services.c.rows),
        (BillingReport.question_count, questions.c.rows),
    )
    differing = or_(*(stored != func.coalesce(counted, 0) for stored, counted in pairs))
    statement = select(BillingReport.id).where(differing)
    for part in (orders, charges, services, questions):
        statement = statement.outerjoin(part, part.c.report_id == BillingReport.id)
    return Check(
        "Each report's total is the sum of its orders, of its charges and of its services",
        proof.count(session, BillingReport),
        proof.named(session, statement.order_by(BillingReport.id), "report {0}"),
    )


def _orders_and_charges(session: Session) -> Check:
    """An order's total on a report is the sum of its charges there, and no charge is without its order."""
    charged = (
        select(
            ReportCharge.report_id,
            ReportCharge.order_id,
            func.sum(ReportCharge.amount_minor).label("stored"),
        )
        .group_by(ReportCharge.report_id, ReportCharge.order_id)
        .subquery()
    )
    both = (charged.c.report_id == ReportOrder.report_id) & (charged.c.order_id == ReportOrder.order_id)
    of_orders = (
        select(ReportOrder.report_id, ReportOrder.order_id)
        .outerjoin(charged, both)
        .where(ReportOrder.total_minor != func.coalesce(charged.c.stored, 0))
    )
    orphans = (
        select(charged.c.report_id, charged.c.order_id)
        .outerjoin(ReportOrder, both)
        .where(ReportOrder.order_id.is_(None))
    )
    return Check(
        "Each order's total on a report is the sum of its charges",
        proof.count(session, ReportOrder),
        proof.named(session, of_orders, "order id {1} on report {0}")
        + proof.named(session, orphans, "a charge without its order: order id {1} on report {0}"),
    )


def _services_and_charges(session: Session) -> Check:
    charged = (
        select(
            ReportCharge.report_id,
            ReportCharge.service_id,
            func.sum(ReportCharge.amount_minor).label("amount"),
            func.sum(ReportCharge.quantity).label("quantity"),
            func.count().label("orders"),
        )
        .group_by(ReportCharge.report_id, ReportCharge.service_id)
        .subquery()
    )
    statement = (
        select(ReportServiceTotal.report_id, ReportServiceTotal.service_id)
        .outerjoin(
            charged,
            (charged.c.report_id == ReportServiceTotal.report_id)
            & (charged.c.service_id == ReportServiceTotal.service_id),
        )
        .where(
            or_(
                charged.c.amount.is_(None),
                ReportServiceTotal.amount_minor != charged.c.amount,
                ReportServiceTotal.quantity != charged.c.quantity,
                ReportServiceTotal.order_count != charged.c.orders,
            )
        )
    )
    return Check(
        "Each service's total on a report is the sum of its charges",
        proof.count(session, ReportServiceTotal),
        proof.named(session, statement, "service {1} on report {0}"),
    )


def _question_totals(session: Session) -> Check:
    counted = select(ReportQuestion.report_id, ReportQuestion.kind, func.count().label("question_count")).group_by(
        ReportQuestion.report_id, ReportQuestion.kind
    )
    stored = select(ReportQuestionTotal.report_id, ReportQuestionTotal.kind, ReportQuestionTotal.question_count)
    return Check(
        "Each report's number of questions by kind is the number of its questions",
        proof.count(session, ReportQuestionTotal),
        proof.named(session, proof.either_way(stored, counted), "{1} on report {0}"),
    )


def _versions(session: Session) -> Check:
    """No two versions of one report count at the same time."""
    key = (BillingReport.customer_id, BillingReport.period_start, BillingReport.period_end, BillingReport.services)
    statement = select(*key).where(BillingReport.superseded_at.is_(None)).group_by(*key).having(func.count() > 1)
    return Check(
        "Of each report one version counts",
        proof.count(session, BillingReport, BillingReport.superseded_at.is_(None)),
        proof.named(session, statement, "customer {0}, {1} to {2}"),
    )


def _billing_months(session: Session) -> Check:
    stored = select(*(getattr(BillingMonth, name) for name in coverage.COLUMNS))
    return Check(
        "The kept totals of orders by customer and month are what the orders say",
        proof.count(session, BillingMonth),
        proof.named(session, proof.either_way(stored, coverage.totals()), "customer {0}, month {1}"),
    )


def _figures(session: Session) -> Check:
    everything = Scope()
    with_kept_total = [figure for figure in FIGURES if figure.kept is not None]
    wrong = tuple(
        figure.title
        for figure in with_kept_total
        if _nonzero(figures.value(session, SYSTEM, figure, everything))
        != _nonzero(figures.proven(session, SYSTEM, figure, everything))
    )
    return Check("Each figure's kept total is the sum of its rows", len(with_kept_total), wrong)


def _sums(table: Any, **totals: ColumnElement[Any]) -> CTE:
    return (
        select(table.report_id, *(column.label(name) for name, column in totals.items()))
        .group_by(table.report_id)
        .cte()
    )


def _nonzero(totals: dict[str | None, int]) -> dict[str | None, int]:
    return {currency: amount for currency, amount in totals.items() if amount}

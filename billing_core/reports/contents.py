"""What one report contains: totals by service, orders, charges, questions.

Every function takes the ``Report`` that ``queries.one`` returned, so that the actor's access has been checked.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, exists, func, select, true
from sqlalchemy.orm import Session

from billing_core.database.functions import mentions
from billing_core.database.ordering import chosen, natural, ordered
from billing_core.errors import NotFound
from billing_core.orders.models import OrderLine, OrderStatus
from billing_core.rating.models import CostType, QuestionKind, Rate, Service
from billing_core.reports.explanation import explain
from billing_core.reports.models import (
    ReportCharge,
    ReportOrder,
    ReportQuestion,
    ReportQuestionTotal,
    ReportServiceTotal,
)
from billing_core.reports.queries import Report


@dataclass(frozen=True, slots=True)
class ServiceTotal:
    """``quantity`` is the sum of the quantities that were charged, in the cost type's own unit."""

    service_id: int
    service_name: str
    cost_type: CostType
    amount_minor: int
    quantity: Decimal
    order_count: int


@dataclass(frozen=True, slots=True)
class OrderRow:
    order_id: int
    order_number: str
    reference_number: str
    order_date: date
    status: OrderStatus
    ship_to_name: str
    ship_to_address: str
    total_items: Decimal
    line_items: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """``explanation`` says in words how the amount was computed."""

    order_id: int
    service_id: int
    service_name: str
    cost_type: CostType
    quantity: Decimal
    unit_price: Decimal
    tier: int | None
    bound: str | None
    matched: str | None
    amount_minor: int
    explanation: str


@dataclass(frozen=True, slots=True)
class QuestionRow:
    id: int
    order_id: int
    order_number: str
    service_id: int | None
    service_name: str | None
    sku: str
    kind: QuestionKind


_SERVICE_TOTALS = select(*(getattr(ReportServiceTotal, name) for name in ServiceTotal.__dataclass_fields__)).order_by(
    ReportServiceTotal.amount_minor.desc(), ReportServiceTotal.service_id
)
ORDERS = tuple(getattr(ReportOrder, name) for name in OrderRow.__dataclass_fields__)
ORDERINGS: dict[str, SQLColumnExpression[Any]] = {
    "order_number": natural(ReportOrder.order_number),
    "reference_number": natural(ReportOrder.reference_number),
    "order_date": ReportOrder.order_date,
    "status": ReportOrder.status,
    "ship_to_name": natural(ReportOrder.ship_to_name),
    "total_items": ReportOrder.total_items,
    "line_items": ReportOrder.line_items,
    "total_amount": ReportOrder.total_minor,
}


def service_totals(session: Session, report: Report) -> list[ServiceTotal]:
    """The largest amount first."""
    statement = _SERVICE_TOTALS.where(ReportServiceTotal.report_id == report.id)
    return [ServiceTotal(*row) for row in session.execute(statement)]


def orders(
    session: Session,
    report: Report,
    *,
    text: str = "",
    order_by: str = "order_date",
    limit: int = 50,
    offset: int = 0,
) -> list[OrderRow]:
    """One page of the report's orders. ``order_by`` is one of ``ORDERINGS``, "-" in front for descending."""
    statement = (
        select(*ORDERS)
        .where(ReportOrder.report_id == report.id, _mentions(text))
        .order_by(*ordered(order_by, chosen(ORDERINGS, order_by), ReportOrder.order_id))
        .limit(limit)
        .offset(offset)
    )
    return [OrderRow(*row) for row in session.execute(statement)]


def order_count(session: Session, report: Report, *, text: str = "") -> int:
    """How many orders ``orders`` would page through."""
    if not text.strip():
        return report.order_count
    statement = select(func.count()).select_from(ReportOrder).where(ReportOrder.report_id == report.id)
    return session.scalar(statement.where(_mentions(text))) or 0


def order(session: Session, report: Report, order_id: int) -> OrderRow:
    statement = select(*ORDERS).where(ReportOrder.report_id == report.id, ReportOrder.order_id == order_id)
    row = session.execute(statement).one_or_none()
    if row is None:
        raise NotFound(f"There is no such order on report {report.id}")
    return OrderRow(*row)


def charges(session: Session, report: Report, order_ids: Collection[int]) -> list[ChargeRow]:
    """The charges of these orders, by order and then service, each with its explanation."""
    statement = (
        select(
            ReportCharge.order_id,
            ReportCharge.service_id,
            ReportServiceTotal.service_name,
            ReportServiceTotal.cost_type,
            ReportCharge.quantity,
            ReportCharge.unit_price,
            ReportCharge.tier,
            ReportCharge.bound,
            ReportCharge.matched,
            ReportCharge.amount_minor,
            Rate.tier_mode,
            Rate.tiers,
        )
        .join(
            ReportServiceTotal,
            (ReportServiceTotal.report_id == ReportCharge.report_id)
            & (ReportServiceTotal.service_id == ReportCharge.service_id),
        )
        .join(Rate, Rate.id == ReportCharge.rate_id)
        .where(ReportCharge.report_id == report.id, ReportCharge.order_id.in_(order_ids))
        .order_by(ReportCharge.order_id, ReportCharge.service_id)
    )
    return [
        ChargeRow(
            order_id=row.order_id,
            service_id=row.service_id,
            service_name=row.service_name,
            cost_type=row.cost_type,
            quantity=row.quantity,
            unit_price=row.unit_price,
            tier=row.tier,
            bound=row.bound,
            matched=row.matched,
            amount_minor=row.amount_minor,
            explanation=explain(
                cost_type=row.cost_type,
                quantity=row.quantity,
                unit_price=row.unit_price,
                currency=report.currency,
                amount_minor=row.amount_minor,
                bound=row.bound,
                matched=row.matched,
                tier=row.tier,
                tier_mode=row.tier_mode,
                tiers=row.tiers,
            ),
        )
        for row in session.execute(statement)
    ]


def question_totals(session: Session, report: Report) -> dict[QuestionKind, int]:
    """How many questions of each kind the report has."""
    statement = select(ReportQuestionTotal.kind, ReportQuestionTotal.question_count)
    rows = session.execute(statement.where(ReportQuestionTotal.report_id == report.id))
    return {row.kind: row.question_count for row in rows}


def questions(
    session: Session, report: Report, *, kind: QuestionKind | None = None, limit: int = 50, offset: int = 0
) -> list[QuestionRow]:
    """One page of what could not be billed, by kind and order."""
    statement = (
        select(
            ReportQuestion.id,
            ReportQuestion.order_id,
            ReportQuestion.order_number,
            ReportQuestion.service_id,
            Service.name,
            ReportQuestion.sku,
            ReportQuestion.kind,
        )
        .outerjoin(Service, Service.id == ReportQuestion.service_id)
        .where(ReportQuestion.report_id == report.id)
        .order_by(ReportQuestion.kind, ReportQuestion.order_id, ReportQuestion.id)
    )
    if kind is not None:
        statement = statement.where(ReportQuestion.kind == kind)
    return [QuestionRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def _mentions(text: str) -> ColumnElement[bool]:
    sought = text.strip()
    columns = (
        ReportOrder.order_number,
        ReportOrder.reference_number,
        ReportOrder.ship_to_name,
        ReportOrder.ship_to_address,
    )
    of_sku = exists().where(OrderLine.order_id == ReportOrder.order_id, mentions(sought, OrderLine.sku_key))
    return mentions(sought, *columns) | of_sku if sought else true()

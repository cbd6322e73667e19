"""Writing a report: a few INSERT … SELECT over the customer's orders, and the exact comparison of two reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CompoundSelect, Integer, Select, bindparam, exists, func, insert, literal, select, update
from sqlalchemy.orm import Session

from billing_core.database import sums
from billing_core.dates import Period
from billing_core.errors import Conflict, Invalid
from billing_core.identity.permissions import Actor
from billing_core.money import LARGEST_MINOR, Money
from billing_core.rating import statements
from billing_core.rating.models import Service
from billing_core.reports.models import (
    BillingReport,
    ReportCharge,
    ReportOrder,
    ReportQuestion,
    ReportQuestionTotal,
    ReportServiceTotal,
)

_CHARGE = ("order_id", "service_id", "rate_id", "quantity", "unit_price", "tier", "bound", "matched", "amount_minor")
# The order columns that a report stores: a change in any of them makes a new version.
ORDER_DETAILS = (
    "order_number",
    "reference_number",
    "order_date",
    "status",
    "ship_to_name",
    "ship_to_address",
    "total_items",
    "line_items",
)
_ORDER = ("order_id", *ORDER_DETAILS)
_QUESTION = ("order_id", "order_number", "service_id", "sku", "kind")
# The columns that make two reports the same; the totals follow from these.
_CONTENT = (
    (ReportOrder, (*_ORDER, "total_minor")),
    (ReportCharge, _CHARGE),
    (ReportQuestion, _QUESTION),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The report that is asked for. ``service_ids`` empty: every service."""

    customer_id: int
    customer_name: str
    currency: str
    period: Period
    service_ids: tuple[int, ...]
    output_format: str

    @property
    def services(self) -> str:
        """The services part of the report's key."""
        return ",".join(str(service_id) for service_id in self.service_ids)


def write(session: Session, actor: Actor, terms: Wanted, *, version: int, now: datetime) -> int:
    """Store the report from the present orders and rates; returns its id."""
    report_id = _header(session, actor, terms, version=version, now=now)
    limited_to = terms.service_ids or None
    charges = statements.charges(session, terms.customer_id, terms.period, limited_to)
    if charges is not None:
        _fill(session, ReportCharge, report_id, charges, _CHARGE)
    _orders(session, report_id, statements.orders(terms.customer_id, terms.period))
    questions = statements.questions(session, terms.customer_id, terms.period, limited_to)
    _fill(session, ReportQuestion, report_id, questions, _QUESTION)
    _totals(session, report_id, terms.currency)
    return report_id


def same(session: Session, one: int, other: int) -> bool:
    """Whether both reports hold exactly the same orders, charges and questions."""
    return not any(
        session.scalar(select(exists(_rows(table, columns, left).except_(_rows(table, columns, right)))))
        for table, columns in _CONTENT
        for left, right in ((one, other), (other, one))
    )


def _header(session: Session, actor: Actor, terms: Wanted, *, version: int, now: datetime) -> int:
    header = BillingReport(
        customer_id=terms.customer_id,
        customer_name=terms.customer_name,
        period_start=terms.period.start,
        period_end=terms.period.end,
        services=terms.services,
        version=version,
        currency=terms.currency,
        total_minor=0,
        order_count=0,
        charge_count=0,
        question_count=0,
        output_format=terms.output_format,
        created_at=now,
        created_by_id=actor.user_id,
        created_by=actor.name,
    )
    session.add(header)
    session.flush()
    # The statements below write the totals: the object must not be taken for the stored report.
    session.expunge(header)
    return header.id


def _fill(
    session: Session, table: Any, report_id: int, rows: Select[Any] | CompoundSelect[Any], columns: Sequence[str]
) -> None:
    source = rows.subquery()
    chosen = select(literal(report_id), *(source.c[name] for name in columns))
    session.execute(insert(table).from_select(["report_id", *columns], chosen))


def _orders(session: Session, report_id: int, rows: Select[*tuple[Any, ...]]) -> None:
    """Every order with the sum of its charges, also one that cost nothing."""
    source = rows.subquery()
    charged = (
        select(ReportCharge.order_id, func.sum(ReportCharge.amount_minor).label("amount"))
        .where(ReportCharge.report_id == report_id)
        .group_by(ReportCharge.order_id)
        .subquery()
    )
    chosen = (
        select(literal(report_id), *(source.c[name] for name in _ORDER), func.coalesce(charged.c.amount, 0))
        .select_from(source)
        .outerjoin(charged, charged.c.order_id == source.c.order_id)
    )
    session.execute(insert(ReportOrder).from_select(["report_id", *_ORDER, "total_minor"], chosen))


# Built once: building a statement takes as long as running it.
_REPORT = bindparam("report", type_=Integer)
_BY_SERVICE = insert(ReportServiceTotal).from_select(
    ["report_id", "service_id", "service_name", "cost_type", "amount_minor", "quantity", "order_count"],
    select(
        ReportCharge.report_id,
        ReportCharge.service_id,
        Service.name,
        Service.cost_type,
        func.sum(ReportCharge.amount_minor),
        func.sum(ReportCharge.quantity),
        func.count(),
    )
    .join(Service, Service.id == ReportCharge.service_id)
    .where(ReportCharge.report_id == _REPORT)
    .group_by(ReportCharge.report_id, ReportCharge.service_id, Service.name, Service.cost_type),
)
_BY_KIND = insert(ReportQuestionTotal).from_select(
    ["report_id", "kind", "question_count"],
    select(ReportQuestion.report_id, ReportQuestion.kind, func.count())
    .where(ReportQuestion.report_id == _REPORT)
    .group_by(ReportQuestion.report_id, ReportQuestion.kind),
)
_BILLED = select(
    func.coalesce(func.sum(ReportServiceTotal.amount_minor), 0),
    func.coalesce(func.sum(ReportServiceTotal.order_count), 0),
).where(ReportServiceTotal.report_id == _REPORT)
# In two parts: however many large orders there are, neither is more than 64 bits hold.
_PART = 10**9
_OF_ORDERS = select(
    func.coalesce(func.sum(ReportOrder.total_minor // _PART), 0),
    func.coalesce(func.sum(ReportOrder.total_minor % _PART), 0),
    func.count(),
).where(ReportOrder.report_id == _REPORT)
_QUESTIONS = select(func.coalesce(func.sum(ReportQuestionTotal.question_count), 0)).where(
    ReportQuestionTotal.report_id == _REPORT
)
_SUM_UP = (
    update(BillingReport)
    .where(BillingReport.id == _REPORT)
    .values(
        total_minor=bindparam("billed"),
        order_count=bindparam("orders"),
        charge_count=bindparam("charges"),
        question_count=_QUESTIONS.scalar_subquery(),
    )
    .execution_options(synchronize_session=False)
)


def _totals(session: Session, report_id: int, currency: str) -> None:
    """Sum the charges by service and into the header, count the questions by kind. Invalid where they come to more than
    an amount may.
    """
    report = {"report": report_id}
    connection = session.connection()
    parts, rest, order_count = connection.execute(_OF_ORDERS, report).one()
    of_orders = parts * _PART + rest
    if of_orders > LARGEST_MINOR:
        most = Money(LARGEST_MINOR, currency)
        raise Invalid(f"These orders come to {Money(int(of_orders), currency)}, and a report to at most {most}")
    adding = {currency: int(of_orders)}
    sums.refuse_beyond(session, BillingReport.total_minor, BillingReport.currency, adding, what="reports")
    connection.execute(_BY_SERVICE, report)
    connection.execute(_BY_KIND, report)
    billed, charge_count = connection.execute(_BILLED, report).one()
    if of_orders != billed:
        # On PostgreSQL each statement sees what others have committed by then, such as a cancelled order.
        raise Conflict("Orders changed while the report was being made. Generate it again.")
    connection.execute(_SUM_UP, report | {"billed": billed, "orders": order_count, "charges": charge_count})


def _rows(table: Any, columns: Sequence[str], report_id: int) -> Select[*tuple[Any, ...]]:
    return select(*(getattr(table, name) for name in columns)).where(table.report_id == report_id)

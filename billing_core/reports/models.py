"""Billing reports: immutable snapshots with their orders, charges, totals and open questions."""

import uuid
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import BigId, Quantity, ReadingOrder, UnitPrice, order_of
from billing_core.orders.models import Order, OrderStatus
from billing_core.rating.models import CostType, QuestionKind, Rate, Service

# On SQLite the rows are stored by key, which is the order in which they are written and read.
CLUSTERED = {"sqlite_with_rowid": False}


def _uuid() -> str:
    return str(uuid.uuid4())


class BillingReport(Base):
    """What one customer owes for one period, as it was computed at ``created_at``. ``services`` names the service ids
    it was limited to, as text such as "1,4", or is empty for all. Reports of the same customer, period and services are
    versions of each other; only the one with ``superseded_at`` empty counts. That stamp and its successor are the only
    facts added afterwards.
    """

    __tablename__ = "billing_reports"
    __table_args__ = (
        UniqueConstraint("customer_id", "period_start", "period_end", "services", "version"),
        Index("ix_billing_reports_created_at", "created_at", "id"),
        Index("ix_billing_reports_currency_total", "currency", "total_minor", "id"),
        Index("ix_billing_reports_customer_name_order", "customer_name_order", "id"),
        Index("ix_billing_reports_period", "period_start", "period_end", "id"),
        Index("ix_billing_reports_current", "superseded_at", "customer_id"),
        CheckConstraint("period_end >= period_start", name="period"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=_uuid)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    customer_name: Mapped[str] = mapped_column(String(200))
    customer_name_order: Mapped[str] = mapped_column(ReadingOrder, default=order_of("customer_name"), server_default="")
    period_start: Mapped[date]
    period_end: Mapped[date]
    services: Mapped[str] = mapped_column(String(500), default="")
    version: Mapped[int] = mapped_column(default=1)
    currency: Mapped[str] = mapped_column(String(3))
    total_minor: Mapped[int] = mapped_column(BigInteger)
    order_count: Mapped[int]
    charge_count: Mapped[int]
    question_count: Mapped[int]
    output_format: Mapped[str] = mapped_column(String(8), default="json")
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))
    superseded_at: Mapped[datetime | None]
    superseded_by_id: Mapped[int | None] = mapped_column(ForeignKey("billing_reports.id", ondelete="RESTRICT"))


class ReportServiceTotal(Base):
    """One service's sum in a report; names are copies from its creation."""

    __tablename__ = "report_service_totals"
    __table_args__ = CLUSTERED

    report_id: Mapped[int] = mapped_column(ForeignKey(BillingReport.id, ondelete="RESTRICT"), primary_key=True)
    service_id: Mapped[int] = mapped_column(ForeignKey(Service.id, ondelete="RESTRICT"), primary_key=True)
    service_name: Mapped[str] = mapped_column(String(200))
    cost_type: Mapped[CostType]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    quantity: Mapped[Decimal] = mapped_column(Quantity)
    order_count: Mapped[int]


class ReportOrder(Base):
    """An order as of the report's creation, also one that cost nothing."""

    __tablename__ = "report_orders"
    __table_args__ = (Index("ix_report_orders_order_id", "order_id"), CLUSTERED)

    report_id: Mapped[int] = mapped_column(ForeignKey(BillingReport.id, ondelete="RESTRICT"), primary_key=True)
    order_id: Mapped[int] = mapped_column(BigId, ForeignKey(Order.id, ondelete="RESTRICT"), primary_key=True)
    order_number: Mapped[str] = mapped_column(String(64))
    reference_number: Mapped[str] = mapped_column(String(120))
    order_date: Mapped[date]
    status: Mapped[OrderStatus]
    ship_to_name: Mapped[str] = mapped_column(String(200))
    ship_to_address: Mapped[str] = mapped_column(String(500))
    total_items: Mapped[Decimal] = mapped_column(Quantity)
    line_items: Mapped[int]
    total_minor: Mapped[int] = mapped_column(BigInteger)


class ReportCharge(Base):
    """One service on one order. ``quantity`` × ``unit_price`` explains ``amount_minor``, with the rate's tiers,
    minimum and maximum; ``tier`` counts from 1; ``bound`` says whether the minimum or maximum decided;
    ``matched`` is the condition in words."""

    __tablename__ = "report_charges"
    __table_args__ = CLUSTERED

    report_id: Mapped[int] = mapped_column(ForeignKey(BillingReport.id, ondelete="RESTRICT"), primary_key=True)
    order_id: Mapped[int] = mapped_column(BigId, ForeignKey(Order.id, ondelete="RESTRICT"), primary_key=True)
    service_id: Mapped[int] = mapped_column(ForeignKey(Service.id, ondelete="RESTRICT"), primary_key=True)
    rate_id: Mapped[int] = mapped_column(ForeignKey(Rate.id, ondelete="RESTRICT"))
    quantity: Mapped[Decimal] = mapped_column(Quantity)
    unit_price: Mapped[Decimal] = mapped_column(UnitPrice)
    tier: Mapped[int | None]
    bound: Mapped[str | None] = mapped_column(String(8))
    matched: Mapped[str | None] = mapped_column(String(500))
    amount_minor: Mapped[int] = mapped_column(BigInteger)


class ReportQuestion(Base):
    """An open question about an order, for a person to settle: not billed, which differs from billed as 0."""

    __tablename__ = "report_questions"
    __table_args__ = (Index("ix_report_questions_report_id", "report_id", "kind", "order_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey(BillingReport.id, ondelete="RESTRICT"))
    order_id: Mapped[int] = mapped_column(BigId, ForeignKey(Order.id, ondelete="RESTRICT"))
    order_number: Mapped[str] = mapped_column(String(64))
    service_id: Mapped[int | None] = mapped_column(ForeignKey(Service.id, ondelete="RESTRICT"))
    sku: Mapped[str] = mapped_column(String(100), default="")
    kind: Mapped[QuestionKind]


class ReportQuestionTotal(Base):
    """How many questions of one kind a report has, so that no page has to count them."""

    __tablename__ = "report_question_totals"
    __table_args__ = CLUSTERED

    report_id: Mapped[int] = mapped_column(ForeignKey(BillingReport.id, ondelete="RESTRICT"), primary_key=True)
    kind: Mapped[QuestionKind] = mapped_column(primary_key=True)
    question_count: Mapped[int]


class ChangedOrder(Base):
    """An order of a current report that has changed since, or has come into its period. Generating the report again
    settles it.
    """

    __tablename__ = "changed_orders"
    __table_args__ = CLUSTERED

    report_id: Mapped[int] = mapped_column(ForeignKey(BillingReport.id, ondelete="RESTRICT"), primary_key=True)
    order_id: Mapped[int] = mapped_column(BigId, ForeignKey(Order.id, ondelete="RESTRICT"), primary_key=True)


class BillingMonth(Base):
    """Stored totals of one customer's orders in one month, so that no page counts a million orders. ``unbilled_orders``
    are the billable ones on no current report. Updated by ``reports.coverage`` with every change of orders and reports;
    ``verify`` proves that they agree.
    """

    __tablename__ = "billing_months"
    __table_args__ = CLUSTERED

    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"), primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    orders: Mapped[int]
    billable_orders: Mapped[int]
    unbilled_orders: Mapped[int]

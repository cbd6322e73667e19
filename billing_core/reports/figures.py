"""The figures about reports and orders: each is declared once, with its definition and the rows behind it."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache, partial
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database.functions import equals
from billing_core.dates import Period, first_of_month, last_of_month
from billing_core.figures import NO_CURRENCY, Figure, Ratio, Scope, one_each, select_rows, summed
from billing_core.identity import Actor, Permission
from billing_core.orders.figures import DRAFT_ORDERS, of_customers
from billing_core.orders.models import Order
from billing_core.rating.models import QuestionKind, Rate
from billing_core.reports import report_figures
from billing_core.reports.models import (
    BillingMonth,
    BillingReport,
    ReportOrder,
    ReportQuestion,
    ReportQuestionTotal,
    ReportServiceTotal,
)
from billing_core.reports.wording import question_words


def scope(
    actor: Actor,
    *,
    period: Period | None = None,
    currency: str | None = None,
    customer_id: int | None = None,
    known_at: datetime | None = None,
) -> Scope:
    """The scope that this actor may read: one bound to a customer reads that customer alone."""
    actor.require(Permission.REPORT_READ)
    return Scope(period, currency, actor.customer_id or customer_id, known_at)


def closed_months(today: date) -> Period:
    """Everything up to the end of last month: the period that should be billed by now."""
    return Period(date(1, 1, 1), first_of_month(today) - timedelta(days=1))


def counting(scope: Scope) -> list[ColumnElement[bool]]:
    """In SQL: the reports that count, now or at the scope's instant, and end in the period."""
    conditions = _known(scope)
    if scope.period is not None:
        conditions.append(scope.period.contains(BillingReport.period_end))
    if scope.currency is not None:
        conditions.append(equals(BillingReport.currency, scope.currency))
    if scope.customer_id is not None:
        conditions.append(BillingReport.customer_id == scope.customer_id)
    return conditions


def _known(scope: Scope) -> list[ColumnElement[bool]]:
    if scope.known_at is None:
        return [BillingReport.superseded_at.is_(None)]
    return [
        BillingReport.created_at <= scope.known_at,
        or_(BillingReport.superseded_at.is_(None), BillingReport.superseded_at > scope.known_at),
    ]


def _of_reports(scope: Scope, currency: Any, amount: Any) -> Select[*tuple[Any, ...]]:
    days = cast(BillingReport.period_start, String) + " to " + cast(BillingReport.period_end, String)
    label = BillingReport.customer_name + ", " + days
    return select_rows(BillingReport.id, label, BillingReport.period_end, currency, amount).where(*counting(scope))


def _billed_for(service_id: int, scope: Scope) -> Select[*tuple[Any, ...]]:
    rows = _of_reports(scope, BillingReport.currency, ReportServiceTotal.amount_minor)
    of_service = (ReportServiceTotal.report_id == BillingReport.id) & (ReportServiceTotal.service_id == service_id)
    return rows.join(ReportServiceTotal, of_service)


def _unbilled(scope: Scope) -> Select[*tuple[Any, ...]]:
    billed = exists().where(ReportOrder.order_id == Order.id, BillingReport.id == ReportOrder.report_id, *_known(scope))
    rows = (
        one_each(Order.id, Order.number + ", " + Customer.name, Order.order_date)
        .join(Customer, Customer.id == Order.customer_id)
        .where(Order.billable, ~billed, *of_customers(scope, Order.customer_id))
    )
    return rows if scope.period is None else rows.where(scope.period.contains(Order.order_date))


def _unbilled_kept(scope: Scope) -> Select[*tuple[Any, ...]]:
    """The stored totals cover the present and whole months; anything else is counted from the rows."""
    period = scope.period
    whole = period is None or period == Period(first_of_month(period.start), last_of_month(period.end))
    if scope.known_at is not None or not whole:
        return summed(_unbilled(scope).subquery())
    totals = select(NO_CURRENCY, func.sum(BillingMonth.unbilled_orders))
    totals = totals.where(*of_customers(scope, BillingMonth.customer_id))
    return totals if period is None else totals.where(period.contains(BillingMonth.month))


def _questions(kind: QuestionKind | None, scope: Scope) -> Select[*tuple[Any, ...]]:
    rows = (
        one_each(ReportQuestion.id, ReportQuestion.order_number + ", " + BillingReport.customer_name, Order.order_date)
        .join(BillingReport, BillingReport.id == ReportQuestion.report_id)
        .join(Order, Order.id == ReportQuestion.order_id)
        .where(*counting(scope))
    )
    return rows if kind is None else rows.where(ReportQuestion.kind == kind)


def _questions_kept(kind: QuestionKind | None, scope: Scope) -> Select[*tuple[Any, ...]]:
    totals = (
        select(NO_CURRENCY, func.sum(ReportQuestionTotal.question_count))
        .join(BillingReport, BillingReport.id == ReportQuestionTotal.report_id)
        .where(*counting(scope))
    )
    return totals if kind is None else totals.where(ReportQuestionTotal.kind == kind)


def _without_a_rate(scope: Scope) -> Select[*tuple[Any, ...]]:
    rows = (
        one_each(Customer.id, Customer.name, func.max(BillingMonth.month))
        .join(BillingMonth, BillingMonth.customer_id == Customer.id)
        .where(BillingMonth.billable_orders > 0, ~exists().where(Rate.customer_id == Customer.id, Rate.in_force))
        .where(*of_customers(scope, Customer.id))
        .group_by(Customer.id, Customer.name)
    )
    return rows if scope.period is None else rows.where(scope.period.contains(BillingMonth.month))


BILLED = Figure(
    key="billed",
    title="Billed",
    definition="The totals of the current reports whose period ends in the chosen period.",
    formula="Σ report totals",
    permission=Permission.REPORT_READ,
    rows=lambda scope: _of_reports(scope, BillingReport.currency, BillingReport.total_minor),
    opens="/reports?report={id}",
)
REPORTS = Figure(
    key="reports",
    title="Reports",
    definition="The current reports whose period ends in the chosen period; replaced versions do not count.",
    formula="number of reports",
    permission=Permission.REPORT_READ,
    rows=lambda scope: _of_reports(scope, NO_CURRENCY, literal(1)),
    opens="/reports?report={id}",
)
ORDERS_BILLED = Figure(
    key="orders_billed",
    title="Orders billed",
    definition=(
        "The orders on the current reports whose period ends in the chosen period; "
        "an order on two reports counts twice, and both reports name it."
    ),
    formula="Σ orders of each report",
    permission=Permission.REPORT_READ,
    rows=lambda scope: _of_reports(scope, NO_CURRENCY, BillingReport.order_count),
    opens="/reports?report={id}",
)
UNBILLED_ORDERS = Figure(
    key="unbilled_orders",
    title="Unbilled orders",
    definition="Orders of the chosen period, neither draft nor cancelled, that stand on no current report.",
    formula="number of orders",
    permission=Permission.REPORT_READ,
    rows=_unbilled,
    kept=_unbilled_kept,
)
OPEN_QUESTIONS = Figure(
    key="open_questions",
    title="Open questions",
    definition=(
        "What the current reports could not bill: an unknown SKU, a missing rate, a missing quantity. "
        "Settle it and generate the report again."
    ),
    formula="number of questions",
    permission=Permission.REPORT_READ,
    rows=partial(_questions, None),
    kept=partial(_questions_kept, None),
)
CUSTOMERS_WITHOUT_RATE = Figure(
    key="customers_without_rate",
    title="Customers without a rate",
    definition="Customers who have orders to bill in the chosen period and no rate at all on their rate card.",
    formula="number of customers",
    permission=Permission.REPORT_READ,
    rows=_without_a_rate,
    opens="/rate_cards?customer={id}",
)


@cache
def questions_of(kind: QuestionKind) -> Figure:
    """The open questions of one kind."""
    return Figure(
        key=f"questions_{kind}",
        title=question_words(kind),
        definition=f"Open questions on current reports of the kind “{question_words(kind)}”.",
        formula="number of questions",
        permission=Permission.REPORT_READ,
        rows=partial(_questions, kind),
        kept=partial(_questions_kept, kind),
    )


@cache
def billed_for(service_id: int) -> Figure:
    """What the current reports bill for one service."""
    return Figure(
        key=f"billed_for_{service_id}",
        title="Billed for a service",
        definition="The service's totals on the current reports whose period ends in the chosen period.",
        formula="Σ service totals",
        permission=Permission.REPORT_READ,
        rows=partial(_billed_for, service_id),
        opens="/reports?report={id}",
    )


FIGURES = (
    BILLED,
    REPORTS,
    ORDERS_BILLED,
    UNBILLED_ORDERS,
    OPEN_QUESTIONS,
    *(questions_of(kind) for kind in QuestionKind),
    CUSTOMERS_WITHOUT_RATE,
    DRAFT_ORDERS,
)


def of_key(key: str) -> Figure | None:
    """The figure of one service or of one report by its key, as in links; None where the key is neither."""
    prefix, _, number = key.rpartition("_")
    if prefix == "billed_for" and number.isascii() and number.isdigit() and len(number) <= 9:
        return billed_for(int(number))
    return report_figures.named(key)


# What each currency's total is shared by. It counts, though it tells the currency, so no page shows it.
_REPORTS_IN_CURRENCY = Figure(
    key="reports_in_currency",
    title="Reports in a currency",
    definition=REPORTS.definition,
    formula=REPORTS.formula,
    permission=Permission.REPORT_READ,
    rows=lambda scope: _of_reports(scope, BillingReport.currency, literal(1)),
)
AVERAGE_REPORT = Ratio(
    key="average_report",
    title="Average report",
    definition="What a current report of the chosen period comes to on average, rounded once.",
    formula="Σ report totals ÷ number of reports",
    dividend=BILLED,
    divisor=REPORTS,
    shares=_REPORTS_IN_CURRENCY,
)


def newest_day(session: Session, scope: Scope) -> date | None:
    """The last day of the newest current report, whatever the period; None where there is none."""
    return session.scalar(select(func.max(BillingReport.period_end)).where(*counting(replace(scope, period=None))))

"""The data of charts: billed by month, by service, by customer. Each point opens as a figure of its own.

A month's point opens into BILLED of that month, a service's into ``billed_for`` it, a customer's into BILLED of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.database.functions import month_of
from billing_core.figures import Scope
from billing_core.reports.figures import counting
from billing_core.reports.models import BillingReport, ReportServiceTotal


@dataclass(frozen=True, slots=True)
class MonthPoint:
    """``month`` is its first day: the month in which the reports' periods end."""

    month: date
    currency: str
    amount_minor: int
    report_count: int


@dataclass(frozen=True, slots=True)
class ServicePoint:
    service_id: int
    service_name: str
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class CustomerPoint:
    customer_id: int
    customer_name: str
    currency: str
    amount_minor: int
    report_count: int


def by_month(session: Session, scope: Scope) -> list[MonthPoint]:
    """In the order of the months; a month without reports has no point."""
    month = month_of(BillingReport.period_end)
    rows: Sequence[Any] = session.execute(
        select(month, BillingReport.currency, func.sum(BillingReport.total_minor), func.count())
        .where(*counting(scope))
        .group_by(month, BillingReport.currency)
        .order_by(month, BillingReport.currency)
    ).all()
    return [MonthPoint(first, currency, int(amount), count) for first, currency, amount, count in rows]


def by_service(session: Session, scope: Scope) -> list[ServicePoint]:
    """One currency after the other, and of each the largest amount first. A renamed service keeps one point, under the
    last of its names in the alphabet.
    """
    amount = func.sum(ReportServiceTotal.amount_minor)
    rows: Sequence[Any] = session.execute(
        select(ReportServiceTotal.service_id, func.max(ReportServiceTotal.service_name), BillingReport.currency, amount)
        .join(BillingReport, BillingReport.id == ReportServiceTotal.report_id)
        .where(*counting(scope))
        .group_by(ReportServiceTotal.service_id, BillingReport.currency)
        .order_by(BillingReport.currency, amount.desc(), ReportServiceTotal.service_id)
    ).all()
    return [ServicePoint(service_id, name, currency, int(total)) for service_id, name, currency, total in rows]


def by_customer(session: Session, scope: Scope, *, limit: int = 10) -> list[CustomerPoint]:
    """The customers who were billed most, one currency after the other. Request one: ``limit`` counts those of all."""
    amount = func.sum(BillingReport.total_minor)
    rows: Sequence[Any] = session.execute(
        select(
            BillingReport.customer_id,
            func.max(BillingReport.customer_name),
            BillingReport.currency,
            amount,
            func.count(),
        )
        .where(*counting(scope))
        .group_by(BillingReport.customer_id, BillingReport.currency)
        .order_by(BillingReport.currency, amount.desc(), BillingReport.customer_id)
        .limit(limit)
    ).all()
    return [
        CustomerPoint(customer_id, name, currency, int(total), count)
        for customer_id, name, currency, total, count in rows
    ]

"""What many reports come to: by currency, and by service. Different currencies are never added."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Select, func, select, type_coerce
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database.functions import among
from billing_core.rating.models import CostType
from billing_core.reports.exports.together.selection import Selection
from billing_core.reports.models import BillingReport, ReportServiceTotal


@dataclass(frozen=True, slots=True)
class CurrencySum:
    """``replaced``: how many of the reports no longer count, since a newer version has taken their place."""

    currency: str
    reports: int
    customers: int
    orders: int
    charges: int
    questions: int
    replaced: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class ServiceSum:
    """``quantity`` in thousandths, in the cost type's own unit."""

    currency: str
    service_name: str
    cost_type: CostType
    reports: int
    orders: int
    quantity: int
    amount_minor: int


def by_currency(session: Session, selection: Selection) -> list[CurrencySum]:
    statement = (
        select(
            BillingReport.currency,
            func.count(),
            func.count(BillingReport.customer_id.distinct()),
            func.sum(BillingReport.order_count),
            func.sum(BillingReport.charge_count),
            func.sum(BillingReport.question_count),
            func.count(BillingReport.superseded_at),
            func.sum(BillingReport.total_minor),
        )
        .where(among(BillingReport.id, selection.ids))
        .group_by(BillingReport.currency)
        .order_by(BillingReport.currency)
    )
    return [CurrencySum(currency, *map(int, numbers)) for currency, *numbers in session.execute(statement)]


def by_service(session: Session, selection: Selection) -> list[ServiceSum]:
    """The largest amount of each currency first. A service that was renamed stands under each of its names."""
    amount = func.sum(ReportServiceTotal.amount_minor)
    named = ReportServiceTotal.service_id, ReportServiceTotal.service_name, ReportServiceTotal.cost_type
    statement = (
        select(
            BillingReport.currency,
            *named[1:],
            func.count(),
            func.sum(ReportServiceTotal.order_count),
            func.sum(type_coerce(ReportServiceTotal.quantity, BigInteger)),
            amount,
        )
        .join(BillingReport, BillingReport.id == ReportServiceTotal.report_id)
        .where(among(ReportServiceTotal.report_id, selection.ids))
        .group_by(BillingReport.currency, *named)
        .order_by(BillingReport.currency, amount.desc(), *named[:2])
    )
    return [
        ServiceSum(currency, name, cost_type, *map(int, numbers))
        for currency, name, cost_type, *numbers in session.execute(statement)
    ]


def of_each(selection: Selection) -> Select[*tuple[Any, ...]]:
    """A row for each report, by the names of their customers: its id, the customer's key and name, its days, version,
    the services that it is limited to, when it was replaced, how many orders, charges and questions it has, currency
    and total.
    """
    return (
        select(
            BillingReport.id,
            Customer.ref,
            BillingReport.customer_name,
            BillingReport.period_start,
            BillingReport.period_end,
            BillingReport.version,
            BillingReport.services,
            BillingReport.superseded_at,
            BillingReport.order_count,
            BillingReport.charge_count,
            BillingReport.question_count,
            BillingReport.currency,
            BillingReport.total_minor,
        )
        .join(Customer, Customer.id == BillingReport.customer_id)
        .where(among(BillingReport.id, selection.ids))
        .order_by(BillingReport.customer_name_order, BillingReport.period_start, BillingReport.id)
    )

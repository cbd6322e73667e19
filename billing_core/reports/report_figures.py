"""The figures of one report, current or superseded: each opens into the report's own orders."""

import re
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal

from billing_core.database.functions import equals
from billing_core.figures import NO_CURRENCY, Figure, Scope, select_rows
from billing_core.identity import Permission
from billing_core.reports.models import BillingReport, ReportCharge, ReportOrder

_KEY = re.compile(r"report_([0-9]{1,9})_(total|orders|charges)")
_SERVICE_KEY = re.compile(r"report_([0-9]{1,9})_service_([0-9]{1,9})")


def _of_orders(report_id: int, scope: Scope, currency: Any, amount: Any) -> Select[*tuple[Any, ...]]:
    return (
        select_rows(ReportOrder.order_id, ReportOrder.order_number, ReportOrder.order_date, currency, amount)
        .join(BillingReport, BillingReport.id == ReportOrder.report_id)
        .where(*_within(report_id, scope))
    )


def _within(report_id: int, scope: Scope) -> list[ColumnElement[bool]]:
    """A report's content never changes: of the scope, only customer and currency apply."""
    conditions = [BillingReport.id == report_id]
    if scope.customer_id is not None:
        conditions.append(BillingReport.customer_id == scope.customer_id)
    if scope.currency is not None:
        conditions.append(equals(BillingReport.currency, scope.currency))
    return conditions


def _total(report_id: int, scope: Scope) -> Select[*tuple[Any, ...]]:
    return _of_orders(report_id, scope, BillingReport.currency, ReportOrder.total_minor)


def _orders(report_id: int, scope: Scope) -> Select[*tuple[Any, ...]]:
    return _of_orders(report_id, scope, NO_CURRENCY, literal(1))


def _charges(report_id: int, scope: Scope) -> Select[*tuple[Any, ...]]:
    of_order = (ReportCharge.report_id == ReportOrder.report_id) & (ReportCharge.order_id == ReportOrder.order_id)
    rows = _of_orders(report_id, scope, NO_CURRENCY, func.count()).join(ReportCharge, of_order)
    return rows.group_by(ReportOrder.order_id, ReportOrder.order_number, ReportOrder.order_date)


def _service(report_id: int, service_id: int, scope: Scope) -> Select[*tuple[Any, ...]]:
    of_service = (
        (ReportCharge.report_id == ReportOrder.report_id)
        & (ReportCharge.order_id == ReportOrder.order_id)
        & (ReportCharge.service_id == service_id)
    )
    return _of_orders(report_id, scope, BillingReport.currency, ReportCharge.amount_minor).join(
        ReportCharge, of_service
    )


def total_of(report_id: int) -> Figure:
    return Figure(
        key=f"report_{report_id}_total",
        title="Total",
        definition=f"What report #{report_id} bills for all its orders.",
        formula="Σ order totals",
        permission=Permission.REPORT_READ,
        rows=partial(_total, report_id),
    )


def orders_of(report_id: int) -> Figure:
    return Figure(
        key=f"report_{report_id}_orders",
        title="Orders",
        definition=f"The orders on report #{report_id}, also those that cost nothing.",
        formula="number of orders",
        permission=Permission.REPORT_READ,
        rows=partial(_orders, report_id),
    )


def charges_of(report_id: int) -> Figure:
    return Figure(
        key=f"report_{report_id}_charges",
        title="Charges",
        definition=f"The charges on report #{report_id}: one for each order and service that applied to it.",
        formula="Σ charges of each order",
        permission=Permission.REPORT_READ,
        rows=partial(_charges, report_id),
    )


def service_of(report_id: int, service_id: int) -> Figure:
    """What one report bills for one service."""
    return Figure(
        key=f"report_{report_id}_service_{service_id}",
        title="Billed for a service",
        definition=f"What report #{report_id} bills for this service.",
        formula="Σ charges of the service",
        permission=Permission.REPORT_READ,
        rows=partial(_service, report_id, service_id),
    )


def named(key: str) -> Figure | None:
    """A report's figure by its key, as in links; None where there is none of this key."""
    if match := _SERVICE_KEY.fullmatch(key):
        return service_of(int(match[1]), int(match[2]))
    if match := _KEY.fullmatch(key):
        return {"total": total_of, "orders": orders_of, "charges": charges_of}[match[2]](int(match[1]))
    return None

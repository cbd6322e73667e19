"""Figures about orders themselves, before any report."""

from typing import Any

from sqlalchemy import Select, String, cast, literal, null, select

from billing_core.customers.models import Customer
from billing_core.figures import Figure, Scope
from billing_core.orders.models import Order, OrderStatus


def _drafts(asked: Scope) -> Select[*tuple[Any, ...]]:
    rows = (
        select(
            Order.id.label("id"),
            (Order.number + ", " + Customer.name).label("label"),
            Order.order_date.label("date"),
            cast(null(), String).label("currency"),
            literal(1).label("amount"),
        )
        .join(Customer, Customer.id == Order.customer_id)
        .where(Order.status == OrderStatus.DRAFT)
    )
    if asked.period is not None:
        rows = rows.where(asked.period.contains(Order.order_date))
    if asked.currency is not None:
        rows = rows.where(Customer.currency == asked.currency)
    return rows if asked.customer_id is None else rows.where(Customer.id == asked.customer_id)


DRAFT_ORDERS = Figure(
    key="draft_orders",
    title="Draft orders",
    definition="Orders of the time asked for whose status is draft. They are not billed until they are submitted.",
    formula="number of orders",
    rows=_drafts,
)

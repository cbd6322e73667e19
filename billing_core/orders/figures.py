"""Figures about orders themselves, before any report."""

from typing import Any

from sqlalchemy import Select, String, cast, literal, null, select

from billing_core.customers.models import Customer
from billing_core.figures import Figure, Scope
from billing_core.orders.models import Order, OrderStatus

# Written into the statement, where SQLite must see it to use the index of drafts.
_DRAFT = literal(OrderStatus.DRAFT, Order.status.type, literal_execute=True)


def _drafts(asked: Scope) -> Select[*tuple[Any, ...]]:
    # The customers are looked up for each draft, not joined: SQLite would begin with them and read all their orders.
    name = select(Customer.name).where(Customer.id == Order.customer_id).scalar_subquery()
    rows = select(
        Order.id.label("id"),
        (Order.number + ", " + name).label("label"),
        Order.order_date.label("date"),
        cast(null(), String).label("currency"),
        literal(1).label("amount"),
    ).where(Order.status == _DRAFT)
    if asked.period is not None:
        rows = rows.where(asked.period.contains(Order.order_date))
    if asked.currency is not None:
        rows = rows.where(Order.customer_id.in_(select(Customer.id).where(Customer.currency == asked.currency)))
    return rows if asked.customer_id is None else rows.where(Order.customer_id == asked.customer_id)


DRAFT_ORDERS = Figure(
    key="draft_orders",
    title="Draft orders",
    definition="Orders of the time asked for whose status is draft. They are not billed until they are submitted.",
    formula="number of orders",
    rows=_drafts,
)

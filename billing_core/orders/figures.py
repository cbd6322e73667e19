"""Figures about orders themselves, before any report."""

from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, literal, select

from billing_core.customers.models import Customer
from billing_core.database.functions import equals
from billing_core.figures import Figure, Scope, one_each
from billing_core.identity import Permission
from billing_core.orders.models import Order, OrderStatus

# A literal in the statement, where SQLite must see it to use the index of drafts.
_DRAFT = literal(OrderStatus.DRAFT, Order.status.type, literal_execute=True)


def of_customers(scope: Scope, customer_id: SQLColumnExpression[int]) -> list[ColumnElement[bool]]:
    """In SQL: rows of the scope's customer, or of customers with its currency."""
    conditions: list[ColumnElement[bool]] = []
    if scope.currency is not None:
        conditions.append(customer_id.in_(select(Customer.id).where(equals(Customer.currency, scope.currency))))
    if scope.customer_id is not None:
        conditions.append(customer_id == scope.customer_id)
    return conditions


def _drafts(scope: Scope) -> Select[*tuple[Any, ...]]:
    # Customers are looked up for each draft, not joined: SQLite would start from them and read all their orders.
    name = select(Customer.name).where(Customer.id == Order.customer_id).scalar_subquery()
    rows = one_each(Order.id, Order.number + ", " + name, Order.order_date)
    rows = rows.where(Order.status == _DRAFT, *of_customers(scope, Order.customer_id))
    return rows if scope.period is None else rows.where(scope.period.contains(Order.order_date))


DRAFT_ORDERS = Figure(
    key="draft_orders",
    title="Draft orders",
    definition="Orders of the chosen period whose status is draft. They are not billed until they are submitted.",
    formula="number of orders",
    permission=Permission.ORDER_READ,
    rows=_drafts,
)

"""Reads of orders: one customer's list, and one order with its lines."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, exists, func, select
from sqlalchemy.orm import Session

from billing_core.customers.queries import visible_to
from billing_core.database import functions
from billing_core.database.functions import mentions
from billing_core.database.ordering import chosen, natural, ordered
from billing_core.errors import Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.orders.models import Order, OrderLine, OrderStatus, Product


@dataclass(frozen=True, slots=True)
class OrderRow:
    """``lines`` counts the order's lines, ``items`` adds their quantities."""

    id: int
    number: str
    reference_number: str
    order_date: date
    status: OrderStatus
    ship_to_name: str
    ship_to_city: str
    ship_to_country: str
    carrier: str
    weight: Decimal | None
    packages: int | None
    lines: int
    items: Decimal | None


@dataclass(frozen=True, slots=True)
class LineRow:
    """``product`` is empty and ``case_size`` None where the customer has no product of this SKU."""

    sku: str
    quantity: Decimal
    product: str | None
    case_size: Decimal | None


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Empty fields do not limit. ``order_by`` is one of ``ORDERINGS``, with a leading "-" for descending."""

    customer_id: int
    text: str = ""
    status: str = ""
    order_by: str = "-order_date"


ORDERINGS: dict[str, SQLColumnExpression[Any]] = {
    "number": natural(Order.number),
    "order_date": Order.order_date,
    "status": Order.status,
    "reference_number": natural(Order.reference_number),
    "ship_to_name": natural(Order.ship_to_name),
    "ship_to_country": Order.ship_to_country,
    "carrier": natural(Order.carrier),
    "weight": Order.weight,
    "packages": Order.packages,
}

_OF_ORDER = OrderLine.order_id == Order.id
_COLUMNS: tuple[Any, ...] = (
    *(getattr(Order, name) for name in OrderRow.__dataclass_fields__ if name not in ("lines", "items")),
    select(func.count()).select_from(OrderLine).where(_OF_ORDER).correlate(Order).scalar_subquery(),
    select(func.sum(OrderLine.quantity)).where(_OF_ORDER).correlate(Order).scalar_subquery(),
)


def page(session: Session, actor: Actor, filters: OrderFilter, *, limit: int = 50, offset: int = 0) -> list[OrderRow]:
    """One page of a customer's orders, in the requested order."""
    actor.require(Permission.ORDER_READ)
    order = ordered(filters.order_by, chosen(ORDERINGS, filters.order_by), Order.id)
    statement = select(*_COLUMNS).where(*_conditions(actor, filters)).order_by(*order).limit(limit).offset(offset)
    return [OrderRow(*row) for row in session.execute(statement)]


def count(session: Session, actor: Actor, filters: OrderFilter) -> int:
    actor.require(Permission.ORDER_READ)
    return session.scalar(select(func.count()).select_from(Order).where(*_conditions(actor, filters))) or 0


def newest_months(session: Session, actor: Actor, *, until: date, limit: int) -> list[date]:
    """The first days of the newest months with orders to bill up to that day, the newest first."""
    actor.require(Permission.ORDER_READ)
    statement = functions.newest_months(
        Order.order_date, Order.billable, Order.order_date <= until, visible_to(actor, Order.customer_id), limit=limit
    )
    return list(session.scalars(statement))


def lines(session: Session, actor: Actor, order_id: int, *, limit: int = 500) -> list[LineRow]:
    """An order's lines with the customer's own products; NotFound where this actor may not see the order."""
    actor.require(Permission.ORDER_READ)
    known = select(Order.customer_id).where(Order.id == order_id, visible_to(actor, Order.customer_id))
    customer_id = session.scalar(known)
    if customer_id is None:
        raise NotFound(f"There is no order {order_id}")
    statement = (
        select(OrderLine.sku, OrderLine.quantity, Product.name, Product.case_size)
        .outerjoin(Product, (Product.customer_id == customer_id) & (Product.sku_key == OrderLine.sku_key))
        .where(OrderLine.order_id == order_id)
        .order_by(OrderLine.id)
        .limit(limit)
    )
    return [LineRow(*row) for row in session.execute(statement)]


def _conditions(actor: Actor, filters: OrderFilter) -> list[ColumnElement[bool]]:
    conditions = [Order.customer_id == filters.customer_id, visible_to(actor, Order.customer_id)]
    if filters.status:
        conditions.append(Order.status == _status(filters.status))
    if text := filters.text.strip():
        columns = (Order.number, Order.reference_number, Order.ship_to_name, Order.ship_to_city)
        of_sku = exists().where(OrderLine.order_id == Order.id, mentions(text, OrderLine.sku_key))
        conditions.append(mentions(text, *columns) | of_sku)
    return conditions


def _status(text: str) -> OrderStatus:
    try:
        return OrderStatus(text)
    except ValueError:
        raise Invalid(f"Invalid status: {text}", fields={"status": f"one of {', '.join(OrderStatus)}"}) from None

"""A small company to bill: two services, and orders whose amounts can be worked out in one's head.

HANDLING costs 2.00 an order, PICKING 0.50 an item: an order of 4 items comes to 4.00.
"""

from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.orders.models import Order, OrderLine, OrderStatus
from billing_core.rating.models import CostType, Rate, Service
from billing_core.reports import service
from billing_core.reports.queries import Report, one

NOW = datetime(2026, 4, 2, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 4, 3, 9, 0, tzinfo=UTC)
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
HANDLING, PICKING = 1, 2


def the_services(session: Session) -> None:
    if session.scalar(select(Service.id).limit(1)) is None:
        session.add(Service(id=HANDLING, code="HANDLING", name="Handling", cost_type=CostType.PER_ORDER))
        session.add(Service(id=PICKING, code="PICKING", name="Picking", cost_type=CostType.PER_ITEM))
        session.flush()


def a_customer(
    session: Session,
    ref: str = "ACME",
    *,
    name: str = "Acme Corp",
    currency: str = "USD",
    priced: bool = True,
    email: str = "",
) -> int:
    """The id of a customer, with both services on its rate card."""
    the_services(session)
    known = {"ref": ref, "name": name, "email": email, "currency": currency, "created_at": NOW}
    customer = Customer(business_id=default_business(session).id, **known)
    session.add(customer)
    session.flush()
    if priced:
        for service_id, price in ((HANDLING, "2"), (PICKING, "0.5")):
            session.add(
                Rate(
                    customer_id=customer.id,
                    service_id=service_id,
                    unit_price=Decimal(price),
                    currency=currency,
                    valid_from=date(2026, 1, 1),
                    created_at=NOW,
                )
            )
    session.flush()
    return customer.id


def an_order(
    session: Session,
    customer_id: int,
    number: str,
    *,
    items: int = 4,
    on: date = date(2026, 3, 10),
    status: OrderStatus = OrderStatus.SHIPPED,
    **facts: str,
) -> int:
    """The id of an order with one line of that many items."""
    order = Order(number=number, customer_id=customer_id, order_date=on, status=status, **facts)
    session.add(order)
    session.flush()
    session.add(OrderLine(order_id=order.id, sku="A-1", sku_key="A-1", quantity=Decimal(items)))
    session.flush()
    return order.id


def billed(session: Session, customer_id: int, period: Period = MARCH, *, now: datetime = NOW, **options) -> Report:
    """The report that generating now ends in."""
    made = service.generate(session, SYSTEM, customer_id=customer_id, period=period, now=now, **options)
    return one(session, SYSTEM, made.report_id)

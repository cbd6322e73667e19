"""The companies of the two documents' examples, with real orders and rates: a service's amount is what was counted.

Picking costs 1.00 an item and Shipping 1.00 a unit of weight, so that an order of 500 items and a weight of 1000
is billed 500.00 and 1000.00.
"""

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.database import Sessions, connect
from billing_core.dates import Period
from billing_core.identity.permissions import SYSTEM, Actor, Permission
from billing_core.orders.models import Order, OrderLine, OrderStatus
from billing_core.rating.models import CostType, Rate, Service
from billing_core.reports import service
from billing_core.reports.queries import Report, one

JANUARY = Period(date(2023, 1, 1), date(2023, 1, 31))
FEBRUARY = Period(date(2023, 2, 1), date(2023, 2, 28))
ADMIN_USER = Actor(None, "admin_user", frozenset(Permission))
ACME, WIDGETS = 123, 456


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def a_customer(session: Session, customer_id: int, name: str, *, currency: str = "USD", price: str = "1") -> None:
    """A customer with every service on its rate card; Picking and Shipping where there is none yet."""
    if session.scalar(select(Service.id).limit(1)) is None:
        session.add(Service(id=1, code="PICK", name="Picking", cost_type=CostType.PER_ITEM))
        session.add(Service(id=2, code="SHIP", name="Shipping", cost_type=CostType.PER_WEIGHT_UNIT))
    made = at("2022-12-01T00:00:00Z")
    business = default_business(session).id
    session.add(
        Customer(
            id=customer_id, business_id=business, ref=str(customer_id), name=name, currency=currency, created_at=made
        )
    )
    session.flush()
    for service_id in session.scalars(select(Service.id)):
        session.add(
            Rate(
                customer_id=customer_id,
                service_id=service_id,
                unit_price=Decimal(price),
                currency=currency,
                valid_from=date(2020, 1, 1),
                created_at=made,
            )
        )
    session.flush()


def an_order(
    session: Session, customer_id: int, order_id: int, day: str, *, picking: int, shipping: int, **facts: str
) -> None:
    """An order that is billed so much for each service."""
    session.add(
        Order(
            id=order_id,
            number=f"ORD-{order_id}",
            customer_id=customer_id,
            order_date=date.fromisoformat(day),
            status=OrderStatus.COMPLETED,
            reference_number=f"REF-{order_id}",
            weight=Decimal(shipping),
            **facts,
        )
    )
    session.flush()
    an_order_line(session, order_id, "A", picking)


def an_order_line(session: Session, order_id: int, sku: str, quantity: int) -> None:
    session.add(OrderLine(order_id=order_id, sku=sku, sku_key=sku, quantity=Decimal(quantity)))
    session.flush()


def a_report(session: Session, customer_id: int, made: str, *, period: Period = JANUARY) -> Report:
    """The report of a period as the admin_user makes it at that instant."""
    generated = service.generate(session, ADMIN_USER, customer_id=customer_id, period=period, now=at(made))
    return one(session, SYSTEM, generated.report_id)


def two_customers(session: Session) -> None:
    """Reports 1 and 3 are acme's, January 1500.00 and February 20.00; 2 is widgets', January 2750.00.

    The second was made two and a half hours after the first, the third a month later.
    """
    a_customer(session, ACME, "ACME Corp")
    a_customer(session, WIDGETS, "Widgets Inc")
    an_order(session, ACME, 10001, "2023-01-15", picking=500, shipping=1000)
    an_order(session, ACME, 10002, "2023-02-28", picking=20, shipping=0)
    an_order(session, WIDGETS, 10003, "2023-01-31", picking=2000, shipping=750)
    a_report(session, ACME, "2023-02-01T12:00:00Z")
    a_report(session, WIDGETS, "2023-02-01T14:30:00Z")
    a_report(session, ACME, "2023-03-01T12:00:00Z", period=FEBRUARY)


def two_customers_on_file(empty: Path, folder: Path) -> Path:
    """A SQLite file with ``two_customers`` to copy from: made once, it saves each test from making them."""
    file = folder / "two_customers.sqlite3"
    shutil.copyfile(empty, file)
    sessions = Sessions(connect(f"sqlite:///{file}"))
    with sessions.begin() as session:
        two_customers(session)
    with sessions.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    sessions.engine.dispose()
    return file

"""Filling an empty database with the demo company."""

import random
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.audit import service as audit
from billing_core.businesses import service as businesses
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.dates import add_months, first_of_month, start_of_day
from billing_core.demo import billing, order_book, rate_cards
from billing_core.demo.definitions import Definitions, definitions
from billing_core.demo.order_book import DemoOrder
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.orders.models import Order, OrderLine, Product, sku_key
from billing_core.rating.models import Rate, Service
from billing_core.reports import coverage

SEED = 20_240_229
MONTHS = 18
ORDERS = 20_000
_BATCH = 5_000
# Whose last orders of that month came in after it was billed, so that its report has two versions.
_LATE_CUSTOMERS = ("KAFFE", "ALDER", "FIORE")
_LATE_MONTHS_AGO = 3


@dataclass(frozen=True, slots=True)
class Filled:
    """How much the demo company has."""

    customers: int
    orders: int
    lines: int
    reports: int


def fill(
    session: Session,
    actor: Actor,
    *,
    today: date,
    now: datetime,
    seed: int = SEED,
    orders: int = ORDERS,
    months: int = MONTHS,
) -> Filled:
    """Fill an empty database: that many whole months and the running one, up to ``today``.

    The same seed and day give the same data. Refuses (Conflict) where there are customers or services already.
    A business that nobody has set up yet becomes the demo company's.
    """
    actor.require(Permission.IMPORT)
    if session.scalar(select(Customer.id).limit(1)) or session.scalar(select(Service.id).limit(1)):
        raise Conflict("The demo company only fills an empty database, and this one already has customers or services")
    made_of = definitions()
    first_day = add_months(first_of_month(today), -months)

    _set_up_business(session, actor, made_of, now)
    customers = _add_customers(session, made_of, first_day=first_day, seed=seed)
    _add_products(session, made_of, customers)
    _add_rates(session, made_of, customers, first_day=first_day)
    drawn = order_book.draw(made_of, seed, first_day=first_day, today=today, count=orders)
    in_time, late = order_book.split_late(
        drawn, _LATE_CUSTOMERS, month=add_months(first_of_month(today), -_LATE_MONTHS_AGO)
    )
    lines = _add_orders(session, in_time, customers)
    books = billing.Books(customers, first_day, today, default_business(session).time_zone)
    reports = billing.bill_closed_months(session, actor, made_of.customers, books)
    lines += _add_orders(session, late, customers)
    reports += billing.bill_again(session, actor, late, books)
    coverage.refresh(session)
    filled = Filled(len(customers), len(drawn), lines, reports)
    business = default_business(session)
    audit.record(
        session, actor, "demo.fill", ("business", business.id), label=business.name, after=asdict(filled), now=now
    )
    return filled


def _set_up_business(session: Session, actor: Actor, made_of: Definitions, now: datetime) -> None:
    if default_business(session).set_up_at is not None:
        return
    wanted = businesses.Details(**made_of.business.model_dump())
    business = businesses.set_up(
        session, actor, name=wanted.name, currency=wanted.currency, time_zone=wanted.time_zone, now=now
    )
    session.flush()
    businesses.change(session, actor, wanted=wanted, drawn_from=business.version, now=now)


def _add_customers(session: Session, made_of: Definitions, *, first_day: date, seed: int) -> dict[str, int]:
    """The new customers' ids by ref."""
    business = default_business(session)
    chance = random.Random(seed)  # noqa: S311 - the same ids for the same seed are what is wanted
    copied = {"ref", "name", "country", "city", "state", "postal_code", "address", "currency", "tax_id"}
    rows = [
        {
            **customer.model_dump(include=copied),
            "business_id": business.id,
            "email": f"billing@{customer.ref.lower()}.example",
            "phone": f"+00 555 {chance.randrange(1000, 9999)}",
            "public_id": f"cus_{chance.getrandbits(64):016x}",
            "uuid": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "created_at": start_of_day(business.time_zone, add_months(first_day, customer.joins)),
            "version": 1,
        }
        for customer in made_of.customers
    ]
    session.execute(insert(Customer), rows)
    return _ids(session, Customer.ref, Customer.id)


def _add_products(session: Session, made_of: Definitions, customers: Mapping[str, int]) -> None:
    session.execute(
        insert(Product),
        [
            {
                "customer_id": customers[customer.ref],
                "sku": customer.sku(position),
                "sku_key": sku_key(customer.sku(position)),
                "name": product.name,
                "case_size": product.case or None,
            }
            for customer in made_of.customers
            for position, product in enumerate(made_of.sector(customer.sector).products, 1)
        ],
    )


def _add_rates(session: Session, made_of: Definitions, customers: Mapping[str, int], *, first_day: date) -> None:
    business = default_business(session)
    session.execute(insert(Service), [service.model_dump() for service in made_of.services])
    services = _ids(session, Service.code, Service.id)
    session.execute(
        insert(Rate),
        [
            {
                **{name: value for name, value in rate.items() if name != "service"},
                "customer_id": customers[customer.ref],
                "service_id": services[rate["service"]],
                # Prices are agreed a month before they hold.
                "created_at": start_of_day(business.time_zone, add_months(rate["valid_from"], -1)),
            }
            for customer in made_of.customers
            for rate in rate_cards.rates(made_of, customer, first_month=first_day)
        ],
    )


def _add_orders(session: Session, orders: list[DemoOrder], customers: Mapping[str, int]) -> int:
    """Insert orders and their lines; returns how many lines."""
    rows = ({**order.row, "customer_id": customers[order.customer]} for order in orders)
    for batch in _batches(rows):
        session.execute(insert(Order), batch)
    lines = 0
    for batch in _batches(order_book.line_rows(orders, _ids(session, Order.number, Order.id))):
        session.execute(insert(OrderLine), batch)
        lines += len(batch)
    return lines


def _ids(session: Session, key: InstrumentedAttribute[str], identity: InstrumentedAttribute[int]) -> dict[str, int]:
    return dict(session.execute(select(key, identity)).all())


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH)):
        yield batch

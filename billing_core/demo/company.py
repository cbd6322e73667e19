"""Writing the demo company's parts into the database; the caller's transaction decides when they are there."""

import random
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from itertools import islice
from typing import Any

from babel.languages import get_official_languages
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from billing_core.businesses import service as businesses
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.dates import add_months, start_of_day
from billing_core.demo import order_book, rate_cards
from billing_core.demo.definitions import Definitions
from billing_core.demo.order_book import DemoOrder
from billing_core.errors import Conflict
from billing_core.identity import Actor
from billing_core.languages.available import SOURCE_LANGUAGE, nearest
from billing_core.orders.models import Order, OrderLine, Product, sku_key
from billing_core.rating.models import Rate, Service

_BATCH = 5_000
# Most customers take the business's own terms.
_TERMS = ("", "", "Net 14", "", "Net 45", "", "Due on receipt")


def set_up_business(session: Session, actor: Actor, made_of: Definitions, now: datetime) -> None:
    """As it is defined; one that somebody has set up keeps what they said and gets what they left out."""
    business = default_business(session)
    defined = businesses.Details(**made_of.business.model_dump())
    if business.set_up_at is None:
        businesses.set_up(session, actor, wanted=defined, now=now)
        return
    said = {name: value for name, value in asdict(businesses.details(business)).items() if value}
    completed = replace(defined, **said)
    businesses.change(session, actor, wanted=completed, drawn_from=business.version, now=now)


def add_customers(session: Session, made_of: Definitions, *, first_day: date, seed: int) -> None:
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
            "language": _language_of(customer.country),
            "payment_terms": _TERMS[place % len(_TERMS)],
            "version": 1,
        }
        for place, customer in enumerate(made_of.customers)
    ]
    session.execute(insert(Customer), rows)


def _language_of(country: str) -> str:
    """English where a country has several languages of its own, or one that we do not write."""
    official = get_official_languages(country)
    return nearest(official[0]) if len(official) == 1 else SOURCE_LANGUAGE


def add_products(session: Session, made_of: Definitions, customers: Mapping[str, int]) -> None:
    session.execute(
        insert(Product),
        [
            {
                "customer_id": customers[customer.ref],
                "sku": customer.sku(position),
                "sku_key": sku_key(customer.sku(position)),
                "name": product.name,
                "case_size": product.case,
            }
            for customer in made_of.customers
            for position, product in enumerate(made_of.sector(customer.sector).products, 1)
        ],
    )


def add_rates(session: Session, made_of: Definitions, customers: Mapping[str, int], *, first_day: date) -> None:
    business = default_business(session)
    session.execute(insert(Service), [service.model_dump() for service in made_of.services])
    services = dict(session.execute(select(Service.code, Service.id)).all())
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


def add_orders(session: Session, orders: Sequence[DemoOrder], customers: Mapping[str, int]) -> None:
    """Insert orders with their lines."""
    rows = ({**order.row, "customer_id": customers[order.customer]} for order in orders)
    for batch in _batches(rows):
        session.execute(insert(Order), batch)
    days = [order.row["order_date"] for order in orders]
    placed = select(Order.number, Order.id).where(Order.order_date.between(min(days), max(days)))
    for batch in _batches(order_book.line_rows(orders, dict(session.execute(placed).all()))):
        session.execute(insert(OrderLine), batch)


def customer_ids(session: Session, made_of: Definitions) -> dict[str, int]:
    """The demo customers' ids by ref. Conflict where one is no longer there."""
    refs = [customer.ref for customer in made_of.customers]
    ids = dict(session.execute(select(Customer.ref, Customer.id).where(Customer.ref.in_(refs))).all())
    if len(ids) < len(refs):
        raise Conflict("The demo company was changed before it was complete: it cannot be finished any more")
    return ids


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH)):
        yield batch

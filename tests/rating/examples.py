"""Rates and orders as a reader writes them down, and what the orders cost."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing_core.rating import statements
from tests.rating import cards

_TEXTS = ("country", "state", "city", "postal_code", "ship_to_name", "carrier", "reference_number", "notes")


@dataclass(frozen=True)
class Charge:
    """``quantity``: what the price was multiplied by; ``minor``: the amount in minor units; ``bound``: ``minimum`` or
    ``maximum`` where that decided it.
    """

    quantity: Decimal
    price: Decimal
    tier: int | None
    bound: str | None
    minor: int


def a_rate(cost_type="per_item", price="1", **more):
    """The rate of service 1, in US dollars; ``minimum`` and ``maximum`` are minor units."""
    return {
        "service": 1,
        "cost_type": cost_type,
        "price": Decimal(price),
        "currency": "USD",
        "valid_from": date(2026, 1, 1),
        "valid_to": None,
        "minimum": None,
        "maximum": None,
        "skus": None,
        "tier_mode": "graduated",
        "tiers": None,
        "condition": None,
    } | more


def an_order(*lines, **more):
    """An order of the first day of the period; lines are (SKU, quantity)."""
    return {
        "day": cards.FIRST,
        "status": "shipped",
        **dict.fromkeys(_TEXTS, ""),
        "weight": None,
        "packages": None,
        "lines": list(lines),
    } | more


def of_items(*quantities):
    """An order for each quantity, of one line."""
    return [an_order(("A", Decimal(quantity))) for quantity in quantities]


def charges(
    session, card, orders, products=None, *, services: Collection[int] = (), customer_id=1
) -> list[dict[int, Charge]]:
    """For each order its charges by the service's number on the card; a service that costs it nothing is not there."""
    numbers = [rate["service"] for rate in card]
    cards.store(session, card, orders, products or {}, customer_id=customer_id)
    ids = {number: rate["service"] for number, rate in zip(numbers, card, strict=True)}
    statement = statements.charges(session, customer_id, cards.PERIOD, [ids[number] for number in services])
    found = {(row.order_id, row.service_id): row for row in session.execute(statement)}
    assert all(type(row.amount_minor) is int for row in found.values())
    return [
        {
            number: Charge(
                Decimal(row.quantity).scaleb(-3),
                Decimal(row.unit_price).scaleb(-6),
                row.tier,
                row.bound,
                row.amount_minor,
            )
            for number, service_id in ids.items()
            if (row := found.get((order["id"], service_id))) is not None
        }
        for order in orders
    ]


def amounts(session, card, orders, products=None, **more) -> list[dict[int, int]]:
    """As ``charges``, with nothing but the minor units."""
    found = charges(session, card, orders, products, **more)
    return [{number: charge.minor for number, charge in order.items()} for order in found]

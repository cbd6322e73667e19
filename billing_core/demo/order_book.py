"""The demo company's orders: drawn with a seed, growing, seasonal, and with the gaps that real ones have."""

import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import cycle, islice
from typing import Any

from billing_core.dates import add_months, first_of_month
from billing_core.demo.definitions import CustomerDefinition, Definitions, Destination, SectorDefinition
from billing_core.orders.models import OrderStatus, sku_key

# Lines of ten orders: three on average, and a few large ones. In every thousand, two have none at all.
_TEN = (1, 1, 2, 2, 3, 3, 3, 4, 5, 6)
_TEN_WITH_AN_EMPTY_ONE = (0, 1, 2, 2, 3, 3, 3, 4, 5, 7)
_LINE_COUNTS = _TEN_WITH_AN_EMPTY_ONE * 2 + _TEN * 98
_QUANTITIES = (1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 8, 12, 24, 30, 48, 60)
_NOTES = ("", "", "", "", "", "", "", "Gift wrap, please", "Leave with a neighbour", "=Call before delivery")
_PARCEL_GRAMS = 9_000
_LATE_ORDERS = 3


@dataclass(frozen=True, slots=True)
class DemoOrder:
    """One order's row by column, with ``customer`` as its ref, and its lines: (SKU, quantity)."""

    customer: str
    row: dict[str, Any]
    lines: list[tuple[str, int]] = field(default_factory=list)


def draw(made_of: Definitions, seed: int, *, first_day: date, today: date, count: int) -> list[DemoOrder]:
    """``count`` orders from ``first_day`` to ``today``, three lines each on average, in the order of their days."""
    chance = random.Random(seed)  # noqa: S311 - believable, not secret
    line_counts = list(islice(cycle(_LINE_COUNTS), count))
    chance.shuffle(line_counts)
    placed = sorted(_placed(made_of, chance, first_day=first_day, today=today, count=count))
    writers = {customer.ref: _Writer(made_of, customer, chance, today) for customer in made_of.customers}
    numbers = Counter[str]()
    orders = []
    for (day, ref), lines in zip(placed, line_counts, strict=True):
        numbers[ref] += 1
        orders.append(writers[ref].order(f"{ref}-{10_000 + numbers[ref]}", day, lines))
    return orders


def _placed(
    made_of: Definitions, chance: random.Random, *, first_day: date, today: date, count: int
) -> Sequence[tuple[date, str]]:
    """On which day which customer ordered: weekday, season, growth, and since when they are with us."""
    days = [first_day + timedelta(days=number) for number in range((today - first_day).days + 1)]
    rhythm = made_of.rhythm
    places, weights = [], []
    for number, day in enumerate(days):
        grown = 100 * len(days) + rhythm.growth_percent * number
        busy = rhythm.months[day.month - 1] * rhythm.weekdays[day.weekday()] * grown
        for customer in made_of.customers:
            if day >= add_months(first_day, customer.joins):
                places.append((day, customer.ref))
                weights.append(busy * customer.share)
    return chance.choices(places, weights, k=count)


class _Writer:
    """Writes one customer's orders."""

    def __init__(self, made_of: Definitions, customer: CustomerDefinition, chance: random.Random, today: date) -> None:
        self.customer = customer
        self.sector: SectorDefinition = made_of.sector(customer.sector)
        self.destinations = [place for place in made_of.destinations if place.currency == customer.currency]
        self.chance = chance
        self.today = today

    def order(self, number: str, day: date, line_count: int) -> DemoOrder:
        chance = self.chance
        lines, grams = self._lines(line_count)
        place = chance.choices(self.destinations, [each.share for each in self.destinations])[0]
        weight = None if chance.random() < 0.004 else Decimal(grams).scaleb(-3)
        packages = None if chance.random() < 0.003 else max(1, -(-grams // _PARCEL_GRAMS))
        row = {
            "number": number,
            "order_date": day,
            "status": self._status(day),
            "reference_number": f"PO-{day:%y%m}-{chance.randrange(1000, 9999)}" if chance.random() < 0.8 else "",
            "weight": weight,
            "packages": packages,
            "notes": chance.choice(_NOTES),
            **self._ship_to(place),
        }
        return DemoOrder(self.customer.ref, row, lines)

    def _lines(self, count: int) -> tuple[list[tuple[str, int]], int]:
        """The lines and what they weigh together, in grams. Now and then somebody names a SKU nobody knows."""
        chance = self.chance
        positions = chance.sample(range(1, len(self.sector.products) + 1), count)
        lines, grams = [], 0
        for position in positions:
            quantity = chance.choice(_QUANTITIES)
            grams += quantity * self.sector.products[position - 1].grams
            unknown = chance.random() < 0.004
            lines.append((f"{self.customer.ref}-X{position:02d}" if unknown else self.customer.sku(position), quantity))
        return lines, grams

    def _status(self, day: date) -> OrderStatus:
        age, draw = (self.today - day).days, self.chance.random()
        if draw < 0.025:
            return OrderStatus.CANCELLED
        if age <= 3:
            return OrderStatus.DRAFT if draw < 0.25 else OrderStatus.SUBMITTED if draw < 0.6 else OrderStatus.PROCESSING
        if age <= 9:
            return OrderStatus.SHIPPED if draw < 0.7 else OrderStatus.DELIVERED
        return OrderStatus.DRAFT if draw < 0.03 else OrderStatus.DELIVERED if draw < 0.4 else OrderStatus.COMPLETED

    def _ship_to(self, place: Destination) -> dict[str, str]:
        chance = self.chance
        city, state, postal_code = chance.choice(place.cities)
        return {
            "ship_to_name": chance.choice(place.people),
            "ship_to_address": f"{chance.choice(place.streets)} {chance.randrange(1, 180)}",
            "ship_to_city": city,
            "ship_to_state": state,
            "ship_to_postal_code": postal_code,
            "ship_to_country": place.country,
            "carrier": chance.choice(place.carriers),
        }


def split_late(
    orders: Sequence[DemoOrder], customers: Collection[str], *, month: date
) -> tuple[list[DemoOrder], list[DemoOrder]]:
    """The orders that came in time, and the last few of each of these customers in that month, which did not."""
    late: list[DemoOrder] = []
    for ref in customers:
        of_month = [
            order for order in orders if order.customer == ref and first_of_month(order.row["order_date"]) == month
        ]
        late += of_month[-_LATE_ORDERS:]
    numbers = {order.row["number"] for order in late}
    return [order for order in orders if order.row["number"] not in numbers], late


def line_rows(orders: Sequence[DemoOrder], ids: dict[str, int]) -> Iterator[dict[str, Any]]:
    """The rows of all lines by column; ``ids`` are the orders' ids by number."""
    for order in orders:
        for sku, quantity in order.lines:
            yield {
                "order_id": ids[order.row["number"]],
                "sku": sku,
                "sku_key": sku_key(sku),
                "position": 1,
                "quantity": Decimal(quantity),
            }

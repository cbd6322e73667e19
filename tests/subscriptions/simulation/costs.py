"""What terms cost for days of a period, a second time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tests.subscriptions.simulation.bills import ZERO, rounded
from tests.subscriptions.simulation.contracts import Plan, Promo, Terms

Days = tuple[date, date]
USAGE = "usage"


@dataclass(frozen=True)
class Item:
    """``gross`` is what ``quantity`` at ``unit`` a period come to on these days, and ``net`` that less what the promo
    code takes off.
    """

    part: tuple[str, str]
    quantity: Decimal
    unit: Decimal
    gross: Decimal
    net: Decimal
    first: date
    last: date


def items_of(terms: Terms, number: int, whole: Days, days: Days, taken: Decimal, places: int) -> list[Item]:
    """``taken``: what the promo code takes off the plan's price of the whole period."""

    def item(part: tuple[str, str], quantity: int, unit: Decimal, less: Decimal = ZERO) -> Item:
        share = Decimal(_length(days)), Decimal(_length(whole))
        gross = rounded(quantity * unit * share[0] / share[1], places)
        net = rounded((quantity * unit - less) * share[0] / share[1], places)
        return Item(part, Decimal(quantity), unit, gross, net, *days)

    plan = terms.plan
    found = [item(("plan", plan.code), 1, price_in(plan, number, places), taken)]
    if paid := _paid_seats(terms):
        found.append(item(("seats", ""), paid, plan.seat_price or ZERO))
    found += [item(("add_on", code), quantity, plan.add_ons[code]) for code, quantity in terms.add_ons.items()]
    return found


def price_in(plan: Plan, number: int, places: int) -> Decimal:
    """The plan's price in the paid period with this number, the first of which is 0."""
    for periods, percent in plan.phases:
        if number < periods:
            return rounded(plan.price * percent / 100, places)
        number -= periods
    return plan.price


def whole_price(terms: Terms, number: int, places: int) -> Decimal:
    """Of a whole period before any discount."""
    add_ons: Mapping[str, Decimal] = terms.plan.add_ons
    extra = sum((quantity * add_ons[code] for code, quantity in terms.add_ons.items()), ZERO)
    return price_in(terms.plan, number, places) + _paid_seats(terms) * (terms.plan.seat_price or ZERO) + extra


def off(promo: Promo | None, price: Decimal, used: int, places: int) -> tuple[Decimal, bool]:
    """What the promo code takes off a period's price, and whether that period is one of its."""
    if promo is None or price == 0 or (promo.periods is not None and used >= promo.periods):
        return ZERO, False
    if promo.percent is not None:
        return rounded(price * promo.percent / 100, places), True
    assert promo.amount is not None
    return min(promo.amount, price), True


def same_interval(one: Plan, other: Plan) -> bool:
    return (one.interval, one.count) == (other.interval, other.count)


def _paid_seats(terms: Terms) -> int:
    return 0 if terms.plan.seat_price is None else max(terms.seats - terms.plan.included_seats, 0)


def _length(days: Days) -> int:
    return (days[1] - days[0]).days + 1

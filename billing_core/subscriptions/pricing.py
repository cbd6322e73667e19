"""What a subscription costs for a period, or for the rest of one: the plan less its promo code, seats, add-ons.

Pure: amounts are minor units of the offer's currency, before tax.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from billing_core.dates import Period
from billing_core.plans.offers import Offer
from billing_core.promotions.reductions import NOTHING, Reduction
from billing_core.subscriptions.models import ChargeKind
from billing_core.subscriptions.proration import share


@dataclass(frozen=True, slots=True)
class Terms:
    """What a customer has agreed to. ``seats`` counts all; ``add_ons`` how many of each, by code."""

    offer: Offer
    seats: int = 1
    add_ons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """``quantity`` × ``unit_minor`` for the whole ``period``, of which ``days`` are billed; ``gross_minor`` is what
    those come to, of which the promo code takes ``discount_minor`` off. What it would take off a whole period beyond
    the price is ``forfeited_minor``.
    """

    kind: ChargeKind
    code: str
    name: str
    quantity: int
    unit_minor: int
    period: Period
    days: Period
    gross_minor: int
    discount_minor: int = 0
    forfeited_minor: int = 0

    @property
    def net_minor(self) -> int:
        return self.gross_minor - self.discount_minor

    @property
    def is_whole(self) -> bool:
        return self.days == self.period


def items(
    terms: Terms, number: int, period: Period, *, days: Period | None = None, reduction: Reduction = NOTHING
) -> list[Item]:
    """The items of the period with this number, from 0 on, or of those ``days`` of it. ``reduction``: what a promo code
    takes off the plan's price of a whole period.
    """
    offer, days = terms.offer, days or period
    found = [_item(ChargeKind.PLAN, offer.code, offer.name, 1, offer.price_in(number), period, days, reduction)]
    if paid_seats := offer.paid_seats(terms.seats):
        found.append(_item(ChargeKind.SEATS, "", offer.name, paid_seats, offer.seat_price_minor or 0, period, days))
    for code, quantity in sorted(terms.add_ons.items()):
        add_on = offer.add_on(code)
        found.append(_item(ChargeKind.ADD_ON, code, add_on.name, quantity, add_on.price_minor, period, days))
    return found


def of_quantity(item: Item, quantity: int) -> Item:
    """The same for another quantity, of what no promo code reduces."""
    return _item(item.kind, item.code, item.name, quantity, item.unit_minor, item.period, item.days)


def _item(
    kind: ChargeKind,
    code: str,
    name: str,
    quantity: int,
    unit_minor: int,
    period: Period,
    days: Period,
    reduction: Reduction = NOTHING,
) -> Item:
    gross = share(quantity * unit_minor, days.days, period.days)
    net = share(quantity * unit_minor - reduction.taken_minor, days.days, period.days)
    forfeited = reduction.forfeited_minor if days == period else 0
    return Item(kind, code, name, quantity, unit_minor, period, days, gross, gross - net, forfeited)

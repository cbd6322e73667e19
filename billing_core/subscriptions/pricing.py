"""What a subscription costs for a period, or for the rest of one: the plan less its promo code, seats, add-ons.

Pure: amounts are minor units of the offer's currency, before tax.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from billing_core.dates import Period
from billing_core.errors import Invalid
from billing_core.money import LARGEST_MINOR, Money
from billing_core.plans.offers import Offer
from billing_core.promotions.reductions import NOTHING, Reduction
from billing_core.subscriptions.models import ChargeKind
from billing_core.subscriptions.proration import share

# Seats, or pieces of an add-on.
MOST_SEATS: Final = 1_000_000


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


def whole_price(terms: Terms, number: int) -> int:
    """What a whole period costs before any discount, in minor units."""
    offer = terms.offer
    add_ons = sum(quantity * offer.add_on(code).price_minor for code, quantity in terms.add_ons.items())
    return offer.price_in(number) + offer.paid_seats(terms.seats) * (offer.seat_price_minor or 0) + add_ons


def check(terms: Terms) -> None:
    """Invalid where these terms do not go together, or no period of theirs could be billed."""
    offer = terms.offer
    if not 1 <= terms.seats <= MOST_SEATS:
        raise _invalid("seats", f"must be from 1 to {MOST_SEATS:,}")
    if terms.seats != 1 and offer.seat_price_minor is None:
        raise _invalid("seats", f"are not part of the plan {offer.code}")
    for code, quantity in terms.add_ons.items():
        offer.add_on(code)
        if not 1 <= quantity <= MOST_SEATS:
            raise _invalid(f"add_ons.{code}", f"must be from 1 to {MOST_SEATS:,}")
    begun = [0, *accumulate(phase.periods for phase in offer.phases)]
    if max(whole_price(terms, number) for number in begun) > LARGEST_MINOR:
        most = Money(LARGEST_MINOR, offer.currency)
        dear = "seats" if terms.seats > 1 else "add_ons" if terms.add_ons else "plan_code"
        raise _invalid(dear, f"would make a period cost more than {most}")


def _invalid(field_name: str, reason: str) -> Invalid:
    return Invalid(f"{field_name} {reason}", fields={field_name: reason})


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

"""What a quantity costs by a price: exact until the one rounding at the end.

A price is for a whole period. Of a part of it, what is agreed for a period counts by its days: what is included, where
tiers end, fees and the minimum; what a unit costs never changes. A quantity that stands instead of adding up, such as
the most seats at a time, is priced as of a whole period, and that amount counts by the days. Either way a change to the
same terms costs nobody anything.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from math import ceil
from typing import Final, NamedTuple

from billing_core.money import Money


class Scheme(enum.StrEnum):
    """How a quantity becomes an amount.

    ``per_unit``: every unit costs the same. ``graduated``: each slice costs its own tier's price. ``volume``: the whole
    quantity costs the price of the tier that it reaches. ``package``: whole packages of units, rounded up.
    """

    PER_UNIT = "per_unit"
    GRADUATED = "graduated"
    VOLUME = "volume"
    PACKAGE = "package"

    @property
    def tiered(self) -> bool:
        return self in (Scheme.GRADUATED, Scheme.VOLUME)


@dataclass(frozen=True, slots=True)
class Tier:
    """The quantities from beyond the tier before up to and including ``up_to``; None: all that is beyond.

    ``unit_price`` is in major units, for as many units as the price says; ``flat_fee``, in major units, is due once the
    quantity reaches the tier, that of the first one always.
    """

    up_to: Decimal | None
    unit_price: Decimal
    flat_fee: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Price:
    """What one meter, or one of its buckets, costs in a period. ``unit_price`` of a tier buys ``per`` units, which is
    the size of a package. ``included`` units cost nothing, and tiers count what is beyond them. ``minimum``, in major
    units, is owed at least.
    """

    currency: str
    scheme: Scheme
    tiers: tuple[Tier, ...]
    per: Decimal = Decimal(1)
    included: Decimal = Decimal(0)
    minimum: Decimal = Decimal(0)


class Part(NamedTuple):
    """What one tier adds. ``beyond`` is where it begins and ``up_to`` where it ends, of this many days. Of the
    ``quantity`` in it the ``unit_price`` is due ``times``; ``flat_fee`` is that of a whole period, both in major units,
    and ``amount`` what these days cost.
    """

    beyond: Decimal
    up_to: Decimal | None
    quantity: Decimal
    times: Decimal | Fraction
    unit_price: Decimal
    flat_fee: Decimal
    amount: Fraction


class Priced(NamedTuple):
    """What a quantity comes to, and why. ``true_up``, in major units, is what the parts lack of the minimum,
    ``without_minimum`` the amount without it;
    ``unit_share`` and ``period_share`` say how much counts of a unit's price and of what is agreed for a period.
    """

    quantity: Decimal
    included: Decimal
    billable: Decimal
    parts: tuple[Part, ...]
    true_up: Fraction
    amount: Money
    without_minimum: Money
    unit_share: Fraction
    period_share: Fraction


# Far more digits than two numbers of ours have together; refuses to round.
_EXACTLY: Final = Context(prec=100, traps=[Inexact])
_NONE: Final = Decimal(0)
_ONE: Final = Fraction(1)
_NOTHING: Final = Fraction(0)
# How much counts of what a unit costs, and of what is agreed for a period.
_Shares = tuple[Fraction, Fraction]


def priced(
    price: Price, quantity: Decimal, *, days: int = 1, of_days: int = 1, stands: bool = False, places: int = 0
) -> Priced:
    """What the quantity of these days, out of those of the period, costs. Less than nothing is billed as nothing.
    ``stands``: it does not add up over days. ``places``: decimals that such quantities have, 0 where units are whole.
    """
    share = Fraction(days, of_days) if days != of_days else _ONE
    shares = (share if stands else _ONE, share)
    if stands:
        days = of_days
    used = max(quantity, _NONE)
    included = share_of(price.included, days, of_days, places=places)
    billable = max(used - included, _NONE)
    parts: tuple[Part, ...]
    match price.scheme:
        case Scheme.PER_UNIT | Scheme.PACKAGE:
            parts = (_whole(price, price.tiers[0], _NONE, None, billable, shares),)
        case Scheme.GRADUATED:
            parts = tuple(_graduated(price, _within(price, days, of_days, places), billable, shares))
        case Scheme.VOLUME:
            reached = _reached(_within(price, days, of_days, places), billable)
            parts = (_whole(price, *reached, billable, shares),)
    # Most have one part and no minimum, and to add 0 to a fraction takes as long as to make one.
    charged = parts[0].amount if len(parts) == 1 else sum((part.amount for part in parts), _NOTHING)
    true_up = max(Fraction(price.minimum) * share - charged, _NOTHING) if price.minimum else _NOTHING
    without_minimum = Money.rounded(charged, price.currency)
    amount = Money.rounded(charged + true_up, price.currency) if true_up else without_minimum
    return Priced(used, included, billable, parts, true_up, amount, without_minimum, *shares)


def share_of(quantity: Decimal, days: int, of_days: int, *, places: int = 0) -> Decimal:
    """The part of a period's quantity that these days have: rounded up to so many decimals, never more than all of
    it.
    """
    if days == of_days:
        return quantity
    steps = ceil(Fraction(quantity) * 10**places * days / of_days)
    return min(Decimal(steps).scaleb(-places), quantity)


# A tier, and the quantities beyond which it begins and up to which it goes.
_Bounded = tuple[Tier, Decimal, Decimal | None]


def _within(price: Price, days: int, of_days: int, places: int) -> list[_Bounded]:
    bounded: list[_Bounded] = []
    beyond = Decimal(0)
    for tier in price.tiers:
        up_to = None if tier.up_to is None else share_of(tier.up_to, days, of_days, places=places)
        bounded.append((tier, beyond, up_to))
        beyond = beyond if up_to is None else up_to
    return bounded


def _graduated(price: Price, tiers: list[_Bounded], billable: Decimal, shares: _Shares) -> Iterator[Part]:
    for place, (tier, beyond, up_to) in enumerate(tiers):
        # Of few days two tiers may end at the same quantity: nothing lies in the later one.
        if place == 0 or (billable > beyond and up_to != beyond):
            slice_ = (billable if up_to is None else min(billable, up_to)) - beyond
            yield _whole(price, tier, beyond, up_to, slice_, shares)


def _reached(tiers: list[_Bounded], billable: Decimal) -> _Bounded:
    """The tier in which the quantity lies."""
    return next((tier, beyond, up_to) for tier, beyond, up_to in tiers if up_to is None or billable <= up_to)


def _whole(
    price: Price, tier: Tier, beyond: Decimal, up_to: Decimal | None, quantity: Decimal, shares: _Shares
) -> Part:
    """This quantity at the tier's price."""
    unit_share, period_share = shares
    if price.per == 1 and unit_share == 1 and price.scheme is not Scheme.PACKAGE:
        # Most prices, and this is done for every customer.
        times: Decimal | Fraction = quantity
        amount = Fraction(_EXACTLY.multiply(quantity, tier.unit_price))
    else:
        times = Fraction(quantity) / Fraction(price.per)
        if price.scheme is Scheme.PACKAGE:
            times = Fraction(ceil(times))
        amount = times * Fraction(tier.unit_price) * unit_share
    if tier.flat_fee:
        amount += Fraction(tier.flat_fee) * period_share
    return Part(beyond, up_to, quantity, times, tier.unit_price, tier.flat_fee, amount)


@dataclass(frozen=True, slots=True)
class Drop:
    """Where using more costs less: ``at`` a tier's last quantity, and ``above``, at the next that there is. Both costs
    are exact, in major units.
    """

    at: Decimal
    cost: Fraction
    above: Decimal
    cost_above: Fraction


def drops(price: Price, *, step: Decimal) -> list[Drop]:
    """Where a volume price makes more units cheaper; ``step`` is the least by which quantities differ.

    Within a tier more never costs less, so that only their ends matter.
    """
    if price.scheme is not Scheme.VOLUME:
        return []
    found = []
    for end in (tier.up_to for tier in price.tiers if tier.up_to is not None):
        at = end // step * step
        cost, cost_above = (_exact(price, quantity) for quantity in (at, at + step))
        if cost_above < cost:
            found.append(Drop(at, cost, at + step, cost_above))
    return found


def _exact(price: Price, billable: Decimal) -> Fraction:
    found = priced(replace(price, included=Decimal(0)), billable)
    return sum((part.amount for part in found.parts), found.true_up)

"""An invoice's totals: the one computation behind editor, PDF, API, payment link and ledger.

Everything is exact until the end. Tax is computed per rate (point 10 of the settled contradictions): the exact taxes of
a rate's lines are added, and their sum is rounded once. The net sum is rounded once too, and distributed over the
shares (one per type and rate), so that every column of the invoice adds up to the same figure.
Exact amounts are integers of a unit small enough for every amount to be whole: ``unit`` says how many of them make a
minor unit. (Fractions would be as exact, and take ten times as long.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from billing_core.money import (
    LINE_QUANTITY_PLACES,
    PERCENT_PLACES,
    PRICE_PLACES,
    decimal_places,
    nearest,
    scaled,
    split,
)

# 100 %, in the smallest step of a percentage.
WHOLE: Final[int] = 100 * 10**PERCENT_PLACES


@dataclass(frozen=True, slots=True)
class Line:
    """``unit_price`` in major units; at most one of the discounts: a percentage, or minor units off the line."""

    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal = Decimal(0)
    type: str = "service"
    discount_percent: Decimal | None = None
    discount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """An invoice's part of one line type at one tax rate: the finest split that ledger and credit notes use."""

    type: str
    rate: Decimal
    net_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True)
class TaxRow:
    """The net amount taxed at one rate (percent), and the tax on it."""

    rate: Decimal
    net_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Minor units. ``lines`` are after their own discounts, each rounded for display; ``remainder_minor`` is the
    rounding difference to the sum: Σ lines − discount + remainder = subtotal = Σ shares = Σ by_rate.
    """

    currency: str
    lines: tuple[int, ...]
    discount_minor: int
    remainder_minor: int
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    shares: tuple[Share, ...]

    @property
    def by_rate(self) -> tuple[TaxRow, ...]:
        """One row per tax rate, lowest first."""
        return tuple(
            TaxRow(
                rate,
                sum(share.net_minor for share in self.shares if share.rate == rate),
                sum(share.tax_minor for share in self.shares if share.rate == rate),
            )
            for rate in sorted({share.rate for share in self.shares})
        )


def totals(
    lines: Sequence[Line],
    currency: str,
    *,
    discount_percent: Decimal | None = None,
    discount_minor: int | None = None,
) -> Totals:
    """An invoice's totals. The invoice's own discount lowers every line by the same share, tax included.

    Discounts must not exceed what they are taken from; ``content.checked`` reports that to people.
    """
    unit = exact_unit(currency)
    listed = [exact(line, currency) for line in lines]
    whole = sum(listed)
    kept_share, of = _kept_share(whole, unit, discount_percent, discount_minor)
    net = [amount * kept_share for amount in listed]

    subtotal = nearest(sum(net), unit * of)
    shares = _shares(lines, net, unit * of, subtotal)
    shown = tuple(nearest(amount, unit) for amount in listed)
    discount = nearest(whole * (of - kept_share), unit * of)
    tax = sum(share.tax_minor for share in shares)
    return Totals(
        currency=currency,
        lines=shown,
        discount_minor=discount,
        remainder_minor=subtotal - (sum(shown) - discount),
        subtotal_minor=subtotal,
        tax_minor=tax,
        total_minor=subtotal + tax,
        shares=shares,
    )


def exact_unit(currency: str) -> int:
    """How many units of ``exact`` make one minor unit of the currency."""
    units: int = 10 ** (LINE_QUANTITY_PLACES + PRICE_PLACES - decimal_places(currency))
    return units * WHOLE


def exact(line: Line, currency: str) -> int:
    """The line after its own discount, in units of which ``exact_unit`` make a minor unit."""
    amount = scaled(line.quantity, LINE_QUANTITY_PLACES) * scaled(line.unit_price, PRICE_PLACES)
    if line.discount_percent is not None:
        return amount * (WHOLE - scaled(line.discount_percent, PERCENT_PLACES))
    return amount * WHOLE - (line.discount_minor or 0) * exact_unit(currency)


def _kept_share(whole: int, unit: int, percent: Decimal | None, minor: int | None) -> tuple[int, int]:
    """What the invoice's own discount leaves of each line, as a ratio from 0 to 1."""
    if percent is not None:
        return WHOLE - scaled(percent, PERCENT_PLACES), WHOLE
    if minor is not None and whole:
        return whole - minor * unit, whole
    return 1, 1


def _shares(lines: Sequence[Line], net: Sequence[int], unit: int, subtotal: int) -> tuple[Share, ...]:
    """``net``: what each line comes to, in units of which ``unit`` make a minor unit."""
    cells: dict[tuple[str, Decimal], int] = {}
    for line, amount in zip(lines, net, strict=True):
        cell = (line.type, line.tax_rate)
        cells[cell] = cells.get(cell, 0) + amount
    nets = split(subtotal, list(cells.values()), unit)
    taxes: dict[tuple[str, Decimal], int] = {}
    for rate in {rate for _, rate in cells}:
        percent = scaled(rate, PERCENT_PLACES)
        parts = {cell: amount * percent for cell, amount in cells.items() if cell[1] == rate}
        tax = nearest(sum(parts.values()), unit * WHOLE)
        taxes |= zip(parts, split(tax, list(parts.values()), unit * WHOLE), strict=True)
    return tuple(Share(*cell, part, taxes[cell]) for cell, part in zip(cells, nets, strict=True))

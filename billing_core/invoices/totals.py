"""What an invoice comes to: the one computation behind editor, PDF, API, payment link and ledger.

Everything is exact until the end. Tax is computed a rate (point 10 of the settled contradictions): the exact taxes
of a rate's lines are added, and their sum is rounded once. The net sum is rounded once too, and shared out over the
shares (one a type and rate), so that every column of the invoice adds up to the same figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing_core.money import Money, decimal_places, split


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
    """What an invoice holds of one type at one tax rate: the smallest part that ledger and credit notes know."""

    type: str
    rate: Decimal
    net_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True)
class TaxRow:
    """What is taxed at one rate (percent), and the tax on it."""

    rate: Decimal
    net_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True)
class TypeRow:
    type: str
    net_minor: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Minor units. ``lines`` are after their own discounts, each rounded for showing; ``remainder_minor`` is what
    their rounding differs from the sum: Σ lines − discount + remainder = subtotal = Σ shares = Σ by_rate.
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
        """One row a tax rate, the lowest first."""
        return tuple(
            TaxRow(
                rate,
                sum(share.net_minor for share in self.shares if share.rate == rate),
                sum(share.tax_minor for share in self.shares if share.rate == rate),
            )
            for rate in sorted({share.rate for share in self.shares})
        )

    @property
    def by_type(self) -> tuple[TypeRow, ...]:
        """One row a type of line, in the order in which they first occur."""
        return tuple(
            TypeRow(kind, sum(share.net_minor for share in self.shares if share.type == kind))
            for kind in dict.fromkeys(share.type for share in self.shares)
        )


def totals(
    lines: Sequence[Line],
    currency: str,
    *,
    discount_percent: Decimal | None = None,
    discount_minor: int | None = None,
) -> Totals:
    """An invoice's figures. The invoice's own discount lowers every line by the same share, tax included.

    The discounts must not exceed what they are taken from; ``content.checked`` says so to people.
    """
    listed = [_listed(line, currency) for line in lines]
    whole = sum(listed, Fraction(0))
    kept = _kept_share(whole, currency, discount_percent, discount_minor)
    net = [amount * kept for amount in listed]

    subtotal = Money.rounded(sum(net, Fraction(0)), currency)
    shares = _shares(lines, net, subtotal)
    shown = tuple(Money.rounded(amount, currency).minor for amount in listed)
    discount = Money.rounded(whole * (1 - kept), currency).minor
    tax = sum(share.tax_minor for share in shares)
    return Totals(
        currency=currency,
        lines=shown,
        discount_minor=discount,
        remainder_minor=subtotal.minor - (sum(shown) - discount),
        subtotal_minor=subtotal.minor,
        tax_minor=tax,
        total_minor=subtotal.minor + tax,
        shares=shares,
    )


def _shares(lines: Sequence[Line], net: Sequence[Fraction], subtotal: Money) -> tuple[Share, ...]:
    exact: dict[tuple[str, Decimal], Fraction] = {}
    for line, amount in zip(lines, net, strict=True):
        cell = (line.type, line.tax_rate)
        exact[cell] = exact.get(cell, Fraction(0)) + amount
    nets = dict(zip(exact, split(subtotal, list(exact.values())), strict=True))
    taxes: dict[tuple[str, Decimal], Money] = {}
    for rate in {rate for _, rate in exact}:
        parts = {cell: amount * Fraction(rate) / 100 for cell, amount in exact.items() if cell[1] == rate}
        tax = Money.rounded(sum(parts.values(), Fraction(0)), subtotal.currency)
        taxes |= dict(zip(parts, split(tax, list(parts.values())), strict=True))
    return tuple(Share(kind, rate, nets[kind, rate].minor, taxes[kind, rate].minor) for kind, rate in exact)


def _listed(line: Line, currency: str) -> Fraction:
    """The line after its own discount, exact, in major units."""
    amount = Fraction(line.quantity) * Fraction(line.unit_price)
    if line.discount_percent is not None:
        amount *= 1 - Fraction(line.discount_percent) / 100
    if line.discount_minor is not None:
        amount -= Fraction(line.discount_minor, 10 ** decimal_places(currency))
    return amount


def _kept_share(whole: Fraction, currency: str, percent: Decimal | None, minor: int | None) -> Fraction:
    """What the invoice's own discount leaves of each line, between 0 and 1."""
    if percent is not None:
        return 1 - Fraction(percent) / 100
    if minor is not None and whole:
        return 1 - Fraction(minor, 10 ** decimal_places(currency)) / whole
    return Fraction(1)

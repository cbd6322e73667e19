"""What an invoice comes to: the one computation behind editor, PDF, API, payment link and ledger.

Everything is exact until the end. Tax is computed a rate (point 10 of the settled contradictions): the exact taxes
of a rate's lines are added, and their sum is rounded once. The net sum is rounded once too, and shared out over
rates and types so that every column of the invoice adds up to the same figure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from billing_core.money import Money, decimal_places, split

_Key = TypeVar("_Key", Decimal, str)


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
    their rounding differs from the sum: Σ lines − discount + remainder = subtotal = Σ by_rate = Σ by_type.
    """

    currency: str
    lines: tuple[int, ...]
    discount_minor: int
    remainder_minor: int
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    by_rate: tuple[TaxRow, ...]
    by_type: tuple[TypeRow, ...]


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
    rates = _summed(zip((line.tax_rate for line in lines), net, strict=True))
    types = _summed(zip((line.type for line in lines), net, strict=True))
    by_rate = tuple(
        TaxRow(rate, part.minor, Money.rounded(rates[rate] * Fraction(rate) / 100, currency).minor)
        for rate, part in zip(rates, split(subtotal, list(rates.values())), strict=True)
    )
    by_type = tuple(
        TypeRow(kind, part.minor) for kind, part in zip(types, split(subtotal, list(types.values())), strict=True)
    )
    shown = tuple(Money.rounded(amount, currency).minor for amount in listed)
    discount = Money.rounded(whole * (1 - kept), currency).minor
    tax = sum(row.tax_minor for row in by_rate)
    return Totals(
        currency=currency,
        lines=shown,
        discount_minor=discount,
        remainder_minor=subtotal.minor - (sum(shown) - discount),
        subtotal_minor=subtotal.minor,
        tax_minor=tax,
        total_minor=subtotal.minor + tax,
        by_rate=tuple(sorted(by_rate, key=lambda row: row.rate)),
        by_type=by_type,
    )


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


def _summed(amounts: Iterable[tuple[_Key, Fraction]]) -> dict[_Key, Fraction]:
    sums: dict[_Key, Fraction] = {}
    for key, amount in amounts:
        sums[key] = sums.get(key, Fraction(0)) + amount
    return sums

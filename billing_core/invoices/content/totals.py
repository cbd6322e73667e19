"""An invoice's totals: the one computation behind editor, PDF, API, payment link and ledger.

As EN 16931 has it (point 10 of the settled contradictions), every figure can be computed again from the printed ones:
a line is rounded once, after its discount; the subtotal is the sum of the lines less the invoice's discount; the tax of
a rate is that of the rate's part of the subtotal, rounded once. Both are distributed over the shares (one per type and
rate), so that every column of the invoice adds up to the same figure.
What was sent before that rule keeps its sums, which were rounded from exact ones: ``lines_rounded`` tells them apart.
Where prices include tax, lines and discounts do too, and the total is the sum of the lines less the discount, exactly:
the net amount of a rate is taken out of it, rounded once, and what remains is its tax.
Exact amounts are integers of a unit small enough for every amount to be whole: ``unit`` says how many of them make a
minor unit. (Fractions would be as exact, and take ten times as long.)
"""

from collections.abc import Iterable, Sequence
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
    """Minor units. ``lines`` are after their own discounts, each rounded. Σ lines − discount + remainder = subtotal =
    Σ shares = Σ by_rate; ``remainder_minor`` is 0 but on what was sent before lines were rounded. Where prices include
    tax, Σ lines − discount = total.
    """

    currency: str
    lines: tuple[int, ...]
    discount_minor: int
    remainder_minor: int
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    shares: tuple[Share, ...]
    prices_include_tax: bool = False

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
    lines_rounded: bool = True,
    prices_include_tax: bool = False,
) -> Totals:
    """An invoice's totals. The invoice's own discount is shared by the rates as their lines are, and lowers their tax.
    Lines may be negative, and with them the net amount and the tax of a rate: a discount then takes the same share off
    what is billed and off what is taken back.

    Discounts must not exceed what they are taken from; ``content.checked`` reports that to people.
    """
    if not lines_rounded and not prices_include_tax:
        return _of_exact_sums(lines, currency, discount_percent, discount_minor)
    printed = [rounded(line, currency) for line in lines]
    whole = sum(printed)
    discount = discount_minor or 0
    if discount_percent is not None:
        discount = nearest(whole * scaled(discount_percent, PERCENT_PLACES), WHOLE)
    if prices_include_tax:
        return _with_tax_inside(lines, currency, printed, discount)
    return _summed(currency, printed, discount, whole - discount, _shares(lines, printed, discount))


def without_tax(gross_minor: int, rate: Decimal) -> int:
    """The net amount in an amount with the tax of a rate (percent), rounded once; the rest of it is the tax. It is that
    of the net amount, rounded, wherever there is a net amount of which it is.
    """
    return nearest(gross_minor * WHOLE, WHOLE + scaled(rate, PERCENT_PLACES))


def rounded(line: Line, currency: str) -> int:
    """The line after its own discount, in minor units, as it is printed."""
    return nearest(exact(line, currency), exact_unit(currency))


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


def _summed(
    currency: str, printed: Sequence[int], discount_minor: int, subtotal_minor: int, shares: tuple[Share, ...]
) -> Totals:
    tax_minor = sum(share.tax_minor for share in shares)
    return Totals(
        currency=currency,
        lines=tuple(printed),
        discount_minor=discount_minor,
        remainder_minor=subtotal_minor - (sum(printed) - discount_minor),
        subtotal_minor=subtotal_minor,
        tax_minor=tax_minor,
        total_minor=subtotal_minor + tax_minor,
        shares=shares,
    )


def _cells(lines: Sequence[Line], amounts: Sequence[int]) -> dict[tuple[str, Decimal], int]:
    """What the lines of each type and rate come to."""
    cells: dict[tuple[str, Decimal], int] = {}
    for line, amount in zip(lines, amounts, strict=True):
        cell = (line.type, line.tax_rate)
        cells[cell] = cells.get(cell, 0) + amount
    return cells


def _shares(lines: Sequence[Line], printed: Sequence[int], discount: int) -> tuple[Share, ...]:
    """First by rate, whose tax is computed from its net amount; then by the types at that rate."""
    cells = _cells(lines, printed)
    listed: dict[Decimal, int] = {}
    for (_, rate), amount in cells.items():
        listed[rate] = listed.get(rate, 0) + amount
    off = spread(discount, listed.values(), of=sum(printed)) if discount else [0] * len(listed)
    parts: dict[tuple[str, Decimal], tuple[int, int]] = {}
    for (rate, amount), less in zip(listed.items(), off, strict=True):
        percent = scaled(rate, PERCENT_PLACES)
        members = {cell: minor for cell, minor in cells.items() if cell[1] == rate}
        nets = spread(amount - less, members.values(), of=amount)
        tax = nearest((amount - less) * percent, WHOLE)
        parts |= zip(members, zip(nets, split(tax, [net * percent for net in nets], WHOLE), strict=True), strict=True)
    return tuple(Share(*cell, *parts[cell]) for cell in cells)


def _with_tax_inside(lines: Sequence[Line], currency: str, printed: Sequence[int], discount: int) -> Totals:
    cells = _cells(lines, printed)
    rates = list(dict.fromkeys(rate for _, rate in cells))
    listed = [sum(amount for (_, one), amount in cells.items() if one == rate) for rate in rates]
    off = spread(discount, listed, of=sum(printed)) if discount else [0] * len(listed)
    shares: dict[tuple[str, Decimal], Share] = {}
    for rate, amount, less in zip(rates, listed, off, strict=True):
        members = [cell for cell in cells if cell[1] == rate]
        gross = spread(amount - less, [cells[cell] for cell in members], of=amount)
        nets = split(
            without_tax(sum(gross), rate), [one * WHOLE for one in gross], WHOLE + scaled(rate, PERCENT_PLACES)
        )
        shares |= {cell: Share(*cell, net, one - net) for cell, one, net in zip(members, gross, nets, strict=True)}
    found = tuple(shares[cell] for cell in cells)
    subtotal = sum(share.net_minor for share in found)
    tax = sum(share.tax_minor for share in found)
    return Totals(currency, tuple(printed), discount, 0, subtotal, tax, subtotal + tax, found, prices_include_tax=True)


def spread(total: int, amounts: Iterable[int], *, of: int) -> list[int]:
    """``total`` spread in proportion over amounts that come to ``of``, some of them or all perhaps negative. Where the
    total is all of them, each is its own part, also of amounts that come to 0.
    """
    parts = list(amounts)
    if total == of or not parts:
        return parts
    if not of:
        # What rounding has left of amounts that are each too small to be printed.
        return [total, *[0] * (len(parts) - 1)]
    sign = 1 if of > 0 else -1
    return split(total, [sign * amount * total for amount in parts], abs(of))


def _of_exact_sums(lines: Sequence[Line], currency: str, percent: Decimal | None, minor: int | None) -> Totals:
    """As invoices were summed up before: the exact net sum and the exact tax of each rate, each rounded once."""
    unit = exact_unit(currency)
    listed = [exact(line, currency) for line in lines]
    whole = sum(listed)
    kept_share, of = _kept_share(whole, unit, percent, minor)
    net = [amount * kept_share for amount in listed]
    subtotal = nearest(sum(net), unit * of)
    discount = nearest(whole * (of - kept_share), unit * of)
    printed = [nearest(amount, unit) for amount in listed]
    return _summed(currency, printed, discount, subtotal, _exact_shares(lines, net, unit * of, subtotal))


def _kept_share(whole: int, unit: int, percent: Decimal | None, minor: int | None) -> tuple[int, int]:
    """What the invoice's own discount leaves of each line, as a ratio from 0 to 1."""
    if percent is not None:
        return WHOLE - scaled(percent, PERCENT_PLACES), WHOLE
    if minor is not None and whole:
        return whole - minor * unit, whole
    return 1, 1


def _exact_shares(lines: Sequence[Line], net: Sequence[int], unit: int, subtotal: int) -> tuple[Share, ...]:
    """``net``: what each line comes to, in units of which ``unit`` make a minor unit."""
    cells = _cells(lines, net)
    nets = split(subtotal, list(cells.values()), unit)
    taxes: dict[tuple[str, Decimal], int] = {}
    for rate in {rate for _, rate in cells}:
        percent = scaled(rate, PERCENT_PLACES)
        parts = {cell: amount * percent for cell, amount in cells.items() if cell[1] == rate}
        tax = nearest(sum(parts.values()), unit * WHOLE)
        taxes |= zip(parts, split(tax, list(parts.values()), unit * WHOLE), strict=True)
    return tuple(Share(*cell, part, taxes[cell]) for cell, part in zip(cells, nets, strict=True))

"""Crediting chosen lines of an invoice, so much of the quantity of each: what that comes to, to the minor unit.

A line is worth its printed amount less its part of the invoice's own discount. All that is ever credited of it is
rounded together, so that its pieces add up to it. The tax of a rate is that of what one credit note takes back at it,
rounded once, and never more than is left; what empties a rate takes all of its tax that is left. Where prices include
tax, a line is worth its printed amount with tax, and the net amount is taken out of what the note takes back of a rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing_core.errors import Conflict, Invalid
from billing_core.invoices.content.field_checks import Reasons
from billing_core.invoices.content.totals import WHOLE, Line, Share, Totals, spread, without_tax
from billing_core.money import LINE_QUANTITY_PLACES, PERCENT_PLACES, Money, nearest, scaled, split


@dataclass(frozen=True, slots=True)
class Creditable:
    """A line of a sent invoice. ``quantity`` and ``credited`` have the line's own sign; ``worth_minor`` is what it is
    worth after every discount: before tax, or with it where prices include tax.
    """

    line_id: int
    description: str
    line: Line
    credited: Decimal
    worth_minor: int

    @property
    def left(self) -> Decimal:
        return self.line.quantity - self.credited


@dataclass(frozen=True, slots=True)
class LinePart(Share):
    """So much of a line, as a part of what a credit note takes back."""

    line_id: int
    description: str
    quantity: Decimal
    unit_price: Decimal


def worth(lines: Sequence[Line], totals: Totals) -> list[int]:
    """What each line is worth less its part of the invoice's discount: of each type and rate together what the invoice
    says.
    """
    found = list(totals.lines)
    for share in totals.shares:
        at = [place for place, line in enumerate(lines) if (line.type, line.tax_rate) == (share.type, share.rate)]
        amounts = [totals.lines[place] for place in at]
        whole = share.net_minor + (share.tax_minor if totals.prices_include_tax else 0)
        for place, part in zip(at, spread(whole, amounts, of=sum(amounts)), strict=True):
            found[place] = part
    return found


def parts(
    lines: Sequence[Creditable],
    wanted: Mapping[int, Decimal],
    left: Sequence[Share],
    currency: str,
    *,
    prices_include_tax: bool,
) -> list[LinePart]:
    """These quantities of the lines, by their ids. ``left``: what is left of the invoice. Invalid names the lines at
    fault by their place (``lines.3.quantity``).
    """
    _check(lines, wanted)
    _refuse_more_than_left(lines, wanted, left, currency, prices_include_tax)
    chosen = [(one, wanted[one.line_id]) for one in lines if wanted.get(one.line_id)]
    amounts = [_rest(one, Decimal(0)) - _rest(one, quantity) for one, quantity in chosen]
    divided = _with_tax_inside if prices_include_tax else _with_tax_added
    found: dict[int, LinePart] = {}
    for rate in {one.line.tax_rate for one, _ in chosen}:
        at = [place for place, (one, _) in enumerate(chosen) if one.line.tax_rate == rate]
        of_rate = [share for share in left if share.rate == rate]
        for place, (net, tax) in zip(at, divided([amounts[place] for place in at], rate, of_rate), strict=True):
            one, quantity = chosen[place]
            line = one.line
            found[place] = LinePart(line.type, rate, net, tax, one.line_id, one.description, quantity, line.unit_price)
    return [found[place] for place in sorted(found)]


def _check(lines: Sequence[Creditable], wanted: Mapping[int, Decimal]) -> None:
    reasons: Reasons = {}
    if unknown := sorted(wanted.keys() - {one.line_id for one in lines}):
        reasons["lines"] = f"do not belong to this invoice: {unknown[0]}"
    for place, one in enumerate(lines, start=1):
        quantity = wanted.get(one.line_id, Decimal(0))
        if not min(one.left, Decimal(0)) <= quantity <= max(one.left, Decimal(0)):
            reasons[f"lines.{place}.quantity"] = f"must lie between 0 and {_plain(one.left)}, which is left of it"
        elif quantity % Decimal(1).scaleb(-LINE_QUANTITY_PLACES):
            reasons[f"lines.{place}.quantity"] = f"may have at most {LINE_QUANTITY_PLACES} decimals"
    if not reasons and not any(wanted.values()):
        reasons["lines"] = "are needed: choose what is credited"
    if reasons:
        field, reason = next(iter(reasons.items()))
        named = f"Line {field.split('.')[1]}: the quantity" if "." in field else "The lines"
        raise Invalid(f"{named} {reason}", fields=reasons)


def _rest(one: Creditable, quantity: Decimal) -> int:
    """What is left of the line, once so much more of it is credited."""
    credited = scaled(one.credited + quantity, LINE_QUANTITY_PLACES)
    return one.worth_minor - nearest(
        one.worth_minor * abs(credited), abs(scaled(one.line.quantity, LINE_QUANTITY_PLACES))
    )


def _refuse_more_than_left(
    lines: Sequence[Creditable], wanted: Mapping[int, Decimal], left: Sequence[Share], currency: str, with_tax: bool
) -> None:
    """Where a part of the invoice was credited as an amount, which took its share of every line."""
    for share in left:
        here = [one for one in lines if (one.line.type, one.line.tax_rate) == (share.type, share.rate)]
        rests = [_rest(one, wanted.get(one.line_id, Decimal(0))) for one in here]
        chosen = sum(_rest(one, Decimal(0)) for one in here) - sum(rests)
        rest = share.net_minor + (share.tax_minor if with_tax else 0)
        least, most = sum(min(rest, 0) for rest in rests), sum(max(rest, 0) for rest in rests)
        if chosen and not least <= rest - chosen <= most:
            raise Conflict(
                f"Of type {share.type} at {_plain(share.rate)} % tax, {Money(chosen, currency)} "
                f"{'with' if with_tax else 'before'} tax are chosen and {Money(rest, currency)} are left: a part was "
                "credited as an amount"
            )


def _with_tax_added(nets: Sequence[int], rate: Decimal, left: Sequence[Share]) -> list[tuple[int, int]]:
    """(net, tax) of each of these net amounts at a rate, of which so much is left."""
    percent = scaled(rate, PERCENT_PLACES)
    by_rule = nearest(sum(nets) * percent, WHOLE)
    taxes = split(by_rule, [net * percent for net in nets], WHOLE)
    rest, tax_left = sum(share.net_minor for share in left) - sum(nets), sum(share.tax_minor for share in left)
    tax = min(by_rule, tax_left) if rest > 0 else max(by_rule, tax_left)
    largest = max(range(len(nets)), key=lambda place: abs(nets[place]))
    taxes[largest] += (tax if rest else tax_left) - by_rule
    return list(zip(nets, taxes, strict=True))


def _with_tax_inside(amounts: Sequence[int], rate: Decimal, left: Sequence[Share]) -> list[tuple[int, int]]:
    """(net, tax) of each of these amounts with tax."""
    whole = sum(amounts)
    by_rule = without_tax(whole, rate)
    nets = split(by_rule, [amount * WHOLE for amount in amounts], WHOLE + scaled(rate, PERCENT_PLACES))
    net_left, tax_left = sum(share.net_minor for share in left), sum(share.tax_minor for share in left)
    # No more net, and no more tax, than is left of the rate.
    least, most = sorted((whole - tax_left, net_left))
    largest = max(range(len(amounts)), key=lambda place: abs(amounts[place]))
    nets[largest] += min(max(by_rule, least), most) - by_rule
    return [(net, amount - net) for net, amount in zip(nets, amounts, strict=True)]


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"

"""The lines of an invoice that bill a charge of usage: each part of it a quantity at a unit price, as it was charged.

A charge is rounded once, an invoice's lines each: where its parts do not come to it so, it is one line with the
quantity 1, whose text says what it is the sum of.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from billing_core.invoices.content.content import DraftLine
from billing_core.invoices.content.field_checks import may_bill
from billing_core.invoices.content.totals import rounded
from billing_core.metering.models import NO_BUCKET
from billing_core.money import LINE_QUANTITY_PLACES, Money
from billing_core.plans.prices import Place
from billing_core.usage.billed.wording import line_words
from billing_core.usage.charges import Charge
from billing_core.usage.parts import Part, PartKind

# As for the services of reports: who reads an invoice wants the tiers, not a price list.
MOST_LINES: Final = 20
_ONE: Final = Decimal(1)


def of_charge(
    charge: Charge,
    names: Mapping[Place, str],
    language: str,
    *,
    tax_rate: Decimal = Decimal(0),
    usage_line_id: int | None = None,
) -> list[DraftLine]:
    """The lines, which come to the charge's amount; it has one."""
    amount = _amount(charge)
    priced = _priced(charge, amount)
    if not priced:
        words = charge_words(charge, names, language)
        return [DraftLine.of_amount(words, amount, tax_rate=tax_rate, usage_line_id=usage_line_id)]
    told = [_words(charge, names, language, (part,), first=place == 0) for place, part in enumerate(charge.parts)]
    return [
        DraftLine(words, quantity, price, tax_rate=tax_rate, usage_line_id=usage_line_id)
        for words, (quantity, price) in zip(told, priced, strict=True)
    ]


def charge_words(charge: Charge, names: Mapping[Place, str], language: str) -> str:
    """All that a charge is the sum of."""
    return _words(charge, names, language, charge.parts, first=True)


def _words(charge: Charge, names: Mapping[Place, str], language: str, parts: Sequence[Part], *, first: bool) -> str:
    """What was used and is included is told once, by the first line."""
    return line_words(
        charge.meter,
        names[charge.meter_id, NO_BUCKET],
        charge.segment.days,
        bucket=names[charge.meter_id, charge.bucket_id] if charge.bucket_id else "",
        quantity=charge.quantity if first else None,
        included=charge.included if first else Decimal(0),
        parts=parts,
        currency=_amount(charge).currency,
        language=language,
    )


def _priced(charge: Charge, amount: Money) -> list[tuple[Decimal, Decimal]]:
    """Quantity and unit price of each part; empty where these would not come to the amount, as where some of it was
    waived.
    """
    if len(charge.parts) > MOST_LINES:
        return []
    found, left = [], amount.minor
    for part in charge.parts:
        if part.kind is PartKind.MINIMUM:
            # The last one: what the others lack of it.
            quantity, price = _ONE, Money(left, amount.currency).amount
        else:
            quantity, price = _quantity_and_price(part, amount.currency)
        found.append((quantity, price))
        left -= rounded(DraftLine("", quantity, price).computed, amount.currency)
    may_be = all(price >= 0 and may_bill(quantity, price) for quantity, price in found)
    return found if may_be and not left else []


def _quantity_and_price(part: Part, currency: str) -> tuple[Decimal, Decimal]:
    """As a line may have them, with the decimals that it may have: of the units, or of as many as the price is for, or
    else once what they come to.
    """
    quantity, price = Fraction(part.quantity), Fraction(part.price)
    per = Fraction(1 if part.kind is PartKind.PACKAGES else part.per)
    if part.share == 1:
        for counted, each in ((quantity, price / per), (quantity / per, price)):
            if may_bill(counted, each):
                return _decimal(counted), _decimal(each)
    return _ONE, Money.rounded(quantity / per * price * part.share, currency).amount


def _decimal(number: Fraction) -> Decimal:
    """Of a number with so few decimals."""
    return Decimal(int(number * 10**LINE_QUANTITY_PLACES)).scaleb(-LINE_QUANTITY_PLACES)


def _amount(charge: Charge) -> Money:
    assert charge.amount is not None  # noqa: S101  # questions are not billed
    return charge.amount

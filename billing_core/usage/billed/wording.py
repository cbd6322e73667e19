"""The text of an invoice line made from usage, in the customer's language."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from babel.numbers import format_decimal

from billing_core.dates import Period
from billing_core.invoices.report_wording import days
from billing_core.languages.formats import Writing, writing
from billing_core.metering.models import API_CALLS
from billing_core.money import Money
from billing_core.usage.charges import Charge
from billing_core.usage.parts import Part, PartKind

# A price of fifty tiers would not fit into a line; the line's own page has them all.
_MOST_PARTS: Final = 20
# Told after the sum of the others.
_APART: Final = (PartKind.MINIMUM, PartKind.WAIVED)


def line_words(
    meter: str,
    name: str,
    period: Period,
    *,
    bucket: str,
    quantity: Decimal | None,
    included: Decimal,
    parts: Sequence[Part],
    currency: str,
    language: str,
) -> str:
    """Such as “API calls, Oct 1 – 31, 2023: used 12,500, included 10,000, 2,500 × 0.001 USD”; what is due at several
    prices is a sum. ``meter`` is its code, ``name`` what we call it, ``bucket`` what we call its bucket, empty without
    one. ``quantity`` None: what was used is not told.
    """
    words = writing(language)
    facts = _facts(quantity, included, parts, currency, words)
    return f"{_called(meter, name, bucket, words)}, {days(period, words)}: {facts}"


def _facts(quantity: Decimal | None, included: Decimal, parts: Sequence[Part], currency: str, words: Writing) -> str:
    facts = [] if quantity is None else [_counted(words.gettext("used"), quantity, words)]
    if included:
        facts.append(_counted(words.gettext("included"), included, words))
    due = [_part(part, currency, words) for part in parts if part.kind not in _APART]
    if due:
        facts.append(" + ".join([*due[:_MOST_PARTS], "…"] if len(due) > _MOST_PARTS else due))
    facts += [_part(part, currency, words) for part in parts if part.kind in _APART]
    return ", ".join(facts)


def _part(part: Part, currency: str, words: Writing) -> str:
    """Such as “2,500 × 0.35 USD / 1,000”, “3 packages of 100 × 2.50 USD” or “fee 7.00 USD × 15/31”."""
    price, number = f"{words.usage_price(part.price, currency)} {currency}", _number(part.quantity, words)
    match part.kind:
        case PartKind.UNITS:
            shown = f"{number} × {price}" if part.per == 1 else f"{number} × {price} / {_number(part.per, words)}"
        case PartKind.PACKAGES:
            packages = words.gettext("packages of")
            shown = f"{number} {packages} {_number(part.per, words)} × {price}"
        case PartKind.FEE:
            fee = words.gettext("fee")
            shown = f"{fee} {price}"
        case PartKind.MINIMUM:
            least = words.gettext("at least")
            shown = f"{least} {price}"
        case PartKind.WAIVED:
            waived = words.gettext("waived")
            shown = f"{waived} −{price}"
    return shown if part.share == 1 else f"{shown} × {part.share}"


def _counted(what: str, number: Decimal, words: Writing) -> str:
    return f"{what} {_number(number, words)}"


def _number(number: Decimal, words: Writing) -> str:
    return str(format_decimal(number, locale=words.locale, decimal_quantization=False))


def late_words(
    meter: str,
    name: str,
    period: Period,
    *,
    bucket: str,
    quantity: Decimal,
    charge: Charge,
    worth: Money,
    language: str,
) -> str:
    """Such as “Late usage: API calls, Oct 1 – 31, 2023: +20 (used 12,520, included 10,000, 2,520 × 0.001 USD: 2.52 USD
    instead of 2.50 USD)”; less than nothing where it was withdrawn. ``charge`` is what its line comes to with it, and
    ``worth`` the difference that it makes.
    """
    words = writing(language)
    sign = "+" if quantity > 0 else ""
    called = _called(meter, name, bucket, words)
    said = words.gettext("Late usage") + f": {called}, {days(period, words)}: {sign}{_number(quantity, words)}"
    assert charge.amount is not None  # noqa: S101  # questions are not settled
    facts = _facts(charge.quantity, charge.included, charge.parts, worth.currency, words)
    before, after = (
        f"{words.amount(one.minor, one.currency)} {one.currency}" for one in (charge.amount - worth, charge.amount)
    )
    instead = words.gettext("instead of")
    return f"{said} ({facts}: {after} {instead} {before})"


def _called(meter: str, name: str, bucket: str, words: Writing) -> str:
    called = words.gettext("API calls") if meter == API_CALLS else name
    return f"{called} ({bucket})" if bucket else called

"""The text of an invoice line made from a report, in the customer's language."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from babel.dates import format_interval
from babel.numbers import format_decimal

from billing_core.dates import Period
from billing_core.languages.formats import Writing, gettext_noop, ngettext_noop, writing
from billing_core.money import QUANTITY_PLACES
from billing_core.rating.models import CostType
from billing_core.rating.slices import Slice
from billing_core.reports.prices import AtPrice

# Singular and plural of what a service counts.
_UNITS: Final = {
    CostType.PER_ORDER: ngettext_noop("order", "orders"),
    CostType.PER_ITEM: ngettext_noop("item", "items"),
    CostType.PER_SKU: ngettext_noop("SKU", "SKUs"),
    CostType.PER_CASE: ngettext_noop("case", "cases"),
    CostType.PER_LOOSE_UNIT: ngettext_noop("loose unit", "loose units"),
    CostType.PER_PACKAGE: ngettext_noop("package", "packages"),
    CostType.PER_WEIGHT_UNIT: ngettext_noop("weight unit", "weight units"),
}
_BOUNDS: Final = {
    "minimum": gettext_noop("minimum per order"),
    "maximum": gettext_noop("maximum per order"),
}
# Fifty tiers would not fit into a line; the report has them all.
_MOST_TERMS: Final = 20


def service_words(
    name: str, cost_type: CostType, quantity: Decimal, order_count: int, period: Period, language: str
) -> str:
    """Such as “Picking, Mar 1 – 31, 2026: 1,234 items, 56 orders”."""
    words = writing(language)
    return f"{name}, {days(period, words)}: {', '.join(_counts(cost_type, quantity, order_count, words))}"


def slice_words(name: str, cost_type: CostType, one: Slice, period: Period, language: str) -> str:
    """``service_words`` of what was charged at one price, such as “…: tier 2, 1,234 items, 56 orders”."""
    words = writing(language)
    facts = [*_tier([one], words), *_counts(cost_type, one.units, one.orders, words)]
    return f"{name}, {days(period, words)}: {', '.join(facts)}"


def bound_words(name: str, cost_type: CostType, charged: AtPrice, language: str) -> str:
    """Such as “Picking, Mar 1 – 31, 2026: minimum per order, 1,234 items, 56 orders”."""
    words = writing(language)
    assert charged.bound is not None  # noqa: S101  # the caller asked
    bound = words.gettext(_BOUNDS[charged.bound])
    counts = _counts(cost_type, _units(charged), charged.orders, words)
    return f"{name}, {days(charged.days, words)}: {', '.join([bound, *counts])}"


def computed_words(
    name: str, cost_type: CostType, charged: AtPrice, currency: str, language: str, *, rounded: bool
) -> str:
    """Such as “Picking, Mar 1 – 31, 2026: 1,234 items, 56 orders, 1,000 × 0.50 + 234 × 0.125 USD, rounded per order”,
    or, of a percentage, “…: 56 orders, 1,234.56 × 3% USD”. ``rounded``: orders were, so that this is not the amount.
    """
    words = writing(language)
    terms = [_term(one, cost_type, currency, words) for one in charged.slices]
    shown = [*terms[:_MOST_TERMS], "…"] if len(terms) > _MOST_TERMS else terms
    counts = _counts(cost_type, _units(charged), charged.orders, words)
    facts = [*_tier(charged.slices, words), *counts, f"{' + '.join(shown)} {currency}"]
    if rounded:
        facts.append(words.gettext("rounded per order"))
    return f"{name}, {days(charged.days, words)}: {', '.join(facts)}"


def order_words(number: str, order_date: date, language: str) -> str:
    """Such as “Order SO-17, Mar 10, 2026”."""
    words = writing(language)
    return words.gettext("Order") + f" {number}, {words.day(order_date)}"


def total_words(order_count: int, period: Period, language: str) -> str:
    """Such as “Services, Mar 1 – 31, 2026: 56 orders”."""
    words = writing(language)
    counted = _counted(Decimal(order_count), CostType.PER_ORDER, words)
    return words.gettext("Services") + f", {days(period, words)}: {counted}"


def _counts(cost_type: CostType, quantity: Decimal, order_count: int, words: Writing) -> list[str]:
    counted = [_counted(Decimal(order_count), CostType.PER_ORDER, words)]
    # The base of a percentage is not a count, and for a service by order the count of orders says it all.
    if cost_type not in (CostType.PER_ORDER, CostType.PERCENT_OF_SERVICES):
        counted.insert(0, _counted(quantity, cost_type, words))
    return counted


def _term(one: Slice, cost_type: CostType, currency: str, words: Writing) -> str:
    if cost_type is CostType.PERCENT_OF_SERVICES:
        return f"{words.price(one.units, currency)} × {words.percent(one.unit_price)}"
    return f"{words.quantity(one.units)} × {words.price(one.unit_price, currency)}"


def _tier(slices: Sequence[Slice], words: Writing) -> list[str]:
    """Its number, where all is in one."""
    if len(slices) != 1 or slices[0].tier is None:
        return []
    tier = words.gettext("tier")
    return [f"{tier} {slices[0].tier}"]


def _units(charged: AtPrice) -> Decimal:
    return Decimal(charged.quantity).scaleb(-QUANTITY_PLACES)


def _counted(quantity: Decimal, cost_type: CostType, words: Writing) -> str:
    singular, plural = _UNITS[cost_type]
    return f"{format_decimal(quantity, locale=words.locale)} {words.ngettext(singular, plural, quantity)}"


@lru_cache(maxsize=1_024)
def days(period: Period, words: Writing) -> str:
    """Such as “Mar 1 – 31, 2026”."""
    # CLDR puts thin blanks around the dash, which not every font has.
    return format_interval(period.start, period.end, "yMMMd", locale=words.locale).replace("\u2009", " ")

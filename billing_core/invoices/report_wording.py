"""The text of an invoice line made from a report, in the customer's language."""

from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from babel.dates import format_interval
from babel.numbers import format_decimal

from billing_core.dates import Period
from billing_core.languages.formats import Writing, ngettext_noop, writing
from billing_core.rating.models import CostType

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


def service_words(
    name: str, cost_type: CostType, quantity: Decimal, order_count: int, period: Period, language: str
) -> str:
    """Such as “Picking, Mar 1 – 31, 2026: 1,234 items, 56 orders”."""
    words = writing(language)
    counted = [_counted(Decimal(order_count), CostType.PER_ORDER, words)]
    # The base of a percentage is not a count, and for a service by order the count of orders says it all.
    if cost_type not in (CostType.PER_ORDER, CostType.PERCENT_OF_SERVICES):
        counted.insert(0, _counted(quantity, cost_type, words))
    return f"{name}, {days(period, words)}: {', '.join(counted)}"


def order_words(number: str, order_date: date, language: str) -> str:
    """Such as “Order SO-17, Mar 10, 2026”."""
    words = writing(language)
    return words.gettext("Order") + f" {number}, {words.day(order_date)}"


def total_words(order_count: int, period: Period, language: str) -> str:
    """Such as “Services, Mar 1 – 31, 2026: 56 orders”."""
    words = writing(language)
    counted = _counted(Decimal(order_count), CostType.PER_ORDER, words)
    return words.gettext("Services") + f", {days(period, words)}: {counted}"


def _counted(quantity: Decimal, cost_type: CostType, words: Writing) -> str:
    singular, plural = _UNITS[cost_type]
    return f"{format_decimal(quantity, locale=words.locale)} {words.ngettext(singular, plural, quantity)}"


@lru_cache(maxsize=1_024)
def days(period: Period, words: Writing) -> str:
    """Such as “Mar 1 – 31, 2026”."""
    # CLDR puts thin blanks around the dash, which not every font has.
    return format_interval(period.start, period.end, "yMMMd", locale=words.locale).replace("\u2009", " ")

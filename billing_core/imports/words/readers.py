"""Converting a cell whose values are few. A word that means nothing to us, or several things, is one for people."""

import re
from functools import cache
from typing import Final

from billing_core.customers.countries import country_code
from billing_core.imports import cells
from billing_core.imports.cells import Unreadable
from billing_core.imports.words.cost_types import cost_type_named
from billing_core.imports.words.currencies import currency_named
from billing_core.imports.words.spelling import snake
from billing_core.imports.words.statuses import status_named
from billing_core.languages.available import english_name, languages, own_name, regions
from billing_core.orders.models import OrderStatus
from billing_core.payment_terms.reading import understood
from billing_core.plans.models import PlanInterval
from billing_core.plans.terms import MAX_INTERVALS
from billing_core.promotions.models import PromoDuration
from billing_core.rating.models import CostType


class UnknownWord(Unreadable):
    """A word that is not understood: people may say what it stands for."""


def status(cell: str) -> str:
    """One of our statuses, or a word that means one of them for certain."""
    known = status_named(cell)
    if known is None:
        raise UnknownWord("is not a status; use one of " + ", ".join(OrderStatus))
    return known.value


def cost_type(cell: str) -> str:
    known = cost_type_named(cell)
    if known is None:
        raise UnknownWord("is not a cost type; use one of " + ", ".join(CostType))
    return known.value


_INTERVAL_WORDS: Final = {
    PlanInterval.DAY: "day days daily per_day",
    PlanInterval.WEEK: "week weeks weekly per_week",
    PlanInterval.MONTH: "month months monthly per_month",
    PlanInterval.QUARTER: "quarter quarters quarterly per_quarter",
    PlanInterval.YEAR: "year years yearly per_year annual annually",
}
_INTERVALS: Final = {word: interval for interval, known in _INTERVAL_WORDS.items() for word in known.split()}
_SEVERAL: Final = re.compile(r"(?:every_)?([1-9][0-9]{0,3})_([a-z]+)")


def interval(cell: str) -> str:
    """``2 weeks`` -> ``2 week``, ``quarterly`` -> ``1 quarter``."""
    several = _SEVERAL.fullmatch(snake(cell))
    count, word = (int(several[1]), several[2]) if several else (1, snake(cell).removeprefix("every_"))
    known = _INTERVALS.get(word)
    if known is None:
        raise UnknownWord("is not an interval; use one of " + ", ".join(PlanInterval) + ", or several such as 3 months")
    if count > MAX_INTERVALS[known]:
        raise Unreadable("is longer than ten years")
    return f"{count} {known}"


def duration(cell: str) -> str:
    """For how long a promo code reduces a price."""
    try:
        return PromoDuration(snake(cell)).value
    except ValueError:
        raise UnknownWord("is not a duration; use one of " + ", ".join(PromoDuration)) from None


def country(cell: str) -> str:
    """The ISO code of a country's name or code."""
    code = country_code(cell)
    if code is None:
        raise UnknownWord("is not a country; use its name or its ISO code such as DE")
    return code


def currency(cell: str) -> str:
    """The code of a currency's name, sign or code; a bare ``$`` is that of many."""
    code = currency_named(cell)
    if code is None:
        raise UnknownWord("is not a currency code such as USD or EUR")
    return code


def payment_terms(cell: str) -> str:
    text = cells.words(cell, longest=200)
    if understood(text) is None:
        raise UnknownWord("is not understood as payment terms such as Net 30, 30 days EOM or 2% 10 days, net 30")
    return text


def language(cell: str) -> str:
    """One of the languages that customers are written to in, by its code or its name in English or itself."""
    code = _languages().get(cell.strip().casefold())
    if code is None:
        raise UnknownWord("is not a language that customers are written to in; use one of " + ", ".join(languages()))
    return code


@cache
def _languages() -> dict[str, str]:
    """Every spelling of a language that is understood, in small letters."""
    spellings = {code: (code, own_name(code), english_name(code)) for code in languages()}
    return {spelling.casefold(): code for code, known in spellings.items() for spelling in known}


def format_region(cell: str) -> str:
    """A country, by name or code, whose way of writing one of the languages is known."""
    code = country(cell)
    if not any(code in regions(one) for one in languages()):
        raise UnknownWord("is not a country whose way of writing numbers in one of our languages is known")
    return code

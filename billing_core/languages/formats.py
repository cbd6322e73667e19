"""How amounts, numbers and dates are written in a customer's language."""

import copy
import re
from datetime import date
from decimal import Decimal
from functools import cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import NumberPattern

from billing_core.languages.words import LANGUAGES, WORDS
from billing_core.money import LINE_QUANTITY_PLACES, PERCENT_PLACES, PRICE_PLACES, Money, decimal_places

_LETTER_BEFORE_DIGIT = re.compile(r"(?<=[A-Za-z])(?=\d)")
_NO_BREAK_SPACE = "\u00a0"


class Writing:
    """One language's words and its way of writing figures."""

    def __init__(self, locale: Locale) -> None:
        self.locale = locale
        self.language = str(locale.language)
        self._words = WORDS[self.language if self.language in WORDS else LANGUAGES[0]]
        self._patterns: dict[tuple[int, int], NumberPattern] = {}

    def word(self, key: str) -> str:
        return self._words[key]

    def amount(self, minor: int, currency: str) -> str:
        """``1.234,50``: in major units with all of the currency's digits, without its name."""
        places = decimal_places(currency)
        return self._number(Money(minor, currency).amount, places, places)

    def money(self, minor: int, currency: str) -> str:
        """``1.234,50 €``."""
        pattern = copy.copy(self.locale.currency_formats["standard"])
        pattern.frac_prec = (decimal_places(currency),) * 2
        amount = Money(minor, currency).amount
        written = str(pattern.apply(amount, self.locale, currency=currency, currency_digits=False))
        return _LETTER_BEFORE_DIGIT.sub(_NO_BREAK_SPACE, written)

    def price(self, price: Decimal, currency: str) -> str:
        """A unit price: with the currency's digits at least, and as many more as it has."""
        return self._number(price, decimal_places(currency), PRICE_PLACES)

    def quantity(self, quantity: Decimal) -> str:
        return self._number(quantity, 0, LINE_QUANTITY_PLACES)

    def percent(self, percent: Decimal) -> str:
        """``19 %``, with the space where the language has one."""
        space = "" if self.language == "en" else _NO_BREAK_SPACE
        return f"{self._number(percent, 0, PERCENT_PLACES)}{space}%"

    def day(self, day: date) -> str:
        return str(format_date(day, "medium", locale=self.locale))

    def _number(self, number: Decimal, least: int, most: int) -> str:
        pattern = self._patterns.get((least, most))
        if pattern is None:
            pattern = copy.copy(self.locale.decimal_formats[None])
            pattern.frac_prec = (least, most)
            self._patterns[least, most] = pattern
        return str(pattern.apply(number, self.locale))


@cache
def writing(language: str) -> Writing:
    """The writing of a language such as ``de`` or ``en-GB``; English where we do not have its words."""
    try:
        locale = Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        locale = Locale.parse(LANGUAGES[0])
    return Writing(locale if locale.language in WORDS else Locale.parse(LANGUAGES[0]))

"""How a customer's language writes words, amounts, numbers and dates."""

import copy
import re
from datetime import date
from decimal import Decimal
from functools import cache
from io import BytesIO

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import NumberPattern
from babel.support import NullTranslations, Translations

from billing_core.languages import available
from billing_core.languages.available import SOURCE_LANGUAGE
from billing_core.money import (
    LINE_QUANTITY_PLACES,
    PRICE_PLACES,
    USAGE_PRICE_PLACES,
    Money,
    decimal_places,
)

_LETTER_BEFORE_DIGIT = re.compile(r"(?<=[A-Za-z])(?=\d)")
_NO_BREAK_SPACE = "\u00a0"


class Writing:
    """One language's words and its way of writing figures. ``language`` is the one whose words they are."""

    def __init__(self, locale: Locale, language: str) -> None:
        self.locale = locale
        self.language = language
        self._translations = _translations(language)
        percent = locale.percent_formats[None]
        self._around_percent = (percent.prefix[0], percent.suffix[0])
        self._patterns: dict[tuple[int, int], NumberPattern] = {}

    # Named as gettext names them, so that Babel finds in the code which words a catalogue needs. It does not see
    # into f-strings.

    def gettext(self, message: str) -> str:
        """The English message in this language."""
        return self._translations.gettext(message)

    def pgettext(self, context: str, message: str) -> str:
        """``gettext`` of a message that is translated differently in different places."""
        return str(self._translations.pgettext(context, message))

    def ngettext(self, singular: str, plural: str, count: Decimal) -> str:
        """``order`` or ``orders``. Gettext's rules are for whole numbers; of others CLDR says whether they are one."""
        if count == count.to_integral_value():
            return self._translations.ngettext(singular, plural, int(count))
        return self._translations.ngettext(singular, plural, 1 if self.locale.plural_form(count) == "one" else 2)

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

    def usage_price(self, price: Decimal, currency: str) -> str:
        """``price`` of one unit of usage, which may have more digits."""
        return self._number(price, decimal_places(currency), USAGE_PRICE_PLACES)

    def quantity(self, quantity: Decimal) -> str:
        return self._number(quantity, 0, LINE_QUANTITY_PLACES)

    def percent(self, percent: Decimal) -> str:
        """``19 %``, with the space where the language has one."""
        before, after = self._around_percent
        return f"{before}{self._number(percent, 0, PRICE_PLACES)}{after}"

    def day(self, day: date) -> str:
        """``02.03.2026``."""
        return str(format_date(day, "medium", locale=self.locale))

    def long_day(self, day: date) -> str:
        """A day as in letters: ``2. März 2026``."""
        written = str(format_date(day, "long", locale=self.locale))
        if not written.startswith("1 "):
            return written
        # Translators: the first of a month within a date, where that is an ordinal ("1er" in French), which CLDR
        # cannot say; otherwise "1".
        return self.pgettext("first of a month", "1") + written[1:]

    def _number(self, number: Decimal, least: int, most: int) -> str:
        pattern = self._patterns.get((least, most))
        if pattern is None:
            pattern = copy.copy(self.locale.decimal_formats[None])
            pattern.frac_prec = (least, most)
            self._patterns[least, most] = pattern
        return str(pattern.apply(number, self.locale))


@cache
def writing(language: str) -> Writing:
    """The writing of a language such as ``de`` or ``en-GB``; English where we have no catalogue of it."""
    try:
        locale = Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        locale = Locale.parse(SOURCE_LANGUAGE)
    known = available.nearest(str(locale).replace("_", "-"))
    spoken = Locale.parse(known, sep="-")
    return Writing(locale if locale.language == spoken.language else spoken, known)


def gettext_noop(message: str) -> str:
    """Marks a message for the catalogues where it stands in a table, to be translated where it is used."""
    return message


def ngettext_noop(singular: str, plural: str) -> tuple[str, str]:
    """``gettext_noop`` of a message that counts something."""
    return singular, plural


@cache
def _translations(language: str) -> NullTranslations:
    """A language's catalogue, read from its source: no compiled file has to be kept in step with it."""
    if language == SOURCE_LANGUAGE:
        return NullTranslations()
    with available.catalogue_of(language).open("rb") as file:
        catalogue = read_po(file, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)

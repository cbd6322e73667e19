"""Figures and dates as countries write them, each in its language; expected forms are those of Unicode's CLDR."""

from datetime import date
from decimal import Decimal

import pytest
from babel import Locale
from babel.numbers import parse_decimal
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_core.languages.available import is_known, languages, own_name, regional, regions
from billing_core.languages.formats import writing
from billing_core.pdf_layout import text as pdf_text

WAYS = [regional(language, country) for language in languages() for country in regions(language)]


@pytest.mark.parametrize(
    ("locale", "amount", "money", "percent", "day"),
    [
        ("de-CH", "1’234’567.50", "CHF\xa01’234’567.50", "7.5%", "02.03.2026"),
        ("de-AT", "1.234.567,50", "CHF\xa01.234.567,50", "7,5\xa0%", "02.03.2026"),
        ("en-IN", "12,34,567.50", "CHF\xa012,34,567.50", "7.5%", "2 Mar 2026"),
        ("en-ZA", "1\xa0234\xa0567,50", "CHF\xa01\xa0234\xa0567,50", "7,5%", "02 Mar 2026"),
        ("es-MX", "1,234,567.50", "CHF\xa01,234,567.50", "7.5%", "2 mar 2026"),
        ("fr-CA", "1\xa0234\xa0567,50", "1\xa0234\xa0567,50\xa0CHF", "7,5\xa0%", "2 mars 2026"),
    ],
)
def test_figures_are_written_as_the_country_writes_them(locale, amount, money, percent, day):
    words = writing(locale)
    assert words.amount(123_456_750, "CHF") == amount
    assert words.money(123_456_750, "CHF") == money
    assert words.percent(Decimal("7.5")) == percent
    assert words.day(date(2026, 3, 2)) == day


def test_the_words_stay_those_of_the_language():
    assert [writing(locale).gettext("Invoice") for locale in ("de-CH", "fr-CA", "es-MX", "en-IN")] == [
        "Rechnung",
        "Facture",
        "Factura",
        "Invoice",
    ]
    assert writing("de-CH").language == "de"
    assert own_name("de-CH") == "Deutsch (Schweiz)"


def test_a_country_that_writes_the_language_in_no_known_way_leaves_it_as_it_is():
    assert (regional("de", "CH"), regional("de", "US"), regional("de", "")) == ("de-CH", "de", "de")
    assert is_known("de-CH")
    assert not any(map(is_known, ("de-US", "xx", "de-", "de_CH", "xx-CH", "de-CH-1996")))


@settings(max_examples=12)
@given(st.integers(-(10**15), 10**15))
def test_what_is_written_reads_as_the_same_amount_in_every_region(minor):
    for locale in WAYS:
        words = writing(locale)
        for currency, places in (("JPY", 0), ("EUR", 2), ("KWD", 3)):
            written = words.amount(minor, currency)
            # Whoever copies the digits has the amount, and the sign before the last of them is the decimal one.
            digits = "".join(sign for sign in written if sign.isdigit())
            assert (int(digits), written.startswith("-")) == (abs(minor), minor < 0), (locale, written)
            assert not places or written[-places - 1] in ".,", (locale, written)
            read = parse_decimal(written, locale=Locale.parse(locale, sep="-"))
            assert read == Decimal(minor).scaleb(-places), (locale, written)


def test_every_sign_that_a_region_uses_can_be_printed():
    for locale in WAYS:
        words = writing(locale)
        written = [
            words.money(-123_456_750, currency) for currency in ("EUR", "USD", "CHF", "INR", "VND", "KWD", "NGN")
        ]
        written += [words.percent(Decimal("7.5")), *(words.day(date(2026, month, 28)) for month in range(1, 13))]
        written += [words.long_day(date(2026, month, 1)) for month in range(1, 13)]
        for text in written:
            assert pdf_text.legible(text) == text.replace("\u202f", "\xa0"), (locale, text)
            assert pdf_text.is_plain(pdf_text.legible(text)), (locale, text)

"""Figures and dates as customers write them."""

from datetime import date
from decimal import Decimal

import pytest

from billing_core.languages.formats import writing


@pytest.mark.parametrize(
    ("language", "amount", "money", "percent", "day"),
    [
        ("en", "1,234,567.50", "€1,234,567.50", "7.5%", "Mar 2, 2026"),
        ("de", "1.234.567,50", "1.234.567,50\xa0€", "7,5\xa0%", "02.03.2026"),
        ("fr", "1\u202f234\u202f567,50", "1\u202f234\u202f567,50\xa0€", "7,5\xa0%", "2 mars 2026"),
        ("es", "1.234.567,50", "1.234.567,50\xa0€", "7,5\xa0%", "2 mar 2026"),
    ],
)
def test_figures_are_written_as_the_language_writes_them(language, amount, money, percent, day):
    words = writing(language)
    assert words.amount(123_456_750, "EUR") == amount
    assert words.money(123_456_750, "EUR") == money
    assert words.percent(Decimal("7.5000")) == percent
    assert words.day(date(2026, 3, 2)) == day


def test_an_amount_has_all_digits_of_its_currency():
    words = writing("en")
    assert words.amount(1_500, "JPY") == "1,500"
    assert words.amount(1_500, "KWD") == "1.500"
    # Babel writes dinars of Iraq without decimals; we count their thousandths.
    assert words.amount(1_500, "IQD") == "1.500"
    assert words.money(1_500, "KWD") == "KWD\xa01.500"
    assert words.amount(-5, "EUR") == "-0.05"


def test_no_digit_of_a_large_amount_is_lost():
    assert writing("en").amount(10**14 + 1, "EUR") == "1,000,000,000,000.01"


def test_a_unit_price_shows_as_many_digits_as_it_has():
    words = writing("en")
    assert words.price(Decimal(4), "EUR") == "4.00"
    assert words.price(Decimal("4.125"), "EUR") == "4.125"
    assert words.price(Decimal("0.000001"), "JPY") == "0.000001"


def test_a_quantity_shows_no_digits_that_it_does_not_have():
    words = writing("de")
    assert words.quantity(Decimal("1240.000000")) == "1.240"
    assert words.quantity(Decimal("0.500000")) == "0,5"


@pytest.mark.parametrize("language", ["", "xx", "zz-ZZ", "not a language", "ja"])
def test_a_language_without_words_is_written_in_english(language):
    assert writing(language).gettext("Invoice") == "Invoice"
    assert writing(language).amount(123_450, "EUR") == "1,234.50"


def test_a_country_changes_how_dates_are_written():
    assert writing("en-GB").day(date(2026, 3, 2)) == "2 Mar 2026"


@pytest.mark.parametrize(
    ("language", "count", "counted"),
    [
        ("en", "1", "order"),
        ("en", "1.000", "order"),
        ("en", "0", "orders"),
        ("en", "1.5", "orders"),
        ("de", "2", "Aufträge"),
        # In French everything below two is one.
        ("fr", "0", "commande"),
        ("fr", "1.5", "commande"),
        ("fr", "2", "commandes"),
        ("fr", "1000000", "commandes"),
        ("es", "0.5", "pedidos"),
    ],
)
def test_one_and_several_are_told_apart_as_the_language_does(language, count, counted):
    assert writing(language).ngettext("order", "orders", Decimal(count)) == counted


@pytest.mark.parametrize(
    ("language", "first", "second"),
    [
        ("en", "April 1, 2026", "April 2, 2026"),
        ("en-GB", "1 April 2026", "2 April 2026"),
        ("de", "1. April 2026", "2. April 2026"),
        ("fr", "1er avril 2026", "2 avril 2026"),
        ("es", "1 de abril de 2026", "2 de abril de 2026"),
    ],
)
def test_the_first_of_a_month_may_be_an_ordinal(language, first, second):
    assert writing(language).long_day(date(2026, 4, 1)) == first
    assert writing(language).long_day(date(2026, 4, 2)) == second

"""Numbers as people type and paste them into the lines of an invoice."""

from decimal import Decimal

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from pages.ui.inputs import number_input

ENGLISH, GERMAN, FRENCH = Locale("en", "US"), Locale("de", "DE"), Locale("fr", "FR")


@pytest.mark.parametrize("locale", [ENGLISH, GERMAN, FRENCH])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.234,50", "1234.50"),
        ("1,234.50", "1234.50"),
        ("1 234,50", "1234.50"),
        ("1\N{NARROW NO-BREAK SPACE}234,50", "1234.50"),
        ("1'234.50", "1234.50"),
        ("1.234.567", "1234567"),
        ("1,234,567.891", "1234567.891"),
        ("1,5", "1.5"),
        ("1.5", "1.5"),
        ("0,125", "0.125"),
        ("0.125", "0.125"),
        (".5", "0.5"),
        ("12345,678", "12345.678"),
        ("-3", "-3"),
        ("\N{MINUS SIGN}3", "-3"),
        (" 7 ", "7"),
        ("0.1", "0.1"),
    ],
)
def test_what_can_only_mean_one_number_means_it_in_every_language(text, expected, locale):
    assert number_input.number(text, locale) == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "english", "german"),
    [("1,234", "1234", "1.234"), ("1.234", "1.234", "1234"), ("999.999", "999.999", "999999")],
)
def test_what_could_mean_two_numbers_means_the_readers_own(text, english, german):
    assert number_input.number(text, ENGLISH) == Decimal(english)
    assert number_input.number(text, GERMAN) == Decimal(german)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "NaN",
        "Infinity",
        "1e5",
        "--1",
        "1,23,4",
        "12.34.567,8",
        "1.2.3",
        "$5",
        "5 EUR",
        ",",
        "1,",
        "9" * 41,
        "١٢",
    ],
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="is not a number such as"):
        number_input.number(text, ENGLISH)


@pytest.mark.parametrize("locale", [ENGLISH, GERMAN, FRENCH])
@given(value=st.decimals(min_value=0, max_value=10**12, places=6))
def test_what_is_written_is_read_back_as_it_was(value, locale):
    assert number_input.number(number_input.written(value, locale), locale) == value


@pytest.mark.parametrize(
    ("text", "currency", "minor"), [("12.34", "USD", 1234), ("12", "JPY", 12), ("1.234", "KWD", 1234), ("0", "USD", 0)]
)
def test_amounts_are_read_in_the_currencys_own_minor_units(text, currency, minor):
    assert number_input.minor(text, currency, ENGLISH) == minor
    assert number_input.minor(number_input.written_minor(minor, currency, ENGLISH), currency, ENGLISH) == minor


def test_an_amount_in_smaller_parts_than_the_currency_has_is_refused():
    with pytest.raises(ValueError, match="at most 2 decimals in USD"):
        number_input.minor("1.005", "USD", ENGLISH)
    with pytest.raises(ValueError, match="no decimals in JPY"):
        number_input.minor("1.5", "JPY", ENGLISH)


@given(
    value=st.decimals(0, 10**12, places=2) | st.decimals(0, 10**6, places=3) | st.decimals(0, 10**12, places=0),
    writer=st.sampled_from([ENGLISH, GERMAN, FRENCH]),
    reader=st.sampled_from([ENGLISH, GERMAN, FRENCH]),
)
def test_what_stands_in_an_address_is_the_same_number_for_every_reader(value, writer, reader):
    assert number_input.number(number_input.unmistakable(value, writer), reader) == value

"""Numbers of workbooks as texts: what was meant, to the last digit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.imports.sources.cell_texts import Look, number, written


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        # What a double adds.
        ("0.10000000000000001", "0.1"),
        ("1113.4600000000000", "1113.46"),
        ("1.5E-3", "0.0015"),
        # More than a double can hold, as programs with exact numbers write it.
        ("1234567890123456.78", "1234567890123456.78"),
        ("8999999999999.123456", "8999999999999.123456"),
        ("1234567890123456789", "1234567890123456789"),
        # Numbers of orders that a spreadsheet has cut: a code that looks so is refused.
        ("1.2345678901234568E+17", "1.2345678901234568E+17"),
        ("1.23456789012346e+18", "1.23456789012346E+18"),
        ("1E+16", "1E+16"),
        ("1234567890123450", "1.234567890123450E+15"),
        ("1234567890123450.0", "1.2345678901234500E+15"),
        ("-12345678901234500", "-1.23456789012345E+16"),
        # Whole to the last digit: one that ends otherwise, and one of 15 digits.
        ("1234567890123456", "1234567890123456"),
        ("123456789012340", "123456789012340"),
        ("1234567890123456780", "1234567890123456780"),
        # More noughts than any number has.
        ("1.234567890123456789E+99999999", "1.234567890123456789E+99999999"),
        ("1.234567890123456789E-99999999", "1.234567890123456789E-99999999"),
        # What could be thousands.
        ("1.234", "1.2340"),
        ("n/a", "n/a"),
        ("INF", "INF"),
    ],
)
def test_a_number_is_what_was_meant(stored, text):
    assert number(stored) == text


# With 16 or 17 digits nobody can tell what was meant from what a double adds: 34904497207.777699 is 34904497207.7777.
USUAL = st.decimals(min_value=0, max_value=Decimal("999999999.999999"), places=6)
LARGE = st.decimals(min_value=10**12, max_value=9 * 10**12, places=6)


@given(USUAL | LARGE)
def test_no_price_of_other_than_16_or_17_digits_changes_its_value(price):
    assert Decimal(number(str(price))) == price


def test_a_percentage_keeps_every_digit():
    assert written("0.19", Look.PERCENTAGE, from_1904=False) == "19%"
    assert written("0.070000000000000007", Look.PERCENTAGE, from_1904=False) == "7%"

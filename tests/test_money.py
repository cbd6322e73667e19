"""Money: exact, rounded once, never mixed."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, bindparam, literal, select

from billing_core.errors import Invalid
from billing_core.money import Money, currency_code, decimal_places, rounded_quotient, split


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("0.005", "USD", 1),
        ("0.0049999", "USD", 0),
        ("-0.005", "USD", -1),
        ("2.675", "EUR", 268),
        ("1234.5", "JPY", 1235),
        ("1.0005", "KWD", 1001),
        ("9999999999999.995", "USD", 1_000_000_000_000_000),
    ],
)
def test_half_a_minor_unit_rounds_away_from_zero(amount, currency, minor):
    assert Money.rounded(Decimal(amount), currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("currency", "text"), [("USD", "1,234.50 USD"), ("JPY", "123,450 JPY"), ("BHD", "123.450 BHD")]
)
def test_an_amount_shows_exactly_its_currencys_digits(currency, text):
    assert str(Money(123450, currency)) == text


def test_two_currencies_are_never_added():
    with pytest.raises(Invalid, match="cannot combine EUR with USD"):
        Money(1, "USD") + Money(1, "EUR")
    with pytest.raises(Invalid):
        Money(1, "USD") - Money(1, "EUR")


def test_sums_and_differences_stay_in_their_currency():
    assert Money(150, "EUR") + Money(275, "EUR") == Money(425, "EUR")
    assert Money(150, "EUR") - Money(275, "EUR") == Money(-125, "EUR")


@pytest.mark.parametrize(("text", "code"), [(" usd ", "USD"), ("Eur", "EUR"), ("KWD", "KWD")])
def test_a_currency_code_is_read_as_people_write_it(text, code):
    assert currency_code(text) == code


def test_no_currency_at_all_is_asked_for():
    with pytest.raises(Invalid, match="a currency is needed"):
        currency_code(" ")


@pytest.mark.parametrize("text", ["US", "DOLLAR", "XX1", "€", "U$D"])
def test_a_word_that_is_no_currency_is_refused(text):
    with pytest.raises(Invalid, match="is not a currency code"):
        currency_code(text)


def test_rounding_in_sql_is_the_same_rule(session):
    """Both are held against ROUND_HALF_UP on many quotients, in one statement a divisor."""
    for places in (0, 2, 3):
        divisor = 10 ** (9 - places)
        dividends = [
            0,
            1,
            divisor // 2 - 1,
            divisor // 2,
            divisor // 2 + 1,
            divisor - 1,
            divisor,
            7 * divisor + 5,
            10**17,
        ]
        columns = [rounded_quotient(literal(n, BigInteger), divisor).label(f"c{i}") for i, n in enumerate(dividends)]
        expected = [int((Decimal(n) / divisor).to_integral_value(ROUND_HALF_UP)) for n in dividends]
        assert list(session.execute(select(*columns)).one()) == expected


@given(st.integers(min_value=0, max_value=10**12), st.sampled_from(["USD", "JPY", "KWD"]))
def test_an_amount_survives_the_way_to_text_and_back(minor, currency):
    money = Money(minor, currency)
    assert Money.rounded(money.amount, currency) == money
    assert -money.amount.as_tuple().exponent == decimal_places(currency)


def test_a_divisor_of_one_changes_nothing(session):
    assert session.scalar(select(rounded_quotient(bindparam("n", 41, BigInteger), 1))) == 41


@pytest.mark.parametrize(
    ("total", "shares", "unit", "parts"),
    [
        (5, [20, 30], 10, [2, 3]),  # exact: nothing is left over
        (1, [5, 5], 10, [1, 0]),  # a half each: the first
        (100, [100, 100, 100], 3, [34, 33, 33]),  # a third each: the first
        (10, [33, 34, 33], 10, [3, 4, 3]),  # where most was cut off
        (10, [31, 33, 36], 10, [3, 3, 4]),
        (10, [36, 33, 31], 10, [4, 3, 3]),
        (11, [37, 35, 38], 10, [4, 3, 4]),  # two left over: the two that lost most
        (5, [5, 15, 25], 10, [1, 2, 2]),  # of three that lost alike the first two
        (2, [9, 9, 1], 10, [1, 1, 0]),
        (7, [3, 4], 1, [3, 4]),
        (0, [0, 0], 10, [0, 0]),
        (0, [], 10, []),
    ],
)
def test_the_spare_cents_go_where_most_was_cut_off_and_the_first_before_the_later(total, shares, unit, parts):
    assert split(total, shares, unit) == parts

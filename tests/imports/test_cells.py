"""What each kind of cell may say."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.imports import cells
from billing_core.imports.cells import Unreadable

NUMBERS = {"12": "12", " 7 ": "7", "0": "0", "-0": "0", "1.5": "1.5", ".5": "0.5", "5.": "5", "2.5000000": "2.5"}
NO_NUMBERS = {
    "-1": "must not be negative",
    "-0.001": "must not be negative",
    "1000000000.001": "is larger than 1,000,000,000",
    "1.0001": "has more than 3 decimals",
    "1,5": "is not a number",
    "1e3": "is not a number",
    "NaN": "is not a number",
    "٣": "is not a number",
    "1_000": "is not a number",
}


@pytest.mark.parametrize(("cell", "value"), NUMBERS.items())
def test_a_quantity_is_read_exactly(cell, value):
    assert cells.quantity(cell) == Decimal(value)


@pytest.mark.parametrize(("cell", "reason"), NO_NUMBERS.items())
def test_what_is_no_quantity_says_why(cell, reason):
    with pytest.raises(Unreadable) as refused:
        cells.quantity(cell)
    assert str(refused.value) == reason


@given(st.decimals(min_value=0, max_value=9 * 10**12, places=6, allow_nan=False, allow_infinity=False))
def test_a_price_is_read_to_six_decimals(price):
    assert cells.price(f"{price:f}") == price


def test_a_price_is_at_most_nine_million_million():
    with pytest.raises(Unreadable, match="is larger than 9,000,000,000,000"):
        cells.price("9000000000000.000001")


def test_a_price_has_no_seventh_decimal():
    with pytest.raises(Unreadable, match="has more than 6 decimals"):
        cells.price("0.0000001")


def test_packages_are_whole():
    assert cells.whole_number("3.0") == 3
    with pytest.raises(Unreadable, match="must be a whole number"):
        cells.whole_number("3.5")


NO_DAYS = {
    "2025-02-29": "is not a day of the calendar",
    "2025-13-01": "is not a day of the calendar",
    "1899-12-31": "lies outside the years 1900 to 2199",
    "2200-01-01": "lies outside the years 1900 to 2199",
    "04.03.2025": "is not a date such as “2025-03-31”",
    "tomorrow": "is not a date such as “2025-03-31”",
    "0000-00-00": "is not a day of the calendar",
}


@pytest.mark.parametrize(("cell", "reason"), NO_DAYS.items())
def test_what_is_no_day_says_why(cell, reason):
    with pytest.raises(Unreadable) as refused:
        cells.day(cell)
    assert str(refused.value) == reason


@given(st.dates(cells.EARLIEST_DAY, cells.LATEST_DAY))
def test_every_iso_day_is_itself(day):
    assert cells.day(day.isoformat()) == day


@pytest.mark.parametrize("address", ["a@b.co", "first.last+tag@sub.example.com", "ü@exämple.de"])
def test_an_address_is_taken(address):
    assert cells.email(f" {address} ") == address


@pytest.mark.parametrize("address", ["a", "a@b", "a@@b.co", "a b@c.de", "a@b.co, c@d.ef", "@b.co", "a@.co"])
def test_what_is_no_address_is_not(address):
    with pytest.raises(Unreadable, match="is not an e-mail address"):
        cells.email(address)


def test_skus_of_a_rate_are_keys_and_come_once():
    assert json.loads(cells.sku_list(" ab-1; AB-1 ;c;")) == ["AB-1", "C"]


def test_escaped_half_characters_do_not_come_in_through_json():
    with pytest.raises(Unreadable, match="half a surrogate pair"):
        cells.condition('{"all": [{"field": "notes", "op": "eq", "value": "\\ud800"}]}')


def test_a_refused_condition_says_where():
    with pytest.raises(Unreadable, match=r"is refused: conditions\.all\[0\]\.field: “colour” is none of"):
        cells.condition('{"all": [{"field": "colour", "op": "eq", "value": "red"}]}')


@given(st.text(max_size=50))
def test_any_text_is_kept_or_refused_with_a_reason(text):
    kept = refusal = None
    try:
        kept = cells.words(text, longest=40)
    except Unreadable as unreadable:
        refusal = str(unreadable)
    if kept is None:
        assert refusal
    else:
        assert kept == text.strip()
        assert len(kept) <= 40
        assert kept.encode().decode() == kept


def test_a_list_of_addresses_has_at_most_ten_and_each_is_one():
    assert cells.emails("Ana <a@b.co>; c@d.co,\ne@f.co") == "a@b.co, c@d.co, e@f.co"
    with pytest.raises(Unreadable, match="“nobody” is not an e-mail address"):
        cells.emails("a@b.co, nobody")
    with pytest.raises(Unreadable, match="at most 10"):
        cells.emails(", ".join(f"a{n}@b.co" for n in range(11)))
    with pytest.raises(Unreadable, match="but several: the others belong into the column further_emails"):
        cells.email("a@b.co; c@d.co")

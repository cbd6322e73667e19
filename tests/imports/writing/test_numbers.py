"""The numbers of a column: read in the one way of writing that fits them all, asked about, or refused."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_core.imports.cells import Unreadable
from billing_core.imports.writing import Written, columns
from billing_core.imports.writing.currencies import currencies_of
from billing_core.imports.writing.numbers import Numbers, unmistakable


def read(cells: Iterable[str], *readings: str, written: Written = Written.NUMBER) -> tuple[list[Decimal | str], list]:
    """Each cell's number, or why it has none, and what is asked; as a file is read."""
    column = Numbers(written, readings)
    cells = list(cells)
    while True:
        found: list[Decimal | str] = []
        for cell in cells:
            try:
                found.append(Decimal(column.read(cell)))
            except Unreadable as reason:
                found.append(str(reason))
            if column.misread:
                break
        if not column.misread and not column.at_odds:
            return found, column.questions("quantity", "Qty")
        column.again()


def numbers(*texts: str) -> tuple[list[Decimal], list]:
    return list(map(Decimal, texts)), []


UNMISTAKABLE = {
    "12": "12",
    " 7 ": "7",
    "+3": "3",
    "1.5": "1.5",
    ".5": "0.5",
    "5.": "5",
    "0,125": "0.125",
    "12,50": "12.5",
    "1234.567": "1234.567",
    "1.2340": "1.234",
    "1,234.5": "1234.5",
    "1.234,50": "1234.5",
    "1,234,567": "1234567",
    "1.234.567": "1234567",
    "1'234.50": "1234.5",
    "1’234": "1234",
    "1 234,5": "1234.5",
    "1\u00a0234": "1234",
    "1\u202f234,567": "1234.567",
    "1,23,456.7": "123456.7",
    "12,34,567": "1234567",
    "-5": "-5",
    "−5": "-5",
    "5-": "-5",
    "(5)": "-5",
    "(1.234,50)": "-1234.5",
    "1.2345E+4": "12345",
    "5e-05": "0.00005",
    "1.23456789E-05": "0.0000123456789",
}
NONE = [
    *("5 kg", "$5", "5%", "NaN", "Infinity", "٣", "--1", "1_000", "1.23.456,7", "1,2,3", "1 23", "9" * 100),
    *("1.23457E+12", "1.23457E-05", "1.23E-05", "1e3", "1e400", "1E+03", "-", "()", ",", "1 234.567,8", "1.234.56"),
]


@pytest.mark.parametrize(("cell", "number"), UNMISTAKABLE.items())
def test_a_cell_that_can_mean_one_number_alone_is_that(cell, number):
    assert read([cell]) == numbers(number)


@pytest.mark.parametrize("cell", NONE)
def test_what_is_no_number_is_none(cell):
    ((found,), asked) = read([cell])
    assert isinstance(found, str)
    assert not asked


def test_the_other_cells_prove_what_the_first_one_means():
    assert read(["1.234", "12,5", "1.234,5", "1.234.567", "2.000"]) == numbers(
        "1234", "12.5", "1234.5", "1234567", "2000"
    )
    assert read(["1.234", "0.5", "2.000"]) == numbers("1.234", "0.5", "2")
    assert read(["1,234", "0.5"]) == numbers("1234", "0.5")
    assert read(["1,234", "7,5"]) == numbers("1.234", "7.5")


@pytest.mark.parametrize(("cell", "point", "comma"), [("1.234", "1.234", "1234"), ("12,000", "12000", "12")])
def test_what_nothing_proves_is_asked_with_an_example(cell, point, comma):
    _, (question,) = read(["7", cell, "8"])
    assert (question.field, question.column) == ("quantity", "Qty")
    assert question.text == f"{cell}: {point} (decimal point) or {comma} (decimal comma)?"
    assert [choice.reading for choice in question.choices] == ["point", "comma"]
    assert read(["7", cell], "point") == numbers("7", point)
    assert read(["7", cell], "comma") == numbers("7", comma)


def test_cells_unlike_the_most_are_refused():
    found, asked = read(["1,5", "2,5", "3.5"])
    assert (found, asked) == (
        [Decimal("1.5"), Decimal("2.5"), "is not a number with a decimal comma, as its column has"],
        [],
    )


def test_where_cells_contradict_each_other_a_doubtful_one_is_asked_about():
    _, (question,) = read(["1,5", "2,5", "3.5", "1.234"])
    assert question.text.startswith("1.234: ")
    found, _ = read(["1,5", "2,5", "3.5", "1.234"], "comma")
    assert found[2:] == ["is not a number with a decimal comma, as was said of its column", Decimal(1234)]


def test_a_value_that_stands_in_no_column_must_be_plain():
    assert columns.read_alone(Written.NUMBER, "12,5", "UTC") == "12.5"
    with pytest.raises(Unreadable, match=r"is ambiguous: 1.234 \(decimal point\) or 1234 \(decimal comma\)\?"):
        columns.read_alone(Written.NUMBER, " 1.234 ", "UTC")


def test_a_percentage_may_have_its_sign():
    assert read(["12,5 %", "7%"], written=Written.PERCENT) == numbers("12.5", "7")


PRICES = {
    "€ 12.50": ("12.50", "EUR"),
    "12,50 €": ("12.50", "EUR"),
    "US$5": ("5", "USD"),
    "5 usd": ("5", "USD"),
    "CHF 1'234.50": ("1234.50", "CHF"),
    "Fr. 5": ("5", "CHF"),
    "$.50": ("0.50", "USD"),
    "($5.25)": ("-5.25", "USD"),
    "-€5": ("-5", "EUR"),
    "€ -5": ("-5", "EUR"),
    "5,00 zł": ("5", "PLN"),
}


@pytest.mark.parametrize(("cell", "meant"), PRICES.items())
def test_a_price_may_name_its_currency(cell, meant):
    number, currency = meant
    assert read([cell], written=Written.MONEY) == numbers(number)
    assert currency in currencies_of(cell)


def test_a_dollar_may_be_that_of_many_and_a_plain_number_names_none():
    assert {"USD", "CAD", "AUD"} <= currencies_of("$5")
    assert "EUR" not in currencies_of("$5")
    assert currencies_of("5.00") is None
    assert currencies_of("€5 USD") == frozenset()


def _grouped(whole: str, mark: str, *, indian: bool) -> str:
    head, tail = whole[:-3], whole[-3:]
    size = 2 if indian else 3
    parts = []
    while head:
        parts.insert(0, head[-size:])
        head = head[:-size]
    return mark.join([*parts, tail])


# Decimal sign, sign between groups, whether groups are of two.
LOCALES = {
    "en": (".", ",", False),
    "de": (",", ".", False),
    "fr": (",", "\u202f", False),
    "se": (",", "\u00a0", False),
    "ch": (".", "’", False),
    "in": (".", ",", True),
    "plain": (".", "", False),
    "plain comma": (",", "", False),
}


@st.composite
def written_numbers(draw) -> tuple[list[Decimal], list[str]]:
    """Some numbers, and how one and the same program writes them."""
    decimal, group, indian = LOCALES[draw(st.sampled_from(sorted(LOCALES)))]
    places = draw(st.sampled_from([None, 0, 2, 3, 4]))
    meant = draw(
        st.lists(
            st.decimals(0, 10**8, places=draw(st.integers(0, 3)) if places is None else places), min_size=1, max_size=6
        )
    )
    cells = []
    for number in meant:
        whole, _, decimals = f"{number:f}".partition(".")
        decimals = decimals.rstrip("0") if places is None else decimals
        cells.append(
            (_grouped(whole, group, indian=indian) if group else whole) + (f"{decimal}{decimals}" if decimals else "")
        )
    return meant, cells


@given(written_numbers())
@settings(max_examples=150)
def test_no_number_becomes_another_one(written):
    meant, cells = written
    found, asked = read(cells)
    assert asked or found == meant


@given(st.decimals(0, 10**9, places=3))
@settings(max_examples=100)
def test_what_our_own_files_say_cannot_be_taken_for_another_number(number):
    assert read([unmistakable(number)]) == ([number], [])

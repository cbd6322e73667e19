"""Which columns and sums a document shows, and the figures in them."""

from dataclasses import replace
from decimal import Decimal

import pytest

from billing_core.invoices.documents.presentation import Sum, Table, sums, table, zero_tax
from billing_core.languages.formats import writing
from tests.invoices.documents import a_document, a_line

ENGLISH = writing("en")


def rows(document, language="en") -> list[tuple[str, str]]:
    return [(one.label, one.amount) for one in sums(document, writing(language))]


def test_without_a_discount_there_is_no_column_for_it_but_the_rate_is_stated_always():
    document = a_document(a_line(quantity="1.5", unit_price="0.125"))
    assert table(document, ENGLISH) == Table(
        ["quantity", "unit_price", "tax", "amount"], [["1.5", "0.125", "0%", "0.19"]]
    )
    assert table(replace(document, states_zero_tax=False), ENGLISH) == Table(
        ["quantity", "unit_price", "amount"], [["1.5", "0.125", "0.19"]]
    )


def test_one_line_with_a_discount_or_a_tax_makes_a_column_for_all():
    document = a_document(a_line(percent="12.5"), a_line(minor=250, tax_rate="7"), a_line(quantity="2"), currency="USD")
    assert table(document, ENGLISH) == Table(
        ["quantity", "unit_price", "discount", "tax", "amount"],
        [
            ["1", "100.00", "12.5%", "0%", "87.50"],
            ["1", "100.00", "2.50", "7%", "97.50"],
            ["2", "100.00", "", "0%", "200.00"],
        ],
    )
    assert table(a_document(a_line(), a_line(tax_rate="19")), ENGLISH).titles == [
        *("quantity", "unit_price", "tax", "amount"),
    ]
    assert table(a_document(a_line(minor=1)), ENGLISH).rows == [["1", "100.00", "0.01", "0%", "99.99"]]
    assert table(a_document(a_line(percent="1")), ENGLISH).rows == [["1", "100.00", "1%", "0%", "99.00"]]


def test_the_shortest_sum_is_subtotal_tax_and_total():
    assert sums(a_document(a_line()), ENGLISH) == [
        Sum("Subtotal", "100.00"),
        Sum("Tax 0% on 100.00", "0.00"),
        Sum("Total", "€100.00", strong=True),
    ]


@pytest.mark.parametrize(
    ("language", "row", "amount", "heading"),
    [
        ("en", "Tax 0% on 100.00", "0.00", "Tax 0%"),
        ("de", "MwSt. 0\xa0% auf 100,00", "0,00", "MwSt. 0\xa0%"),
        ("fr", "TVA 0\xa0% sur 100,00", "0,00", "TVA 0\xa0%"),
        ("es", "IVA 0\xa0% sobre 100,00", "0,00", "IVA 0\xa0%"),
    ],
)
def test_tax_of_0_percent_is_stated_with_its_reason_in_every_language(language, row, amount, heading):
    document = a_document(a_line(), zero_tax_reason="Reverse charge")
    assert rows(document, language)[1] == (row, amount)
    assert zero_tax(document, writing(language)) == (heading, "Reverse charge")


def test_a_reason_for_0_percent_is_told_only_where_there_is_one_and_a_line_that_has_it():
    assert zero_tax(a_document(a_line(tax_rate="19"), zero_tax_reason="Export"), ENGLISH) is None
    assert zero_tax(a_document(a_line(tax_rate="19"), a_line(), zero_tax_reason="Export"), ENGLISH) is not None
    assert zero_tax(a_document(a_line()), ENGLISH) is None


def test_what_was_sent_before_0_percent_was_stated_stays_without():
    document = a_document(a_line(), states_zero_tax=False)
    assert rows(document) == [("Subtotal", "100.00"), ("Total", "€100.00")]


def test_what_was_sent_before_has_each_rate_as_soon_as_there_is_any_tax_or_a_second_rate():
    """100.00 at 19 % and 100.00 at 0 %; and a rate that comes to nothing beside 0 %."""
    taxed = a_document(a_line(tax_rate="19"), a_line(), states_zero_tax=False)
    nothing = a_document(a_line(unit_price="0", tax_rate="19"), a_line(), states_zero_tax=False)
    assert table(taxed, ENGLISH).titles == ["quantity", "unit_price", "tax", "amount"]
    assert rows(taxed)[1:3] == [("Tax 0% on 100.00", "0.00"), ("Tax 19% on 100.00", "19.00")]
    assert rows(nothing)[1:3] == [("Tax 0% on 100.00", "0.00"), ("Tax 19% on 0.00", "0.00")]


def test_each_rate_has_its_tax():
    """200.00 at 19 % is 38.00; 100.00 at 0 %."""
    assert rows(a_document(a_line(quantity="2", tax_rate="19"), a_line())) == [
        ("Subtotal", "300.00"),
        ("Tax 0% on 100.00", "0.00"),
        ("Tax 19% on 200.00", "38.00"),
        ("Total", "€338.00"),
    ]
    assert rows(a_document(a_line(tax_rate="19")))[1] == ("Tax 19% on 100.00", "19.00")
    # Two rates of which neither comes to anything.
    assert rows(a_document(a_line(unit_price="0", tax_rate="19"), a_line()))[1:3] == [
        ("Tax 0% on 100.00", "0.00"),
        ("Tax 19% on 0.00", "0.00"),
    ]


@pytest.mark.parametrize(
    ("language", "label"),
    [
        ("en", "Sum of lines (prices include tax)"),
        ("de", "Summe der Positionen (Preise inkl. MwSt.)"),
        ("fr", "Total des lignes (prix TTC)"),
        ("es", "Suma de las líneas (precios con IVA incluido)"),
    ],
)
def test_a_document_says_that_its_prices_include_tax(language, label):
    document = a_document(a_line("Chair", "2", "379", "21"), prices_include_tax=True)
    assert rows(document, language)[0][0] == label
    assert rows(document) == [
        ("Sum of lines (prices include tax)", "758.00"),
        ("Subtotal", "626.45"),
        ("Tax 21% on 626.45", "131.55"),
        ("Total", "€758.00"),
    ]


def test_a_voucher_is_a_line_and_its_tax_is_taken_back():
    """200.00 at 19 % is 238.00; 50.00 and 3.50 are taken off."""
    document = a_document(a_line(quantity="2", tax_rate="19"), a_line("Voucher", "-1", "50", "7"))
    assert table(document, writing("de")).rows[1] == ["-1", "50,00", "7\xa0%", "-50,00"]
    assert rows(document) == [
        ("Subtotal", "150.00"),
        ("Tax 7% on -50.00", "-3.50"),
        ("Tax 19% on 200.00", "38.00"),
        ("Total", "€184.50"),
    ]


def test_a_discount_is_taken_off_the_sum_of_the_lines():
    assert rows(a_document(a_line(), discount_percent=Decimal("12.5"))) == [
        ("Sum of lines", "100.00"),
        ("Discount 12.5%", "-12.50"),
        ("Subtotal", "87.50"),
        ("Tax 0% on 87.50", "0.00"),
        ("Total", "€87.50"),
    ]
    assert rows(a_document(a_line(), discount_minor=250))[1] == ("Discount", "-2.50")


def test_printed_lines_add_up_to_the_subtotal_without_a_row_of_rounding():
    """Three times 0.335 is shown as 0.34 each, 1.02 together."""
    document = a_document(*[a_line(unit_price="0.335")] * 3)
    assert rows(document) == [("Subtotal", "1.02"), ("Tax 0% on 1.02", "0.00"), ("Total", "€1.02")]


def test_what_was_sent_before_shows_what_rounding_added():
    """Exactly three times 0.335 is 1.005, which is 1.01."""
    document = a_document(*[a_line(unit_price="0.335")] * 3, lines_rounded=False, states_zero_tax=False)
    assert rows(document) == [
        ("Sum of lines", "1.02"),
        ("Rounding", "-0.01"),
        ("Subtotal", "1.01"),
        ("Total", "€1.01"),
    ]


@pytest.mark.parametrize(
    ("settled", "expected"),
    [
        ({"paid_minor": 100}, [("Paid", "-1.00")]),
        ({"credited_minor": 200}, [("Credited", "-2.00")]),
        ({"written_off_minor": 300}, [("Written off", "-3.00")]),
        ({"paid_minor": 900, "refunded_minor": 400}, [("Paid", "-9.00"), ("Credited", "-4.00"), ("Refunded", "4.00")]),
        (
            {"paid_minor": 900, "credited_minor": 100, "refunded_minor": 400},
            [("Paid", "-9.00"), ("Credited", "-5.00"), ("Refunded", "4.00")],
        ),
    ],
)
def test_what_was_settled_is_taken_off_the_total(settled, expected):
    assert rows(a_document(a_line(), **settled))[3:] == expected


def test_figures_are_written_as_the_reader_writes_them():
    document = a_document(a_line(quantity="1234.5", tax_rate="19"))
    assert rows(document, "de")[-1] == ("Gesamtbetrag", "146.905,50\xa0€")
    assert table(document, writing("de")).rows == [["1.234,5", "100,00", "19\xa0%", "123.450,00"]]

"""Amounts are found as anybody writes them, and each as the unit of its currency says."""

from decimal import Decimal

import pytest

from billing_core.database.amounts import sought

WRITTEN = """1113.46 1,113.46 1.113,46 1'113.46 1’113.46 1113,46 1113.460 -1113.46 (1,113.46) 1113.46- +1113.46
    1٬113٫46 ١١١٣٫٤٦ １１１３．４６""".split()
SPACED = ["1 113,46", "1\u00a0113,46", "1\u202f113.46", " 1113.46\t", "\u200e1113.46", "− 1113.46"]


@pytest.mark.parametrize("text", [*WRITTEN, *SPACED])
def test_an_amount_is_read_however_it_is_written(text):
    assert sought(text).amounts == {Decimal("1113.46")}


@pytest.mark.parametrize(
    ("text", "meanings"),
    [
        # A mark before three digits may be either, as the reader's country has it.
        ("1.113", {"1113", "1.113"}),
        ("1,113", {"1113", "1.113"}),
        ("1 113", {"1113"}),
        ("1.113.460", {"1113460"}),
        ("11,13,460.50", {"1113460.50"}),
        ("1234,567", {"1234.567"}),
        (".5", {"0.5"}),
        ("12.-", {"12"}),
        ("12,–", {"12"}),
        ("007", {"7"}),
    ],
)
def test_what_a_figure_may_mean(text, meanings):
    assert sought(text).amounts == set(map(Decimal, meanings))


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("EUR 12", {"EUR"}),
        ("12 eur", {"EUR"}),
        ("€12", {"EUR"}),
        ("12,00 €", {"EUR"}),
        ("CA$12", {"CAD"}),
        ("us$ 12", {"USD"}),
        ("¥12", {"JPY", "CNY"}),
        ("12円", {"JPY"}),
        ("12 zł", {"PLN"}),
        ("Fr. 12.–", {"CHF"}),
        ("12 kr", {"DKK", "ISK", "NOK", "SEK"}),
    ],
)
def test_a_currency_beside_it_limits_it(text, codes):
    assert (sought(text).amounts, sought(text).currencies) == ({Decimal(12)}, codes)
    assert {"USD", "CAD", "SGD", "MXN"} < sought("$12").currencies


NONE = [
    "",
    "abc",
    "INV-12",
    "12 pieces",
    "EUR 12 EUR",
    "1.2.3",
    "1,2,3",
    "12,34.5.6",
    "2026-11-30",
    "1 2",
    "$",
    "1" * 61,
]


@pytest.mark.parametrize("text", [*NONE, "1" * 61])
def test_what_is_no_amount(text):
    assert sought(text) is None

"""What the grid of an invoice's lines sends becomes rows."""

from dataclasses import replace
from decimal import Decimal

import pytest
from babel import Locale

from billing_core.invoices.content.content import DraftLine
from pages.draft_sections.rows import Row, cut_up, edited, line_of, row_of


def pasted(description: str) -> str:
    state = {"edited_rows": {0: {"description": description}}, "added_rows": [], "deleted_rows": []}
    (row,) = edited([Row()], state)
    return row.description


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Launch \ud83d\ude80", "Launch 🚀"),
        ("Launch \ud83d", "Launch \N{REPLACEMENT CHARACTER}"),
        ("ß 日本 🚀", "ß 日本 🚀"),
    ],
)
def test_halves_of_an_emoji_become_text_that_can_be_shown_and_stored(sent, kept):
    assert pasted(sent) == kept


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([Row()], [Row("Advice \N{REPLACEMENT CHARACTER}", "1,", "100,1")], True),
        ([Row()], [Row("\N{ROCKET} Advic", "1,", "100,1")], True),
        ([], [Row("Stock", "2", "5"), Row("\N{ROCKET} Postag", "3", "0,33")], True),
        ([Row("Advice")], [Row("Advice \N{ROCKET}")], False),
        ([Row("\N{ROCKET}", "1", "2")], [Row("\N{ROCKET}", "1", "3"), Row("Stock", "2", "5")], False),
        ([Row()], [Row("日本", "1", "2")], False),
    ],
)
def test_rows_that_an_emoji_has_cut_in_the_wrong_places_are_noticed(before, now, expected):
    assert cut_up(before, now) is expected


def test_what_a_line_was_made_from_stays_with_it_through_the_grid():
    """Of the report 2, its order 3 and the service 1; of the usage line 4. Typing elsewhere in the row leaves them."""
    locale, reasons = Locale("en"), {}
    for line in (
        DraftLine("Order A-1", Decimal(1), Decimal(4), report_id=2, order_id=3),
        DraftLine("Handling", Decimal(2), Decimal(4), report_id=2, service_id=1),
        DraftLine("API calls", Decimal(1), Decimal("0.25"), usage_line_id=4),
    ):
        state = {"edited_rows": {0: {"tax_rate": "19"}}, "added_rows": [], "deleted_rows": []}
        (row,) = edited([row_of(line, "USD", locale)], state)
        assert line_of(row, 1, "USD", locale, reasons) == replace(line, tax_rate=Decimal(19))
    assert reasons == {}

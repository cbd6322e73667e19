"""What the grid of an invoice's lines sends becomes rows."""

import pytest

from pages.draft_sections.rows import Row, cut_up, edited


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

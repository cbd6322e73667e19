"""What the grid of an invoice's lines sends becomes rows."""

import pytest

from pages.invoice_editor_sections.rows import Row, edited


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

"""A text that turns the direction of writing around does so for itself alone."""

import pytest
from fpdf.bidi import BidiParagraph

from billing_core.text import closed

LRE, RLE, LRO, RLO, END = "\u202a", "\u202b", "\u202d", "\u202e", "\u202c"
LRI, RLI, FSI, END_OF_ISOLATE = "\u2066", "\u2067", "\u2068", "\u2069"


@pytest.mark.parametrize(
    "text", ["Acme", "Zoë", "שלום", "", f"{LRE}+49 30 1{END}", f"{RLI}שלום{END_OF_ISOLATE}", f"a{END}"]
)
def test_a_text_that_leaves_nothing_open_stays_as_it_is(text):
    assert closed(text) == text


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        (f"Acme {RLO}", END),
        (f"{RLO}{LRE}Acme", END + END),
        (f"{RLI}{RLO}Acme", END + END_OF_ISOLATE),
        (f"{RLO}{FSI}Acme", END_OF_ISOLATE + END),
        # The end of an isolate ends what began within it; the end of anything else ends no isolate.
        (f"{RLI}{RLO}Acme{END_OF_ISOLATE}", ""),
        (f"{LRI}{END}Acme", END_OF_ISOLATE),
        (f"{LRO}a{END}{RLE}b", END),
    ],
)
def test_what_a_text_leaves_open_is_closed_at_its_end(text, ends):
    assert closed(text) == text + ends


def test_what_a_text_ends_without_having_begun_it_begins_before_it():
    assert closed(f"a{END_OF_ISOLATE}b{RLO}") == f"{FSI}a{END_OF_ISOLATE}b{RLO}{END}"
    assert closed(f"{RLI}a{END_OF_ISOLATE}{END_OF_ISOLATE}") == f"{FSI}{RLI}a{END_OF_ISOLATE}{END_OF_ISOLATE}"
    assert closed(f"{RLO}a{END_OF_ISOLATE}") == f"{FSI}{RLO}a{END_OF_ISOLATE}"


@pytest.mark.parametrize("opened", [RLO, RLE, RLI, RLO + RLI + RLO, FSI + RLO])
def test_what_follows_it_is_written_as_ever(opened):
    amount = " owes 123.45 USD"
    line = closed(f"Acme {opened}Corp") + amount
    levels = [
        one.embedding_level for one in BidiParagraph(line, preserve_bn_chars=True).get_characters_with_embedding_level()
    ]
    assert levels[-len(amount) + 1 :] == [0] * (len(amount) - 1)

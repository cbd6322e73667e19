"""Texts that differ in case or accents alone are the same, in every alphabet, in Python and on both databases."""

import sys
import unicodedata

import pytest
from sqlalchemy import func, literal, select

from billing_core.businesses.models import Business
from billing_core.database.folding import BLANKS, fold, folded, folded_word
from billing_core.database.functions import equals, mentions
from billing_core.database.ordering import natural, natural_order

SAME = [
    ("KÖLN", "Köln", "köln", "koln", "ko\u0308ln"),
    ("Müller", "MÜLLER", "muller"),
    ("Praça", "práca", "PRACA"),
    ("Straße", "STRASSE", "STRAẞE"),
    # Greek: the last sigma of a word, and accents, which capitals do not have.
    ("Σίσυφος", "ΣΙΣΥΦΟΣ", "σισυφοσ"),
    ("Ἀθῆναι", "ΑΘΗΝΑΙ"),
    # Turkish: with and without its dot.
    ("İstanbul", "ISTANBUL", "istanbul", "ıstanbul"),
    ("Ёлкин", "елкин", "ЕЛКИН"),
    # Georgian: capitals beyond the usual letters, since Unicode 11.
    ("თბილისი", "ᲗᲑᲘᲚᲘᲡᲘ"),
    ("Łódź", "LODZ"),
    ("Ærø Øl", "AERO OL"),
    ("Đorđe", "dorde"),
    # Forms of the same characters: wide, joined, in circles; a hyphen that is not seen; Hebrew points.
    ("ＡＣＭＥ　１２", "acme 12"),
    ("ﬁn", "FIN"),
    ("AC\u00adME", "acme"),
    ("שָׁלוֹם", "שלום"),
    # Korean, put together or not.
    ("김치", unicodedata.normalize("NFD", "김치")),
]


@pytest.mark.parametrize("spellings", SAME, ids=lambda spellings: spellings[0])
def test_spellings_that_differ_in_case_or_accents_alone_are_the_same(spellings):
    assert len({fold(one) for one in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("Müller", "Mueller"), ("Köln", "Kolon"), ("é", ""), ("ä", "b"), ("ж", "з")]
)
def test_other_letters_are_others(one, other):
    assert fold(one) != fold(other)


def test_a_text_of_marks_alone_is_not_part_of_every_text():
    assert fold("\u0301") == "\u0301"
    assert fold("\u200d") == "\u200d"


def test_the_database_says_the_same_of_every_character_of_unicode(sessions):
    characters = [
        chr(code) for code in range(1, sys.maxunicode + 1) if unicodedata.category(chr(code)) not in ("Cs", "Cn")
    ]
    # As they stand in texts: beside others, several in one text.
    texts = ["".join(f"{one}x" for one in characters[start : start + 400]) for start in range(0, len(characters), 400)]
    with sessions() as session:
        for text in texts:
            assert session.scalar(select(folded(literal(text)))) == fold(text)
        for text in ("", "\u0301", "A", "ẞ", "ﷺ"):
            assert session.scalar(select(folded(literal(text)))) == fold(text)
        assert session.scalar(select(folded(func.nullif("", "")))) is None


@pytest.mark.parametrize(
    "text", ["DHL", " dhl\t", "", "  ", "United States", "KÖLN", " Köln\r\n", "a\x7fB", "A~!", "\u00a0DE", "[x]*?"]
)
def test_the_database_says_the_same_of_a_code_with_blanks_around_it(session, text):
    assert session.scalar(select(folded_word(literal(text)))) == fold(text.strip(BLANKS))
    assert session.scalar(select(folded_word(func.nullif("", "")))) is None


def test_half_a_character_and_nul_alone_are_in_no_text(session):
    for torn in ("\ud800", "a\udfff", "\0"):
        for found in (mentions(torn, Business.name), equals(Business.name, torn)):
            assert session.scalar(select(func.count(Business.id)).where(found)) == 0
    assert session.scalar(select(func.count(Business.id)).where(mentions("", Business.name))) == 1


def test_the_database_sorts_texts_by_the_numbers_in_them(session):
    texts = [
        "",
        "7",
        "007",
        "9",
        "10",
        "a 1",
        "Ä 2",
        "a 10",
        "A-9-3",
        "a-9-12",
        "b",
        "é0",
        "ＩＮＶ９",
        "inv10",
        "x" + "9" * 64,
    ]
    for text in (*texts, "0" * 30, "1" + "0" * 25):
        assert session.scalar(select(natural(literal(text)))) == natural_order(text)
    assert sorted(["inv-10", "INV-9", "Äpfel 10", "apfel 9", "7"], key=natural_order) == [
        *("7", "apfel 9", "Äpfel 10", "INV-9", "inv-10"),
    ]
    assert session.scalar(select(natural(func.nullif("", "")))) is None

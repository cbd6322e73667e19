"""Names stand where a reader looks for them, by code points, which both databases compare alike."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyuca.collator import Collator_10_0_0

from billing_core.reading_order import LONGEST_ORDER, reading_order

# As one directory for readers of all languages has them: letters with accents stand with those without.
SORTED = {
    "German": ["Arbeit", "Ärzte AG", "Azur", "Müll", "Mull & Co", "Müller", "Strasse", "Straße", "Strassen"],
    "Polish": ["Lodz", "Łódź", "Lzy", "Ośrodek", "Otwock", "Żabka", "Zakład", "Zbyt"],
    "Spanish": ["Nadal", "ñandú", "Nube", "Ocaña", "Ocano"],
    "French": ["cote", "coté", "côte", "côté", "Éclair", "edition"],
    "Nordic": ["Ærø", "Afrika", "Ångström", "Bø", "Bolig"],
    "Russian": ["Дом", "Ёлка", "Енот", "Игра", "Йод", "Кот"],
    "Ukrainian": ["Ґанок", "Гора", "Дім", "Євген", "Жук", "Зуб", "Іван", "Їжак", "Кіт"],
    "Greek": ["Άλφα", "Βήτα", "γάμμα", "Ωμέγα"],
    "scripts": ["& Sons", "3M", "Zulu", "Ωμέγα", "Ёлка", "あさひ", "株式会社"],
    "case": ["acme", "Acme", "ACME", "Acme AG", "acmes"],
    "blanks": ["De Boer", "De Vries", "Deal"],
    "figures": ["7 Eleven", "24 Seven", "1001 Nights", "Store 9", "Store 9 b", "Store 10", "Store 010 a", "Store x"],
}
TABLE = Collator_10_0_0()


@pytest.mark.parametrize("names", SORTED.values(), ids=SORTED)
def test_names_stand_where_a_reader_looks_for_them(names):
    mixed = names[::-1]
    assert sorted(mixed, key=reading_order) == names


def test_how_a_letter_is_put_together_does_not_count():
    assert reading_order("Müller") == reading_order("Mu\u0308ller")


def test_figures_of_any_script_are_numbers():
    assert sorted(["एक १०", "एक ९"], key=reading_order) == ["एक ९", "एक १०"]


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Nd"]), max_size=8), max_size=6))
@settings(max_examples=150)
def test_but_for_numbers_names_stand_as_the_algorithm_of_unicode_has_it(names):
    by_weights = sorted(names, key=lambda name: (TABLE.sort_key(name), name))
    assert sorted(names, key=lambda name: (reading_order(name), name)) == by_weights


@pytest.mark.parametrize("name", ["", "w\u0301" * 100, "株" * 200, "9" * 200, "\U0001f600" * 200, "a\u0301\u0302" * 66])
def test_it_is_a_text_that_databases_hold(name):
    order = reading_order(name)
    assert len(order) <= LONGEST_ORDER
    assert order.encode().decode() == order
    assert "\0" not in order


def test_a_name_comes_before_those_that_it_begins():
    names = ["Acme", "Acme -", "Acme 1", "Acme a", "Acme\u0301", "Acmf"]
    mixed = names[::-1]
    assert sorted(mixed, key=reading_order) == ["Acme", "Acme\u0301", *names[1:4], "Acmf"]
    assert unicodedata.normalize("NFC", names[4]) == "Acmé"

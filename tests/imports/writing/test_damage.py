"""What spreadsheets do to texts and codes."""

import pytest

from billing_core.imports.cells import Unreadable
from billing_core.imports.writing.damage import PostalCodes, Texts

CODES = {
    '="00123"': "00123",
    '="a""b"': 'a"b',
    "'08701": "08701",
    "'+49 351 1": "+49 351 1",
    "AB\u00a01": "AB 1",
    "\ufeffA1": "A1",
    "A\u200b1\ufeff": "A1",
    "'t Hooft": "'t Hooft",
    "A'1": "A'1",
    "1E5": "1E5",
    "A+B": "A+B",
    "=A1": "=A1",
    "plain": "plain",
}
TEXTS = {
    '="Acme"': "Acme",
    "'t Hooft": "'t Hooft",
    "'47 Brand": "'47 Brand",
    "'=1+1": "=1+1",
    "'-5": "-5",
    "'＠x": "＠x",
    "Caf\u00a0é": "Caf é",
    "1.5E+10": "1.5E+10",
}


@pytest.mark.parametrize(("cell", "meant"), CODES.items())
def test_a_code_is_what_was_meant(cell, meant):
    assert Texts(code=True).read(cell) == meant


@pytest.mark.parametrize(("cell", "meant"), TEXTS.items())
def test_a_text_keeps_what_may_be_part_of_it(cell, meant):
    assert Texts(code=False).read(cell) == meant


@pytest.mark.parametrize("cell", ["1.23457E+12", "4,91512E+11", "1E+05", '="1.23457E+12"', " 1.2e+100 "])
def test_a_code_whose_digits_are_lost_is_refused(cell):
    with pytest.raises(Unreadable, match="was destroyed by a spreadsheet"):
        Texts(code=True).read(cell)


def test_what_was_repaired_is_said():
    column = Texts(code=True)
    column.read('="00123"')
    assert column.notes("Key") == [
        '“Key” has cells with signs that a spreadsheet put around them, such as ="00123", which is 00123'
    ]
    column.again()
    column.read("A\u00a01")
    assert column.notes("Key") == []


ZEROS = {
    ("1067", "DE"): "01067",
    ("01067", "DE"): "01067",
    ("106", "DE"): "106",
    ("10117", "DE"): "10117",
    ("1010", "AT"): "1010",
    ("2134", "US"): "02134",
    ("501", "US"): "00501",
    ("21341234", "US"): "21341234",
    ("800", "AU"): "0800",
    ("150", "NO"): "0150",
    ("1067", ""): "1067",
    ("SW1A 1AA", "GB"): "SW1A 1AA",
}


def test_postal_codes_get_their_zeros_back_by_their_country():
    column = PostalCodes()
    codes = [column.read(code) for code, _ in ZEROS]
    assert column.restored(codes, [country for _, country in ZEROS]) == list(ZEROS.values())
    assert column.notes("Zip") == [
        "“Zip” got back the zeros that a spreadsheet took, by the country: 1067 is 01067",
        "“Zip” may have lost zeros: 1067 stands beside 01067, and no country says how long its codes are",
    ]

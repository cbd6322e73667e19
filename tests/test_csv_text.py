import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.csv_text import cell, harmless, marked_for_excel, quoted, rows_as_csv


@pytest.mark.parametrize("text", ["=1+1", "+49 30 1", "-5", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_cell_that_would_be_run_as_a_formula_begins_with_an_apostrophe(text):
    assert harmless(text) == "'" + text


@pytest.mark.parametrize("text", ["", "ACME", "a=b", "1-2", " plain", "'quoted"])
def test_other_text_stays_as_it_is(text):
    assert harmless(text) == text


def test_numbers_are_written_as_numbers_and_nothing_as_an_empty_cell():
    assert b"".join(rows_as_csv(["a", "b"], [[-5, None], ["-5", "x,y"]])) == b'a,b\r\n-5,\r\n\'-5,"x,y"\r\n'


def test_excel_gets_a_byte_order_mark_before_the_first_chunk():
    assert b"".join(marked_for_excel([b"a,b\r\n"])) == b"\xef\xbb\xbfa,b\r\n"


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.integers())))
def test_whatever_the_text_a_csv_reader_gets_it_back(rows):
    file = b"".join(rows_as_csv(["text", "number"], rows)).decode()
    read = list(csv.reader(io.StringIO(file, newline="")))
    assert read[1:] == [[harmless(text), str(number)] for text, number in rows]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_cell_written_by_hand_reads_like_one_from_a_writer(text):
    line = f"{cell(text)},{quoted(text)}\r\n"
    assert list(csv.reader(io.StringIO(line, newline=""))) == [[harmless(text), text]]

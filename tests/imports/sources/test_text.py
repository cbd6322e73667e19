"""Every dialect of CSV that we promise is read to the same rows."""

import csv
import io

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from billing_core.errors import Invalid
from billing_core.imports import sources
from tests.imports.sources import reading

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def read(content: bytes, *, size: int = 3) -> tuple[sources.Layout, list[tuple[int, list[str]]]]:
    """Lines that look like totals or footers are rows too."""
    return reading.read(content, sources.Chosen(kept=tuple(range(1, 1_000))), size=size)[:2]


def filled(rows):
    """Without blank ones, which are left out."""
    return [row for row in rows if any(cell.strip() for cell in row)]


def filled_ones(numbered):
    return [(line, row) for line, row in numbered if filled([row])]


def written(rows, *, delimiter=",", line_end="\n", quoting=csv.QUOTE_MINIMAL) -> str:
    # Python's writer leaves a lone \r bare where lines end in \n, and no reader could tell it from a line's end.
    if any("\r" in cell for row in rows for cell in row):
        quoting = csv.QUOTE_ALL
    target = io.StringIO()
    csv.writer(target, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerows(rows)
    return target.getvalue()


@given(
    rows=st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=12),
    delimiter=st.sampled_from([",", ";", "\t"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    mark=st.booleans(),
)
@example(rows=[["", "", "\r"]], delimiter=",", line_end="\n", quoting=csv.QUOTE_MINIMAL, mark=False)
def test_any_cells_come_back_as_they_were_in_every_dialect(rows, delimiter, line_end, quoting, mark):
    # Lines of a cell with as many tabs as rows have are taken for rows where nothing else is quoted.
    assume(delimiter != "\t" or not any("\t" in cell and "\n" in cell for row in rows for cell in row))
    header = ["first name", "second name", "third name"]
    text = written([header, *rows], delimiter=delimiter, line_end=line_end, quoting=quoting)
    layout, found = read((b"\xef\xbb\xbf" if mark else b"") + text.encode())
    assert layout.header == tuple(header)
    assert filled(row for _, row in found) == filled(rows)


@given(
    rows=st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=12),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_each_row_knows_the_line_on_which_it_begins(rows, line_end):
    text = written([["a", "b"], *rows], line_end=line_end, quoting=csv.QUOTE_ALL)
    _, found = read(text.encode())
    # Cutting the text before a row and counting its line ends is another way to find its line.
    expected = []
    for place, row in enumerate(rows):
        before = written([["a", "b"], *rows[:place]], line_end=line_end, quoting=csv.QUOTE_ALL)
        expected.append((1 + sum(1 for part in io.StringIO(before, newline="") if part[-1] in "\r\n"), row))
    assert filled_ones(found) == filled_ones(expected)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_told_from_others_in_the_text(delimiter):
    text = written([["a", "b"], ["1,2;3\t4", "x"], ["5,6,7;8;9", "y"]], delimiter=delimiter)
    assert read(text.encode())[0].delimiter == delimiter


def test_semicolons_win_over_decimal_commas():
    layout, rows = read(b"sku;price\nA;1,50\nB;2,75\n")
    assert layout.delimiter == ";"
    assert rows == [(2, ["A", "1,50"]), (3, ["B", "2,75"])]


def test_blank_lines_are_left_out_and_counted():
    _, rows = read(b"\n\na,b\n\n1,2\n\n\n3,4\n")
    assert rows == [(5, ["1", "2"]), (8, ["3", "4"])]


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" " * 20 + b"\n", b";;\n"])
def test_rows_far_below_blank_lines_are_read_or_the_lines_are_named(blank):
    content = b"sku;price\nA;1,50\nB;2,75\n"
    assert read(blank * 10_000 + content)[1] == [(10_002, ["A", "1,50"]), (10_003, ["B", "2,75"])]
    with pytest.raises(Invalid, match="The first 10,000 lines of the file are blank"):
        read(blank * 10_001 + content)
    with pytest.raises(Invalid, match="The file is empty"):
        read(blank * 10_000)


def test_a_file_of_a_header_alone_has_no_rows():
    layout, rows = read(b"a,b")
    assert (layout.header, rows) == (("a", "b"), [])


def test_a_column_without_a_name_is_called_after_its_place():
    assert read(b"a,,c,\n1,2,3,4\n")[0].header == ("a", "column 2", "c", "column 4")


def test_one_column_is_enough():
    layout, rows = read(b"name\nx\n")
    assert (layout.header, rows) == (("name",), [(2, ["x"])])


def test_a_long_line_of_many_cells_is_named_by_its_line():
    with pytest.raises(Invalid, match=r"^Line 3, column “b”: the cell is longer than 131,072 characters"):
        read(b"a,b\n1,2\n1," + b"y" * 3_000_000)


def test_an_endless_line_is_not_read_to_its_end():
    class Endless(io.BytesIO):
        taken = 0

        def read1(self, size=-1):
            self.taken += 1
            return b"a,b\n" if self.taken == 1 else b"z" * 8_192

        def read(self, size=-1):
            return b"a,b\n" + b"z" * (size - 4)

    endless = Endless()
    with pytest.raises(Invalid, match="is longer than"):
        list(sources.batches(endless, sources.Layout(("a", "b"), ",")))
    assert endless.taken < 1_000

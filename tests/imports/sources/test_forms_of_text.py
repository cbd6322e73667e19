"""Texts as programs write them: in any encoding, with any separator, with titles and totals around the rows."""

import io
from dataclasses import replace

import pytest

from billing_core.errors import Invalid
from billing_core.imports import sources
from tests.imports.sources.reading import CASES, read

ACCENTS = "customer_ref,name,city\nC1,Müller GmbH,Köln\n"


def case(name: str):
    return read((CASES / name).read_bytes())


def test_latin1_is_read_as_what_it_is():
    layout, rows, _ = case("latin1.csv")
    assert rows == [(2, ["C1", "Müller GmbH", "Köln"])]
    assert layout.encoding == "cp1252"
    assert "Windows-1252" in layout.doubts[0]


def test_utf16_is_read():
    layout, rows, _ = case("utf16.txt")
    assert (layout.header, layout.delimiter, layout.doubts) == (("customer_ref", "name"), "\t", ())
    assert rows == [(2, ["C1", "Müller GmbH"])]


def test_a_title_and_a_footer_are_no_rows():
    layout, rows, notes = case("preamble_and_footer.csv")
    assert (layout.header, layout.header_line) == (("Customer ID", "Name", "Email"), 4)
    assert rows == [(5, ["C1", "Acme", "a@x.example"])]
    assert [(one.line, one.why) for one in notes.odd_lines] == [(7, "looks like a footer")]


def test_a_total_is_no_row():
    _, rows, notes = case("totals_row.csv")
    assert [row[0] for _, row in rows] == ["C1", "C2"]
    assert [(one.line, one.text, one.taken) for one in notes.odd_lines] == [(4, "Total", False)]


def test_quotes_that_enclose_nothing_are_text():
    layout, rows, _ = case("amazon_flat_file.txt")
    assert rows == [(2, ["O1", "S1", "1", '"Deluxe" mug'])]
    assert "Quotes" in layout.doubts[0]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (ACCENTS, "utf-8"),
        (ACCENTS, "utf-8-sig"),
        (ACCENTS, "utf-16"),
        (ACCENTS, "utf-16-le"),
        (ACCENTS, "utf-16-be"),
        (ACCENTS, "utf-32"),
        (ACCENTS, "cp1252"),
        ("customer_ref,name\nC1,Café\n", "latin-1"),
        ("customer_ref,name\nC1,Café", "latin-1"),
        ("customer_ref,name\nC1,10 € – “quoted”\n", "cp1252"),
        ("customer_ref,name,city\nC1,Señor Núñez,Málaga\nC2,Ødegård,Tromsø\nC3,Groß,Gießen\n", "latin-1"),
        ("customer_ref,name,city\nC1,MÜLLER GMBH,KÖLN GIESSEN ÄÖÜ\n", "latin-1"),
        ("customer_ref,name,city\nC1,Müller GmbH,Köln\n", "mac-roman"),
        ("customer_ref,name,city\nC1,Müller GmbH,Köln Straße\n", "cp850"),
        ("customer_ref,name,city\nC1,Łódź Spółka,Gdańsk\n", "cp1250"),
        ("customer_ref,name,city\nC1,Общество с ограниченной ответственностью,Москва\n", "cp1251"),
        ("customer_ref,name,city\nC1,株式会社日本商事 第二営業部,東京都千代田区\n", "cp932"),
    ],
)
def test_letters_come_out_right_in_every_encoding(text, encoding):
    _, rows, _ = read(text.encode(encoding))
    assert [",".join(row) for _, row in rows] == text.splitlines()[1:]


def test_other_letters_far_below_are_found():
    content = b"customer_ref,name\n" + b"".join(b"C%d,Acme\n" % n for n in range(20_000)) + b"X,M\xfcller\n"
    layout, rows, _ = read(content, size=300)
    assert (layout.encoding, rows[-1][1]) == ("cp1252", ["X", "Müller"])


def test_a_file_that_is_partly_utf8_is_refused():
    with pytest.raises(Invalid, match=r"^Line 4 is not UTF-8 \(byte 0xFC\)"):
        read("customer_ref,name\nC1,Köln\nC2,Düren\n".encode() + b"C3,M\xfcller\n")


def test_the_encoding_can_be_said():
    _, rows, _ = read(b"customer_ref,name\nC1,Lodz \xa3\xf3d\xbc\n", sources.Chosen(encoding="iso8859-2"))
    assert rows == [(2, ["C1", "Lodz Łódź"])]


@pytest.mark.parametrize("sign", [",", ";", "\t", "|", "^", "~", "\x1f"])
def test_any_separator_that_makes_even_rows_is_found(sign):
    content = "\n".join(sign.join(row) for row in [("sku", "name"), ("A", "Mug"), ("B", "Cup, large")])
    layout, rows, _ = read((content if sign != "," else content.replace("Cup, large", '"Cup, large"')).encode())
    assert (layout.delimiter, rows[1][1]) == (sign, ["B", "Cup, large"])


def test_a_line_can_say_the_separator():
    layout, rows, _ = read(b"sep=;\r\nsku;note\r\nA;x, y, z\r\nB;u, v, w\r\n")
    assert (layout.header, layout.header_line, rows[0]) == (("sku", "note"), 2, (3, ["A", "x, y, z"]))


def test_rows_without_names_are_recognised():
    layout, rows, _ = read(b"SO-1,A,1\nSO-2,B,2\nSO-3,C,3\n")
    assert (layout.header, layout.header_line) == (("column 1", "column 2", "column 3"), sources.NO_HEADER)
    assert [line for line, _ in rows] == [1, 2, 3]


@pytest.mark.parametrize(
    "content", [b"sku,2024,2025\nA,5,6\nB,7,8\n", b"Address 1,Address 2\nStreet 5,Hall 7\n", b"a,b\nfoo,bar\nbaz,qux\n"]
)
def test_names_are_not_taken_for_rows(content):
    assert read(content)[0].header_line == 1


def test_a_second_column_of_a_name_is_numbered():
    assert read(b"Name,SKU,name,NAME\nx,1,y,z\n")[0].header == ("Name", "SKU", "name (2)", "NAME (3)")


def test_the_line_of_names_can_be_said():
    content = b"A,B\nC,D\nx,y\n"
    assert read(content, sources.Chosen(header_line=2))[:1][0].header == ("C", "D")
    layout, rows, _ = read(content, sources.Chosen(header_line=sources.NO_HEADER))
    assert (layout.header, len(rows)) == (("column 1", "column 2"), 3)
    with pytest.raises(Invalid, match="Line 9 cannot name the columns"):
        read(content, sources.Chosen(header_line=9))


TOTALS = b"order_number,sku,quantity\nO1,A,3\nO1,B,4\nTotal,,7\nO2,A,5\nSubtotal,,5\nGrand total,,12\n"


def test_totals_between_the_rows_are_left_out():
    _, rows, notes = read(TOTALS)
    assert [row[0] for _, row in rows] == ["O1", "O1", "O2"]
    assert [one.line for one in notes.odd_lines] == [4, 6, 7]


def test_a_line_that_was_left_out_can_be_taken_in_and_another_left_out():
    _, rows, notes = read(TOTALS, sources.Chosen(kept=(4,), dropped=(2,)))
    assert [line for line, _ in rows] == [3, 4, 5]
    assert [one.line for one in notes.odd_lines] == [2, 6, 7]


def test_a_total_as_wide_as_the_rows_is_proven_by_its_sum():
    _, rows, notes = read(b"customer,amount\nAcme,5.50\nBolt,6\nSumme,11.50\n")
    assert [row[0] for _, row in rows] == ["Acme", "Bolt"]
    assert notes.no_rows == 1


def test_a_customer_called_total_is_a_row_and_looked_at():
    _, rows, notes = read(b"customer_ref,name,email\nC1,Acme,a@x.example\nTOTAL,Total SA,t@x.example\n")
    assert [row[0] for _, row in rows] == ["C1", "TOTAL"]
    assert [(one.line, one.taken) for one in notes.odd_lines] == [(3, True)]


class Counting(io.BytesIO):
    """Counts how often it is read from its beginning."""

    beginnings = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.beginnings += (offset, whence) == (0, io.SEEK_SET)
        return super().seek(offset, whence)


def test_a_list_of_goods_called_total_is_not_read_anew_for_each_of_them():
    goods = "".join(f"Total {number} in 1,,{number}\n" for number in range(2, 2_000))
    # 2 + 3 + … + 1,999 = 1,998,999; and 1.5 times three.
    content = f"name,weight,quantity\n{goods}Sum,,1998999\nTotal A,1.5,0\nTotal B,3,\nTotal,4.5,3997998\nEnd,1,1\n"
    stream, notes = Counting(content.encode()), sources.Notes()
    layout = replace(sources.read_layout(stream), filled=(0,))
    stream.beginnings = 0
    rows = [row for batch in sources.batches(stream, layout, notes) for row in batch.rows]
    assert [row[0] for row in rows[-4:]] == ["Total 1999 in 1", "Total A", "Total B", "End"]
    assert len(rows) == 2_001
    assert stream.beginnings <= 3, "once, and again for each column that a total is looked for in"


def test_sums_count_what_was_left_out_and_rows_of_other_batches():
    """As a list with a running total has it; the header has two columns, and the third row has more."""
    content = b"name,amount\nTotal X,1\nA,2\nB,3,9\nTotal,6\nC,4\nTotal Y,2\nTotal,18\nTotal,36,\n"
    notes = sources.Notes()
    stream = io.BytesIO(content)
    layout = sources.read_layout(stream)
    rows = [row for batch in sources.batches(stream, layout, notes, size=2) for row in batch.rows]
    assert [row[0] for row in rows] == ["Total X", "A", "B", "C", "Total Y"]
    assert notes.no_rows == 3


@pytest.mark.parametrize("name", ["Sumitomo", "Somerset", "Gesamtschule", "Totally", "Summit"])
def test_names_that_begin_like_a_total_are_rows(name):
    _, rows, notes = read(f"name,email,city\nAcme,a@x.example,Ulm\n{name},,\n".encode())
    assert (len(rows), notes.odd_lines) == (2, [])


@pytest.mark.parametrize("end", [b"O7", b"O7\n", b"O7,B\n", b"O7,,\n", b"\nO7\n"])
def test_a_row_that_was_cut_off_is_no_footer(end):
    """The rows before it would go in as if they were all."""
    _, rows, notes = read(b"order_number,sku,quantity\nO1,A,3\nO2,B,4\n" + end)
    assert (rows[-1][1][0], notes.no_rows) == ("O7", 0)


@pytest.mark.parametrize(
    "end", ["Generated by Example 1.2", "(2 rows affected)", "\nEnd of the list", "2026-11-28 10:15"]
)
def test_footers_are_left_out_and_said(end):
    _, rows, notes = read(f"order_number,sku,quantity\nO1,A,3\nO2,B,4\n{end}\n".encode())
    assert (len(rows), notes.no_rows) == (2, 1)


def test_what_looks_like_a_footer_is_a_row_where_rows_follow():
    _, rows, _ = read(b"order_number,sku,quantity\nO1,A,3\n\nGenerated by Example\nO2,B,4\n")
    assert [line for line, _ in rows] == [2, 4, 5]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'sku,name\nA,"x"\nB,"y"z\n', 3),
        (b'sku,name\nA,"x\nB,y\n', 2),
        (b'sku,name\nA,"Deluxe" mug\nB,"y, z"\n', 2),
    ],
)
def test_quotes_that_mean_something_are_not_taken_as_text(content, line):
    with pytest.raises(Invalid, match=f"^Line {line}: a quote"):
        read(content)


def test_stray_quotes_far_below_are_found_without_quoting():
    content = b"order\tname\n" + b"O1\tmug\n" * 20_000 + b'O2\t"Deluxe" mug\n'
    stream = io.BytesIO(content)
    layout = sources.read_layout(stream)
    with pytest.raises(sources.StrayQuote):
        list(sources.batches(stream, layout))
    again = sources.without_quotes(stream, layout)
    assert list(sources.batches(stream, again))[-2].rows[-1] == ["O2", '"Deluxe" mug']


def test_rows_between_two_stray_quotes_are_not_swallowed():
    stream = io.BytesIO(b'order\tname\nO1\t"Deluxe mug\nO2\tcup"\nO3\tx\n')
    layout = sources.read_layout(stream)
    rows = sources.proven(stream, layout, lambda proven: [r for b in sources.batches(stream, proven) for r in b.rows])
    assert rows == [["O1", '"Deluxe mug'], ["O2", 'cup"'], ["O3", "x"]]
    with pytest.raises(Invalid, match="Line 2: a quote is closed on another line"):
        read(b'order\tname\tqty\nO1\t"two\tx\nlines\there"\t1\n')
    assert read(b'order\tname\tqty\nO1\t"two\nlines\there"\t1\n')[1] == [(2, ["O1", "two\nlines\there", "1"])]

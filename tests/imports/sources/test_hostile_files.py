"""Files that are damaged, or made to do harm: a clear sentence, soon, and in little memory."""

import gzip
import io
import os
import resource
import zipfile

import pytest

from billing_core.errors import BillingError, Invalid
from billing_core.imports import sources
from billing_core.imports.sources import unpacking
from tests.imports.sources.reading import read
from tests.imports.sources.workbooks import changed, ods, xlsx, zipped

SHEET = "xl/worksheets/sheet1.xml"
LINES = [["order_number", "sku", "quantity"], ["O1", "A", 3], ["O2", "B", 4.5]]
TABLE = b"order_number,sku,quantity\n" + b"".join(b"O%d,A,%d\n" % (n, n) for n in range(5_000))
PROTECTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(2_000)


def unpacked(content: bytes) -> list[sources.Content]:
    found = []
    with sources.contents("export.zip", io.BytesIO(content)) as inside:
        for one in inside:
            one.stream.read()
            found.append(one)
    return found


def row_of(cell: str, row: int = 2) -> bytes:
    return f'<row r="{row}">{cell}</row>'.encode()


SECOND_ROW = (
    b'<row r="2" spans="1:3"><c r="A2" t="s"><v>3</v></c><c r="B2" t="s"><v>4</v></c><c r="C2"><v>3</v></c></row>'
)
GOOD = xlsx({"Sheet1": LINES})


def with_row(cells: str) -> bytes:
    return changed(GOOD, SHEET, SECOND_ROW, row_of(cells))


REFUSED = {
    "a workbook with a password": (lambda: PROTECTED, "is protected by a password"),
    "half a workbook": (lambda: GOOD[: len(GOOD) // 2], "damaged or not whole"),
    "bytes of a workbook changed": (lambda: GOOD[:200] + os.urandom(400) + GOOD[600:], "damaged"),
    "an old workbook that is none": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(3_000), "damaged"),
    "a web page as .xls": (lambda: b"\r\n<html xmlns:x='urn:x'><table><tr><td>1</td>", "This is a web page"),
    "XML of Excel 2003": (
        lambda: b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>',
        "XML of Excel 2003",
    ),
    "a Word document": (lambda: zipped({"[Content_Types].xml": "", "word/document.xml": ""}), "a Word document"),
    "a cell of a gigabyte": (
        lambda: with_row(f'<c r="A2" t="inlineStr"><is><t>{"x" * 20_000_000}</t></is></c>'),
        "Row 2 of the sheet is longer",
    ),
    "a shared text of a gigabyte": (
        lambda: changed(GOOD, "xl/sharedStrings.xml", b"O1", b"x" * 30_000_000),
        "is longer than 131,072 characters",
    ),
    "a shared text that shrinks too far": (
        lambda: changed(GOOD, "xl/sharedStrings.xml", b"O1", b"x" * 40_000_000),
        "Unpacked, the file is larger than 32 MB: no usual table shrinks as far",
    ),
    "a column far to the right": (lambda: with_row('<c r="ZZZ2"><v>1</v></c>'), "more than 16,384 columns"),
    "a text that is not there": (lambda: with_row('<c r="A2" t="s"><v>99999</v></c>'), "damaged"),
    "two cells in one place": (lambda: with_row('<c r="A2"><v>1</v></c><c r="A2"><v>2</v></c>'), "damaged"),
    "two cells in one place, otherwise written": (
        lambda: with_row('<c r="B2"><v>1</v><x/></c><c r="A2"><v>2</v></c>'),
        "damaged",
    ),
    "rows out of order": (lambda: changed(GOOD, SHEET, b'<row r="3"', b'<row r="1"'), "damaged"),
    "XML that is none": (lambda: with_row('<c r="A2"><v>1</c>'), "damaged"),
    "entities that grow": (
        lambda: changed(GOOD, "xl/workbook.xml", b"<workbook", b'<!DOCTYPE x [<!ENTITY a "b">]><workbook'),
        "damaged",
    ),
    "a billion rows of OpenDocument": (
        lambda: ods(
            "<table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell><text:p>b</text:p></table:table-cell>",
            '</table:table-row><table:table-row table:number-rows-repeated="99999999">'
            '<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="2"/>',
        ),
        "more than 1,048,576 rows",
    ),
    "a million columns of OpenDocument": (
        lambda: ods(
            '<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="999999"/>'
        ),
        "more than 16,384 columns",
    ),
    "ten million columns": (lambda: b"a," * 3_000_000 + b"b\n1,2\n", "Line 1 is longer than 2,000,000 characters"),
    "too many columns": (lambda: b"a," * 20_000 + b"b\n1,2\n", "has 20,001 columns; at most 16,384"),
}


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_damaged_or_hostile_is_refused_with_a_sentence(make, reason):
    with pytest.raises(Invalid, match=reason):
        read(make())


@pytest.mark.parametrize("content", [gzip.compress(TABLE)[:-200], gzip.compress(TABLE)[:-4]])
def test_a_gzip_that_was_cut_off_is_refused(content):
    with pytest.raises(Invalid, match="was cut off"):
        unpacked(content)


def test_a_gzip_that_is_damaged_is_refused():
    content = bytearray(gzip.compress(os.urandom(3_000)))
    content[1_500] ^= 255
    with pytest.raises(Invalid, match="damaged"):
        unpacked(bytes(content))


@pytest.mark.parametrize("pack", [gzip.compress, lambda bomb: zipped({"a.csv": bomb})])
def test_what_unpacks_to_far_too_much_is_not_unpacked(pack, monkeypatch):
    monkeypatch.setattr(unpacking, "ANY_RATIO", 0)
    with pytest.raises(Invalid, match="Unpacked, the file is larger than"):
        unpacked(pack(bytes(30_000_000)))


def test_a_workbook_that_unpacks_to_far_too_much_is_refused():
    bomb = changed(GOOD, SHEET, b"<sheetData>", b"<sheetData>" + b" " * 20_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BillingError):
        read(bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 120_000


def test_links_to_other_files_are_not_followed():
    link = b'</sheetData><hyperlinks><hyperlink ref="A1" r:id="rId9"/></hyperlinks>'
    formula = '<c r="A2" t="str"><f>[1]Other!A1</f><v>O1</v></c><c r="C2"><f>WEBSERVICE("http://x")</f><v>3</v></c>'
    _, rows, _ = read(changed(with_row(formula), SHEET, b"</sheetData>", link))
    assert rows[0] == (2, ["O1", "", "3"])


def test_each_file_of_an_archive_is_one_of_its_own():
    content = zipped(
        {"a/orders.csv": TABLE, "__MACOSX/a/._orders.csv": b"x", "lines.csv": b"a,b\n", "a/.DS_Store": b""}
    )
    assert [one.file_name for one in unpacked(content)] == ["orders.csv", "lines.csv"]
    assert sources.members(io.BytesIO(content)) == ["orders.csv", "lines.csv"]


def test_an_archive_with_nothing_or_too_much_in_it_is_refused():
    with pytest.raises(Invalid, match="holds no files"):
        unpacked(zipped({"a/": b""}))
    with pytest.raises(Invalid, match="holds 51 files; at most 50"):
        unpacked(zipped({f"{number}.csv": b"" for number in range(51)}))


def test_an_archive_with_a_password_is_refused():
    content = bytearray(zipped({"a.csv": TABLE}))
    content[6] |= 1
    place = content.find(b"PK\x01\x02")
    content[place + 8] |= 1
    with pytest.raises(Invalid, match="protected by a password"):
        unpacked(bytes(content))


def test_a_text_in_gzip_is_read_as_if_it_were_not():
    with sources.contents("lines.csv.gz", io.BytesIO(gzip.compress(TABLE))) as inside:
        (one,) = inside
        layout = sources.read_layout(one.stream)
        assert sum(len(batch.rows) for batch in sources.batches(one.stream, layout)) == 5_000
        assert one.file_name == "lines.csv"
        assert zipfile.is_zipfile(one.stream) is False

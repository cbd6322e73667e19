"""What comes of a dropped file: it is read at once, kept in parts, and taken apart where it holds several."""

import gzip
import io
import tracemalloc

import pytest

from billing_core.imports import Kind, inbox, parts, upkeep
from billing_core.imports.models import FileState, ImportFilePart
from billing_core.imports.received import PREVIEWED_CHARACTERS
from tests.imports.files import row_count
from tests.imports.inbox.dropped import ADA, CUSTOMERS, EVE, NOW, ORDERS
from tests.imports.sources.workbooks import xlsx, zipped


def test_files_are_listed_in_the_order_in_which_they_depend_on_each_other(receive, files):
    receive("orders.csv", ORDERS)
    receive("customers.csv", CUSTOMERS)
    assert [received.file_name for received in files()] == ["customers.csv", "orders.csv"]
    assert files(EVE) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"customer_ref,name\n", "has no rows below them"),
        (b"customer_ref,name\n\n\n\n\n\n\n\n", "has no rows below them"),
        (b"customer_ref,name\nACME," + 200_000 * b"x", "Line 2, column “name”: the cell is longer than 131,072"),
        ("customer_ref,name\nACME,Köln, Gießen\n".encode() + b"C\xfc\n", "Line 3 is not UTF-8"),
        (b"", "The file is empty"),
    ],
)
def test_a_file_whose_rows_cannot_be_read_says_so_as_soon_as_it_is_dropped(receive, files, content, reason):
    receive("customers.csv", content)
    (received,) = files()
    assert received.state is FileState.REFUSED
    assert reason in received.problem
    assert received.layout is None, "whoever sees columns to choose would look for the fault there"


def test_what_no_database_can_hold_is_stored_without_it(receive, files):
    receive("cust\0omers\ud800.csv", b"customer_ref,name\n" + 70_000 * b"\n" + b"A,a\0b\n")
    (received,) = files()
    assert received.file_name == "cust\ufffdomers?.csv"
    assert received.preview == [["A", "a\0b"]]


def test_rows_of_megabytes_are_previewed_in_brief(receive, files):
    receive("customers.csv", b"customer_ref,name\nACME," + 100_000 * b"x" + b"," * 1000 + b"\n")
    (received,) = files()
    assert [len(cell) for cell in received.preview[0]] == [4, PREVIEWED_CHARACTERS]


def test_blank_lines_below_the_header_are_no_end_of_the_file(receive):
    received = receive("customers.csv", b"customer_ref,name\n" + 20 * b"\n" + b"ACME,Acme Inc\n")
    assert received.state is FileState.NEW
    assert received.preview == [["ACME", "Acme Inc"]]


def test_a_file_is_read_from_its_parts_as_it_was(receive, sessions):
    size = 2 * parts.PART_BYTES + 17
    content = bytes(range(256)) * (size // 256 + 1)
    received = receive("bytes", content[:size])
    with parts.opened(sessions, received.id, size) as stream:
        assert stream.read() == content[:size]
        for place, count in ((parts.PART_BYTES - 3, 7), (0, 5), (size - 4, 100), (2 * parts.PART_BYTES, 17)):
            assert stream.seek(place) == place
            assert stream.read(count) == content[place : min(place + count, size)]
            assert stream.tell() == min(place + count, size)
        assert stream.seek(0, io.SEEK_END) == size
        assert stream.seek(-4, io.SEEK_CUR) == size - 4
        with pytest.raises(io.UnsupportedOperation):
            stream.write(b"x")


class Endless(io.RawIOBase):
    """A CSV file of customers of so many bytes, which is nowhere whole."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, count: int = -1) -> bytes:
        row = b"ACME,Acme Incorporated\n"
        given = (row * (count // len(row) + 1))[: min(count, self.left)]
        self.left -= len(given)
        return given


def test_a_large_file_is_never_whole_in_memory(sessions):
    size, most = 50_000_000, 8_000_000
    tracemalloc.start()
    try:
        received = inbox.receive(sessions, ADA, "customers.csv", Endless(size), now=NOW)
        with parts.opened(sessions, received.id, size) as stream:
            read = sum(len(piece) for piece in iter(lambda: stream.read(65_536), b""))
        with sessions.begin() as session:
            inbox.discard(session, ADA, [received.token])
        upkeep.forget(sessions, now=NOW)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (received.size, read) == (size, size)
    assert peak < most
    assert row_count(sessions, ImportFilePart) == 0


def test_a_layout_that_was_never_imported_is_guessed(take_in, receive):
    file = b"customer_ref,name\nACME,Acme Inc\n"
    assert receive("customers.csv", file).guessed is True
    take_in("customers", file)
    assert receive("customers.csv", file).guessed is False


def test_each_sheet_and_each_file_of_an_archive_is_one_of_its_own(sessions, files):
    rows = [["order_number", "customer_ref", "order_date"], ["SO-1", "ACME", "2026-03-04"]]
    book = xlsx({"People": [["customer_ref", "name"], ["ACME", "Acme Inc"]], "Sales": rows, "Notes": [["Hello"]]})
    content = zipped({"export/book.xlsx": book, "export/more.csv": b"customer_ref,name\nBETA,Beta\n"})
    inbox.receive_all(sessions, ADA, "export.zip", io.BytesIO(content), now=NOW)
    assert [(one.file_name, one.kind, one.preview) for one in files()] == [
        ("book.xlsx · People", Kind.CUSTOMERS, [["ACME", "Acme Inc"]]),
        ("more.csv", Kind.CUSTOMERS, [["BETA", "Beta"]]),
        ("book.xlsx · Sales", Kind.ORDERS, [["SO-1", "ACME", "2026-03-04"]]),
    ]
    one = inbox.receive(sessions, ADA, "export.zip", io.BytesIO(content), now=NOW)
    assert "archive" in one.problem, "who sends one file is not answered with several"


def test_an_archive_that_is_damaged_is_kept_with_its_problem(sessions, files):
    content = gzip.compress(CUSTOMERS * 1_000)
    inbox.receive_all(sessions, ADA, "customers.csv.gz", io.BytesIO(content[:-9]), now=NOW)
    (one,) = files()
    assert (one.file_name, one.state, one.size) == ("customers.csv", FileState.REFUSED, 0)
    assert "was cut off" in one.problem
    assert row_count(sessions, ImportFilePart) == 0

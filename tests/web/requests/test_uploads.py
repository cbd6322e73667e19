"""A program's file and its fields, or what is wrong with them."""

import anyio
import pytest
from fastapi import Request

from billing_core.errors import Invalid
from billing_core.web.requests import kept_bodies
from billing_core.web.requests.kept_bodies import KeptBody
from billing_core.web.requests.uploads import LONGEST_FIELD, LONGEST_FILE_NAME, uploaded

KIND = "multipart/form-data; boundary=b"
THE_FILE = ('name="file"; filename="orders.csv"', b"id,total\r\n1,2.50\r\n")


def written(*parts):
    body = b"".join(
        b"--b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (told.encode(), content) for told, content in parts
    )
    return body + b"--b--"


def sent(body, *, kind=KIND, in_memory=10):
    """The upload, its file twice."""

    async def read():
        scope = {"type": "http", "headers": [(b"content-type", kind.encode())]}
        with KeptBody(in_memory=in_memory) as kept:
            await kept.add(body)
            await kept.finish()
            upload = await uploaded(Request(scope | {kept_bodies.SCOPE_KEY: kept}))
            return upload, b"".join(upload.chunks()), b"".join(upload.chunks())

    return anyio.run(read)


@pytest.mark.parametrize("in_memory", [10, 10_000])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_file_is_read_wherever_it_stands_among_the_fields(place, in_memory):
    parts = [('name="kind"', b"orders"), ('name="when_certain"', b"true")]
    parts.insert(place, THE_FILE)
    upload, first, second = sent(written(*parts), in_memory=in_memory)
    assert upload.fields == {"kind": "orders", "when_certain": "true"}
    assert (upload.file_name, upload.size) == ("orders.csv", 18)
    assert first == second == b"id,total\r\n1,2.50\r\n"


def test_a_large_file_comes_in_pieces():
    content = bytes(range(256)) * 8000
    upload, first, _ = sent(written(('name="file"; filename="f"', content)))
    assert (first, upload.size) == (content, 2_048_000)


def test_an_empty_file_is_one():
    upload, first, _ = sent(written(('name="file"; filename="f"', b"")))
    assert (upload.size, first) == (0, b"")


@pytest.mark.parametrize(
    ("sent_name", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        (r"C:\\Users\\ana\\März.csv", "März.csv"),
        (r"..\\..\\boot.ini", "boot.ini"),
        (r"\\\\host\\share\\f.csv", "f.csv"),
        (r"a\"b.csv", 'a"b.csv'),
        ("a;b=c.csv", "a;b=c.csv"),
        ("<script>.csv", "<script>.csv"),
        ("=cmd|' /C calc'!A0", "C calc'!A0"),
        ("  f.csv ", "f.csv"),
        ("..", ".."),
    ],
)
def test_a_file_name_has_no_folders(sent_name, name):
    assert sent(written((f'name="file"; filename="{sent_name}"', b"1")))[0].file_name == name


@pytest.mark.parametrize(
    ("file_name", "reason"),
    [
        ("", "needs a file name"),
        ("  ", "needs a file name"),
        ("folder/", "needs a file name"),
        ("a\0.csv", r"contains U\+0000"),
        ("a\x1b[31m.csv", r"contains U\+001B"),
        ("x" * (LONGEST_FILE_NAME + 1), f"longer than {LONGEST_FILE_NAME} characters"),
    ],
)
def test_a_file_name_that_cannot_be_kept_is_refused(file_name, reason):
    with pytest.raises(Invalid, match=f"^file: .*{reason}") as refusal:
        sent(written((f'name="file"; filename="{file_name}"', b"1")))
    assert list(refusal.value.fields) == ["file"]


def test_a_file_name_of_another_syntax_alone_is_none():
    """RFC 7578 forbids it, and two names of one file would be one too many."""
    with pytest.raises(Invalid, match="file: must be a file: it needs a file name"):
        sent(written(("name=\"file\"; filename*=UTF-8''f.csv", b"1")))


@pytest.mark.parametrize(
    ("parts", "about", "reason"),
    [
        ([], "file", "is required"),
        ([('name="kind"', b"orders")], "file", "is required"),
        ([THE_FILE, THE_FILE], "file", "is given more than once"),
        ([THE_FILE, ('name="file"', b"1")], "file", "is given more than once"),
        ([THE_FILE, ('name="other"; filename="g.csv"', b"1")], "other", "must not be a file"),
        ([('name="orders"; filename="f.csv"', b"1")], "orders", "must not be a file: the one file is file"),
        ([('name="file"', b"1")], "file", "must be a file"),
        ([THE_FILE, ('name="kind"', b"a"), ('name="kind"', b"a")], "kind", "is given more than once"),
        ([THE_FILE, ('name="kind"', b"\xff")], "kind", "is not UTF-8"),
        ([THE_FILE, ('name="kind"', b"a\0b")], "kind", r"contains U\+0000"),
        ([THE_FILE, ('name="kind"', b"x" * (LONGEST_FIELD + 1))], "kind", "may have at most 65,536 bytes"),
        ([THE_FILE, ('name=""', b"a")], "body", "has a name that is empty"),
        ([THE_FILE, (f'name="{"x" * 201}"', b"a")], "body", "longer than 200 characters"),
        ([THE_FILE, ('name="a\x07"', b"a")], "body", r"contains U\+0007"),
        ([THE_FILE, *[(f'name="{each}"', b"") for each in range(101)]], "body", "has more than 101 parts"),
    ],
)
def test_anything_but_one_file_and_clear_fields_is_refused(parts, about, reason):
    with pytest.raises(Invalid, match=f"^{about}: .*({reason})") as refusal:
        sent(written(*parts))
    assert list(refusal.value.fields) == [about]


def test_a_field_of_the_longest_size_is_read():
    upload, _, _ = sent(written(THE_FILE, ('name="kind"', b"x" * LONGEST_FIELD)))
    assert upload.fields == {"kind": "x" * LONGEST_FIELD}


def test_a_truncated_body_is_refused_wherever_it_ends():
    whole = written(('name="kind"', b"orders"), THE_FILE)
    for end in range(len(whole) - 1):
        with pytest.raises(Invalid, match=r"^body: ends before its last part does"):
            sent(whole[:end])


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/mixed; boundary=b", "text/csv"])
def test_another_kind_of_body_is_told_what_it_should_be(kind):
    with pytest.raises(Invalid, match="body: must be sent with Content-Type: multipart/form-data"):
        sent(written(THE_FILE), kind=kind)


def test_a_missing_boundary_is_told_of():
    with pytest.raises(Invalid, match="body: needs a boundary in its Content-Type"):
        sent(written(THE_FILE), kind="multipart/form-data")

"""Multipart bodies are read piece by piece, wherever the pieces end."""

import hashlib
from email.message import EmailMessage
from email.policy import HTTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.web.requests import multipart
from billing_core.web.requests.multipart import MOST_PARTS, Malformed

KIND = "multipart/form-data; boundary=b"
A_FIELD = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
# What is nearly a boundary, in every way.
NEARLY = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", b"--b", b"\r\n--b", b"\r\n--", b"b", b"x", b"\0"])
)


def read(body, *, size=1000, kind=KIND):
    """Name, file name and content of each part."""
    pieces = [body[place : place + size] for place in range(0, len(body), size)]
    return [(part.name, part.file_name, b"".join(content)) for part, content in multipart.parts(kind, pieces)]


def body_of(*parts, boundary=b"b"):
    """The body of (disposition, content) parts."""
    written = [
        b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (boundary, told, content)
        for told, content in parts
    ]
    return b"".join(written) + b"--%b--\r\n" % boundary


@given(pieces=NEARLY, size=st.integers(1, 40), further=NEARLY)
def test_no_byte_of_a_file_is_lost_or_added(pieces, size, further):
    first, second = (b"".join(each).replace(b"\r\n--b", b"\r\n--c") for each in (pieces, further))
    # At its very beginning, the end of the headers counts as the line before a boundary.
    first, second = (b"x" + each if each.startswith(b"--b") else each for each in (first, second))
    body = body_of((b'name="file"; filename="f.csv"', first), (b'name="kind"', second))
    assert read(body, size=size) == [("file", "f.csv", first), ("kind", None, second)]


def test_what_the_standard_library_writes_is_read():
    message = EmailMessage(policy=HTTP)
    message["Content-Type"] = "multipart/form-data"
    for name, content in (("kind", b"orders"), ("file", bytes(range(256)) * 9)):
        part = EmailMessage(policy=HTTP)
        part["Content-Disposition"] = f'form-data; name="{name}"' + ('; filename="f.bin"' if name == "file" else "")
        part["Content-Transfer-Encoding"] = "binary"
        part["Content-Type"] = "application/octet-stream"
        part.set_payload(content.decode("latin-1"))
        message.attach(part)
    message.set_boundary("=_17")
    body = b"".join(
        b"--=_17\r\n%b\r\n\r\n%b\r\n"
        % (
            b"\r\n".join(f"{name}: {value}".encode() for name, value in part.items()),
            part.get_payload().encode("latin-1"),
        )
        for part in message.iter_parts()
    )
    assert read(body + b"--=_17--", kind='multipart/form-data; boundary="=_17"') == [
        ("kind", None, b"orders"),
        ("file", "f.bin", bytes(range(256)) * 9),
    ]


def test_names_are_utf_8():
    told = 'name="Umsätze"; filename="März “neu”.csv"'.encode()
    assert read(body_of((told, b""))) == [("Umsätze", "März “neu”.csv", b"")]


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "ends before its last part does"),
        (A_FIELD, "ends before its last part does"),
        (body_of((b'name="a"', b"1"))[:-4], "ends before its last part does"),
        (A_FIELD[:30], "ends before its last part does"),
        (b"--b\r\nContent-Type: text/plain\r\n\r\n1\r\n--b--", "has a part without a name in its Content-Disposition"),
        (body_of((b'filename="f"', b"1")), "has a part without a name in its Content-Disposition"),
        (body_of((b'name="\xff"', b"1")), "has a part whose name is not UTF-8"),
        (body_of((b'name="a"; filename="\xe4.csv"', b"1")), "has a part whose name is not UTF-8"),
        (body_of((b'name="a"\r\nContent-Transfer-Encoding: base64', b"MQ==")), "Content-Transfer-Encoding"),
        (body_of((b'name="a"\r\ncontent-disposition: form-data; name="b"', b"1")), "a header twice"),
        (body_of((b'name="a"\r\nX: ' + b"x" * 70_000, b"1")), "is not multipart with its boundary"),
        (body_of(*[(b'name="a"', b"")] * (MOST_PARTS + 1)), f"has more than {MOST_PARTS} parts"),
    ],
)
def test_what_is_not_whole_or_not_clear_is_malformed(body, reason, size):
    with pytest.raises(Malformed, match=reason):
        read(body, size=size)


@pytest.mark.parametrize("body", [b"--c\r\n\r\n--c--", b"hello", b"{}", b"\0" * 100, b"\r\n" * 3000])
def test_what_begins_otherwise_is_not_searched_for_a_boundary(body):
    with pytest.raises(Malformed, match="boundary"):
        read(body)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("multipart/form-data", "needs a boundary"),
        ("multipart/form-data; boundary=", "needs a boundary"),
        ('multipart/form-data; boundary=""', "needs a boundary"),
        ("multipart/form-data; boundary=" + "b" * 1000, "has too long a boundary"),
    ],
)
def test_a_boundary_is_needed(kind, reason):
    with pytest.raises(Malformed, match=reason):
        read(A_FIELD, kind=kind)


def test_what_follows_the_last_part_is_left_alone():
    assert read(body_of((b'name="a"', b"1")) + b"\r\n--b\r\nrest" * 1000) == [("a", None, b"1")]


TWO = ((b'name="kind"', b"orders"), (b'name="file"; filename="f.csv"', b"1,2"))


def digest(*parts, boundary=b"b", size=1000):
    body = body_of(*parts, boundary=boundary)
    pieces = [body[place : place + size] for place in range(0, len(body), size)]
    return multipart.digest(f"multipart/form-data; boundary={boundary.decode()}", pieces)


def test_the_digest_is_of_names_and_contents_in_their_order():
    def of(text):
        return hashlib.sha256(text).digest()

    told = of(b"kind") + bytes(32) + of(b"orders") + of(b"file") + of(b"f.csv") + of(b"1,2")
    assert digest(*TWO) == of(told)


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_the_digest_does_not_depend_on_the_boundary_or_the_pieces(size):
    assert digest(*TWO, boundary=b"----WebKitFormBoundary17", size=size) == digest(*TWO)


@pytest.mark.parametrize(
    "other",
    [
        (TWO[1], TWO[0]),
        TWO[:1],
        (*TWO, TWO[0]),
        (TWO[0], (TWO[1][0], b"1,3")),
        (TWO[0], (TWO[1][0], b"1,2\r\n")),
        (TWO[0], (b'name="file"; filename="g.csv"', b"1,2")),
        (TWO[0], (b'name="file"', b"1,2")),
        (TWO[0], (b'name="file"; filename=""', b"1,2")),
        ((b'name="kinds"', b"orders"), TWO[1]),
        ((b'name="kin"', b"dorders"), TWO[1]),
    ],
)
def test_another_part_name_order_or_byte_is_another_digest(other):
    assert digest(*other) != digest(*TWO)

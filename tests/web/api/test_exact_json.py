"""Bodies are read exactly, and what no one should send is refused before anything is done with it."""

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from starlette.exceptions import HTTPException

from billing_core.web.api.exact_json import DEEPEST, decode, encode, money, number
from tests.web.api import probe

# What no database sees needs no second one.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WORK = "/api/v2/probe/work"


@pytest.fixture
def client(probed, program):
    return program()


def sent(client, body: str | bytes, **headers):
    content = body.encode() if isinstance(body, str) else body
    return client.post(WORK, content=content, headers={"Content-Type": "application/json", **headers})


REFUSED = [
    ("", "is required"),
    ("{", "not JSON"),
    ("[]", "body"),
    ("null", "body"),
    ('"text"', "body"),
    ("17", "body"),
    ('{"amount": 1,}', "not JSON"),
    ("{'amount': 1}", "not JSON"),
    ('{"amount": NaN}', "NaN is not a number"),
    ('{"amount": Infinity}', "Infinity is not a number"),
    ('{"amount": -Infinity}', "-Infinity is not a number"),
    ('{"amount": 1e999999999}', "too large"),
    ('{"amount": 1e-999999999}', "too large or too small"),
    ('{"amount": ' + "9" * 101 + "}", "more than 100 digits"),
    ('{"amount": "1"}', "amount: must be a number"),
    ('{"amount": true}', "amount: must be a number"),
    ('{"amount": null}', "amount: must not be null"),
    ('{"amount": [1]}', "amount: must be a number"),
    ('{"amount": 1, "count": 1.5}', "count: must be a whole number"),
    ('{"amount": 1, "amount": 2}', "names a field twice"),
    ('{"amount": 1, "discount": 2}', "discount: is not known"),
    ('{"amount": 1, "lines": [{"text": "a", "vat": 1}]}', "lines.0.vat: is not known"),
    ('{"amount": 1, "lines": [{"text": 1}]}', "lines.0.text"),
    ('{"amount": 1, "lines": [{"text": "a\\u0000"}]}', "U+0000"),
    ('{"amount": 1, "lines": [{"text": "\\ud800"}]}', "U+D800"),
    ('{"amount": 1, "\\u0000": 1}', "U+0000"),
    (b'{"amount": 1, "lines": "\xff"}', "not UTF-8"),
    ("[" * 100_000, "nested too deeply"),
    ('{"a":' * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1), "nested too deeply"),
]


@ON_SQLITE
def test_bodies_that_are_refused(client):
    for body, reason in REFUSED:
        response = sent(client, body)
        assert (response.status_code, reason in response.text) == (400, True), (body[:100], response.text)


@ON_SQLITE
def test_a_byte_order_mark_is_no_part_of_a_body(client):
    assert sent(client, b'\xef\xbb\xbf{"amount": 1}').status_code == 201


@ON_SQLITE
def test_a_compressed_body_is_refused_with_its_encoding(client):
    for encoding in ("gzip", "GZIP", "br", "identity, gzip"):
        refused = sent(client, gzip.compress(b'{"amount": 1}'), **{"Content-Encoding": encoding})
        assert refused.status_code == 415
        assert f"Content-Encoding: {encoding.lower()}" in refused.json()["error"]
        assert refused.headers["Accept-Encoding"] == "identity"
    assert sent(client, '{"amount": 1}', **{"Content-Encoding": "identity"}).status_code == 201


@ON_SQLITE
def test_a_body_of_another_kind_is_refused(client):
    for kind in ("text/plain", "application/xml", "multipart/form-data; boundary=x", ""):
        assert sent(client, '{"amount": 1}', **{"Content-Type": kind}).status_code == 400


@ON_SQLITE
def test_numbers_keep_every_digit(client, sessions):
    for amount in ("0.1", "123456789012345678901234567890.123456789", "1E+2", "-0.00", "12345678901234567890"):
        response = sent(client, f'{{"amount": {amount}}}')
        assert response.status_code == 201
        assert json.loads(response.text, parse_float=Decimal, parse_int=Decimal)["amount"] == Decimal(amount)
    assert response.text.endswith('"at":"2026-05-01T10:00:00Z","paid":1500}')


@ON_SQLITE
def test_a_megabyte_is_taken_and_not_a_byte_more(client):
    body = b'{"amount": 1}'
    assert sent(client, body.ljust(1024 * 1024)).status_code == 201
    too_large = sent(client, body.ljust(1024 * 1024 + 1))
    assert (too_large.status_code, too_large.json()) == (413, {"error": "The body is larger than 1024 KiB"})
    assert sent(client, iter([body, b" " * 1024 * 1024])).status_code == 413
    assert sent(client, body, **{"Content-Length": "9" * 30}).status_code == 413


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (605000, "USD", "6050"),
        (1, "USD", "0.01"),
        (-150, "USD", "-1.5"),
        (0, "USD", "0"),
        (5, "JPY", "5"),
        (1234, "KWD", "1.234"),
        (9007199254740993, "USD", "90071992547409.93"),
    ],
)
def test_amounts_are_written_as_the_documents_print_them(minor, currency, text):
    assert encode({"amount": money(minor, currency)}) == f'{{"amount":{text}}}'.encode()


def test_decimals_and_instants():
    assert encode([number(Decimal("10.00")), Decimal("1E+3"), datetime(2024, 2, 15, 10, 0, 0, 5, UTC)]) == (
        b'[10,1000,"2024-02-15T10:00:00Z"]'
    )
    with pytest.raises(TypeError):
        encode(Decimal("NaN"))


def test_decoding_alone():
    assert decode(b'{"a": 1.10, "b": [1, "x"]}') == {"a": Decimal("1.10"), "b": [1, "x"]}
    with pytest.raises(HTTPException):
        decode(b"1e101")
    assert probe.NOW.tzinfo is UTC

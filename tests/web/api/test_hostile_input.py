"""Hostile input at every place where an operation of the published description takes something.

Each request gets a status that the description tells, never a 5xx, and never what went on inside. What is merely
strange, such as SQL in a note, may be taken, and does nothing.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.web.api.described import (
    OPERATIONS,
    address,
    body_of,
    example,
    known_to,
    needed,
    resolved,
    right_body,
    takes_json,
)

pytestmark = [pytest.mark.slow, pytest.mark.later]

SQL = "1'; DROP TABLE invoices; --"
# No place takes these: the wrong kind, or characters and sizes that nothing holds.
REFUSED = [
    *({"deep": {"deeper": []}}, [[]], True, "a\0b", "\ud800", "\x1b[31m", float("nan"), float("-inf"), -(10**30)),
    *(2**63, 10**150),
]
CONTROL = ("a\0b", "\x1b[31m")
# These ask for what bears a name: all but control characters is a name like others, which nothing bears.
NAMES = {
    ("list_organizations", "customer_ref"),
    ("list_usage_events", "user"),
    ("list_open_invoices", "customer_id"),
    ("list_subscriptions", "customer_id"),
    ("get_rejected_rows", "file"),
    ("get_removed_lines", "file"),
    ("list_promo_codes", "plan_id"),
    ("list_promo_codes", "starting_after"),
}
TRUTHS = ("to_customer", "sends", "at_period_end", "prices_include_tax")
# Some places take some of these.
STRANGE = [
    *(SQL, "' OR '1'='1", "../../../../etc/passwd", "..\\..\\x", "%2e%2e%2f", "xyz", "", " ", "null", "💩", "\u202e"),
    *("0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "2023-02-30", "=HYPERLINK(1)", "<script>", "{{7*7}}"),
    *("x" * 6000, "1e999999999", "-1", "0", "9" * 30, "0.123456789012345678901234567890", "-1e-30", "Infinity", "٣"),
    *(-1, 0, 0.1 + 0.2, 1e-300, 1e300, None, 123456789.12345678901234567890),
]
WHOLE = {
    "nothing": b"",
    "malformed": b'{"a": ',
    "a list": b"[]",
    "a text": b'"text"',
    "null": b"null",
    "not UTF-8": b'{"a": "\xff"}',
    "a deep list": b"[" * 100_000,
    "deep objects": b'{"a":' * 500 + b"1" + b"}" * 500,
    "a name twice": b'{"a": 1, "a": 1}',
    "a surplus field": b'{"surplus": 1}',
    "an endless number": b'{"a": ' + b"9" * 10_000 + b"}",
    "huge": b'{"a": "' + b"x" * 10 * 2**20 + b'"}',
}
# Raw, as no well-behaved program would send them.
PATHS = ["%00", "%ED%A0%80", "%FF", "..%2f..%2fetc%2fpasswd", "%2e%2e", "9" * 5000, str(2**63), "-1", "inv_", "a%0ab"]
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def database_url(sqlite_url) -> str:
    """Each service is tried on both databases by tests of its own."""
    return sqlite_url


@pytest.fixture
def client(program):
    return program()


def places(schema: dict[str, Any], at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every field of a body, also of the first of several lines."""
    schema = resolved(schema)
    for name, part in schema.get("properties", {}).items():
        yield (*at, name)
        if part.get("type") == "array":
            yield (*at, name, 0)
            yield from places(part["items"], (*at, name, 0))


def with_value(body: Any, place: tuple[str | int, ...], value: Any) -> Any:
    changed = here = copy.deepcopy(body)
    for step in place[:-1]:
        here = here[step]
    here[place[-1]] = value
    return changed


def seen(answer, one: dict[str, Any], about: Any) -> int:
    """The answer's status, which the description knows."""
    about = str(about)[:200]
    assert str(answer.status_code) in one["responses"], (about, answer.status_code, answer.text[:300])
    assert answer.status_code < 500, (about, answer.text[:300])
    for inside in ("Traceback", "sqlalchemy", "sqlite", "pydantic", 'File "', ".py"):
        assert inside not in answer.text, about
    return answer.status_code


def tried(name: str, client, known: dict[str, Any], headers: dict[str, str]) -> None:
    """Every parameter of the operation with everything."""
    method, path, one = OPERATIONS[name]
    known = known_to(path, known)
    body = right_body(one, known)
    fine = needed(one, known)
    for name in (one for one in ("{id}", "{code}", "{import_id}") if one in path):
        for value in PATHS:
            answer = client.request(method, path.replace(name, value), params=fine, headers=headers, **body)
            assert seen(answer, one, value) == 404, value
    for parameter in one.get("parameters", ()):
        for value in (*REFUSED, *STRANGE):
            if parameter["in"] == "path" or isinstance(value, dict | list) or value is None:
                continue
            given = {parameter["name"]: str(value).encode("utf-8", "surrogatepass")}
            query, sent = (fine | given, headers) if parameter["in"] == "query" else (fine, headers | given)
            # Written out: the client would send the literal of bytes.
            answer = client.request(method, f"{address(path, known)}?{urlencode(query)}", headers=sent, **body)
            status = seen(answer, one, (parameter["name"], value))
            # A header is text in any case, and so is what may be any text.
            as_text = parameter["in"] == "header" or ((name, parameter["name"]) in NAMES and value not in CONTROL)
            wanted = value in REFUSED and not as_text
            assert status in (400, 404) or not wanted, (parameter["name"], value, status)
    for surplus in ("surplus", "a\0", "id;--", "__class__", "limit[]", "customer_id[$ne]"):
        query = {**fine, surplus: "1"}
        answer = client.request(method, address(path, known), params=query, headers=headers, **body)
        assert seen(answer, one, surplus) == 400


@pytest.mark.parametrize("name", OPERATIONS)
def test_hostile_parameters(name, client, known):
    tried(name, client, known, {})
    if OPERATIONS[name][1].startswith("/api/v2/"):
        tried(name, client, known, {"Accept": "application/vnd.billing.envelope+json"})


# Nobody has the password that the description shows.
ACCEPTED = (200, 201, 202, 401)


@pytest.mark.parametrize("name", [name for name, (_, _, one) in OPERATIONS.items() if takes_json(one)])
def test_hostile_bodies(name, client, known):
    method, path, one = OPERATIONS[name]
    known = known_to(path, known)
    schema = body_of(one)
    fine = example(schema, known)
    assert client.request(method, address(path, known), json=fine).status_code in ACCEPTED
    for said, body in WHOLE.items():
        answer = client.request(method, address(path, known), content=body, headers=JSON)
        assert seen(answer, one, said) == (413 if said == "huge" else 400), said
    for place in places(schema):
        for value in (*REFUSED, *STRANGE):
            body = json.dumps(with_value(fine, place, value))
            answer = client.request(method, address(path, known), content=body, headers=JSON)
            status = seen(answer, one, (place, value))
            # An object may be whatever its sender likes, and a truth is one.
            fits = (place[-1] == "properties" and isinstance(value, dict)) or (place[-1] in TRUTHS and value is True)
            assert status == 400 or value not in REFUSED or fits, (place, str(value)[:100], status)
    assert client.get("/api/invoices", params={"business_id": known["business_id"]}).json()["count"] > 0

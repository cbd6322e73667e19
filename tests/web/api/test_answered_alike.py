"""What is wrong with a request is said alike by every operation of the published description, in each API's body."""

from urllib.parse import urlencode

import pytest

from tests.web.api.described import OPERATIONS, address, known_to, needed, right_body, takes_json

JSON = {"Content-Type": "application/json"}
ENVELOPE = {"Accept": "application/vnd.billing.envelope+json"}
NO_NUMBER = ("a", "null", "1.0", "+1", " 1", "1e2", "1_0", "٣", "NaN")
# Nobody has these; of a list by days, each day has its place.
NOBODYS = ("inv_nobody", "2147483646", "00000000-0000-4000-8000-000000000001", "null", "a")
NO_ADDRESS = "is not an e-mail address such as ana@example.com"
NOT_TAKEN = "must be empty: nothing is asked for in it"
# Of invoices.
CHANGES_TAKEN = (
    "is not known here: this request takes status, customer_email, customer_name, due_date, notes, payment_terms"
)
INVOICE_TAKEN = (
    "is not known here: this request takes business_id, customer_email, customer_name, invoice_number, issued_date, "
    "due_date, currency, notes, payment_terms, line_items, discount_percent, discount_amount, prices_include_tax"
)
HALF = "\ud800".encode("utf-8", "surrogatepass")
# Of every body, whatever it is for.
BODIES = {
    "nothing": (b"", JSON, "body: is required"),
    "blanks": (b"  ", JSON, "The body is not JSON: Expecting value at character"),
    "malformed": (b'{"a": ', JSON, "The body is not JSON: Expecting value at character 6"),
    "not a number": (b'{"a": NaN}', JSON, "The body is not JSON: NaN is not a number"),
    "not UTF-8": (b'{"a": "\xff"}', JSON, "The body is not UTF-8"),
    "half a surrogate": (b'{"a": "\\ud800"}', JSON, "The body has a character in it that cannot be kept (U+D800)"),
    "a name twice": (b'{"a": 1, "a": 1}', JSON, "The body names a field twice"),
    "a list": (b"[]", JSON, "body: must be a JSON object"),
    "a text": (b'"text"', JSON, "body: must be a JSON object"),
    "undeclared": (b"{}", {}, "body: must be sent with Content-Type: application/json"),
    "text": (b"{}", {"Content-Type": "text/plain"}, "body: must be sent with Content-Type: application/json"),
}


@pytest.fixture
def database_url(sqlite_url) -> str:
    """Almost all of it is refused before a database is asked."""
    return sqlite_url


@pytest.fixture
def client(program):
    return program()


@pytest.fixture
def there(known, client):
    """What there is, and the organization as the analytics API names it."""
    (organization,) = client.get("/api/v1/organizations?customer_ref=ACME").json()["organizations"]
    return lambda path: known_to(path, known) | ({"{org_id}": organization["id"]} if "/analytics/" in path else {})


def message(answer) -> str:
    """What a body says in words, whichever API's it is."""
    body = answer.json()
    if "success" in body:
        return body["error"]["message"]
    return body.get("message") or body.get("detail") or body["error"]


def parameters(one) -> list[str]:
    return [parameter["name"] for parameter in one.get("parameters", ()) if parameter["in"] == "query"]


def said(client, name: str, there, headers=None, **given) -> tuple[int, str]:
    """Status and words for a request that is right but for ``given``."""
    method, path, one = OPERATIONS[name]
    known = there(path)
    query = urlencode(needed(one, known) | given, doseq=True)
    body = right_body(one, known)
    answer = client.request(method, f"{address(path, known)}?{query}", headers=headers or {}, **body)
    return answer.status_code, message(answer) if answer.status_code >= 400 else ""


@pytest.mark.parametrize("headers", [{}, ENVELOPE], ids=["plain", "envelope"])
def test_parameters(client, there, headers):
    for name, (_, path, one) in OPERATIONS.items():
        if headers and not path.startswith("/api/v2/"):
            continue
        assert said(client, name, there, headers, surplus="1") == (400, "surplus: is not known")
        for parameter in parameters(one):
            for value, reason in (
                ("", "must not be empty"),
                (["1", "1"], "is given more than once"),
                (HALF, "has a character in it that is not allowed"),
                ("a\0b", "has a character in it that is not allowed"),
            ):
                assert said(client, name, there, headers, **{parameter: value}) == (400, f"{parameter}: {reason}"), name


def test_numbers_and_places(client, there):
    paged = 0
    for name, (_, _, one) in OPERATIONS.items():
        named = {parameter["name"]: parameter["schema"] for parameter in one.get("parameters", ())}
        for number in {"limit", "offset"} & named.keys():
            least = named[number]["minimum"]
            for value in NO_NUMBER:
                assert said(client, name, there, **{number: value}) == (400, f"{number}: must be a whole number"), name
            assert said(client, name, there, **{number: str(least - 1)})[1] == f"{number}: must be at least {least}"
            most = f"{number}: must be at most {named[number]['maximum']}"
            for value in (str(named[number]["maximum"] + 1), "9" * 30):
                assert said(client, name, there, **{number: value}) == (400, most), name
        if "starting_after" in named:
            paged += 1
            for nobody in NOBODYS:
                status, words = said(client, name, there, starting_after=nobody)
                assert (status, words.partition(": ")[0]) == (400, "starting_after"), (name, nobody)
    assert paged > 9


def test_bodies(client, there):
    for name, (method, path, one) in OPERATIONS.items():
        known = there(path)
        place, query = address(path, known), needed(one, known)
        if "requestBody" not in one:
            for content in (b"", b"{}", b" {}\n"):
                assert client.request(method, place, content=content, params=query).status_code != 400, name
            for content in (b'{"surplus": null}', b"null", b"[]", b"surplus=1", b"\xff"):
                refused = client.request(method, place, content=content, params=query, headers=JSON)
                assert (refused.status_code, message(refused)) == (400, f"body: {NOT_TAKEN}"), name
            continue
        if not takes_json(one):
            refused = client.request(method, place, content=b"{}", params=query, headers=JSON)
            wanted = "body: must be sent with Content-Type: multipart/form-data"
            assert (refused.status_code, message(refused)) == (400, wanted), name
            continue
        for about, (content, headers, reason) in BODIES.items():
            if name == "record_usage_events" and about in ("not a number", "half a surrogate", "a name twice"):
                # Each event is checked by itself.
                continue
            answer = client.request(method, place, content=content, params=query, headers=headers)
            assert (answer.status_code, message(answer)[: len(reason)]) == (400, reason), (name, about)
        surplus = client.request(method, place, content=b'{"surplus": null}', params=query, headers=JSON)
        unknown = "surplus is not a field" if name == "record_usage_events" else "surplus: is not known"
        assert (surplus.status_code, unknown in message(surplus)) == (400, True), name


@pytest.mark.parametrize(
    ("method", "body", "error", "fields"),
    [
        ("PATCH", {"line_items": []}, "Invalid data", {"line_items": CHANGES_TAKEN}),
        ("PATCH", {"quantity": 0}, "Invalid data", {"quantity": CHANGES_TAKEN}),
        ("PATCH", {"status": None}, "Invalid data", {"status": "must not be null"}),
        ("PATCH", {"customer_email": None}, "Invalid data", {"customer_email": "must not be null"}),
        ("PATCH", {"customer_email": ""}, "Invalid email format", {"customer_email": NO_ADDRESS}),
        ("POST", {"line_items": None}, "Line items required", {"line_items": "must not be null"}),
        ("POST", {"line_items": "one"}, "Invalid data", {"line_items": "must be a list"}),
        ("POST", {"business_id": None}, "Missing required fields", {"business_id": "must not be null"}),
        ("POST", {"business_id": ""}, "Invalid data", {"business_id": "must not be empty"}),
        ("POST", {"customer_emails": "a@b.example"}, "Invalid data", {"customer_emails": INVOICE_TAKEN}),
    ],
)
def test_the_word_for_an_error_is_the_documents_where_exactly_that_is_wrong(client, known, method, body, error, fields):
    line = {"description": "A", "quantity": 1, "unit_price": 1}
    sent = {"business_id": known["business_id"], "customer_email": "a@acme.example", "line_items": [line]}
    place = "/api/invoices" + (f"/{known['/api/invoices']}" if method == "PATCH" else "")
    refused = client.request(method, place, json=body if method == "PATCH" else sent | body)
    told = refused.json()
    assert (refused.status_code, told["error"], told["fields"]) == (400, error, fields)
    ((name, reason),) = fields.items()
    assert told["message"] == f"{name}: {reason}"

"""What programs send that no invoice can be made of: each field is named, and nothing is kept."""

import json

import pytest

from tests.web.api.invoices.line import LINE

# Where the database makes no difference.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

_BAD_VALUES = [
    None,
    True,
    [],
    {},
    "",
    " ",
    "'; DROP TABLE invoices; --",
    "\u0000",
    "\ud800",
    10**400,
    -1,
    1e300,
    float("nan"),
    float("inf"),
    "9999-12-31",
    "0000-00-00",
    "2024-02-30",
    "2024-02-15T99:99:99Z",
    {"$gt": ""},
    "x" * 10_000,
]
NOT_HERE = "is not known here: this request takes"
_MAY_BE_EMPTY = ("customer_name", "invoice_number", "issued_date", "due_date", "currency", "notes", "payment_terms")


def test_bad_values_of_every_field_are_refused_or_kept_as_text(client, business_id, address):
    """Never a 500, and what is refused is named."""
    known = {"business_id": business_id, "customer_email": "client@example.com", "line_items": [LINE]}
    fields = [*known, *_MAY_BE_EMPTY]
    bodies = [(known | {field: bad}, field) for field in fields for bad in _BAD_VALUES]
    bodies += [(known | {"line_items": [LINE | {field: bad}]}, field) for field in LINE for bad in _BAD_VALUES]
    for body, field in bodies:
        answer = client.post("/api/invoices", content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert answer.status_code in (201, 400, 404), (field, answer.text)
        if answer.status_code == 400 and "fields" in answer.json():
            # Terms that are not understood leave the due date to be chosen; lines may not come to less than nothing.
            alike = {"payment_terms": "due_date", "unit_price": "total_amount"}
            names = {field, alike.get(field, field)}
            assert any(names & {*named.split(".")} for named in answer.json()["fields"]), answer.text
    for field in ("status", "customer_email", "customer_name", "due_date", "notes", "payment_terms", "amount"):
        for bad in _BAD_VALUES:
            answer = client.patch(address, content=json.dumps({field: bad}))
            assert answer.status_code in (200, 400), (field, answer.text)


@on_sqlite
@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "null",
        "[]",
        '"text"',
        "1",
        "{}",
        "{'a': 1}",
        '{"business_id": "a", "business_id": "b"}',
        "[" * 10_000,
        b"\xff\xfe",
        '{"business_id": 1e999999999}',
    ],
)
def test_malformed_bodies_are_refused(client, address, content):
    for answer in (client.post("/api/invoices", content=content), client.patch(address, content=content)):
        assert answer.status_code == 400 or content == "{}", answer.text


@on_sqlite
def test_unknown_fields_are_named(client, create, address):
    for answer, field, beginning in (
        (create(customer_mail="x@example.com"), "customer_mail", f"{NOT_HERE} business_id, "),
        (create(line_items=[LINE | {"price": 1}]), "line_items.0.price", "is not known"),
        (client.patch(address, json={"line_items": [LINE]}), "line_items", f"{NOT_HERE} status, customer_email, "),
        (client.patch(address, json={"amount": 1}), "amount", f"{NOT_HERE} status, customer_email, "),
    ):
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
        assert answer.json()["fields"][field].startswith(beginning)

"""Every row of the invoices document's tables: parameters, statuses, currencies, taxes."""

import json
from datetime import timedelta

import pytest

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, queries
from billing_core.payments import refunds
from billing_core.payments.models import PaymentMethod
from billing_core.payments.refunds import MoneyBack
from tests.web.api.invoices.documented.document import body, create, send


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("business_id", {"business_id": "is required"}),
        ("customer_email", {"customer_email": "is required"}),
        ("line_items", {"line_items": "is required"}),
    ],
)
def test_what_create_requires(client, business_id, field, fields):
    refused = create(client, business_id, **{field: None})

    assert (refused.status_code, refused.json()["fields"]) == (400, fields)
    assert refused.json()["error"] == ("Line items required" if field == "line_items" else "Missing required fields")


def test_what_create_takes_for_granted(client, business_id):
    today = utc_now().date()
    invoice = create(client, business_id).json()

    assert invoice["invoice_number"] == f"INV-{today.year}-001"
    assert invoice["issued_date"] == f"{today}T00:00:00Z"
    assert invoice["due_date"] == f"{today + timedelta(days=30)}T00:00:00Z"
    assert (invoice["currency"], invoice["notes"], invoice["payment_terms"]) == ("USD", None, "Net 30")
    (line,) = invoice["line_items"]
    assert (line["type"], line["tax_rate"]) == ("service", 0)


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("customer_email", "ana@example.org", "ana@example.org"),
        ("customer_name", "Ana", "Ana"),
        ("invoice_number", "A-7", "A-7"),
        ("issued_date", "2024-02-29", "2024-02-29T00:00:00Z"),
        ("due_date", "2199-12-31", "2199-12-31T00:00:00Z"),
        ("currency", "GBP", "GBP"),
        ("notes", "Two\nlines", "Two\nlines"),
        ("payment_terms", "Due on receipt", "Due on receipt"),
    ],
)
def test_what_create_keeps(client, business_id, field, value, shown):
    made = create(client, business_id, **{field: value})

    assert (made.status_code, made.json()[field]) == (201, shown)


@pytest.mark.parametrize(
    ("field", "value", "shown", "wrong"),
    [
        ("description", "Consulting", "Consulting", ""),
        ("quantity", "2.5", 2.5, "0"),
        ("unit_price", "0.000001", 0.000001, "-0.0000001"),
        ("type", "product", "product", "rent"),
        ("tax_rate", "100", 100, "100.0001"),
    ],
)
def test_fields_of_a_line(client, business_id, field, value, shown, wrong):
    for given in (value, wrong):
        line = {"description": "Consulting", "quantity": 1, "unit_price": 100} | {field: "GIVEN"}
        written = given if field in ("quantity", "unit_price", "tax_rate") else f'"{given}"'
        sent = json.dumps(body(business_id, line_items=[line])).replace('"GIVEN"', written)
        answer = client.post("/api/invoices", content=sent, headers={"Content-Type": "application/json"})
        if given == value:
            assert (answer.status_code, answer.json()["line_items"][0][field]) == (201, shown)
        else:
            assert (answer.status_code, list(answer.json()["fields"])) == (400, [f"line_items.0.{field}"])


@pytest.mark.parametrize("missing", ["description", "quantity", "unit_price"])
def test_what_a_line_requires(client, business_id, missing):
    line = {"description": "Consulting", "quantity": 1, "unit_price": 100}
    del line[missing]

    refused = create(client, business_id, line_items=[line])

    assert (refused.status_code, refused.json()["error"]) == (400, "Missing required fields")
    assert refused.json()["fields"] == {f"line_items.0.{missing}": "is required"}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("business_id=biz_nobody", 404),
        ("business_id={}&status=open", 400),
        ("business_id={}&limit=0", 400),
        ("business_id={}&limit=101", 400),
        ("business_id={}&limit=ten", 400),
        ("business_id={}&limit=100", 200),
        ("business_id={}&starting_after=inv_nobody", 400),
        ("business_id={}&customer=1", 400),
    ],
)
def test_parameters_of_the_list(client, business_id, query, status):
    assert client.get(f"/api/invoices?{query.format(business_id)}").status_code == status


def test_the_list_has_fifty_unless_told(client, business_id):
    listed = client.get(f"/api/invoices?business_id={business_id}").json()

    assert (listed["invoices"], listed["count"], listed["filter"]) == ([], 0, {"status": None, "limit": 50})


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("status", "sent", "overdue"),
        ("customer_email", "new@example.com", "new@example.com"),
        ("customer_name", "Jane", "Jane"),
        ("due_date", "2024-04-15", "2024-04-15T00:00:00Z"),
        ("notes", "", None),
        ("payment_terms", None, None),
    ],
)
def test_parameters_of_update(client, example, field, value, shown):
    changed = client.patch(f"/api/invoices/{example}", json={field: value})

    assert (changed.status_code, changed.json()[field]) == (200, shown)


# Statuses, currencies, taxes


@pytest.mark.parametrize("status", ["draft", "sent", "viewed", "paid", "overdue", "cancelled", "refunded"])
def test_every_status_is_reached_shown_and_filtered_by(client, business_id, sessions, status):
    invoice_id = create(client, business_id).json()["invoice_id"]
    now = utc_now()
    with sessions.begin() as session:
        if status not in ("draft", "cancelled"):
            inner = send(session, invoice_id)
        if status == "viewed":
            after_sending.mark_viewed(session, queries.one(session, SYSTEM, invoice_id).token, now=now)
    if status in ("paid", "overdue", "cancelled"):
        assert client.patch(f"/api/invoices/{invoice_id}", json={"status": status}).status_code == 200
    if status == "refunded":
        assert client.patch(f"/api/invoices/{invoice_id}", json={"status": "paid"}).status_code == 200
        refund(sessions, inner)

    assert client.get(f"/api/invoices/{invoice_id}").json()["status"] == status
    listed = client.get(f"/api/invoices?business_id={business_id}&status={status}").json()
    assert [row["invoice_id"] for row in listed["invoices"]] == [invoice_id]
    others = {"draft", "sent", "viewed", "paid", "overdue", "cancelled", "refunded"} - {status}
    for other in others:
        assert client.get(f"/api/invoices?business_id={business_id}&status={other}").json()["count"] == 0


@pytest.mark.parametrize("currency", ["USD", "EUR", "GBP", "CAD", "AUD"])
def test_supported_currencies(client, business_id, currency):
    assert create(client, business_id, currency=currency).json()["currency"] == currency


@pytest.mark.parametrize("currency", ["JPY", "usd", "XXX", "", 840])
def test_other_currencies_are_refused(client, business_id, currency):
    refused = create(client, business_id, currency=currency)

    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["currency"])


def test_the_tax_calculation(client, business_id):
    """Line 1: 1 × 5000 at 10 % = 500; line 2: 1 × 500 at 0 % = 0; total 5500 + 500 = 6000."""
    lines = [
        {"description": "One", "quantity": 1, "unit_price": 5000, "tax_rate": 10},
        {"description": "Two", "quantity": 1, "unit_price": 500, "tax_rate": 0},
    ]

    invoice = create(client, business_id, line_items=lines).json()

    assert (invoice["amount"], invoice["tax_amount"], invoice["total_amount"]) == (5500, 500, 6000)


def refund(sessions, invoice_id: int) -> None:
    """Give all of it back, as the page does."""
    today = utc_now().date()
    back = MoneyBack("They changed their mind", PaymentMethod.OTHER, today)
    with sessions.begin() as session:
        refunds.refund(session, SYSTEM, invoice_id, wanted=back, today=today, now=utc_now())

"""Every example of the invoices document as it stands, and every row of its tables.

Only key, host and ids are replaced. Where the settled contradictions call a figure of the document an error (tax 550 of
two lines of which one has none), theirs is expected.
"""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from billing_core.businesses.models import Business
from billing_core.collecting import applying, choice, sandbox
from billing_core.collecting.gateway import Declined
from billing_core.collecting.models import SandboxCharge
from billing_core.collecting.sandbox import SandboxGateway
from billing_core.collecting.sandbox_cards import Outcome
from billing_core.dates import utc_now
from billing_core.errors import UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices import following, queries, service
from billing_core.invoices.payment_links import CollectionWay, Mode, PaymentLink
from billing_core.outbox.models import OutboxMessage
from billing_core.payments import refunds
from billing_core.payments.models import PaymentMethod
from billing_core.payments.refunds import MoneyBack
from billing_core.settings import settings
from tests.web.api import curl

CREATE = """
curl -X POST http://localhost:3000/api/invoices \\
  -H "Authorization: Bearer pk_xxx:sk_xxx" \\
  -H "Content-Type: application/json" \\
  -d '{
    "business_id": "biz_abc123",
    "customer_email": "client@example.com",
    "customer_name": "John Smith",
    "invoice_number": "INV-2024-001",
    "issued_date": "2024-02-15",
    "due_date": "2024-03-15",
    "currency": "USD",
    "notes": "Thank you for your business!",
    "payment_terms": "Net 30",
    "line_items": [
      {
        "description": "Website Development",
        "quantity": 1,
        "unit_price": 5000,
        "type": "service",
        "tax_rate": 10
      },
      {
        "description": "Hosting Setup",
        "quantity": 1,
        "unit_price": 500,
        "type": "fee",
        "tax_rate": 0
      }
    ]
  }'
"""
LIST = """
curl http://localhost:3000/api/invoices?business_id=biz_abc123&status=sent&limit=20 \\
  -H "Authorization: Bearer pk_xxx:sk_xxx"
"""
GET = """
curl http://localhost:3000/api/invoices/inv_xyz789 \\
  -H "Authorization: Bearer pk_xxx:sk_xxx"
"""
PATCH = """
curl -X PATCH http://localhost:3000/api/invoices/inv_xyz789 \\
  -H "Authorization: Bearer pk_xxx:sk_xxx" \\
  -H "Content-Type: application/json" \\
  -d '{
    "customer_email": "newemail@example.com",
    "customer_name": "Jane Smith",
    "due_date": "2024-04-15",
    "notes": "Updated notes",
    "payment_terms": "Net 45"
  }'
"""
DELETE = """
curl -X DELETE http://localhost:3000/api/invoices/inv_xyz789 \\
  -H "Authorization: Bearer pk_xxx:sk_xxx"
"""
ISSUE_LINK = """
curl -X POST http://localhost:3000/api/invoices/inv_xyz789/payment-link \\
  -H "Authorization: Bearer pk_xxx:sk_xxx"
"""
GET_LINK = """
curl http://localhost:3000/api/invoices/inv_xyz789/payment-link \\
  -H "Authorization: Bearer pk_xxx:sk_xxx"
"""
# What the document's own answers say of the invoice of its first example.
SAID = {
    "invoice_number": "INV-2024-001",
    "customer_email": "client@example.com",
    "amount": 5500,
    "tax_amount": 500,
    "total_amount": 6000,
    "currency": "USD",
    "issued_date": "2024-02-15T00:00:00Z",
    "due_date": "2024-03-15T00:00:00Z",
}
DETAILS = {"customer_name": "John Smith", "notes": "Thank you for your business!", "payment_terms": "Net 30"}
LINE_SAID = {"description": "Website Development", "quantity": 1, "unit_price": 5000, "type": "service", "tax_rate": 10}


@pytest.fixture
def database_url(sqlite_url) -> str:
    """What the database does is tested elsewhere."""
    return sqlite_url


@pytest.fixture
def pair(key_of):
    key = key_of("admin")
    return f"{key.public_key}:{key.secret_key}"


@pytest.fixture
def client(api, browser, pair):
    client = browser()
    client.headers["Authorization"] = f"Bearer {pair}"
    return client


@pytest.fixture
def replaced(pair, client):
    (business,) = client.get("/api/businesses").json()["businesses"]
    return {"pk_xxx:sk_xxx": pair, "http://localhost:3000": "", "biz_abc123": business["business_id"]}


@pytest.fixture
def business_id(replaced) -> str:
    return replaced["biz_abc123"]


@pytest.fixture
def example(browser, api, replaced) -> str:
    """The invoice of the document's first example; its id."""
    made = curl.run(browser(), CREATE, replaced).json()
    replaced["inv_xyz789"] = made["invoice_id"]
    return made["invoice_id"]


def send(session, invoice_id: str) -> int:
    """Send the invoice on the pages; its inner id."""
    found = queries.one(session, SYSTEM, invoice_id)
    return service.open_invoice(session, SYSTEM, found.id, now=utc_now()).id


def body(of_business: str, **facts) -> dict:
    """A request that is right but for what a test changes; None leaves a field out."""
    line = {"description": "Consulting", "quantity": 1, "unit_price": 100}
    known = {"business_id": of_business, "customer_email": "client@example.com", "line_items": [line]}
    return {name: value for name, value in (known | facts).items() if value is not None}


def create(client, of_business: str, **facts):
    return client.post("/api/invoices", json=body(of_business, **facts))


# The requests


def test_create_invoice(browser, api, replaced):
    made = curl.run(browser(), CREATE, replaced)

    assert made.status_code == 201
    invoice = made.json()
    assert {name: invoice[name] for name in SAID | DETAILS} == SAID | DETAILS
    assert (invoice["status"], invoice["business_id"]) == ("draft", replaced["biz_abc123"])
    assert invoice["invoice_id"].startswith("inv_")
    first, second = invoice["line_items"]
    assert {name: first[name] for name in LINE_SAID} == LINE_SAID
    assert (second["description"], second["unit_price"], second["type"], second["tax_rate"]) == (
        "Hosting Setup",
        500,
        "fee",
        0,
    )
    assert {line["invoice_id"] for line in invoice["line_items"]} == {invoice["invoice_id"]}
    assert invoice["created_at"] == invoice["updated_at"] == first["created_at"]
    assert made.headers["Location"] == f"/api/invoices/{invoice['invoice_id']}"


def test_list_invoices(browser, client, replaced, sessions, example):
    create(client, replaced["biz_abc123"])
    with sessions.begin() as session:
        # Its due date lies years back; to be listed as sent it must not be overdue.
        send(session, example)
    moved = (utc_now().date() + timedelta(days=9)).isoformat()
    client.patch(f"/api/invoices/{example}", json={"due_date": moved})

    listed = curl.run(browser(), LIST, replaced)

    assert listed.status_code == 200
    answer = listed.json()
    assert (answer["count"], answer["business_id"]) == (1, replaced["biz_abc123"])
    assert answer["filter"] == {"status": "sent", "limit": 20}
    (invoice,) = answer["invoices"]
    assert {name: invoice[name] for name in SAID} == SAID | {"due_date": f"{moved}T00:00:00Z"}
    assert (invoice["invoice_id"], invoice["status"]) == (example, "sent")
    shown = "invoice_id business_id invoice_number customer_email status amount tax_amount total_amount currency"
    assert set(invoice) == {*shown.split(), "issued_date", "due_date", "created_at", "updated_at"}


def test_get_invoice(browser, replaced, example):
    found = curl.run(browser(), GET, replaced)

    assert found.status_code == 200
    invoice = found.json()
    assert {name: invoice[name] for name in SAID | DETAILS} == SAID | DETAILS
    assert [line["description"] for line in invoice["line_items"]] == ["Website Development", "Hosting Setup"]
    assert (invoice["stripe_payment_link"], invoice["stripe_invoice_id"]) == (None, None)
    assert (invoice["paid_at"], invoice["viewed_at"]) == (None, None)


def test_update_invoice(browser, replaced, example):
    changed = curl.run(browser(), PATCH, replaced)

    assert changed.status_code == 200
    invoice = changed.json()
    assert {
        name: invoice[name] for name in ("customer_email", "customer_name", "due_date", "notes", "payment_terms")
    } == {
        "customer_email": "newemail@example.com",
        "customer_name": "Jane Smith",
        "due_date": "2024-04-15T00:00:00Z",
        "notes": "Updated notes",
        "payment_terms": "Net 45",
    }
    assert curl.run(browser(), GET, replaced).json() == invoice


def test_cancel_invoice(browser, replaced, example):
    cancelled = curl.run(browser(), DELETE, replaced)

    assert cancelled.status_code == 200
    assert cancelled.json() == {"message": "Invoice cancelled successfully", "invoice_id": example}
    kept = curl.run(browser(), GET, replaced).json()
    assert (kept["status"], kept["invoice_number"]) == ("cancelled", "INV-2024-001")


def test_generate_and_get_payment_link(browser, replaced, example):
    issued = curl.run(browser(), ISSUE_LINK, replaced)

    assert issued.status_code == 201
    link = issued.json()
    assert set(link) == {"payment_link_url", "stripe_invoice_id", "expires_at"}
    assert link["payment_link_url"].startswith("http")
    assert link["expires_at"].endswith("Z")
    found = curl.run(browser(), GET_LINK, replaced)
    assert (found.status_code, found.json()) == (200, link)
    invoice = curl.run(browser(), GET, replaced).json()
    assert (invoice["stripe_payment_link"], invoice["status"]) == (link["payment_link_url"], "overdue")


def test_the_workflow_from_draft_to_paid(client, business_id, sessions):
    # Step 1: Create Invoice
    invoice = client.post(
        "/api/invoices",
        json={
            "business_id": business_id,
            "customer_email": "client@example.com",
            "customer_name": "John Smith",
            "line_items": [
                {
                    "description": "Consulting Services",
                    "quantity": 10,
                    "unit_price": 500,
                    "type": "service",
                    "tax_rate": 10,
                }
            ],
        },
    ).json()
    assert (invoice["status"], invoice["total_amount"]) == ("draft", 5500)
    address = f"/api/invoices/{invoice['invoice_id']}"

    # Step 2: Generate Payment Link
    payment_link = client.post(f"{address}/payment-link").json()
    sent = client.get(address).json()
    assert (sent["status"], sent["stripe_payment_link"]) == ("sent", payment_link["payment_link_url"])

    # Step 3: Customer Pays
    pay_in_the_sandbox(sessions, invoice["invoice_id"])

    # Step 4: Get Final Status
    updated = client.get(address).json()
    assert updated["status"] == "paid"
    assert updated["paid_at"].endswith("Z")


def pay_in_the_sandbox(sessions, invoice_id: str, outcome: Outcome = Outcome.SUCCEEDS) -> None:
    with sessions.begin() as session:
        found = queries.one(session, SYSTEM, invoice_id)
        link_id = session.scalars(select(PaymentLink.id).where(PaymentLink.invoice_id == found.id)).one()
        sandbox.pay(session, SYSTEM, link_id, outcome, now=utc_now())
    tell(sessions)


def tell(sessions) -> set[str]:
    """Apply the events that the sandbox has sent so far, as the webhook does; their kinds."""
    with sessions() as session:
        sent = session.scalars(
            select(OutboxMessage).where(OutboxMessage.channel == "sandbox").order_by(OutboxMessage.id)
        )
        events = [json.loads(message.content["event"]) for message in sent]
    for event in events:
        with sessions.begin() as session:
            applying.apply(session, event, mode=Mode.SANDBOX, now=utc_now())
    return {event["type"] for event in events}


@pytest.mark.parametrize(
    ("kind", "status"),
    [("payment_intent.succeeded", "paid"), ("charge.refunded", "refunded"), ("invoice.payment_failed", "overdue")],
)
def test_webhooks_update_the_status(client, business_id, sessions, kind, status):
    if kind == "invoice.payment_failed":
        with sessions.begin() as session:
            session.execute(update(Business).values(collects_by=CollectionWay.HOSTED_INVOICE.value))
    invoice = create(client, business_id).json()
    client.post(f"/api/invoices/{invoice['invoice_id']}/payment-link")

    outcome = Outcome.DECLINED if kind == "invoice.payment_failed" else Outcome.SUCCEEDS
    pay_in_the_sandbox(sessions, invoice["invoice_id"], outcome)
    if kind == "charge.refunded":
        with sessions() as session:
            intent = session.scalars(select(SandboxCharge.intent_id)).one()
        SandboxGateway(sessions, settings()).refund(intent, 10_000, "USD", reason="Returned", key="r1")

    assert kind in tell(sessions)
    assert client.get(f"/api/invoices/{invoice['invoice_id']}").json()["status"] == status


# The tables of parameters


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
    assert (invoice["currency"], invoice["notes"], invoice["payment_terms"]) == ("USD", None, None)
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
        ("unit_price", "0.000001", 0.000001, "-1"),
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
        ("business_id={}&starting_after=inv_nobody", 404),
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
            following.mark_viewed(session, queries.one(session, SYSTEM, invoice_id).token, now=now)
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


# Errors


@pytest.mark.parametrize(
    ("facts", "status", "error"),
    [
        ({"customer_email": None}, 400, "Missing required fields"),
        ({"customer_email": "client"}, 400, "Invalid email format"),
        ({"line_items": []}, 400, "Line items required"),
        ({"line_items": [{"description": "A", "quantity": 0, "unit_price": 1}]}, 400, "Invalid quantity"),
        ({"business_id": "biz_nobody"}, 404, "Not found"),
    ],
)
def test_common_errors_of_creating(client, business_id, facts, status, error):
    refused = create(client, business_id, **facts)

    assert (refused.status_code, refused.json()["error"]) == (status, error)


@pytest.mark.parametrize("command", [CREATE, LIST, GET, PATCH, DELETE, ISSUE_LINK, GET_LINK])
def test_no_address_answers_without_credentials(browser, api, command):
    for credentials in ("", "Bearer pk_xxx:sk_xxx", "Bearer nonsense", "Basic YTpi"):
        refused = curl.run(browser(), command, {"Bearer pk_xxx:sk_xxx": credentials, "http://localhost:3000": ""})

        assert (refused.status_code, refused.json()["error"]) == (401, "Invalid authentication")


@pytest.mark.parametrize("command", [GET, PATCH, DELETE, ISSUE_LINK, GET_LINK])
def test_unknown_invoices_are_not_found(browser, client, replaced, example, command):
    for invoice_id in ("inv_xyz789", "1", "9223372036854775808", "inv_%27%20OR%201=1--", "inv_%00", "%F0%9F%92%B8"):
        refused = curl.run(browser(), command, replaced | {"inv_xyz789": invoice_id})

        assert (refused.status_code, refused.json()["error"]) == (404, "Not found")


def test_an_invoice_without_a_payment_link_has_none(browser, replaced, example):
    assert curl.run(browser(), GET_LINK, replaced).status_code == 404


def test_a_second_payment_link_is_a_conflict(browser, replaced, example):
    curl.run(browser(), ISSUE_LINK, replaced)

    refused = curl.run(browser(), ISSUE_LINK, replaced)

    assert (refused.status_code, refused.json()["error"]) == (409, "Conflict")


@pytest.mark.parametrize("status", ["paid", "cancelled"])
def test_what_is_settled_gets_no_payment_link(browser, client, replaced, example, status):
    client.patch(f"/api/invoices/{example}", json={"status": status})

    assert curl.run(browser(), ISSUE_LINK, replaced).status_code == 409


@pytest.mark.parametrize("failure", [UpstreamFailed("Stripe does not answer"), Declined("Stripe refused: no account")])
def test_a_gateway_that_fails_is_a_stripe_integration_error(browser, client, replaced, example, failure, monkeypatch):
    class Failing(SandboxGateway):
        def issue(self, charge, way, *, key):
            raise failure

    monkeypatch.setattr(choice, "gateway", lambda sessions, settings: Failing(sessions, settings))

    refused = curl.run(browser(), ISSUE_LINK, replaced)

    assert (refused.status_code, refused.json()["error"]) == (500, "Stripe integration error")
    assert refused.json()["reference"]
    assert client.get(f"/api/invoices/{example}").json()["status"] == "draft"


def refund(sessions, invoice_id: int) -> None:
    """Give all of it back, as the page does."""
    today = utc_now().date()
    back = MoneyBack("They changed their mind", PaymentMethod.OTHER, today)
    with sessions.begin() as session:
        refunds.refund(session, SYSTEM, invoice_id, wanted=back, today=today, now=utc_now())

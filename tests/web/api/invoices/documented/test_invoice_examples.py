"""Every example of the invoices document as it stands, and its webhooks.

Only key, host and ids are replaced. Where the settled contradictions call a figure of the document an error (tax 550 of
two lines of which one has none), theirs is expected.
"""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from billing_core.businesses.models import Business
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import queries
from billing_core.invoices.payment_links import CollectionWay, Mode, PaymentLink
from billing_core.online_payments.models import SandboxCharge
from billing_core.online_payments.sandbox import gateway
from billing_core.online_payments.sandbox.cards import Outcome
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.online_payments.webhooks import handlers
from billing_core.outbox.models import OutboxMessage
from billing_core.settings import settings
from tests.web.api import curl
from tests.web.api.invoices.documented.document import (
    CREATE,
    CREATE_LINK,
    DELETE,
    DETAILS,
    GET,
    GET_LINK,
    LINE_SAID,
    LIST,
    PATCH,
    SAID,
    create,
    send,
)


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
    issued = curl.run(browser(), CREATE_LINK, replaced)

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
        gateway.pay(session, SYSTEM, link_id, outcome, now=utc_now())
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
            handlers.apply(session, event, mode=Mode.SANDBOX, now=utc_now())
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

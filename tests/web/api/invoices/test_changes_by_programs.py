"""Changes of invoices by programs: every move of the status, and nothing that somebody else has changed since."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, queries
from billing_core.payments import received
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.received import Received
from tests.invoices.company import a_customer, a_draft
from tests.web.api.invoices.line import LINE

pytestmark = pytest.mark.slow

# Where the database makes no difference.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

STATUSES = ("draft", "sent", "viewed", "paid", "overdue", "cancelled", "refunded")
# Point 12 of the settled contradictions; to its own status nothing changes, while there is something to change.
ALLOWED = {
    "draft": {"draft", "sent", "paid", "cancelled"},
    "sent": {"sent", "viewed", "paid", "overdue", "cancelled"},
    "viewed": {"viewed", "paid", "overdue", "cancelled"},
    "overdue": {"overdue", "paid", "cancelled"},
    "paid": set(),
    "cancelled": set(),
}


def days_ahead(days: int) -> str:
    return (utc_now().date() + timedelta(days=days)).isoformat()


# Changes of status


@on_sqlite
@pytest.mark.parametrize("start", ALLOWED)
def test_every_change_of_status_is_made_or_refused_whole(client, create, start):
    way = {"draft": [], "viewed": ["sent", "viewed"], "overdue": ["sent", "overdue"]}.get(start, ["sent", start])
    for wanted in STATUSES:
        address = f"/api/invoices/{create().json()['invoice_id']}"
        for step in way:
            client.patch(address, json={"status": step})
        before = client.get(address).json()
        assert before["status"] == start

        answer = client.patch(address, json={"status": wanted, "notes": "Changed"})

        if wanted in ALLOWED[start]:
            assert (answer.status_code, answer.json()["status"], answer.json()["notes"]) == (200, wanted, "Changed")
        else:
            assert (answer.status_code, answer.json()["error"]) == (409, "Conflict"), (start, wanted)
            assert client.get(address).json() == before


def test_paid_records_a_manual_payment_of_what_is_due(client, address, sessions):
    assert client.patch(address, json={"status": "paid"}).json()["paid_at"]

    with sessions() as session:
        payment = session.scalars(select(Payment)).one()
        assert (payment.amount_minor, payment.currency, payment.method) == (23800, "USD", PaymentMethod.OTHER)


@on_sqlite
def test_a_payment_that_looks_like_an_earlier_one_is_recorded_and_names_that_one(client, create, sessions):
    """Three invoices of 238.00 for the same customer on one day: each later payment looks like the first."""
    addresses = [f"/api/invoices/{create().json()['invoice_id']}" for _ in range(3)]
    paid = [client.patch(address, json={"status": "paid"}) for address in addresses]

    assert [answer.json()["status"] for answer in paid] == ["paid"] * 3
    with sessions() as session:
        made = session.scalars(select(Payment.public_id).order_by(Payment.id)).all()
    assert len(made) == 3
    assert [answer.headers.get("Payment-Recorded-Before") for answer in paid] == [None, made[0], made[0]]
    assert "Payment-Recorded-Before" not in client.get(addresses[1]).headers


@on_sqlite
@pytest.mark.parametrize(
    ("payer", "days", "minor"), [("client", 1, 238_00), ("client", 0, 238_01), ("other", 0, 238_00)]
)
def test_a_payment_of_another_day_amount_or_customer_is_not_named(client, create, sessions, payer, days, minor):
    """The invoice is the first customer's, over 238.00."""
    address, today = f"/api/invoices/{create().json()['invoice_id']}", utc_now().date()
    create(customer_email="other@example.com")
    with sessions.begin() as session:
        owner = select(Customer.id).where(Customer.email == f"{payer}@example.com")
        money = Received("USD", minor, PaymentMethod.CASH, today - timedelta(days=days))
        facts = {"customer_id": session.scalars(owner).one(), "received": money, "allocations": {}}
        received.record(session, SYSTEM, **facts, today=today, now=utc_now())

    answer = client.patch(address, json={"status": "paid"})

    assert (answer.json()["status"], "Payment-Recorded-Before" in answer.headers) == ("paid", False)


@on_sqlite
def test_an_overdue_invoice_is_sent_again_when_its_due_date_moves_on(client, address):
    client.patch(address, json={"status": "sent"})
    client.patch(address, json={"status": "overdue"})

    assert client.patch(address, json={"status": "sent"}).status_code == 409
    moved = client.patch(address, json={"status": "sent", "due_date": days_ahead(60)})

    assert (moved.status_code, moved.json()["status"]) == (200, "sent")


@on_sqlite
def test_what_is_paid_or_cancelled_does_not_change_or_cancel(client, create):
    for status in ("paid", "cancelled"):
        address = f"/api/invoices/{create().json()['invoice_id']}"
        client.patch(address, json={"status": status})

        for answer in (client.patch(address, json={"notes": "Late"}), client.patch(address, json={})):
            assert (answer.status_code, answer.json()["error"]) == (409, "Conflict")
        assert client.delete(address).status_code == 409


@on_sqlite
def test_nothing_to_change_changes_nothing(client, address):
    before = client.get(address)

    assert client.patch(address, json={}).json() == before.json()
    assert client.get(address).headers["ETag"] == before.headers["ETag"]


@on_sqlite
def test_a_draft_of_the_pages_has_no_number_and_is_discarded(client, sessions, business_id):
    with sessions.begin() as session:
        draft = a_draft(session, a_customer(session)).public_id
    assert client.get(f"/api/invoices/{draft}").json()["invoice_number"] is None

    assert client.delete(f"/api/invoices/{draft}").status_code == 200

    assert client.get(f"/api/invoices/{draft}").json()["status"] == "cancelled"
    assert client.get(f"/api/invoices?business_id={business_id}").json()["count"] == 0


# Concurrent changes


def test_a_stale_change_is_refused(client, address):
    read = client.get(address).headers["ETag"]
    assert client.patch(address, json={"notes": "First"}, headers={"If-Match": read}).status_code == 200

    for stale in (
        client.patch(address, json={"notes": "Second"}, headers={"If-Match": read}),
        client.patch(address, json={"status": "paid"}, headers={"If-Match": read}),
        client.delete(address, headers={"If-Match": read}),
    ):
        assert (stale.status_code, stale.json()["error"]) == (412, "Precondition failed")
    now = client.get(address)
    assert (now.json()["notes"], now.json()["status"]) == ("First", "draft")
    tags = f'"other", {now.headers["ETag"]}'
    assert client.patch(address, json={"status": "paid"}, headers={"If-Match": tags}).status_code == 200


@on_sqlite
def test_tags_are_compared_as_http_says(client, address):
    read = client.get(address).headers["ETag"]

    assert client.patch(address, json={"notes": "A"}, headers={"If-Match": f"W/{read}"}).status_code == 412
    assert client.patch(address, json={"notes": "A"}, headers={"If-Match": "*"}).status_code == 200
    now = client.get(address).headers["ETag"]
    for header in (now, f"W/{now}", f'"x",{now}', "*"):
        same = client.get(address, headers={"If-None-Match": header})
        assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", now)
    assert client.get(address, headers={"If-None-Match": read}).status_code == 200


@on_sqlite
def test_the_tag_changes_with_all_that_is_shown(client, address, sessions):
    """The customer's first view, and a payment link that ends."""
    client.post(f"{address}/payment-link")
    tags = [client.get(address).headers["ETag"]]
    with sessions.begin() as session:
        after_sending.mark_viewed(session, queries.one(session, SYSTEM, address.split("/")[-1]).token, now=utc_now())
    tags.append(client.get(address).headers["ETag"])
    client.patch(address, json={"notes": "New"})
    tags.append(client.get(address).headers["ETag"])
    assert client.get(address).json()["stripe_payment_link"] is not None
    client.patch(address, json={"customer_email": "new@acme.example"})
    tags.append(client.get(address).headers["ETag"])

    assert client.get(address).json()["stripe_payment_link"] is None
    assert len(set(tags)) == 4


@on_sqlite
def test_less_than_stripe_takes_is_refused_before_the_draft_is_sent(client, create):
    line = LINE | {"quantity": 1, "unit_price": 0.49, "tax_rate": 0}
    address = f"/api/invoices/{create(line_items=[line]).json()['invoice_id']}"

    answer = client.post(f"{address}/payment-link")

    assert (answer.status_code, answer.json()["error"]) == (409, "Conflict")
    assert "no less than 0.50 USD" in answer.text
    assert client.get(address).json()["status"] == "draft"

"""The invoices of the billing API v1: its document's example and tables, and what it is silent about."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, service
from billing_core.invoices.content.content import DraftLine
from billing_core.invoices.models import EventKind, Invoice, InvoiceEvent, InvoiceState
from billing_core.outbox.models import OutboxMessage
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from tests.invoices.company import a_customer, content

ADDRESS = "/v1/billing/invoice"
PRO = {"description": "Pro Plan - Monthly", "amount": 2999, "quantity": 1}


@pytest.fixture
def acme(sessions, product) -> Customer:
    return customer_in(sessions, "USD", name="ACME")


@pytest.fixture
def client(program, acme):
    return program("admin")


def customer_in(sessions, currency: str, **facts) -> Customer:
    with sessions.begin() as session:
        customer = session.get_one(Customer, a_customer(session, facts.pop("name", currency)))
        customer.currency = currency
        for name, value in facts.items():
            setattr(customer, name, value)
        return customer


def created(client, customer, **facts):
    return client.post(ADDRESS, json={"customer_id": customer.public_id, "line_items": [PRO]} | facts)


def test_the_documents_example(client, acme, sessions):
    """Its day lies in the past by now: so does the day of issue."""
    made = client.post(ADDRESS, json={"customer_id": acme.public_id, "line_items": [PRO], "due_date": "2024-02-15"})

    assert made.status_code == 201
    invoice = made.json()
    said = {"customer_id": acme.public_id, "status": "open", "total": 2999, "line_items": [PRO]}
    assert {name: invoice[name] for name in said} == said
    assert invoice["id"].startswith("inv_")
    assert invoice["due_date"] == "2024-02-15"
    assert made.headers["Location"] == f"{ADDRESS}/{invoice['id']}"
    assert client.get(made.headers["Location"]).json() == invoice
    with sessions() as session:
        stored = session.scalars(select(Invoice)).one()
        assert (stored.state, stored.issued_on, stored.sent_at) == (
            InvoiceState.OPEN,
            date(2024, 2, 15),
            stored.created_at,
        )
        # Nobody is written to.
        assert session.scalars(select(OutboxMessage).where(OutboxMessage.channel == "mail")).all() == []


def test_what_the_law_wants_and_is_missing_is_told_in_a_header_and_refuses_nothing(client, program, acme, sessions):
    bare = created(client, acme)
    assert (bare.status_code, bare.headers["Invoice-Lacks"]) == (201, "seller_address, customer_address")
    with sessions.begin() as session:
        default_business(session).address = "1 Main St"
        session.get_one(Customer, acme.id).address = "2 Main St"
    full = created(client, acme)
    assert full.status_code == 201
    address = f"/api/invoices/{bare.json()['id']}"
    assert client.get(address).headers["Invoice-Lacks"] == "seller_address, customer_address"
    theirs = program("finance", customer_id=acme.id).get(address)
    assert (theirs.status_code, "Invoice-Lacks" in theirs.headers) == (200, False)
    assert "Invoice-Lacks" not in full.headers


def test_what_is_left_out_is_one_unit_due_by_the_customers_terms(client, sessions):
    beta = customer_in(sessions, "EUR", payment_terms="Net 14")
    invoice = created(client, beta, line_items=[{"description": "Set-up", "amount": 5}]).json()
    assert invoice["line_items"] == [{"description": "Set-up", "amount": 5, "quantity": 1}]
    assert (invoice["currency"], invoice["total"], invoice["memo"], invoice["subscription_id"]) == (
        "EUR",
        5,
        None,
        None,
    )
    issued = date.fromisoformat(invoice["created_at"][:10])
    # The business's day may be another one than UTC's.
    assert abs(date.fromisoformat(invoice["due_date"]) - issued - timedelta(days=14)) <= timedelta(days=1)


@pytest.mark.parametrize(
    ("currency", "price", "total"), [("USD", "29.99", 8_997), ("JPY", "2999", 8_997), ("KWD", "2.999", 8_997)]
)
def test_amounts_are_minor_units_of_one_unit(client, sessions, currency, price, total):
    made = created(client, customer_in(sessions, currency), line_items=[PRO | {"quantity": 3}])
    assert made.json()["total"] == total == made.json()["amount_due"]
    with sessions() as session:
        (line,) = service.queries.lines(session, session.scalars(select(Invoice.id)).one())
        assert (line.unit_price, line.quantity, line.tax_rate) == (Decimal(price), 3, 0)


def test_the_number_is_drawn_at_once_and_the_memo_stands_on_the_invoice(client, acme, sessions):
    memo = "As agreed.\nThank you!"
    first, second = (created(client, acme, memo=memo).json() for _ in range(2))
    assert first["memo"] == memo
    assert int(second["number"].rpartition("-")[2]) == int(first["number"].rpartition("-")[2]) + 1
    with sessions() as session:
        assert set(session.scalars(select(Invoice.notes))) == {memo}
        kinds = list(session.scalars(select(InvoiceEvent.kind).order_by(InvoiceEvent.id)))
        assert kinds == [EventKind.CREATED, EventKind.SENT] * 2


def test_an_invoice_of_nothing_is_paid(client, acme):
    made = created(client, acme, line_items=[PRO | {"amount": 0}])
    assert (made.status_code, made.json()["status"], made.json()["total"]) == (201, "paid", 0)


LONG = {"description": "x" * 501, "amount": 1}


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"line_items": []}, "line_items"),
        ({"line_items": None}, "line_items"),
        ({"line_items": [{"amount": 1}]}, "line_items.0.description"),
        ({"line_items": [{"description": " ", "amount": 1}]}, "line_items.0.description"),
        ({"line_items": [LONG]}, "line_items.0.description"),
        ({"line_items": [PRO, {"description": "No price"}]}, "line_items.1.amount"),
        ({"line_items": [PRO, PRO | {"amount": 29.99}]}, "line_items.1.amount"),
        ({"line_items": [PRO | {"amount": -1}]}, "line_items.0.amount"),
        ({"line_items": [PRO | {"amount": "2999"}]}, "line_items.0.amount"),
        ({"line_items": [PRO | {"amount": True}]}, "line_items.0.amount"),
        ({"line_items": [PRO | {"amount": 10**15}]}, "line_items.0.amount"),
        ({"line_items": [PRO | {"amount": 6 * 10**14, "quantity": 2}]}, "line_items.0.amount"),
        ({"line_items": [PRO | {"amount": 6 * 10**14}] * 2}, "line_items"),
        ({"line_items": [PRO | {"quantity": 0}]}, "line_items.0.quantity"),
        ({"line_items": [PRO | {"quantity": 1.5}]}, "line_items.0.quantity"),
        ({"memo": "x" * 1_001}, "memo"),
        ({"due_date": "15.02.2024"}, "due_date"),
        ({"due_date": "2024-02-30"}, "due_date"),
        ({"due_date": "1899-12-31"}, "due_date"),
        ({"due_date": "9999-12-31"}, "due_date"),
        ({"customer_id": 123}, "customer_id"),
        ({"currency": "USD"}, "currency"),
    ],
)
def test_what_cannot_be_billed_is_400_with_its_field_and_nothing_is_made(client, acme, sessions, facts, field):
    refused = created(client, acme, **facts)
    assert refused.status_code == 400
    assert list(refused.json()["fields"]) == [field]
    with sessions() as session:
        assert session.scalars(select(Invoice)).all() == []


def test_the_longest_texts_are_taken(client, acme):
    line = {"description": "x" * 500, "amount": 1}
    assert created(client, acme, line_items=[line], memo="x" * 1_000).status_code == 201


@pytest.mark.parametrize("facts", [{"customer_id": "cus_0123456789"}, {"subscription_id": "sub_1234567890"}])
def test_a_customer_or_subscription_that_there_is_not_is_404(client, acme, sessions, facts):
    assert created(client, acme, **facts).status_code == 404
    with sessions() as session:
        assert session.scalars(select(Invoice)).all() == []


def test_who_may_not_send_may_not_make_one(program, acme):
    assert created(program("manager"), acme).status_code == 403
    assert created(program("manager", customer_id=acme.id), acme).status_code == 403


def test_the_same_request_again_makes_no_second_one(client, acme):
    first, again = (
        client.post(
            ADDRESS, json={"customer_id": acme.public_id, "line_items": [PRO]}, headers={"Idempotency-Key": "one"}
        )
        for _ in range(2)
    )
    assert (again.status_code, again.json()) == (201, first.json())
    assert client.get(ADDRESS).json()["count"] == 1


@pytest.fixture
def one_of_each(client, acme, sessions) -> dict[str, str]:
    """Ids of invoices, by what became of them."""
    now, today = utc_now(), utc_now().date()
    ids = {name: created(client, acme).json()["id"] for name in ("sent", "viewed", "paid", "cancelled")}
    ids["overdue"] = created(client, acme, due_date="2024-02-15").json()["id"]
    with sessions.begin() as session:
        numbers = dict(row for row in session.execute(select(Invoice.public_id, Invoice.id)))
        after_sending.set_viewed(session, SYSTEM, numbers[ids["viewed"]], now=now)
        after_sending.cancel(session, SYSTEM, numbers[ids["cancelled"]], now=now, today=today)
        cash = Received("USD", 2_999, PaymentMethod.CASH, today)
        received.record_for(session, SYSTEM, numbers[ids["paid"]], received=cash, today=today, now=now)
        halves = DraftLine("Half a day", Decimal("0.5"), Decimal("10.01"))
        cents = DraftLine("A thousand calls", Decimal(1000), Decimal("0.0015"), tax_rate=Decimal(10))
        off = DraftLine("Support", Decimal(2), Decimal(5), discount_minor=100)
        lines = content(session, acme.id, halves, cents, off)
        drafted = service.create(session, SYSTEM, replace(lines, discount_minor=51), now=now)
        ids["draft"] = drafted.public_id
        discarded = service.create(session, SYSTEM, content(session, acme.id, halves), now=now)
        service.discard(session, SYSTEM, discarded.id, now=now)
    return ids


@pytest.mark.parametrize(
    ("status", "names"),
    [
        ("open", ["overdue", "viewed", "sent"]),
        ("void", ["cancelled"]),
        ("paid", ["paid"]),
        ("draft", ["draft"]),
        (None, ["draft", "overdue", "cancelled", "paid", "viewed", "sent"]),
    ],
)
def test_a_status_means_the_settled_set_newest_first(client, one_of_each, status, names):
    found = client.get(ADDRESS, params={} if status is None else {"status": status}).json()
    assert [one["id"] for one in found["invoices"]] == [one_of_each[name] for name in names]
    assert (found["count"], found["limit"], found["offset"], found["has_more"]) == (len(names), 20, 0, False)
    if status:
        assert {one["status"] for one in found["invoices"]} == {status}


def test_a_line_without_a_whole_price_of_one_is_one_unit_of_what_it_comes_to(client, one_of_each):
    invoice = client.get(f"{ADDRESS}/{one_of_each['draft']}").json()
    # 0.5 × 10.01 = 5.005; 1000 × 0.0015 = 1.50; 2 × 5.00 − 1.00 = 9.00.
    assert invoice["line_items"] == [
        {"description": "Half a day", "amount": 501, "quantity": 1},
        {"description": "A thousand calls", "amount": 150, "quantity": 1},
        {"description": "Support", "amount": 900, "quantity": 1},
    ]
    # 5.01 + 1.50 + 9.00 = 15.51, less 0.51 of the whole, of which the taxed line has its share: 1.45 at 10 %.
    assert (invoice["subtotal"], invoice["tax"], invoice["total"], invoice["amount_due"]) == (1_500, 15, 1_515, 0)
    assert invoice["number"] is None


def test_lines_with_tax_stand_beside_a_subtotal_without_it(client, acme, sessions):
    """One at 119.00 with 19 % in it and 10 % off the invoice: 107.10, of which 17.10 are tax."""
    line = DraftLine("Consulting", Decimal(1), Decimal(119), tax_rate=Decimal(19))
    with sessions.begin() as session:
        given = replace(content(session, acme.id, line), prices_include_tax=True, discount_percent=Decimal(10))
        service.create(session, SYSTEM, given, now=utc_now())
    (shown,) = client.get(ADDRESS).json()["invoices"]
    assert shown["line_items"] == [{"description": "Consulting", "amount": 11900, "quantity": 1}]
    assert (shown["subtotal"], shown["tax"], shown["total"]) == (9000, 1710, 10710)


def test_pages_follow_one_another_and_the_last_says_so(client, acme):
    ids = [created(client, acme).json()["id"] for _ in range(5)][::-1]
    pages = [client.get(ADDRESS, params={"limit": 2, "offset": offset}).json() for offset in (0, 2, 4, 6)]
    assert [[one["id"] for one in page["invoices"]] for page in pages] == [ids[:2], ids[2:4], ids[4:], []]
    assert [page["has_more"] for page in pages] == [True, True, False, False]


def test_a_customers_own_alone(client, program, acme, sessions):
    other = customer_in(sessions, "EUR")
    own, theirs = created(client, acme).json()["id"], created(client, other).json()["id"]

    def listed(asking, **params):
        return [one["id"] for one in asking.get(ADDRESS, params=params).json()["invoices"]]

    assert listed(client, customer_id=acme.public_id) == [own]
    assert listed(client, customer_id="cus_nobody") == []
    bound = program("manager", customer_id=other.id)
    assert listed(bound) == [theirs]
    assert listed(bound, customer_id=acme.public_id) == []
    assert bound.get(f"{ADDRESS}/{own}").status_code == 404


@pytest.mark.parametrize(
    "params",
    [{"limit": 0}, {"limit": 101}, {"offset": -1}, {"offset": 10**30}, {"status": "sent"}, {"page": 2}],
)
def test_a_page_that_cannot_be_is_400(client, params):
    assert client.get(ADDRESS, params=params).status_code == 400


def test_at_most_a_hundred_come_at_once(client, acme):
    assert client.get(ADDRESS, params={"limit": 100}).status_code == 200


def test_an_address_that_there_is_not_is_answered_by_the_api(client, browser):
    assert client.get("/v1/billing/invoices").json() == {"detail": "Not found."}
    assert browser().get("/v1/billing/invoices").status_code == 401

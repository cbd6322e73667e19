"""The invoices API beyond its document's examples: customers, amounts, pages, rights."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from billing_core.businesses import service as businesses
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import numbering, queries, service
from billing_core.invoices.models import Invoice
from tests.invoices.company import a_customer, an_invoice
from tests.web.api.invoices.line import LINE

# Where the database makes no difference.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_two_programs_at_once_make_one_customer_and_numbers_without_holes(create, sessions):
    with ThreadPoolExecutor(4) as at_once:
        addresses = ["new@bücher.example", "NEW@Bücher.Example", "New@xn--bcher-kva.example", "neW@BÜCHER.example"]
        made = list(at_once.map(lambda one: create(customer_email=one, customer_name="New"), addresses * 2))

    assert {answer.status_code for answer in made} == {201}
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 1
        (series,) = numbering.series(session)
        assert (series.whole, series.last) == (True, 8)


@on_sqlite
def test_a_repeat_with_the_same_key_makes_no_second_invoice(create, client, business_id):
    body = {"business_id": business_id, "customer_email": "client@example.com", "line_items": [LINE]}
    first, again = (client.post("/api/invoices", json=body, headers={"Idempotency-Key": "k1"}) for _ in range(2))

    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert client.get(f"/api/invoices?business_id={business_id}").json()["count"] == 1


# The customer behind an address, and numbers


def test_the_customer_is_found_by_its_address_or_added(create, sessions, client):
    with sessions.begin() as session:
        facts = {"address": "1 Main Street", "city": "Springfield", "tax_id": "DE-1", "language": "de"}
        known = a_customer(session, email="AP@Acme.example", **facts)
        of_another = businesses.create(
            session, SYSTEM, wanted=businesses.details(default_business(session)), now=utc_now()
        )
        session.add(
            Customer(
                business_id=of_another.id,
                ref="B",
                name="B",
                email="b@example.com",
                currency="EUR",
                created_at=utc_now(),
            )
        )
    create(customer_email="ap@acme.example", customer_name="Ana at Acme")
    create(customer_email="b@example.com", customer_name="B of ours", currency="EUR")
    create(customer_email="B@example.com")

    with sessions() as session:
        first, second, third = session.scalars(select(Invoice).order_by(Invoice.id))
        assert (first.customer_id, first.customer_name) == (known, "Ana at Acme")
        assert (first.customer_tax_id, first.language) == ("DE-1", "de")
        assert first.customer_address == "1 Main Street\nSpringfield"
        assert session.get_one(Customer, known).name == "Acme Corp"
        added = session.get_one(Customer, second.customer_id)
        assert (added.name, added.email, added.currency) == ("B of ours", "b@example.com", "EUR")
        assert added.ref == added.public_id
        assert (third.customer_id, third.customer_name) == (added.id, "B of ours")


def test_an_address_of_several_customers_needs_a_name(create, sessions):
    with sessions.begin() as session:
        a_customer(session, "ONE", name="One", email="shared@example.com")
        two = a_customer(session, "TWO", name="Two", email="shared@example.com")

    refused = create(customer_email="shared@example.com")
    assert (refused.status_code, list(refused.json()["fields"])) == (409, ["customer_email"])
    assert create(customer_email="shared@example.com", customer_name="two").status_code == 201

    with sessions() as session:
        assert session.scalars(select(Invoice.customer_id)).all() == [two]


def test_case_never_decides_whose_invoice_it_is_but_the_name_does(create, sessions):
    with sessions.begin() as session:
        berlin = a_customer(session, "B", name="Acme Berlin", email="ap@acme.example")
        hamburg = a_customer(session, "H", name="Acme Hamburg", email="AP@acme.example")

    for address in ("ap@acme.example", "AP@acme.example", "Ap@ACME.example"):
        assert create(customer_email=address, customer_name="Acme Hamburg").status_code == 201
        assert create(customer_email=address, customer_name="ACME  Berlin").status_code == 201
        for name in ("", "Acme", "Acme Münster"):
            refused = create(customer_email=address, customer_name=name)
            reason = "belongs to several customers: customer_name must be the name of one of them"
            told = {
                "error": "Conflict",
                "message": f"The e-mail address {reason}",
                "fields": {"customer_email": reason},
            }
            assert (refused.status_code, refused.json()) == (409, told)

    with sessions() as session:
        assert session.scalars(select(Invoice.customer_id).order_by(Invoice.id)).all() == [hamburg, berlin] * 3
        assert session.scalar(select(func.count()).select_from(Customer)) == 2


def test_names_that_differ_in_case_alone_decide_nothing(create, sessions):
    with sessions.begin() as session:
        a_customer(session, "ONE", name="Müller", email="shared@example.com")
        a_customer(session, "TWO", name="MÜLLER", email="Shared@example.com")
    assert create(customer_email="shared@example.com", customer_name="Müller").status_code == 409


def test_a_refused_invoice_adds_no_customer_and_draws_no_number(create, sessions):
    assert create(invoice_number="A/1").status_code == 201
    for facts, status, field in (
        ({"invoice_number": "A/1"}, 409, "invoice_number"),
        ({"invoice_number": "<b>"}, 400, "invoice_number"),
        ({"due_date": "2020-01-01"}, 400, "due_date"),
        ({"line_items": [LINE | {"tax_rate": 101}]}, 400, "line_items.0.tax_rate"),
        ({"line_items": [LINE, LINE | {"unit_price": 9 * 10**12, "quantity": 2}]}, 400, "line_items.1.unit_price"),
        ({"customer_name": "x" * 201}, 400, "customer_name"),
    ):
        refused = create(customer_email="other@example.com", **facts)
        assert (refused.status_code, list(refused.json()["fields"])) == (status, [field])

    assert create(customer_email="third@example.com").json()["invoice_number"].endswith("-001")
    with sessions() as session:
        found = session.scalars(select(Customer.email).order_by(Customer.id)).all()
        assert found == ["client@example.com", "third@example.com"]


# Exact figures


@on_sqlite
def test_amounts_are_exact(create):
    lines = [
        {"description": "A", "quantity": 3, "unit_price": 0.1, "tax_rate": 7.7},
        {"description": "B", "quantity": 0.000001, "unit_price": 999999999999.99},
        {"description": "C", "quantity": 1, "unit_price": 0.2, "tax_rate": 7.7},
    ]

    made = create(line_items=lines)

    # 0.30 + 999,999.99999999 + 0.20 = 1,000,000.49999999; tax 7.7 % of 0.50 = 0.0385
    assert '"amount":1000000.5,"tax_amount":0.04,"total_amount":1000000.54,' in made.text
    assert '"quantity":0.000001,"unit_price":999999999999.99,' in made.text


@on_sqlite
def test_a_negative_price_takes_something_off_as_long_as_something_is_left(create):
    voucher = {"description": "Voucher", "quantity": 1, "unit_price": -50, "tax_rate": 7}

    made = create(line_items=[LINE, voucher])

    # 200 with 38 of tax, less 50 with 3.50.
    assert '"amount":150,"tax_amount":34.5,"total_amount":184.5,' in made.text
    assert [line["unit_price"] for line in made.json()["line_items"]] == [100, -50]
    refused = create(line_items=[LINE, voucher | {"unit_price": -250}])
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["total_amount"])
    refused = create(line_items=[LINE, voucher | {"quantity": -1, "unit_price": 50}])
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["line_items.1.quantity"])


@on_sqlite
def test_discounts_of_lines_and_of_the_whole_are_taken_off_before_tax(create, client):
    """200 less 4 % is 192, 100 less 20 is 80; 272 less 10 % is 244.80, at 19 % 46.512 of tax."""
    lines = [LINE | {"discount_percent": 4}, LINE | {"quantity": 1, "discount_amount": 20}]

    made = create(line_items=lines, discount_percent=10)

    assert '"amount":244.8,"tax_amount":46.51,"total_amount":291.31,' in made.text
    found = client.get(f"/api/invoices/{made.json()['invoice_id']}").json()
    assert (found["discount_percent"], "discount_amount" in found) == (10, False)
    assert [line.get("discount_percent") for line in found["line_items"]] == [4, None]
    assert [line.get("discount_amount") for line in found["line_items"]] == [None, 20]
    assert create(line_items=[LINE], discount_amount=0.5).json()["discount_amount"] == 0.5
    assert not {"discount_percent", "discount_amount"} & create(discount_percent=0).json().keys()


@on_sqlite
@pytest.mark.parametrize(
    ("facts", "line", "field"),
    [
        ({"discount_percent": 101}, {}, "discount_percent"),
        ({"discount_percent": 5, "discount_amount": 1}, {}, "discount_percent"),
        ({"discount_amount": -1}, {}, "discount_amount"),
        ({"discount_amount": 0.001}, {}, "discount_amount"),
        ({"discount_amount": 10**13}, {}, "discount_amount"),
        ({"discount_amount": 200.01}, {}, "discount_amount"),
        ({"discount_amount": "1"}, {}, "discount_amount"),
        ({}, {"discount_amount": 0.001}, "line_items.0.discount_amount"),
        ({}, {"discount_amount": 200.01}, "line_items.0.discount_amount"),
        ({}, {"discount_percent": -1}, "line_items.0.discount_percent"),
        ({}, {"discount_percent": 5, "discount_amount": 1}, "line_items.0.discount_percent"),
    ],
)
def test_a_wrong_discount_is_named(create, facts, line, field):
    refused = create(line_items=[LINE | line], **facts)
    assert (refused.status_code, list(refused.json()["fields"])) == (400, [field])


@on_sqlite
def test_prices_that_include_tax_come_to_exactly_the_total(create):
    line = {"description": "Chair", "quantity": 2, "unit_price": 379, "tax_rate": 21}

    made = create(line_items=[line], prices_include_tax=True)

    assert '"amount":626.45,"tax_amount":131.55,"total_amount":758,' in made.text
    assert made.json()["prices_include_tax"] is True
    assert "prices_include_tax" not in create(line_items=[line], prices_include_tax=False).json()


# Pages of the list


def test_pages_follow_each_other_from_the_newest_on(client, create, business_id):
    made = [create().json()["invoice_id"] for _ in range(5)]
    client.patch(f"/api/invoices/{made[1]}", json={"status": "sent"})

    seen, address = [], f"/api/invoices?business_id={business_id}&limit=2&status=draft"
    while address:
        answer = client.get(address)
        assert answer.json()["count"] == len(answer.json()["invoices"]) <= 2
        seen.append([row["invoice_id"] for row in answer.json()["invoices"]])
        address = answer.links.get("next", {}).get("url")

    assert seen == [[made[4], made[3]], [made[2], made[0]]]


@on_sqlite
def test_businesses_do_not_mix(client, create, sessions, business_id):
    of_ours = create().json()["invoice_id"]
    with sessions.begin() as session:
        details = businesses.details(default_business(session))
        other = businesses.create(session, SYSTEM, wanted=details, now=utc_now()).public_id

    assert client.get(f"/api/invoices?business_id={other}").json()["invoices"] == []
    strange = f"/api/invoices?business_id={other}&starting_after={of_ours}"
    assert client.get(strange).json()["fields"] == {"starting_after": "names nothing in this list"}
    with sessions.begin() as session:
        businesses.set_active(session, SYSTEM, 2, active=False, now=utc_now())
    refused = create(business_id=other)
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["business_id"])


# Who may


@on_sqlite
def test_a_program_of_one_customer_sees_its_invoices_alone(program, sessions, business_id):
    with sessions.begin() as session:
        mine, theirs = a_customer(session), a_customer(session, "OTHER")
        own, other = (an_invoice(session, customer).public_id for customer in (mine, theirs))
    bound = program("manager", customer_id=mine)

    assert bound.get(f"/api/invoices/{own}").status_code == 200
    listed = bound.get(f"/api/invoices?business_id={business_id}").json()
    assert [row["invoice_id"] for row in listed["invoices"]] == [own]
    unknown = bound.get("/api/invoices/inv_0123456789abcdef")
    for answer in (
        bound.get(f"/api/invoices/{other}"),
        bound.get(f"/api/invoices/{other}/payment-link"),
        bound.patch(f"/api/invoices/{other}", json={"notes": "Mine"}),
        bound.delete(f"/api/invoices/{other}"),
    ):
        assert answer.status_code == 404
        assert answer.text.replace(other, "inv_0123456789abcdef") == unknown.text or "payment-link" in str(answer.url)
    beyond = f"/api/invoices?business_id={business_id}&starting_after="
    assert bound.get(beyond + other).text == bound.get(f"{beyond}inv_0123456789abcdef").text
    assert bound.patch(f"/api/invoices/{own}", json={"notes": "Mine"}).status_code == 403
    assert bound.delete(f"/api/invoices/{own}").status_code == 403
    assert bound.post(f"/api/invoices/{own}/payment-link").status_code == 403


@on_sqlite
@pytest.mark.parametrize("role", ["finance", "manager"])
def test_who_only_reads_changes_nothing(program, sessions, business_id, role):
    with sessions.begin() as session:
        invoice = an_invoice(session, a_customer(session))
    reader, address = program(role), f"/api/invoices/{invoice.public_id}"
    body = {"business_id": business_id, "customer_email": "client@example.com", "line_items": [LINE]}
    before = reader.get(address)

    assert before.status_code == 200
    for refused in (
        reader.post("/api/invoices", json=body),
        reader.patch(address, json={"status": "paid"}),
        reader.delete(address),
        reader.post(f"{address}/payment-link"),
    ):
        assert (refused.status_code, refused.json()["error"]) == (403, "Forbidden")
    assert reader.get(address).json() == before.json()


@on_sqlite
def test_a_browser_needs_its_csrf_token_to_change(front_end, business_id):
    browser = front_end("admin")
    body = {"business_id": business_id, "customer_email": "client@example.com", "line_items": [LINE]}

    made = browser.post("/api/invoices", json=body)
    assert made.status_code == 201
    del browser.headers["X-CSRF-Token"]
    assert browser.delete(f"/api/invoices/{made.json()['invoice_id']}").status_code == 403


@on_sqlite
def test_money_and_instants_read_as_the_document_writes_them(client, create, sessions):
    made = create(issued_date="2024-02-15T23:30:00+02:00", due_date="2024-03-15T00:00:00Z").json()
    assert (made["issued_date"], made["due_date"]) == ("2024-02-15T00:00:00Z", "2024-03-15T00:00:00Z")
    for no_time in ("2024-02-15T25:00:00Z", "2024-02-15T99999", "2024-02-15T10:00:00+99:00"):
        assert create(issued_date=no_time).json()["fields"] == {"issued_date": "there is no such day"}

    with sessions.begin() as session:
        inner = queries.one(session, SYSTEM, made["invoice_id"]).id
        service.send(session, SYSTEM, inner, now=utc_now())
    shown = client.get(f"/api/invoices/{made['invoice_id']}").text
    assert '"amount":200,"tax_amount":38,"total_amount":238,' in shown

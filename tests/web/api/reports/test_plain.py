"""The plain dialect beyond the document's examples: each row of its tables, pages, permissions."""

import json
from datetime import date
from urllib.parse import urlsplit

import pytest
from sqlalchemy import update

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.reports.exports import json as exports_json
from billing_core.reports.models import BillingReport
from billing_core.settings import settings
from billing_core.web.api.reports.requests import SORTABLE
from tests.web.api.reporting import ACME, WIDGETS, a_report, an_order

REPORTS = "/api/v2/reports/"
GENERATE = {"customer_id": ACME, "start_date": "2023-01-01", "end_date": "2023-01-31"}
ACME_JANUARY, WIDGETS_JANUARY, ACME_FEBRUARY = 1, 2, 3


def ids(client, **asked) -> list[int]:
    answer = client.get(REPORTS, params=asked)
    assert answer.status_code == 200, answer.text
    return [report["id"] for report in answer.json()]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [3, 2, 1]),
        ({"customer_id": "123"}, [3, 1]),
        ({"customer_id": "999"}, []),
        ({"start_date": "2023-01-01"}, [3, 2, 1]),
        ({"start_date": "2023-01-02"}, [3]),
        ({"end_date": "2023-01-31"}, [2, 1]),
        ({"end_date": "2023-01-30"}, []),
        ({"start_date": "2023-01-01", "end_date": "2023-01-31", "customer_id": "456"}, [2]),
        ({"created_after": "2023-02-01"}, [3, 2, 1]),
        ({"created_after": "2023-02-02"}, [3]),
        ({"created_after": "2023-02-01T13:00:00Z"}, [3, 2]),
        ({"created_before": "2023-02-01"}, [2, 1]),
        ({"created_before": "2023-01-31"}, []),
        ({"created_before": "2023-02-01T15:30:00+02:00"}, [1]),
        # A midnight is an instant, not the day that begins with it.
        ({"created_before": "2023-02-01T00:00:00Z"}, []),
        ({"order_by": "-created_at"}, [3, 2, 1]),
        ({"order_by": "total_amount"}, [3, 1, 2]),
        ({"order_by": "-total_amount"}, [2, 1, 3]),
        ({"start_date": "0001-01-01", "end_date": "9999-12-31", "order_by": "id"}, [1, 2, 3]),
        ({"created_after": "0001-01-01T00:00:00+14:00", "created_before": "9999-12-31"}, [3, 2, 1]),
    ],
)
def test_each_parameter_of_the_list(program, asked, expected):
    assert ids(program(), **asked) == expected


def test_every_field_that_is_shown_can_be_sorted_by(program):
    client = program()
    for name in SORTABLE:
        assert ids(client, order_by=name) == ids(client, order_by=f"-{name}")[::-1]


def test_links_lead_from_page_to_page_and_keep_the_filters(program, monkeypatch):
    client = program()
    address, seen = f"{REPORTS}?limit=1&order_by=total_amount&end_date=2023-03-01", []
    while address:
        answer = client.get(address)
        seen += [report["id"] for report in answer.json()]
        link = answer.links.get("next", {}).get("url", "")
        assert not link or link.startswith("http://testserver/api/v2/reports/?")
        address = link
    assert seen == [3, 1, 2]

    with monkeypatch.context() as changed:
        changed.setenv("BILLING_PUBLIC_URL", "https://billing.example.com/")
        settings.cache_clear()
        first = client.get(f"{REPORTS}customer-summary/?limit=1")
    settings.cache_clear()
    link = urlsplit(first.links["next"]["url"])
    assert (link.scheme, link.netloc) == ("https", "billing.example.com")
    second = client.get(f"{link.path}?{link.query}")
    assert [row["customer_id"] for row in first.json() + second.json()] == [ACME, WIDGETS]
    assert "link" not in second.headers


def test_the_summary_of_one_customer(program):
    client = program()
    (acme,) = client.get(f"{REPORTS}customer-summary/", params={"customer_id": ACME}).json()
    assert (acme["report_count"], acme["total_amount"]) == (2, 1520)
    assert client.get(f"{REPORTS}customer-summary/", params={"customer_id": 999}).json() == []


@pytest.mark.parametrize(
    ("asked", "media_type", "start"),
    [
        ({}, "application/json", b'{"id": '),
        ({"output_format": "json"}, "application/json", b'{"id": '),
        ({"output_format": "dict"}, "application/json", b'{"id": '),
        ({"output_format": "csv"}, "text/csv", b"order_id,"),
        ({"output_format": "pdf"}, "application/pdf", b"%PDF-"),
        ({"output_format": "xlsx"}, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK"),
    ],
)
def test_each_format_that_is_generated(program, asked, media_type, start):
    """One day is a period too."""
    client = program("manager")
    wanted = {"customer_id": ACME, "start_date": "2023-01-15", "end_date": "2023-01-15"}
    answer = client.post(f"{REPORTS}generate/", json=wanted | asked)
    assert answer.status_code == 201
    assert answer.headers["content-type"].split(";")[0] == media_type
    assert answer.content.startswith(start)
    (made,) = client.get(REPORTS, params={"start_date": "2023-01-15", "end_date": "2023-01-15"}).json()
    assert (made["id"], made["total_amount"]) == (4, 1500)


@pytest.mark.parametrize(
    ("asked", "media_type", "ending", "start"),
    [
        ({}, "text/csv", "csv", b"order_id,"),
        ({"format": "csv"}, "text/csv", "csv", b"order_id,"),
        ({"format": "json"}, "application/json", "json", b'{"id": '),
        ({"format": "pdf"}, "application/pdf", "pdf", b"%PDF-"),
    ],
)
def test_each_format_that_is_downloaded(program, asked, media_type, ending, start):
    answer = program().get(f"{REPORTS}1/download/", params=asked)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, media_type)
    assert answer.headers["content-disposition"] == f'attachment; filename="billing_report_1.{ending}"'
    assert answer.content.startswith(start)


def test_the_same_again_is_the_same_report_and_a_change_makes_another(sessions, program):
    client = program("manager")
    assert client.post(f"{REPORTS}generate/", json=GENERATE).json()["id"] == ACME_JANUARY
    with sessions.begin() as session:
        an_order(session, ACME, 10009, "2023-01-31", picking=1, shipping=0)
    again = client.post(f"{REPORTS}generate/", json=GENERATE).json()
    assert (again["id"], again["total_amount"], len(again["orders"])) == (4, 1501, 2)
    assert ids(client, customer_id=ACME, order_by="id") == [ACME_FEBRUARY, 4]
    assert client.get(f"{REPORTS}{ACME_JANUARY}/").json()["total_amount"] == 1500


@pytest.mark.parametrize("output_format", ["json", "csv"])
def test_a_request_that_comes_twice_gets_the_first_answer_though_orders_came_in_between(
    sessions, program, output_format
):
    client = program("manager")
    client.headers["Idempotency-Key"] = "once"
    wanted = {"customer_id": ACME, "start_date": "2023-01-15", "end_date": "2023-01-16", "output_format": output_format}
    first = client.post(f"{REPORTS}generate/", json=wanted)
    with sessions.begin() as session:
        an_order(session, ACME, 10009, "2023-01-16", picking=1, shipping=0)
    again = client.post(f"{REPORTS}generate/", json=wanted)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert ids(client, start_date="2023-01-15", end_date="2023-01-16") == [4]


def test_a_uuid_and_an_address_without_its_last_slash_serve_as_well(sessions, program):
    client = program()
    with sessions() as session:
        uuid = session.get_one(BillingReport, 1).uuid
    first = client.get(f"{REPORTS}1/")
    for path in (f"{uuid}/", f"{uuid.upper()}/", "1", uuid):
        assert client.get(REPORTS + path).content == first.content
    assert client.get("/api/v2/reports").json() == client.get(REPORTS).json()
    assert client.get(f"{REPORTS}customer-summary").status_code == client.get(f"{REPORTS}1/download").status_code == 200
    assert client.post(f"{REPORTS}generate", json=GENERATE).status_code == 201


def test_what_an_address_does_not_take_is_refused(program):
    client = program()
    for method, path in (
        ("GET", "generate/"),
        ("DELETE", "1/"),
        ("POST", "1/download/"),
        ("POST", ""),
        ("PUT", "customer-summary/"),
    ):
        answer = client.request(method, REPORTS + path)
        assert (answer.status_code, list(answer.json())) == (405, ["detail"]), path
        assert answer.headers["allow"]


def test_the_accept_header_chooses_the_dialect(program):
    envelope = program().get(REPORTS, headers={"Accept": "application/vnd.billing.envelope+json"}).json()
    assert (envelope["success"], len(envelope["data"])) == (True, 3)


def test_a_key_does_what_its_role_may_on_the_pages(program):
    roles = ("finance", "manager", "admin")
    clients = [program(role) for role in roles]
    assert [client.get(REPORTS).status_code for client in clients] == [200, 200, 200]
    assert [client.get(f"{REPORTS}1/").status_code for client in clients] == [200, 200, 200]
    assert [client.get(f"{REPORTS}customer-summary/").status_code for client in clients] == [200, 200, 200]
    assert [client.get(f"{REPORTS}1/download/").status_code for client in clients] == [403, 200, 200]
    generated = [client.post(f"{REPORTS}generate/", json=GENERATE) for client in clients]
    assert [answer.status_code for answer in generated] == [403, 201, 201]
    assert list(generated[0].json()) == ["detail"]


def test_a_key_of_one_customer_sees_that_one_alone(program):
    client = program("manager", customer_id=WIDGETS)
    unknown = client.get(f"{REPORTS}99/")
    assert ids(client) == ids(client, customer_id=WIDGETS) == [WIDGETS_JANUARY]
    assert ids(client, customer_id=ACME) == []
    assert [row["customer_id"] for row in client.get(f"{REPORTS}customer-summary/").json()] == [WIDGETS]
    assert client.get(f"{REPORTS}customer-summary/", params={"customer_id": ACME}).json() == []
    for path in ("1/", "1/download/", "1/download/?format=pdf"):
        answer = client.get(REPORTS + path)
        assert (answer.status_code, answer.json()) == (unknown.status_code, unknown.json()) == (404, answer.json())
    theirs = client.post(f"{REPORTS}generate/", json=GENERATE)
    assert (theirs.status_code, theirs.json()) == (400, {"error": f"Customer with ID {ACME} not found"})
    assert client.get(REPORTS, params={"starting_after": "1"}).status_code == 400


def test_amounts_are_exact_beyond_what_a_float_can_hold(sessions, program):
    with sessions.begin() as session:
        session.execute(update(BillingReport).where(BillingReport.id == 1).values(total_minor=9007199254740993_01))
        session.execute(update(BillingReport).where(BillingReport.id == 2).values(total_minor=7, currency="JPY"))
        session.execute(update(BillingReport).where(BillingReport.id == 3).values(total_minor=1234, currency="KWD"))
    client = program()

    def read(path: str):
        return json.loads(client.get(REPORTS + path).text, parse_float=str)

    assert [row["total_amount"] for row in read("?order_by=id")] == ["9007199254740993.01", 7, "1.234"]
    assert read("1/")["total_amount"] == "9007199254740993.01"
    assert [row["total_amount"] for row in read("customer-summary/?customer_id=456")] == [7]


def test_a_large_report_is_streamed(sessions, program, monkeypatch):
    with sessions.begin() as session:
        for number in range(9):
            an_order(session, ACME, 20000 + number, "2023-03-01", picking=number, shipping=0)
        march = a_report(session, ACME, "2023-04-01T00:00:00Z", period=Period(date(2023, 3, 1), date(2023, 3, 31)))
    client = program()
    whole = client.get(f"{REPORTS}{march.id}/")
    monkeypatch.setattr(exports_json, "_A_CHUNK", 1)
    streamed = client.get(f"{REPORTS}{march.id}/")
    assert ("content-length" in whole.headers, "content-length" in streamed.headers) == (True, False)
    assert streamed.json() == whole.json()
    assert [order["total_amount"] for order in streamed.json()["orders"]] == list(range(9))


def test_hostile_names_arrive_as_they_are(sessions, program):
    name = '=1+1"\\</script>\u2028 {"id": 2} \'; DROP TABLE customers; --'
    with sessions.begin() as session:
        session.execute(update(Customer).where(Customer.id == ACME).values(name=name))
        session.execute(update(BillingReport).where(BillingReport.customer_id == ACME).values(customer_name=name))
    client = program()
    assert client.get(f"{REPORTS}1/").json()["customer_name"] == name
    assert client.get(REPORTS, params={"customer_id": ACME}).json()[0]["customer_name"] == name
    assert client.get(f"{REPORTS}customer-summary/").json()[0]["customer_name"] == name

"""The envelope dialect beyond the document's examples: parameters, pages, the browser's session, refusals."""

from datetime import date

import pytest
from sqlalchemy import update

from billing_core.dates import Period
from billing_core.reports.exports import json as exports_json
from billing_core.reports.models import BillingReport
from tests.web.api.reporting import ACME, WIDGETS, a_report, an_order

REPORTS = "/api/v2/reports/"
GENERATE = {"customer_id": ACME, "start_date": "2023-01-01", "end_date": "2023-01-31"}


@pytest.fixture
def uuids(sessions):
    """The reports' UUIDs by their ids."""
    with sessions() as session:
        return {report_id: session.get_one(BillingReport, report_id).uuid for report_id in (1, 2, 3)}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"customer_id": ACME}, [3, 1]),
        ({"start_date": "2023-01-02"}, [3]),
        ({"end_date": "2023-01-31"}, [2, 1]),
        ({"created_after": "2023-02-02"}, [3]),
        ({"created_before": "2023-02-01"}, [2, 1]),
        ({"order_by": "generated_at"}, [1, 2, 3]),
        ({"order_by": "-customer"}, [2, 3, 1]),
    ],
)
def test_each_parameter_of_the_list(uuids, front_end, asked, expected):
    answer = front_end().get(REPORTS, params=asked)
    assert [report["id"] for report in answer.json()["data"]] == [uuids[one] for one in expected]


def test_links_lead_from_page_to_page(uuids, front_end):
    client = front_end()
    address, seen = f"{REPORTS}?limit=2&order_by=created_at", []
    while address:
        answer = client.get(address)
        seen.append([report["id"] for report in answer.json()["data"]])
        address = answer.links.get("next", {}).get("url", "")
    assert seen == [[uuids[1], uuids[2]], [uuids[3]]]


def test_an_integer_names_a_report_here_too(uuids, front_end):
    client = front_end()
    assert client.get(f"{REPORTS}1/").content == client.get(f"{REPORTS}{uuids[1]}/").content


def test_an_average_is_rounded_to_the_minor_unit_half_up(sessions, uuids, front_end):
    """1500.01 and 20.00 share to 760.005."""
    with sessions.begin() as session:
        session.execute(update(BillingReport).where(BillingReport.id == 1).values(total_minor=150001))
    answer = front_end().get(f"{REPORTS}customer-summary/", params={"customer_id": ACME})
    assert '"average_bill_amount":760.01' in answer.text
    (row,) = answer.json()["data"]
    assert (row["reports_count"], row["total_billed"]) == (2, 1520.01)


def test_a_change_needs_the_token_that_only_our_pages_know(uuids, front_end):
    client = front_end("manager")
    token = client.headers.pop("X-CSRF-Token")
    for wrong in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": token[::-1]}):
        answer = client.post(f"{REPORTS}generate/", json=GENERATE, headers=wrong)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    answer = client.post(f"{REPORTS}generate/", json=GENERATE, headers={"X-CSRF-Token": token})
    assert (answer.status_code, answer.json()["data"]["id"]) == (201, uuids[1])


def test_generating_answers_with_the_header_whatever_the_format(uuids, front_end):
    """The front end downloads the file afterwards."""
    client = front_end("manager")
    for number, output_format in enumerate(("json", "csv", "pdf", "dict"), 1):
        wanted = {"customer_id": ACME, "start_date": f"2023-01-0{number}", "end_date": "2023-01-31"}
        wanted |= {"output_format": output_format}
        body = client.post(f"{REPORTS}generate/", json=wanted).json()
        assert (body["success"], body["data"]["output_format"]) == (True, output_format)
        assert "orders" not in body["data"]


def test_refusals_come_enveloped_with_the_fields_at_fault(uuids, front_end):
    client = front_end()
    refusals = [
        (client.post(f"{REPORTS}generate/", json=GENERATE | {"customer_id": 999}), "Customer with ID 999 not found"),
        (
            client.post(f"{REPORTS}generate/", json=GENERATE | {"end_date": "2022-12-31"}),
            "Start date must be before end date",
        ),
        (client.get(f"{REPORTS}1/download/?format=xyz"), "Invalid format: xyz"),
        (client.get(f"{REPORTS}?order_by=name"), "Invalid order_by: name"),
        (client.get(f"{REPORTS}?page=2"), "page: is not known"),
    ]
    named = []
    for answer, said in refusals:
        body = answer.json()
        assert (answer.status_code, body["success"], body["error"]["code"]) == (400, False, "VALIDATION_ERROR")
        assert body["error"]["message"] == said
        named.append(list(body["error"]["details"]))
    assert named == [["customer_id"], ["start_date"], ["format"], ["order_by"], ["page"]]


def test_somebody_of_one_customer_sees_that_one_alone(uuids, front_end):
    client = front_end("manager", customer_id=WIDGETS)
    assert [report["id"] for report in client.get(REPORTS).json()["data"]] == [uuids[2]]
    assert [row["customer_id"] for row in client.get(f"{REPORTS}customer-summary/").json()["data"]] == [WIDGETS]
    for path in (f"{uuids[1]}/", f"{uuids[1]}/download/"):
        answer = client.get(REPORTS + path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
        assert uuids[1] not in client.get(REPORTS).text


def test_the_accept_header_chooses_the_dialect(uuids, front_end):
    plain = front_end().get(REPORTS, headers={"Accept": "application/vnd.billing.plain+json"}).json()
    assert [report["id"] for report in plain] == [3, 2, 1]


def test_a_large_report_is_streamed(sessions, uuids, front_end, monkeypatch):
    with sessions.begin() as session:
        for number in range(1, 10):
            an_order(session, ACME, 20000 + number, "2023-03-01", picking=number, shipping=1)
        period = Period(date(2023, 3, 1), date(2023, 3, 31))
        march = a_report(session, ACME, "2023-04-01T00:00:00Z", period=period)
    client = front_end()
    whole = client.get(f"{REPORTS}{march.id}/")
    monkeypatch.setattr(exports_json, "_A_CHUNK", 1)
    streamed = client.get(f"{REPORTS}{march.id}/")
    assert ("content-length" in whole.headers, "content-length" in streamed.headers) == (True, False)
    assert streamed.json() == whole.json()
    orders = whole.json()["data"]["orders"]
    assert [(order["total_items"], order["services"][0]["quantity"]) for order in orders] == [
        (n, n) for n in range(1, 10)
    ]
    assert whole.json()["data"]["service_totals"] == {
        "1": {"name": "Picking", "amount": 45, "order_count": 9},
        "2": {"name": "Shipping", "amount": 9, "order_count": 9},
    }

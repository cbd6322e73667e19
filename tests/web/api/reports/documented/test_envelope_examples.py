"""Every example of the envelope document of the reports API as it stands there.

Amounts compare as JSON numbers: the document writes ``1500.00``, which is the same as ``1500.0``.
"""

from datetime import date

import pytest

from billing_core.dates import Period
from billing_core.orders.models import Order
from billing_core.rating.models import CostType, Service
from billing_core.reports import queries, summary
from tests.web.api.reporting import a_customer, a_report, an_order, an_order_line

REPORTS = "/api/v2/reports/"


@pytest.fixture
def front_end_company(sessions):
    """Customer 1 of the envelope document: one order of 25.00, billed by the admin_user."""
    with sessions.begin() as session:
        session.add(Service(id=1, code="STD", name="Standard Shipping", cost_type=CostType.PER_ORDER))
        session.flush()
        a_customer(session, 1, "Customer Name", price="25")
        an_order(
            session,
            1,
            1,
            "2025-01-15",
            picking=2,
            shipping=1,
            ship_to_name="John Smith",
            ship_to_address="123 Test St",
        )
        an_order_line(session, 1, "B", 3)
        session.get_one(Order, 1).number = "ORD-001"
        session.flush()
        return a_report(session, 1, "2025-01-15T10:30:00Z", period=Period.month_of(date(2025, 1, 1)))


HEADER = {
    "customer": 1,
    "customer_name": "Customer Name",
    "start_date": "2025-01-01",
    "end_date": "2025-01-31",
    "total_amount": 25.00,
    "generated_at": "2025-01-15T10:30:00Z",
    "output_format": "json",
    "created_at": "2025-01-15T10:30:00Z",
    "created_by": "admin_user",
}


def test_the_enveloped_list(front_end_company, front_end):
    answer = front_end().get(REPORTS)
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "data": [{"id": front_end_company.uuid} | HEADER]}


def test_the_enveloped_detail(front_end_company, front_end):
    answer = front_end().get(f"{REPORTS}{front_end_company.uuid}/")
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "data": {"id": front_end_company.uuid}
        | HEADER
        | {
            "orders": [
                {
                    "order_id": "ORD-001",
                    "transaction_date": "2025-01-15",
                    "status": "Completed",
                    "ship_to_name": "John Smith",
                    "ship_to_address": "123 Test St",
                    "total_items": 5,
                    "line_items": 2,
                    "services": [
                        {
                            "service_id": 1,
                            "service_name": "Standard Shipping",
                            "amount": 25.00,
                            "quantity": 1,
                            "cost_type": "per_order",
                        }
                    ],
                    "total_amount": 25.00,
                }
            ],
            "service_totals": {"1": {"name": "Standard Shipping", "amount": 25.00, "order_count": 1}},
        },
    }


def test_the_enveloped_report_that_is_generated(front_end_company, front_end):
    """For another period: of the same one, it would be the report that is there."""
    wanted = {"customer_id": 1, "start_date": "2025-01-15", "end_date": "2025-01-15", "output_format": "json"}
    answer = front_end("manager").post(f"{REPORTS}generate/", json=wanted)
    assert answer.status_code == 201
    body = answer.json()
    data = body["data"]
    made = data.pop("generated_at")
    assert (body["success"], len(data.pop("id")), data.pop("created_at")) == (True, 36, made)
    assert data == {
        "customer": 1,
        "customer_name": "Customer Name",
        "start_date": "2025-01-15",
        "end_date": "2025-01-15",
        "total_amount": 25.00,
        "output_format": "json",
        "created_by": "Some manager",
    }


@pytest.mark.parametrize(
    ("asked", "media_type", "ending"),
    [
        ({}, "text/csv", "csv"),
        ({"format": "csv"}, "text/csv", "csv"),
        ({"format": "json"}, "application/json", "json"),
        ({"format": "pdf"}, "application/pdf", "pdf"),
    ],
)
def test_the_enveloped_download(front_end_company, front_end, asked, media_type, ending):
    answer = front_end().get(f"{REPORTS}{front_end_company.uuid}/download/", params=asked)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, media_type)
    name = f"billing-report-{front_end_company.uuid}.{ending}"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


def test_the_enveloped_summary(sessions, front_end):
    with sessions.begin() as session:
        a_customer(session, 1, "Customer Name")
        for month, made in enumerate(("2025-01-01", "2025-01-20", "2025-02-01", "2025-02-20", "2025-03-01"), 1):
            an_order(session, 1, month, f"2024-{month:02}-05", picking=1500, shipping=0)
            a_report(session, 1, f"{made}T12:00:00Z", period=Period.month_of(date(2024, month, 1)))
    answer = front_end().get(f"{REPORTS}customer-summary/")
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "data": [
            {
                "customer_id": 1,
                "customer_name": "Customer Name",
                "reports_count": 5,
                "total_billed": 7500.00,
                "first_billing_date": "2025-01-01",
                "last_billing_date": "2025-03-01",
                "average_bill_amount": 1500.00,
            }
        ],
    }


@pytest.mark.parametrize(
    ("status", "role", "method", "path", "query", "code"),
    [
        (400, "finance", "GET", REPORTS, {"start_date": "soon"}, "VALIDATION_ERROR"),
        (401, None, "GET", REPORTS, {}, "UNAUTHORIZED"),
        (403, "finance", "POST", f"{REPORTS}generate/", {}, "FORBIDDEN"),
        (404, "finance", "GET", f"{REPORTS}77/", {}, "NOT_FOUND"),
        (500, "finance", "GET", f"{REPORTS}customer-summary/", {}, "INTERNAL_ERROR"),
    ],
)
def test_each_enveloped_scenario_of_errors(
    front_end_company, front_end, browser, monkeypatch, status, role, method, path, query, code
):
    def fail(*_args, **_facts):
        raise RuntimeError("SELECT secret FROM somewhere")

    monkeypatch.setattr(summary, "after", fail)
    client = front_end(role) if role else browser()
    client.headers["Accept"] = "application/vnd.billing.envelope+json"
    wanted = {"customer_id": 1, "start_date": "2023-01-01", "end_date": "2023-01-31", "output_format": "json"}
    answer = client.request(method, path, params=query, json=wanted if method == "POST" else None)

    body = answer.json()
    assert (answer.status_code, set(body), body["success"]) == (status, {"success", "error"}, False)
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["code"] == code
    assert "SELECT" not in answer.text


def test_an_enveloped_refusal_names_the_field(front_end_company, front_end):
    answer = front_end("finance").get(REPORTS, params={"start_date": "soon"})
    assert answer.json()["error"] == {
        "code": "VALIDATION_ERROR",
        "message": "start_date: must be a day such as 2023-01-31",
        "details": {"start_date": "must be a day such as 2023-01-31"},
    }


def test_an_enveloped_fault_of_ours_tells_the_logs_reference_alone(front_end_company, front_end, monkeypatch):
    def fail(*_args, **_facts):
        raise RuntimeError("SELECT secret FROM somewhere")

    monkeypatch.setattr(queries, "page", fail)
    answer = front_end("finance").get(REPORTS)
    assert answer.json()["error"] == {
        "code": "INTERNAL_ERROR",
        "message": "An error occurred while fetching reports.",
        "details": {"reference": answer.headers["x-request-id"]},
    }

"""Every example of the plain document of the reports API as it stands there; only token and host are replaced.

Amounts compare as JSON numbers: the documents write ``1500.0`` and ``1500.00`` for the same one. Where a document's
example does not add up by itself (a report of five orders that shows one), it is split into two that do.
"""

import contextlib
import io
import shutil
import subprocess
import threading
from datetime import date

import pytest
import uvicorn
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond

from billing_core.dates import Period
from billing_core.reports import queries, service, summary
from billing_core.web.api.middleware import rate_limit
from tests.web.api.reporting import ACME, WIDGETS, a_customer, a_report, an_order, at

REPORTS = "/api/v2/reports/"
GENERATE = {"customer_id": 123, "start_date": "2023-01-01", "end_date": "2023-01-31", "output_format": "json"}
SERVICES = {"1": {"service_name": "Picking", "amount": 500.0}, "2": {"service_name": "Shipping", "amount": 1000.0}}


@pytest.fixture
def acme(sessions):
    """Report 1 of the plain document."""
    with sessions.begin() as session:
        a_customer(session, ACME, "ACME Corp")
        an_order(session, ACME, 10001, "2023-01-15", picking=500, shipping=1000)
        return a_report(session, ACME, "2023-02-01T12:00:00Z")


@pytest.fixture
def address(api, acme):
    """The product behind a real port, for the programs of the document."""
    server = uvicorn.Server(uvicorn.Config(api, port=0, log_level="error", lifespan="off"))
    running = threading.Thread(target=server.run)
    running.start()
    while not server.started:
        assert running.is_alive()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    running.join()


def test_the_plain_list(sessions, program):
    with sessions.begin() as session:
        a_customer(session, ACME, "ACME Corp")
        a_customer(session, WIDGETS, "Widgets Inc")
        for number in range(5):
            an_order(session, ACME, 100 + number, "2023-01-01", picking=100, shipping=200)
        for number in range(8):
            an_order(session, WIDGETS, 200 + number, "2023-01-31", picking=250, shipping=750 if number == 0 else 0)
        a_report(session, ACME, "2023-02-01T12:00:00Z")
        a_report(session, WIDGETS, "2023-02-01T14:30:00Z")
    answer = program().get(REPORTS, params={"order_by": "id"})
    assert answer.status_code == 200
    assert answer.json() == [
        {
            "id": 1,
            "customer_id": 123,
            "customer_name": "ACME Corp",
            "start_date": "2023-01-01",
            "end_date": "2023-01-31",
            "created_at": "2023-02-01T12:00:00Z",
            "total_amount": 1500.0,
            "order_count": 5,
        },
        {
            "id": 2,
            "customer_id": 456,
            "customer_name": "Widgets Inc",
            "start_date": "2023-01-01",
            "end_date": "2023-01-31",
            "created_at": "2023-02-01T14:30:00Z",
            "total_amount": 2750.0,
            "order_count": 8,
        },
    ]


def test_the_plain_answer_without_credentials(browser, acme):
    answer = browser().get(REPORTS)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Authentication credentials were not provided."}


@pytest.mark.parametrize(
    ("method", "path", "broken", "said"),
    [
        ("GET", REPORTS, (queries, "page"), "An error occurred while fetching reports."),
        ("POST", f"{REPORTS}generate/", (service, "generate"), "An error occurred generating the report"),
        ("GET", f"{REPORTS}customer-summary/", (summary, "after"), "An error occurred getting customer summary"),
    ],
)
def test_the_plain_answers_to_what_went_wrong_on_our_side(acme, program, monkeypatch, method, path, broken, said):
    def fail(*_args, **_facts):
        raise RuntimeError("SELECT secret FROM somewhere")

    monkeypatch.setattr(*broken, fail)
    answer = program().request(method, path, json=GENERATE if method == "POST" else None)
    assert answer.status_code == 500
    assert answer.json() == {"error": said, "reference": answer.headers["x-request-id"]}


def test_the_plain_detail(acme, program):
    answer = program().get(f"{REPORTS}1/")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": 1,
        "customer_id": 123,
        "customer_name": "ACME Corp",
        "start_date": "2023-01-01",
        "end_date": "2023-01-31",
        "created_at": "2023-02-01T12:00:00Z",
        "total_amount": 1500.0,
        "service_totals": SERVICES,
        "orders": [
            {
                "order_id": 10001,
                "reference_number": "REF-10001",
                "order_date": "2023-01-15",
                "total_amount": 1500.0,
                "service_costs": [
                    {"service_id": 1, "service_name": "Picking", "amount": 500.0},
                    {"service_id": 2, "service_name": "Shipping", "amount": 1000.0},
                ],
            }
        ],
    }


@pytest.mark.parametrize("path", ["2/", "2/download/"])
def test_the_plain_answer_to_an_unknown_report(acme, program, path):
    answer = program().get(REPORTS + path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


def test_the_plain_report_that_is_generated(sessions, program):
    """Two reports came before it."""
    with sessions.begin() as session:
        a_customer(session, ACME, "ACME Corp")
        for month in (2, 3):
            a_report(session, ACME, "2023-02-01T12:00:00Z", period=Period.month_of(date(2022, month, 1)))
        an_order(session, ACME, 10005, "2023-01-20", picking=800, shipping=1700)
    answer = program("manager").post(f"{REPORTS}generate/", json=GENERATE)
    assert answer.status_code == 201
    body = answer.json()
    assert at(body.pop("created_at")).year > 2023
    assert body == {
        "id": 3,
        "customer_id": 123,
        "customer_name": "ACME Corp",
        "start_date": "2023-01-01",
        "end_date": "2023-01-31",
        "total_amount": 2500.0,
        "service_totals": {
            "1": {"service_name": "Picking", "amount": 800.0},
            "2": {"service_name": "Shipping", "amount": 1700.0},
        },
        "orders": [
            {
                "order_id": 10005,
                "reference_number": "REF-10005",
                "order_date": "2023-01-20",
                "total_amount": 2500.0,
                "service_costs": [
                    {"service_id": 1, "service_name": "Picking", "amount": 800.0},
                    {"service_id": 2, "service_name": "Shipping", "amount": 1700.0},
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"end_date": "2022-12-31"}, "Start date must be before end date"),
        ({"customer_id": 999}, "Customer with ID 999 not found"),
    ],
)
def test_the_plain_refusals_to_generate(acme, program, wrong, said):
    answer = program().post(f"{REPORTS}generate/", json=GENERATE | wrong)
    assert (answer.status_code, answer.json()) == (400, {"error": said})


CSV = 'order_id,service_id,service_name,amount\r\n10001,1,"Picking",500.00\r\n10001,2,"Shipping",1000.00\r\n'


def test_the_plain_download(acme, program):
    answer = program().get(f"{REPORTS}1/download/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == "text/csv"
    assert answer.headers["content-disposition"] == 'attachment; filename="billing_report_1.csv"'
    assert answer.text == CSV


def test_the_plain_refusal_to_download(acme, program):
    answer = program().get(f"{REPORTS}1/download/", params={"format": "xyz"})
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid format: xyz"})


def test_the_plain_summary(sessions, program):
    with sessions.begin() as session:
        for customer, name, amounts in (
            (ACME, "ACME Corp", [1500] * 5),
            (WIDGETS, "Widgets Inc", [0, 1400, 1400, 1400]),
        ):
            a_customer(session, customer, name)
            for month, amount in enumerate(amounts, 1):
                if amount:
                    an_order(
                        session, customer, customer * 10 + month, f"2022-{month:02}-05", picking=amount, shipping=0
                    )
                    period = Period.month_of(date(2022, month, 1))
                    a_report(session, customer, f"2023-{month:02}-01T00:00:00Z", period=period)
    answer = program().get(f"{REPORTS}customer-summary/")
    assert answer.status_code == 200
    assert answer.json() == [
        {
            "customer_id": 123,
            "customer_name": "ACME Corp",
            "report_count": 5,
            "total_amount": 7500.0,
            "first_report": "2023-01-01T00:00:00Z",
            "latest_report": "2023-05-01T00:00:00Z",
        },
        {
            "customer_id": 456,
            "customer_name": "Widgets Inc",
            "report_count": 3,
            "total_amount": 4200.0,
            "first_report": "2023-02-01T00:00:00Z",
            "latest_report": "2023-04-01T00:00:00Z",
        },
    ]


@pytest.mark.parametrize(
    ("status", "role", "method", "path", "query"),
    [
        (400, "admin", "GET", REPORTS, {"customer_id": "many"}),
        (401, None, "GET", REPORTS, {}),
        (403, "finance", "POST", f"{REPORTS}generate/", {}),
        (404, "admin", "GET", f"{REPORTS}77/", {}),
        (500, "admin", "GET", f"{REPORTS}customer-summary/", {}),
    ],
)
def test_each_row_of_the_plain_table_of_errors(acme, program, browser, monkeypatch, status, role, method, path, query):
    def fail(*_args, **_facts):
        raise RuntimeError

    monkeypatch.setattr(summary, "after", fail)
    client = program(role) if role else browser()
    answer = client.request(method, path, params=query, json=GENERATE if method == "POST" else None)
    assert answer.status_code == status


def test_more_than_a_hundred_requests_a_minute_are_too_many(acme, program, monkeypatch):
    client = program()
    monkeypatch.setattr(rate_limit, "PER_MINUTE", RateLimitItemPerMinute(100, namespace="documented"))
    monkeypatch.setattr(rate_limit, "PER_SECOND", RateLimitItemPerSecond(1000, namespace="documented-burst"))
    assert [client.get(f"{REPORTS}nothing/").status_code for _ in range(101)] == [404] * 100 + [429]


def run_in_shell(text: str, folder) -> str:
    return subprocess.run(["bash", "-c", text], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_generating_a_report_with_curl(address, key_of, tmp_path):
    script = r"""
curl -X POST https://example.com/api/v2/reports/generate/ \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "customer_id": 123,
    "start_date": "2023-01-01",
    "end_date": "2023-01-31",
    "output_format": "json"
  }'
"""
    told = run_in_shell(_replaced(script, address, key_of), tmp_path)
    assert '"total_amount": 1500.00' in told


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_downloading_a_report_with_curl(address, key_of, tmp_path):
    script = r"""
curl -X GET https://example.com/api/v2/reports/1/download/?format=csv \
  -H "Authorization: Bearer YOUR_TOKEN" \
  --output billing_report_1.csv
"""
    run_in_shell(_replaced(script, address, key_of), tmp_path)
    assert (tmp_path / "billing_report_1.csv").read_bytes().decode() == CSV


def test_filtering_reports_with_python(address, key_of):
    script = """
import requests

response = requests.get(
    'https://example.com/api/v2/reports/',
    params={
        'customer_id': 123,
        'start_date': '2023-01-01',
        'end_date': '2023-01-31',
        'order_by': '-created_at'
    },
    headers={'Authorization': 'Bearer YOUR_TOKEN'}
)

reports = response.json()
for report in reports:
    print(f"Report #{report['id']} - {report['customer_name']} - ${report['total_amount']}")
"""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(_replaced(script, address, key_of), {})
    assert told.getvalue() == "Report #1 - ACME Corp - $1500.0\n"


def _replaced(script: str, address: str, key_of) -> str:
    return script.replace("https://example.com", address).replace("YOUR_TOKEN", key_of("manager").secret_key)

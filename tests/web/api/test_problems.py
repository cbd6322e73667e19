"""Each API tells what went wrong in its documented shape, and never more than that."""

import pytest
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from streamlit.web.server.starlette.starlette_path_security_middleware import PathSecurityMiddleware

from billing_core import web
from billing_core.identity import api_keys
from tests.web.api import probe

# What no database sees needs no second one.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ENVELOPE = {"Accept": "application/vnd.billing.envelope+json"}


def code(code, message="What was wrong", details=None):
    return {"success": False, "error": {"code": code, "message": message, "details": details or {}}}


EARLY = {"due_date": "is too early"}
SHAPES = {
    "NotFound": (
        404,
        {"detail": "Not found."},
        code("NOT_FOUND"),
        {"error": "Not found", "message": "What was wrong"},
        {"detail": "What was wrong"},
    ),
    "Conflict": (
        409,
        {"error": "What was wrong"},
        code("CONFLICT"),
        {"error": "Conflict", "message": "What was wrong"},
        {"detail": "What was wrong"},
    ),
    "Invalid": (
        400,
        {"error": "What was wrong"},
        code("VALIDATION_ERROR", details=EARLY),
        {"error": "Invalid data", "message": "What was wrong", "fields": EARLY},
        {"detail": "What was wrong", "fields": EARLY},
    ),
    "Forbidden": (
        403,
        {"detail": "What was wrong"},
        code("FORBIDDEN"),
        {"error": "Forbidden", "message": "What was wrong"},
        {"detail": "What was wrong"},
    ),
}


@pytest.fixture
def client(probed, program):
    return program()


@pytest.mark.parametrize("kind", SHAPES)
def test_each_kind_of_refusal_in_each_api(client, kind):
    status, plain, envelope, invoices, other = SHAPES[kind]
    for place, headers, body in (
        ("reports", {}, plain),
        ("reports", ENVELOPE, envelope),
        ("invoices", {}, invoices),
        ("analytics", {}, other),
    ):
        response = client.get(f"{probe.PLACES[place]}/refuses/{kind}", headers=headers)
        assert (response.status_code, response.json()) == (status, body)
        assert response.headers["content-type"] == "application/json"


def test_the_payment_gateways_failure_is_the_invoices_documents_500(client):
    response = client.get("/api/invoices/probe/refuses/UpstreamFailed")
    assert response.status_code == 500
    assert response.json() == {
        "error": "Stripe integration error",
        "message": "What was wrong",
        "reference": response.headers["x-request-id"],
    }
    assert client.get("/api/v2/probe/refuses/UpstreamFailed").status_code == 502


def test_a_bug_shows_its_documented_text_and_a_reference_that_the_log_has_too(client, capsys):
    reference = {}
    for place, headers in (("reports", {}), ("reports", ENVELOPE), ("invoices", {}), ("analytics", {})):
        response = client.post(f"{probe.PLACES[place]}/breaks", json={"amount": 1}, headers=headers)
        assert response.status_code == 500
        assert "secret" not in response.text
        reference[place, bool(headers)] = (response.json(), response.headers["x-request-id"])
    body, known_as = reference["reports", False]
    assert body == {"error": "An error occurred here", "reference": known_as}
    body, known_as = reference["reports", True]
    assert body == code("INTERNAL_ERROR", "An error occurred here", {"reference": known_as})
    body, known_as = reference["invoices", False]
    assert body == {"error": "Internal server error", "message": "An error occurred here", "reference": known_as}
    assert known_as in capsys.readouterr().out


def test_a_busy_database_asks_for_patience_also_while_it_looks_for_the_caller(client, monkeypatch):
    def locked(*_args, **_facts):
        raise OperationalError("SELECT", {}, Exception("database is locked"))

    monkeypatch.setattr(api_keys, "find", locked)
    response = client.get("/api/v2/reports/")
    assert (response.status_code, response.headers["retry-after"]) == (503, "60")
    assert response.json()["error"] == "The database is busy with a large change. Try again in a minute."


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v2/nothing/", 404),
        ("GET", "/api/", 404),
        ("GET", "/api/v2/probe/refuses/%00", 404),
        ("GET", "/api/v2/probe/refuses/NotFound/../../../../etc/passwd", 404),
        ("DELETE", "/api/v2/probe/work", 405),
        ("OPTIONS", "/api/v2/probe/work", 405),
        ("TRACE", "/api/v2/probe/work", 405),
        ("GET", "/api/v2/probe/refuses/Conflict?limit=1", 409),
        ("GET", "/api/v2/probe/refuses/Conflict?limits=1", 400),
        ("GET", "/api/v2/probe/refuses/Conflict?limit=1%00", 400),
        ("GET", "/api/v2/probe/refuses/Conflict?limit=one", 400),
        ("GET", "/api/v2/probe/refuses/Conflict?%F0%9F", 400),
    ],
)
def test_addresses_and_parameters_that_there_are_not(client, method, path, status):
    assert client.request(method, path).status_code == status


@pytest.mark.parametrize("trick", ["..%2f..%2fetc%2fpasswd", "%5c%5cevil%5cshare", "%00"])
def test_an_address_that_the_dashboards_server_would_refuse_is_not_found(client, trick):
    inner = [*web.middleware(), Middleware(PathSecurityMiddleware)]
    whole = TestClient(Starlette(routes=web.routes(), middleware=inner, exception_handlers=web.HANDLERS))
    for address in (f"/api/v2/reports/{trick}/download/", f"/api/invoices/{trick}"):
        refused = whole.get(address, headers={"Authorization": client.headers["Authorization"]})
        assert refused.status_code == 404
        assert refused.json().get("detail", refused.json().get("error", "")).startswith("Not found")
    assert whole.get("/..%2f..%2fetc").status_code in (400, 401)


def test_a_method_that_an_address_does_not_take_is_told_those_that_it_does(client):
    for path, allowed in (
        ("/api/invoices", "GET, HEAD, POST"),
        ("/api/invoices/inv_1", "DELETE, GET, HEAD, PATCH"),
        ("/api/v2/reports/generate/", "POST"),
        ("/api/v2/reports/1/", "GET, HEAD"),
    ):
        assert client.put(path).headers["allow"] == allowed


def test_the_parameter_at_fault_is_named(client):
    plain = client.get("/api/v2/probe/refuses/Conflict?limits=1&limit=x")
    assert plain.json() == {"error": "limits: is not known"}
    envelope = client.get("/api/v2/probe/refuses/Conflict?limit=x", headers=ENVELOPE)
    assert list(envelope.json()["error"]["details"]) == ["limit"]


def test_answers_may_not_run_anything_in_a_browser(client):
    headers = client.get("/api/v2/nothing/").headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")


def test_the_log_knows_what_was_changed_and_refused_and_nothing_that_was_sent(client, capsys):
    key = client.headers["Authorization"]
    headers = {"Cookie": "billing_session=secret-cookie"}
    capsys.readouterr()
    client.post("/api/v2/probe/work", json={"amount": 77777}, headers=headers)
    client.post("/api/v2/probe/work", json={"amount": "Ana Lima"}, headers=headers)
    client.post("/api/v1/auth/token", json={"email": "ana@example.com", "password": "secret-word"})
    client.get("/api/v2/probe/refuses/NotFound-Ana?limit=Lima")
    log = capsys.readouterr().out
    assert [line for line in log.splitlines() if "/api/v2/probe/work" in line and "201" in line and "key:1" in line]
    assert log.count("api request") == 4
    for private in ("secret", "Ana", "ana@", "Lima", "77777", key, key[-20:]):
        assert private not in log


@pytest.mark.parametrize(
    ("content", "kind", "error", "fields"),
    [
        (b"[]", "application/json", "Invalid data", {"body": "must be a JSON object"}),
        # What curl sends of itself.
        (
            b"{}",
            "application/x-www-form-urlencoded",
            "Invalid data",
            {"body": "must be sent with Content-Type: application/json"},
        ),
        (
            b'{"currency": "JPY"}',
            "application/json",
            "Missing required fields",
            {
                "business_id": "is required",
                "customer_email": "is required",
                "line_items": "is required",
                "currency": "must be 'USD', 'EUR', 'GBP', 'CAD' or 'AUD'",
            },
        ),
        (
            b'{"business_id": "b", "customer_email": "a@example.com", "line_items": []}',
            "application/json",
            "Line items required",
            {"line_items": "needs at least 1"},
        ),
    ],
)
def test_what_is_wrong_with_a_body_is_said_in_the_products_words(client, content, kind, error, fields):
    refused = client.post("/api/invoices", content=content, headers={"Content-Type": kind})
    assert (refused.status_code, refused.json()["error"], refused.json()["fields"]) == (400, error, fields)


def test_a_limit_that_is_too_high_names_the_highest(client):
    refused = client.get("/api/invoices?business_id=b&limit=101")
    assert refused.json()["fields"] == {"limit": "must be at most 100"}
    token = client.post("/api/v1/auth/token", json={"email": "x" * 1_001, "password": "x"})
    assert token.json()["fields"] == {"email": "may have at most 1000 characters"}

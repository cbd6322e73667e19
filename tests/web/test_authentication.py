"""A visitor without a session gets nothing."""

from datetime import timedelta
from itertools import product

import pytest
from starlette.websockets import WebSocketDisconnect
from structlog.testing import CapturingLogger

from billing_core.dates import utc_now
from billing_core.identity import SESSION_COOKIE
from billing_core.identity import sessions as browser_sessions
from billing_core.web import failures, health
from billing_core.web.activity import last_seen
from billing_core.web.public import problems

PATHS = [
    "/",
    "/reports",
    "/reports?report=1",
    "/_stcore/health",
    "/_stcore/host-config",
    "/_stcore/stream",
    "/_stcore/upload_file/x/y",
    "/_stcore/agent",
    "/media/0123.csv",
    "/static/js/index.js",
    "/component/x/index.html",
    "/app/static/x",
    "/downloads/reports/1.csv",
    "/downloads",
    "/favicon.png",
    "/oauth2callback",
    "/metrics",
    "/auth",
    "/AUTH/sign-in",
    "//auth/sign-in",
    "/healthz/",
    "/healthz/../media/x",
    "/readyzz",
    "/%61uth/../",
    "/x/auth/sign-in",
    "/;/auth/",
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def test_an_anonymous_program_gets_401_from_every_path(visitor, ana):
    for path, method in product(PATHS, METHODS):
        answer = visitor.request(method, path)
        assert answer.status_code == 401, (method, path)
        assert "inside" not in answer.text


def test_an_anonymous_person_is_led_to_the_sign_in_page(visitor, ana):
    for path in PATHS:
        answer = visitor.get(path, headers={"Accept": "text/html,*/*"})
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/auth/sign-in?next=/"), path


def test_what_was_wanted_is_kept(visitor, ana):
    answer = visitor.get("/reports?customer=3&q=a%20b", headers={"Accept": "text/html"})
    assert answer.headers["location"] == "/auth/sign-in?next=/reports%3Fcustomer%3D3%26q%3Da%2520b"


@pytest.mark.parametrize("token", ["", "x", "ä", "; DROP", "0" * 43])
def test_a_made_up_token_opens_nothing(visitor, ana, token):
    cookie = f"{SESSION_COOKIE}={token}".encode("latin-1")
    assert visitor.get("/", headers={b"Cookie": cookie}).status_code == 401


@pytest.mark.parametrize("path", ["/_stcore/stream", "/", "/auth/sign-in", "/healthz"])
def test_a_websocket_is_refused_before_it_is_accepted(visitor, ana, path):
    with pytest.raises(WebSocketDisconnect), visitor.websocket_connect(path, headers={"Origin": "http://testserver"}):
        pass


def test_somebody_signed_in_gets_everything(signed_in):
    client = signed_in("finance")
    assert client.get("/").text == "inside"
    with client.websocket_connect("/_stcore/stream", headers={"Origin": "http://testserver"}) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "inside"


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "http://testserver.evil.example", "http://testserver:8000", "https://"],
)
def test_another_sites_page_opens_no_websocket(signed_in, origin):
    client = signed_in("finance")
    headers = {"Origin": origin} if origin else {}
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/_stcore/stream", headers=headers):
        pass


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_sends_nothing(signed_in, headers):
    client = signed_in("admin")
    for path in ("/_stcore/upload_file/x/y", "/auth/sign-out", "/downloads/reports.zip"):
        assert client.post(path, headers=headers).status_code == 403


def test_a_revoked_session_is_out_at_once(signed_in, sessions):
    client = signed_in("finance")
    assert client.get("/").status_code == 200
    with sessions.begin() as session:
        browser_sessions.end_all(session, 1, now=utc_now())
    assert client.get("/").status_code == 401


def test_use_is_noted_and_written_later(signed_in, sessions, monkeypatch):
    client = signed_in("finance")
    # What other requests noted is out of the way first.
    last_seen.write()
    later = utc_now() + timedelta(minutes=5)
    monkeypatch.setattr("billing_core.web.activity.utc_now", lambda: later)
    client.get("/")
    with sessions() as session:
        assert browser_sessions.open_sessions(session, 1, now=utc_now())[0].last_seen_at < later
    last_seen.write()
    with sessions() as session:
        assert browser_sessions.open_sessions(session, 1, now=utc_now())[0].last_seen_at == later


def test_before_the_set_up_everything_leads_to_it(visitor):
    for path in ("/", "/reports", "/auth/sign-in"):
        assert visitor.get(path, headers={"Accept": "text/html"}).headers["location"] == "/auth/set-up"
    page = visitor.get("/auth/set-up")
    assert "terminal" in page.text
    assert "<form" not in page.text


def test_whether_it_is_up_is_no_secret(visitor, monkeypatch):
    assert visitor.get("/healthz").json() == {"status": "ok"}
    monkeypatch.setattr(health, "running_jobs", lambda: {"outbox": True, "seal": True})
    assert visitor.get("/readyz").json() == {"status": "ok", "jobs": ["outbox", "seal"]}


def test_it_is_not_ready_where_its_jobs_do_not_run(visitor, monkeypatch):
    assert visitor.get("/readyz").status_code == 503
    monkeypatch.setattr(health, "running_jobs", lambda: {"outbox": False, "seal": True})
    response = visitor.get("/readyz")
    assert (response.status_code, response.json()["ended"]) == (503, ["outbox"])


def test_it_is_not_ready_before_the_database_is_migrated(visitor, monkeypatch):
    monkeypatch.setattr("billing_core.database.migrate.head", lambda: "9999")
    assert visitor.get("/readyz").status_code == 503


@pytest.mark.parametrize("path", ["/", "/auth/sign-in", "/nothing", "/auth/static/auth.css"])
def test_every_answer_is_safe_to_show(signed_in, path):
    headers = signed_in("finance").get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"
    assert len(headers["x-request-id"]) == 12
    assert (headers.get("cache-control") == "no-store") is not path.startswith("/auth/static/")


def test_a_bug_shows_a_reference_and_nothing_else(signed_in, caplog):
    answer = signed_in("finance").get("/broken", headers={"Accept": "text/html"})
    assert answer.status_code == 500
    assert answer.headers.get("content-type", "").startswith("text/html")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert "Reference: <code>" in answer.text


def test_what_goes_wrong_at_a_secret_address_is_logged_without_it(browser, monkeypatch):
    def broken(request):
        raise RuntimeError("broken")

    log = CapturingLogger()
    monkeypatch.setattr(problems, "public_wait_seconds", broken)
    monkeypatch.setattr(failures, "_log", log)
    answer = browser().get("/i/the-customers-secret")
    (written,) = log.calls
    assert (answer.status_code, written.kwargs["route"]) == (500, "/i/{token}")
    assert written.kwargs["reference"] == answer.headers["x-request-id"]
    assert "secret" not in str(written)

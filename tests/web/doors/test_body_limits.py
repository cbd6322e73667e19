"""Nobody makes the product read, keep or wait for more than an address can use."""

import asyncio
import itertools
import tempfile
import tomllib
from pathlib import Path
from unittest import mock

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.websockets import WebSocketDisconnect
from streamlit.web.server.starlette.starlette_app import create_streamlit_routes

from billing_core import web
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM, Role
from billing_core.identity.api_keys import KeyMode
from billing_core.people import keys
from billing_core.settings import settings
from billing_core.web import app
from billing_core.web.access import APIS
from billing_core.web.api.app import api_app
from billing_core.web.doors import body_limits
from tests.web.forms import PASSWORD
from tests.web.knocking import knock

PART = 60 * 1024
MULTIPART = b"multipart/form-data; boundary=b"
FILE = b'--b\r\nContent-Disposition: form-data; name="email"; filename="f"\r\n\r\n'
READS = ("GET", "HEAD", "OPTIONS")


@pytest.fixture
def whole(product, monkeypatch):
    """The product as it is served, with the dashboard's own routes."""
    monkeypatch.setattr(body_limits, "_LINGER_SECONDS", 0.0)
    routes = [*web.routes(), *create_streamlit_routes(mock.MagicMock())]
    return Starlette(routes=routes, middleware=web.middleware(), exception_handlers=web.HANDLERS)


def every_route():
    """(method, an address) of each route that there is."""
    ours = [route for router in app.ROUTERS for route in router.routes]
    for route in (*ours, *api_app().state.addresses, *create_streamlit_routes(mock.MagicMock())):
        for method in getattr(route, "methods", None) or ():
            yield method, route.path.replace("{", "").replace("}", "").replace(":path", "")


def test_every_route_refuses_a_body_without_an_end(whole, sessions, monkeypatch):
    # Half a gigabyte says no more than some.
    monkeypatch.setattr(body_limits, "AN_UPLOAD", 2 * 1024 * 1024)
    # With it there is its address too.
    monkeypatch.setattr(settings(), "bounce_secret", SecretStr("of the mail server's alone, and nobody else's"))
    with sessions.begin() as session:
        key = keys.make(session, SYSTEM, name="a", role=Role.ADMIN, mode=KeyMode.LIVE, now=utc_now()).secret_key
    asked = {(method, path) for method, path in every_route() if method not in READS}
    assert {
        ("POST", "/auth/sign-in"),
        ("POST", "/api/invoices"),
        ("PUT", "/_stcore/upload_file/session_id/file_id"),
    } <= asked

    async def all_of_them():
        for method, path in sorted(asked):
            for more in ([], [(b"authorization", f"Bearer {key}".encode())]):
                headers = [(b"content-type", MULTIPART), (b"transfer-encoding", b"chunked"), *more]
                parts = itertools.chain([FILE], itertools.repeat(b"x" * PART))
                with mock.patch("billing_core.web.api.middleware.rate_limit._counted") as count:
                    count.return_value = mock.Mock(wait=0, headers={})
                    yield method, path, bool(more), await knock(whole, method, path, headers, parts)

    async def collected():
        return [one async for one in all_of_them()]

    for method, path, with_key, (status, headers, _, taken) in asyncio.run(collected()):
        api, opened = path.startswith(APIS), path.startswith(("/auth/", "/pay/", "/card/", "/webhooks/stripe"))
        reads = opened or (api and with_key) or path == "/api/v1/auth/token"
        assert status == (413 if reads else 401), (method, path, status)
        assert taken <= (body_limits.largest(path) + PART if reads else 0), (method, path)
        assert headers[b"connection"] == b"close"


def test_a_route_that_nothing_is_said_about_takes_what_a_form_takes():
    assert body_limits.largest("/tomorrow/new") == 64 * 1024
    assert body_limits.largest("/api/v9/new") == 1024 * 1024
    assert body_limits.largest("/webhooks/stripe") == 1_000_000
    assert body_limits.largest("/webhooks/bounces") == 10 * 1024 * 1024


def test_the_uploader_offers_what_is_taken():
    config = tomllib.loads((Path(web.__file__).parents[2] / ".streamlit" / "config.toml").read_text())
    assert body_limits.largest("/_stcore/upload_file/a/b") == (config["server"]["maxUploadSize"] + 1) * 1024 * 1024


def test_300_mb_to_the_sign_in_are_refused_unread_and_leave_nothing_on_the_disk(whole, ana, monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", mock.Mock(side_effect=AssertionError("written to disk")))
    declared = [(b"content-type", MULTIPART), (b"content-length", b"300000000"), (b"accept", b"text/html")]
    status, _, text, taken = asyncio.run(knock(whole, "POST", "/auth/sign-in", declared, itertools.repeat(b"x" * PART)))
    assert (status, taken) == (413, 0)
    assert b"The body is larger than 64 KiB" in text


def test_the_dashboards_own_reader_of_uploads_is_stopped_too(monkeypatch):
    monkeypatch.setattr(body_limits, "AN_UPLOAD", 2 * PART)
    monkeypatch.setattr(body_limits, "_LINGER_SECONDS", 0.0)
    with mock.patch("streamlit.web.server.starlette.starlette_routes.is_xsrf_enabled", return_value=False):
        routes = [each for each in create_streamlit_routes(mock.MagicMock()) if isinstance(each, Route)]
        parts = itertools.chain([FILE], itertools.repeat(b"x" * PART))
        application = body_limits.BodyLimits(Starlette(routes=routes))
        headers = [(b"content-type", MULTIPART)]
        status, _, _, taken = asyncio.run(knock(application, "PUT", "/_stcore/upload_file/a/b", headers, parts))
    assert (status, taken) == (413, 2 * PART + len(FILE))


def test_a_form_has_few_parts(whole, ana):
    fields = "".join(f'--b\r\nContent-Disposition: form-data; name="f{each}"\r\n\r\nx\r\n' for each in range(51))
    for body in (fields.encode(), FILE + b"x\r\n" + FILE + b"x\r\n"):
        answer = asyncio.run(knock(whole, "POST", "/auth/sign-in", [(b"content-type", MULTIPART)], [body + b"--b--"]))
        assert answer[0] == 400, body[:60]


def test_a_body_that_never_comes_is_not_waited_for(whole, monkeypatch):
    monkeypatch.setattr(body_limits, "PATIENCE_SECONDS", 0.05)
    form = [(b"content-type", b"application/x-www-form-urlencoded")]
    slow = asyncio.run(knock(whole, "POST", "/auth/sign-in", form, itertools.repeat(b"x"), pause=0.02))
    assert (slow[0], slow[2]) == (408, b'{"detail":"The request took too long to arrive"}')
    assert slow[1][b"connection"] == b"close"
    api = asyncio.run(knock(whole, "POST", "/api/v1/auth/token", form, itertools.repeat(b"x"), pause=0.02))
    assert (api[0], api[2]) == (408, b'{"detail":"The request took too long to arrive"}')


def test_a_long_upload_at_a_bearable_speed_comes_through(whole, monkeypatch):
    monkeypatch.setattr(body_limits, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(body_limits, "SLOWEST_BYTES_PER_SECOND", 4096)
    form = [(b"content-type", b"application/x-www-form-urlencoded")]
    body = [b"email=", *[b"x" * 4096] * 10]
    assert asyncio.run(knock(whole, "POST", "/auth/sign-in", form, body, pause=0.04))[0] == 403


def test_headers_have_a_limit(visitor):
    assert visitor.get("/healthz", headers={"X-Long": "x" * 40_000}).status_code == 431
    assert visitor.get("/healthz", headers={"X-Long": "x" * 10_000}).status_code == 200


def test_an_address_of_which_the_dashboard_would_read_nothing_is_refused(signed_in):
    """It reads 1,000 fields, and none where there are more: the page would show everything."""
    person = signed_in("finance")
    fields = "&".join(f"f{each}=1" for each in range(1000))
    assert person.get(f"/invoices?{fields}").status_code == 200
    refused = person.get(f"/invoices?{fields}&invoices_tab=overdue")
    assert (refused.status_code, refused.text) == (414, "Nothing is shown for an address with more than 1,000 fields.")


def test_a_message_of_the_dashboards_websocket_has_a_limit(signed_in, monkeypatch):
    monkeypatch.setattr(body_limits, "A_WEBSOCKET_MESSAGE", 10)

    def send_a_long_one():
        client = signed_in("finance")
        with client.websocket_connect("/_stcore/stream", headers={"Origin": "http://testserver"}) as socket:
            socket.send_text("x" * 11)
            socket.receive_text()

    with pytest.raises(WebSocketDisconnect, match="1009"):
        send_a_long_one()


def test_a_sign_in_of_usual_size_is_read(visitor, ana):
    assert visitor.post("/auth/sign-in", data={"email": "ana@example.com", "password": PASSWORD}).status_code == 403


@pytest.mark.parametrize("role", ["finance", "manager", "admin"])
def test_only_who_may_import_uploads_files(signed_in, role):
    client = signed_in(role)
    answer = client.put("/_stcore/upload_file/a/b", files={"file": b"x"})
    assert answer.status_code == (200 if role == "admin" else 403)
    assert client.get("/").status_code == 200


def test_a_form_cannot_choose_how_it_is_read(whole, ana):
    part = b'--b\r\nContent-Disposition: form-data; name="email"\r\n\r\n\\ud800\r\n--b--'
    kind = [(b"content-type", MULTIPART + b"; charset=unicode_escape")]
    assert asyncio.run(knock(whole, "POST", "/auth/sign-in", kind, [part]))[0] == 415


def test_half_a_character_as_an_address_is_only_wrong(visitor, ana):
    answer = visitor.post(
        "/api/v1/auth/token",
        content=b'{"email": "\\ud800@example.com", "password": "x"}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in (400, 401)

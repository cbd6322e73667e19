"""HEAD is answered where GET is, and every address tells its methods."""

import re
from collections import defaultdict

import pytest
from fastapi.routing import APIRoute

from billing_core.identity import SYSTEM
from billing_core.outbox import service as outbox
from billing_core.outbox.service import Message
from billing_core.web.api.app import ROUTERS as API
from billing_core.web.app import ROUTERS as OWN
from tests.invoices.company import NOW, a_customer, an_invoice

ROUTES = [route for router in (*API, *OWN) for route in router.routes if isinstance(route, APIRoute)]
METHODS = defaultdict(set)
for each in ROUTES:
    METHODS[each.path] |= each.methods - {"HEAD"}
# What differs from one request to the next.
PASSING = {"x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset", "set-cookie"}


@pytest.fixture
def database_url(sqlite_url) -> str:
    """No database learns which method it was."""
    return sqlite_url


@pytest.fixture
def client(front_end):
    return front_end()


def an_address(path: str) -> str:
    return re.sub(r"\{\w+(:path)?\}", "x", path)


def told(answer) -> tuple[int, dict[str, str]]:
    return answer.status_code, {name: value for name, value in answer.headers.items() if name not in PASSING}


@pytest.mark.later
def test_head_is_answered_as_get_is_without_the_body(client, sessions):
    with sessions.begin() as session:
        acme = a_customer(session)
        invoice, _ = an_invoice(session, acme), an_invoice(session, acme)
        text = {"text": "Hello"}
        mail = outbox.put(
            session, SYSTEM, Message("mail", "x", "x", "a@b.example", "Hi", ("x", 1), text, None), now=NOW
        )
    business = client.get("/api/businesses").json()["businesses"][0]["business_id"]
    there = [
        f"/api/invoices/{invoice.public_id}",
        f"/api/invoices?business_id={business}&limit=1",
        "/api/v2/reports/",
        "/api/openapi.json",
        f"/downloads/invoices/{invoice.id}.pdf",
        "/downloads/invoices.csv",
        "/downloads/invoices.xlsx",
        f"/downloads/outbox/{mail}.eml",
        f"/i/{invoice.token}",
        "/healthz",
    ]
    for address in [*there, *(an_address(path) for path, methods in METHODS.items() if "GET" in methods)]:
        head, get = client.head(address), client.get(address)
        assert told(head) == told(get), address
        assert (head.content, get.status_code) == (b"", 200 if address in there else get.status_code), address
    assert {"etag", "content-length"} <= client.head(there[0]).headers.keys()
    assert 'rel="next"' in client.head(there[1]).headers["link"]
    etag = client.get(there[0]).headers["etag"]
    assert client.head(there[0], headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.later
def test_another_method_is_told_those_that_there_are(client):
    for path, methods in METHODS.items():
        if "{rest" in path:
            # An address that a route before it takes.
            continue
        allowed = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
        for method in ("PUT", "OPTIONS", *({"DELETE", "POST"} - methods)):
            refused = client.request(method, an_address(path))
            assert (refused.status_code, refused.headers["allow"]) == (405, allowed), (method, path)


def test_a_method_tells_nothing_to_those_who_may_not_ask(api, browser):
    for path in METHODS:
        address = an_address(path)
        get, head, options = (browser().request(method, address) for method in ("GET", "HEAD", "OPTIONS"))
        assert head.status_code == get.status_code, path
        assert options.status_code == (401 if get.status_code == 401 else 405), path

"""Behind proxies each request is its client's, and nobody else's."""

import asyncio
import re
from pathlib import Path

import pytest
from sqlalchemy import select

from billing_core import web
from billing_core.identity.models import UserSession
from billing_core.settings import settings
from billing_core.web.doors.client_address import RealClient, whose
from tests.web.forms import PASSWORD, submit
from tests.web.in_one_go import Client

PROXIES = "127.0.0.1, 10.0.0.0/8, 2001:db8:ffff::/48"


@pytest.fixture
def trusting(monkeypatch):
    """``trusting("10.0.0.0/8")``: what the settings say of proxies."""

    def trust(proxies: str) -> None:
        monkeypatch.setenv("BILLING_TRUSTED_PROXIES", proxies)
        settings.cache_clear()

    yield trust
    monkeypatch.undo()
    settings.cache_clear()


def seen(peer, *headers, kind="http"):
    """The client and the scheme that the product sees."""
    scope = {"type": kind, "client": peer and (peer, 4711), "scheme": "ws" if kind == "websocket" else "http"}
    scope["headers"] = [(name.lower().encode(), value.encode()) for name, value in headers]

    async def nothing(*_) -> None: ...

    asyncio.run(RealClient(nothing)(scope, nothing, nothing))
    return scope["client"], scope["scheme"]


def client(peer, *forwarded):
    return seen(peer, *(("X-Forwarded-For", each) for each in forwarded))[0][0]


@pytest.mark.parametrize(
    ("peer", "forwarded", "real"),
    [
        # Without a proxy of ours in front nothing is believed.
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),
        ("::ffff:192.0.2.7", [], "192.0.2.7"),
        # The proxy on this machine, as a socket for both kinds of addresses names it.
        ("::ffff:127.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        # What a client made up stands left of what the proxy saw.
        ("127.0.0.1", ["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["127.0.0.1, 192.0.2.7"], "192.0.2.7"),
        # Several proxies in a row, in one header or in several.
        ("127.0.0.1", ["198.51.100.1, 192.0.2.7, 10.1.2.3"], "192.0.2.7"),
        ("10.9.9.9", ["198.51.100.1", "192.0.2.7", "10.1.2.3,127.0.0.1"], "192.0.2.7"),
        # All are ours: the first of them asked.
        ("127.0.0.1", ["10.0.0.5, 10.0.0.6"], "10.0.0.5"),
        # As different proxies write addresses.
        ("127.0.0.1", ["192.0.2.7:50123"], "192.0.2.7"),
        ("127.0.0.1", ["[2001:db8::1]:50123"], "2001:db8::1"),
        ("127.0.0.1", ["2001:DB8:0::1"], "2001:db8::1"),
        ("127.0.0.1", ["::ffff:192.0.2.7"], "192.0.2.7"),
        ("2001:db8:ffff::9", ["fe80::1%eth0"], "fe80::1"),
        # What is no address ends the search at who said so.
        ("127.0.0.1", ["192.0.2.7, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.7, 10.0.0.5, _hidden"], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.7, <script>, 10.0.0.5"], "10.0.0.5"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", [",,,"], "127.0.0.1"),
        ("127.0.0.1", ["1" * 5_000], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.07"], "127.0.0.1"),
    ],
)
def test_the_client_is_whom_the_last_proxy_of_ours_was_asked_by(peer, forwarded, real, trusting):
    trusting(PROXIES)
    assert client(peer, *forwarded) == real


def test_unless_the_settings_say_so_no_proxy_is_believed(trusting):
    trusting("")
    assert client("::ffff:127.0.0.1", "192.0.2.7") == "127.0.0.1"
    assert seen("127.0.0.1", ("X-Forwarded-Proto", "https"))[1] == "http"


def test_the_other_header_is_never_read(trusting):
    trusting(PROXIES)
    assert seen("127.0.0.1", ("Forwarded", "for=198.51.100.1;proto=https"))[0] == ("127.0.0.1", 4711)


def test_a_network_of_mapped_addresses_is_one_of_the_addresses(trusting):
    trusting("::ffff:10.0.0.0/104")
    assert client("10.1.2.3", "192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize(
    ("forwarded", "protocols", "kind", "scheme"),
    [
        ("192.0.2.7", "https", "http", "https"),
        ("192.0.2.7", "https", "websocket", "wss"),
        ("192.0.2.7", "http", "http", "http"),
        ("192.0.2.7", "javascript", "http", "http"),
        # The outer proxy speaks HTTPS with the client, and HTTP with the inner one.
        ("192.0.2.7, 10.0.0.5", "https, http", "http", "https"),
        # What the client says itself stands before what the proxy says.
        ("192.0.2.7", "https, http", "http", "http"),
    ],
)
def test_the_scheme_is_that_between_the_client_and_the_outermost_proxy(forwarded, protocols, kind, scheme, trusting):
    trusting(PROXIES)
    headers = (("X-Forwarded-For", forwarded), ("X-Forwarded-Proto", protocols))
    assert seen("127.0.0.1", *headers, kind=kind)[1] == scheme
    assert seen("192.0.2.1", *headers)[1] == "http"


def test_a_client_without_an_address_is_left_as_it_is():
    assert seen(None)[0] is None
    assert seen("testclient")[0] == ("testclient", 4711)


def test_an_ipv6_client_is_counted_by_its_network():
    assert whose("2001:db8:1:2:a:b:c:d") == whose("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert whose("2001:db8:1:3::1") != whose("2001:db8:1:2::1")
    assert [whose(text) for text in ("192.0.2.7", "testclient", "")] == ["192.0.2.7", "testclient", ""]


@pytest.fixture
def proxied(product, portal, trusting):
    """``proxied("192.0.2.7")``: the browser of this client behind a proxy that speaks HTTPS with it."""
    trusting("127.0.0.1")

    def open_browser(address: str) -> Client:
        browser = Client(product, portal, "::ffff:127.0.0.1")
        browser.base_url = "https://testserver"
        browser.headers.update({"X-Forwarded-For": f"203.0.113.1, {address}", "X-Forwarded-Proto": "https"})
        return browser

    return open_browser


def sign_in(browser, email="ana@example.com", password=PASSWORD):
    return submit(browser, "/auth/sign-in", "/auth/sign-in", email=email, password=password)


def test_behind_a_proxy_a_session_has_its_clients_address_and_its_cookies_are_secure(proxied, ana, sessions):
    answer = sign_in(proxied("192.0.2.7"))
    assert answer.status_code == 303
    assert {bool(re.search("; Secure", each)) for each in answer.headers.get_list("set-cookie")} == {True}
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    with sessions() as session:
        assert session.scalars(select(UserSession.address)).one() == "192.0.2.7"


def test_behind_a_proxy_each_client_has_limits_of_its_own(proxied, ana, monkeypatch):
    monkeypatch.setattr("billing_core.people.sign_in.verify", lambda *_, **__: None)
    one = proxied("2001:db8:1:2::1")
    for number in range(60):
        assert sign_in(one, email=f"somebody{number}@example.com").status_code == 401
    assert sign_in(one, email="more@example.com").status_code == 429
    # Another address of the same network is the same client; another network is not.
    assert sign_in(proxied("2001:db8:1:2::2"), email="more@example.com").status_code == 429
    assert sign_in(proxied("2001:db8:1:3::1"), email="more@example.com").status_code == 401


def test_the_example_of_nginx_says_what_is_read():
    example = (Path(web.__file__).parents[2] / "deploy" / "nginx.conf").read_text()
    for line in (
        "proxy_set_header X-Forwarded-For   $proxy_add_x_forwarded_for;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
        "proxy_set_header Host              $http_host;",
        "BILLING_TRUSTED_PROXIES=127.0.0.1",
    ):
        assert line in example

"""Our own addresses behind the authentication, and a stand-in for the dashboard behind it."""

from collections.abc import Callable, Iterator

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from billing_core import runtime, web
from billing_core.dates import utc_now
from billing_core.identity import SESSION_COOKIE, SYSTEM, Role, passwords
from billing_core.identity import sessions as browser_sessions
from billing_core.identity.sessions import Browser
from billing_core.people import service
from billing_core.web import rate_limiter
from tests.web.forms import PASSWORD
from tests.web.in_one_go import Client


async def dashboard(scope, receive, send) -> None:
    """Stands for everything that Streamlit answers: it says yes to whoever gets here."""
    if scope["type"] == "websocket":
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        await socket.receive_text()
        await socket.send_text("inside")
        await socket.close()
    elif scope["path"] == "/broken":
        raise RuntimeError("a secret detail")
    else:
        await PlainTextResponse("inside")(scope, receive, send)


@pytest.fixture
def quick_hashes(monkeypatch) -> None:
    """Argon2 with little work: these tests sign in hundreds of times."""
    monkeypatch.setattr(passwords, "_HASHES", PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64),)))
    passwords._nobodys_hash.cache_clear()


@pytest.fixture
def product(sessions, monkeypatch, quick_hashes) -> Iterator[Starlette]:
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    rate_limiter.reset()
    yield Starlette(
        routes=[*web.routes(), Mount("/", app=dashboard)],
        middleware=web.middleware(),
        exception_handlers=web.HANDLERS,
    )
    rate_limiter.reset()
    passwords._nobodys_hash.cache_clear()


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """The one event loop for all requests. A client without it starts a loop, and threads, for each of them."""
    with start_blocking_portal() as opened:
        yield opened


@pytest.fixture
def browser(product, portal) -> Callable[[], TestClient]:
    """``browser()``: a fresh browser without cookies that follows no redirect by itself."""

    def open_browser() -> TestClient:
        return Client(product, portal)

    return open_browser


@pytest.fixture
def visitor(browser) -> TestClient:
    return browser()


@pytest.fixture
def signed_in(browser, sessions) -> Callable[[str], TestClient]:
    """``signed_in("manager")``: a browser with a session of a new person with that role."""

    def sign_in(role: str, *, customer_id: int | None = None) -> TestClient:
        now = utc_now()
        with sessions.begin() as session:
            user = service.add_person(
                session,
                SYSTEM,
                email=f"{role}@example.com",
                name=f"Some {role}",
                role=Role(role),
                password_hash="nobody signs in with this",
                customer_id=customer_id,
                now=now,
            )
            token = browser_sessions.start(session, user.id, browser=Browser(), now=now)
        client = browser()
        client.cookies.set(SESSION_COOKIE, token)
        return client

    return sign_in


@pytest.fixture
def ana(sessions, quick_hashes) -> int:
    """Somebody with the password PASSWORD; their id."""
    password_hash = passwords.hashed(PASSWORD)
    with sessions.begin() as session:
        return service.add_person(
            session,
            SYSTEM,
            email="ana@example.com",
            name="Ana <b>Lima</b>",
            role=Role.ADMIN,
            password_hash=password_hash,
            now=utc_now(),
        ).id


@pytest.fixture
def served(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    return sessions

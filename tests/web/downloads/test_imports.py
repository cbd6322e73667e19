"""The list of rejected rows, as a browser asks for it."""

import asyncio
import io

import httpx
import pytest
from starlette.applications import Starlette

from billing_core import runtime, web
from billing_core.dates import utc_now
from billing_core.identity import SESSION_COOKIE, SYSTEM, Role, actor_with
from billing_core.imports import Lines, inbox, service, steps
from tests.imports.files import incoming
from tests.pages.conftest import signed_in_user
from tests.reports.company import a_customer, an_order

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def get(path: str, token: str = "") -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=Starlette(routes=web.routes(), middleware=web.middleware()))
        cookies = {SESSION_COOKIE: token} if token else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver", cookies=cookies) as client:
            return await client.get(path)

    return asyncio.run(ask())


@pytest.fixture
def refused(sessions, monkeypatch):
    """The address of the rejected rows of a file, and the session of whoever dropped it."""
    return _checked(sessions, monkeypatch, b"customer_ref,name\nA,\n", "rejected.csv")


@pytest.fixture
def replacing(sessions, monkeypatch):
    """The same of the lines that a file would remove: SO-1 has 4 of A-1."""
    with sessions.begin() as session:
        an_order(session, a_customer(session), "SO-1")
    lines = b"order_number,sku,quantity\nSO-1,B,1\n"
    return _checked(sessions, monkeypatch, lines, "removed.csv", lines=Lines.REPLACE)


def _checked(sessions, monkeypatch, content, name, *, lines=None):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    user_id, token = signed_in_user(sessions, Role.ADMIN, now=utc_now())
    ada = actor_with(Role.ADMIN, user_id=user_id, name="Ada")
    received = inbox.receive(sessions, ada, "c.csv", io.BytesIO(content), now=utc_now())
    with sessions.begin() as session:
        if lines is not None:
            inbox.choose_lines(session, ada, received.token, lines)
        job_id = inbox.check(session, ada, [received.token], now=utc_now())
    steps.work_off(sessions, job_id)
    return f"/downloads/imports/{received.token}/{name}", token


def test_who_dropped_the_file_gets_the_list(refused):
    path, token = refused
    answer = get(path, token)
    assert answer.status_code == 200
    assert answer.content.decode("utf-8-sig") == "customer_ref,name,Not imported because\r\nA,,name: is empty\r\n"
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="rejected-rows.csv"'


def test_who_dropped_a_file_that_replaces_gets_the_lines_that_would_go(replacing, sessions):
    path, token = replacing
    answer = get(path, token)
    assert answer.status_code == 200
    assert answer.content.decode("utf-8-sig") == "order_number,sku,quantity\r\nSO-1,A-1,4\r\n"
    _, other = signed_in_user(sessions, Role.ADMIN, now=utc_now())
    assert get(path, other).status_code == 404


@pytest.mark.parametrize("role", Role)
def test_nobody_else_does(refused, sessions, role):
    path, _ = refused
    _, other = signed_in_user(sessions, role, now=utc_now())
    assert get(path, other).status_code == (404 if role is Role.ADMIN else 403)


def test_a_visitor_without_a_session_does_not(refused):
    path, _ = refused
    answer = get(path)
    assert answer.status_code in (303, 401)
    assert "line,column" not in answer.text


def test_what_an_import_changed_is_a_file_for_those_who_may_import(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    file = incoming("customers", "customer_ref,name\n=1+1,Sum\n")
    service.apply(sessions, SYSTEM, file, now=utc_now())
    for role in Role:
        _, token = signed_in_user(sessions, role, now=utc_now())
        answer = get("/downloads/imports/history/1.csv", token)
        assert answer.status_code == (200 if role is Role.ADMIN else 403)
        if role is Role.ADMIN:
            assert answer.content.decode("utf-8-sig") == "effect,row,column,before,after\r\nnew,'=1+1,,,\r\n"
            assert get("/downloads/imports/history/2.csv", token).status_code == 404
            assert get("/downloads/imports/history/x.csv", token).status_code == 404

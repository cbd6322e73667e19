"""Figures for whoever runs the product, where a setting asks for them."""

import re
from datetime import timedelta

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from billing_core import web
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.outbox.models import MessageState
from billing_core.processes import pausing
from billing_core.processes.models import Queue
from billing_core.settings import Settings, settings
from billing_core.web import health
from tests.jobs.overview.work import a_living_process, a_lost_process, messages
from tests.web.conftest import dashboard

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TOKEN = "a-token-of-the-test"


@pytest.fixture
def asked(product, monkeypatch):
    """``asked("on")``: a visitor of the product with this setting."""

    def start(given: str) -> TestClient:
        monkeypatch.setenv("BILLING_METRICS", given)
        settings.cache_clear()
        app = Starlette(
            routes=[*web.routes(), Mount("/", app=dashboard)],
            middleware=web.middleware(),
            exception_handlers=web.HANDLERS,
        )
        return TestClient(app, follow_redirects=False, raise_server_exceptions=False)

    yield start
    monkeypatch.undo()
    settings.cache_clear()


@ON_SQLITE
def test_there_are_none_unless_asked_for(asked):
    for given in ("", "off", "0"):
        assert asked(given).get("/metrics").status_code == 401


@ON_SQLITE
def test_a_token_opens_them_and_nothing_else_does(asked):
    client = asked(TOKEN)
    for sent in ("", f"Bearer {TOKEN}x", TOKEN, "Bearer ", "Bearer \xe9"):
        assert client.get("/metrics", headers={"Authorization": sent.encode("latin-1")}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


@ON_SQLITE
def test_whoever_tries_one_token_after_another_waits_and_the_right_one_still_opens_them(asked):
    client = asked(TOKEN)
    answers = [client.get("/metrics", headers={"Authorization": f"Bearer {number}"}) for number in range(31)]
    assert [one.status_code for one in answers] == [401] * 30 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 15 * 60
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


@ON_SQLITE
def test_requests_are_counted_by_route_and_tell_nothing_of_anybody(asked, monkeypatch):
    monkeypatch.setattr(health, "running_jobs", lambda: {"outbox": True, "seal": False})
    client = asked("on")
    client.get("/api/invoices/inv_secret", headers={"Authorization": "Bearer sk_live_secret"})
    client.get("/healthz")
    client.get("/auth/sign-in?next=/secret")
    client.get("/secret")
    client.request("SECRET", "/healthz")
    text = client.get("/metrics").text
    assert "secret" not in text.lower()
    assert 'billing_http_requests_total{method="GET",route="/healthz",status="200"} 1.0' in text
    assert 'route="/auth/sign-in"' in text
    assert 'method="other"' in text
    assert 'billing_job_running{job="outbox"} 1.0' in text
    assert 'billing_job_running{job="seal"} 0.0' in text
    assert "billing_http_request_seconds_bucket" in text


@ON_SQLITE
def test_queues_and_processes_are_gauges(asked, sessions):
    now = utc_now()
    with sessions.begin() as session:
        a_living_process(session, "a")
        a_lost_process(session, "b")
        messages(session, "mail", 3, not_before=now - timedelta(seconds=90))
        messages(session, "mail", 2, state=MessageState.FAILED)
        messages(session, "webhook", 4, state=MessageState.DELIVERED, delivered_at=now)
        pausing.pause(session, SYSTEM, Queue.IMPORTS, now=now)
    text = asked("on").get("/metrics").text
    assert 'billing_queue_work{queue="mails",state="waiting"} 3.0' in text
    assert 'billing_queue_work{queue="mails",state="failed"} 2.0' in text
    assert 'billing_queue_work{queue="bill runs",state="running"} 0.0' in text
    (oldest,) = re.findall(r'billing_queue_oldest_waiting_seconds\{queue="mails"\} ([0-9.]+)', text)
    assert 90 <= float(oldest) < 150
    assert 'billing_queue_done_last_hour{queue="outgoing webhooks"} 4.0' in text
    assert 'billing_queue_paused{queue="imports"} 1.0' in text
    assert 'billing_queue_paused{queue="mails"} 0.0' in text
    assert 'billing_processes{state="living"} 1.0' in text
    assert 'billing_processes{state="lost"} 1.0' in text


def test_a_short_token_refuses_to_start():
    with pytest.raises(SystemExit, match="16 characters"):
        _ = Settings(metrics="short").metrics_token

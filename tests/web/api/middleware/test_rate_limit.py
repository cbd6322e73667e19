"""A hundred requests a minute and ten a second, each key and each person for itself."""

import shutil
import socket
import subprocess
import time
from contextlib import suppress

import pytest
from sqlalchemy import func, select

from billing_core.audit.models import AuditEntry
from billing_core.metering.models import UsageEvent
from billing_core.settings import settings
from billing_core.web import rate_limiter, throttle
from billing_core.web.api.app import guarded
from billing_core.web.api.middleware import rate_limit
from tests.invoices.company import a_customer
from tests.web.forms import PASSWORD, submit

# Counting asks no database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def clock(product, monkeypatch):
    """The limits of the documents, and time that passes when the test says so: ``clock(3)`` seconds later."""
    now = [time.time()]
    monkeypatch.setattr("time.time", lambda: now[0])
    rate_limiter.reset()
    guarded.cache_clear()

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    yield pass_by
    rate_limiter.reset()


@pytest.fixture
def client(clock, key_of, browser):
    client = browser()
    client.headers["Authorization"] = f"Bearer {key_of('finance').secret_key}"
    return client


def ask(client, **headers):
    return client.get("/api/nothing", headers=headers)


def told(response):
    return tuple(int(response.headers[name]) for name in rate_limit.HEADERS)


def test_every_answer_says_where_one_stands(client, clock):
    first, second = ask(client), ask(client)
    assert told(first)[:2] == (100, 99)
    assert told(second)[:2] == (100, 98)
    assert 59 <= told(first)[2] - time.time() <= 61


def test_the_eleventh_in_a_second_waits_a_second(client, clock):
    assert [ask(client).status_code for _ in range(11)] == [404] * 10 + [429]
    refused = ask(client)
    assert (refused.headers["retry-after"], told(refused)[1]) == ("1", 90)
    assert refused.json() == {"detail": "Request was throttled. Expected available in 1 seconds."}
    clock(1.01)
    assert ask(client).status_code == 404


def test_batches_of_usage_and_documents_of_it_are_counted_with_everything_else(client, clock, sessions, key_of):
    with sessions.begin() as session:
        a_customer(session)
    client.headers["Authorization"] = f"Bearer {key_of('admin').secret_key}"

    def record(number):
        event = {"id": str(number), "customer_ref": "ACME", "time": "2026-03-10T10:00:00Z"}
        return client.post("/api/v1/usage/events", json=event)

    assert [record(number).status_code for number in range(8)] == [200] * 8
    assert [client.get(f"/api/v1/{path}").status_code for path in ("organizations", "usage/late")] == [200] * 2
    refused = record(8)
    assert (refused.status_code, refused.headers["retry-after"], told(refused)[1]) == (429, "1", 90)
    assert client.get("/api/v1/analytics/billing/invoice/ACME").status_code == 429
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(UsageEvent)) == 8
    clock(1.01)
    assert record(8).json()["accepted"] == 1


def test_the_hundred_and_first_in_a_minute_waits_until_the_first_is_a_minute_old(client, clock):
    for _ in range(10):
        assert {ask(client).status_code for _ in range(10)} == {404}
        clock(2)
    refused = ask(client)
    assert (refused.status_code, told(refused)[:2]) == (429, (100, 0))
    assert 38 <= int(refused.headers["retry-after"]) <= 41
    clock(int(refused.headers["retry-after"]) + 0.01)
    assert ask(client).status_code == 404


def test_each_key_counts_for_itself_and_so_does_each_address_without_one(client, clock, key_of, browser):
    while ask(client).status_code != 429:
        pass
    other = f"Bearer {key_of('finance').secret_key}"
    assert ask(client, Authorization=other).status_code == 404
    assert [ask(browser()).status_code for _ in range(11)] == [401] * 10 + [429]
    assert ask(client, Authorization=other).status_code == 404


@pytest.fixture
def redis_at(monkeypatch):
    """``redis_at(port)``: the product shares its counts there, whether it answers or not."""

    def at(port: int, scheme: str = "redis") -> None:
        monkeypatch.setenv("BILLING_REDIS_URL", f"{scheme}://127.0.0.1:{port}")
        settings.cache_clear()

    yield at
    monkeypatch.undo()
    settings.cache_clear()


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
def test_without_the_shared_redis_each_process_counts_for_itself(client, clock, redis_at, scheme):
    redis_at(1, scheme)
    assert [ask(client).status_code for _ in range(11)] == [404] * 10 + [429]


def test_a_redis_that_does_not_answer_is_waited_for_once(client, clock, redis_at):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        redis_at(silent.getsockname()[1])
        started = time.monotonic()
        assert [ask(client).status_code for _ in range(10)] == [404] * 10
        # Connecting works, and an answer is waited for until the first timeout.
        assert time.monotonic() - started >= 1
        assert connections_to(silent) == 1


def connections_to(listening: socket.socket) -> int:
    """How many wait there to be accepted."""
    listening.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            listening.accept()[0].close()
            count += 1
    return count


def test_without_the_shared_redis_people_still_sign_in_and_pay_and_are_still_counted(clock, browser, ana, redis_at):
    redis_at(1)
    client = browser()
    assert (
        submit(client, "/auth/sign-in", "/auth/sign-in", email="ana@example.com", password=PASSWORD).status_code == 303
    )
    wrong = {"email": "ana@example.com", "password": "wrong"}
    assert [client.post("/api/v1/auth/token", json=wrong).status_code for _ in range(10)] == [401] * 10
    clock(1)
    assert client.post("/api/v1/auth/token", json=wrong).status_code == 429
    assert client.get("/i/nobodys").status_code == 404
    assert client.get("/pay/nobodys").status_code == 404
    waits = [throttle.public_wait_seconds("192.0.2.1") for _ in range(91)]
    assert (set(waits[:90]), 0 < waits[90] <= 60) == ({0}, True)


@pytest.fixture
def redis_server(tmp_path):
    """The port of a Redis of its own, where one is installed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True) as server:
        assert any("Ready to accept connections" in line for line in server.stdout)
        yield port
        server.terminate()


def test_processes_that_share_a_redis_count_together(clock, redis_server, redis_at):
    redis_at(redis_server)
    waits = []
    for _ in range(10):
        # What another process would know: nothing but what is in the Redis.
        rate_limiter.reset()
        waits += [throttle.public_wait_seconds("192.0.2.1"), rate_limit.count("key:1").wait]
    assert waits == [0] * 20
    rate_limiter.reset()
    assert rate_limit.count("key:2").remaining == 99
    assert rate_limit.count("key:1").remaining <= 90


def test_passwords_are_tried_ten_times_in_a_quarter_of_an_hour(clock, browser, ana):
    client = browser()
    wrong, right = ({"email": "ana@example.com", "password": one} for one in ("wrong", PASSWORD))
    for _ in range(10):
        assert client.post("/api/v1/auth/token", json=wrong).status_code == 401
        clock(1)
    refused = client.post("/api/v1/auth/token", json=right)
    assert (refused.status_code, refused.json()) == (429, {"detail": "Too many attempts to sign in."})
    assert 800 <= int(refused.headers["retry-after"]) <= 900


def test_programs_that_try_one_key_after_another_are_told_of_once(clock, browser, key_of, sessions):
    client = browser()
    for number in range(24):
        ask(client, Authorization=f"Bearer sk_live_{number:040}")
    # Without credentials, or with good ones, nobody is guessing.
    while ask(browser()).status_code != 429:
        pass
    good = f"Bearer {key_of('finance').secret_key}"
    while ask(client, Authorization=good).status_code != 429:
        pass
    with sessions() as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "api.refuse")).all()
        assert (entry.actor_name, entry.after) == ("Somebody at testclient", {"address": "testclient"})

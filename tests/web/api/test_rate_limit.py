"""A hundred requests a minute and ten a second, each key and each person for itself."""

import time

import pytest

from billing_core.settings import settings
from billing_core.web import throttle
from billing_core.web.api import rate_limit
from billing_core.web.api.app import guarded
from tests.web.forms import PASSWORD

# Counting asks no database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def clock(product, monkeypatch):
    """The limits of the documents, and time that passes when the test says so: ``clock(3)`` seconds later."""
    now = [time.time()]
    monkeypatch.setattr("time.time", lambda: now[0])
    rate_limit.forget()
    guarded.cache_clear()

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    yield pass_by
    rate_limit.forget()


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


def test_without_the_shared_redis_each_process_counts_for_itself(client, clock, monkeypatch):
    monkeypatch.setenv("BILLING_REDIS_URL", "redis://127.0.0.1:1")
    settings.cache_clear()
    try:
        assert [ask(client).status_code for _ in range(11)] == [404] * 10 + [429]
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_passwords_are_tried_ten_times_in_a_quarter_of_an_hour(clock, browser, ana):
    throttle.forget()
    client = browser()
    wrong, right = ({"email": "ana@example.com", "password": one} for one in ("wrong", PASSWORD))
    for _ in range(10):
        assert client.post("/api/v1/auth/token", json=wrong).status_code == 401
        clock(1)
    refused = client.post("/api/v1/auth/token", json=right)
    assert (refused.status_code, refused.json()) == (429, {"detail": "Too many attempts to sign in."})
    assert 800 <= int(refused.headers["retry-after"]) <= 900

"""Servers that die with a batch in their hands: sent again until it is answered, it counts once."""

import os

import httpx
import pytest

from tests.forked import PATIENCE_SECONDS, forked
from tests.invoices.company import a_customer
from tests.metering.used import an_event, calls, used, wrong_in

pytestmark = pytest.mark.slow

EVENTS = "/api/v1/usage/events"
BATCH = {"events": [an_event(str(number), user=f"user {number % 10}") for number in range(300)]}


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        return a_customer(session)


@pytest.mark.parametrize(
    ("dying", "left", "answer"),
    [
        ("identified", 0, {"accepted": 300, "repeated": 0}),
        ("written", 0, {"accepted": 300, "repeated": 0}),
        ("counted", 0, {"accepted": 300, "repeated": 0}),
        ("committed", 300, {"accepted": 0, "repeated": 300}),
    ],
)
def test_a_batch_whose_server_is_killed_counts_once(acme, program, sessions, database_url, dying, left, answer):
    client = program()
    environment = {**os.environ, "BILLING_DATABASE_URL": database_url, "DYING": dying}
    with forked("tests/web/api/usage/dying_server.py", environment=environment) as (process, printed):
        address = f"http://127.0.0.1:{int(printed.readline())}{EVENTS}"
        credentials = {"Authorization": client.headers["Authorization"]}
        with pytest.raises(httpx.TransportError):
            httpx.post(address, json=BATCH, headers=credentials, timeout=PATIENCE_SECONDS)
        process.join(PATIENCE_SECONDS)
        assert process.exitcode == -9
    assert used(sessions, acme) == calls(left, users=10 if left else 0)

    for told in (answer, {"accepted": 0, "repeated": 300}):
        assert client.post(EVENTS, json=BATCH).json() == {**told, "late": 0, "refused": []}
        assert used(sessions, acme) == calls(300, users=10)
    with sessions() as session:
        assert wrong_in(session) == []

"""A process that is told to end: within ten seconds, and what it cannot complete is with others at once."""

import os
import socket
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from dbos import DBOS
from sqlalchemy import select

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices.payment_links import GATEWAY
from billing_core.jobs import engine, pauses, queues
from billing_core.jobs.presence import taking_over
from billing_core.online_payments import delivery as online_payments
from billing_core.outbox import delivery
from billing_core.outbox.models import OutboxMessage
from billing_core.processes import current, pausing
from billing_core.processes.models import Process, Queue
from tests.forked import forked
from tests.jobs.test_taking_over import put, silence

pytestmark = pytest.mark.slow

TEN_SECONDS = 10
WITHIN_SECONDS = 300


@pytest.fixture(autouse=True)
def _ours(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)


@DBOS.workflow(name="stands_still")
def stand_still(_file: str) -> None:
    """Until it is asked to hand over."""
    _begun.set()
    deadline = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < deadline:
        queues.hand_over_if_ending()
        time.sleep(0.01)


_begun = threading.Event()


def ended(sessions) -> list[bool]:
    with sessions() as session:
        return [at is not None for at in session.scalars(select(Process.ended_at).order_by(Process.started_at))]


def test_a_workflow_that_is_handed_over_waits_for_whoever_comes_next(sessions):
    _begun.clear()
    engine.start()
    queues.enqueue(queues.BILL_RUNS, stand_still, "", workflow_id="stands-still")
    assert _begun.wait(WITHIN_SECONDS)
    began = time.monotonic()
    assert engine.stop()
    assert time.monotonic() - began < TEN_SECONDS
    assert ended(sessions) == [True]
    _begun.clear()
    engine.start()
    try:
        assert _begun.wait(WITHIN_SECONDS)
    finally:
        engine.stop()


@DBOS.workflow(name="returns_late")
def return_late(_file: str) -> None:
    _begun.set()
    assert _late.wait(WITHIN_SECONDS)


_late = threading.Event()


def test_a_workflow_whose_outcome_others_will_record_does_not_look_as_if_it_had_ended(sessions):
    """Its thread waits for them, and would keep the interpreter from ending."""
    _begun.clear()
    _late.clear()
    engine.start()
    try:
        queues.enqueue(queues.BILL_RUNS, return_late, "", workflow_id="returns-late")
        assert _begun.wait(WITHIN_SECONDS)
        with sessions.begin() as session:
            pausing.pause(session, SYSTEM, Queue.BILL_RUNS, now=utc_now())
        pauses.learn({Queue.BILL_RUNS})
        taking_over.hand_on([current.process_id()])
        _late.set()
        deadline = time.monotonic() + WITHIN_SECONDS
        while engine._running.pacing.in_hand():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        all_ended = engine.stop()
        with sessions.begin() as session:
            pausing.resume(session, SYSTEM, Queue.BILL_RUNS, now=utc_now())
    assert not all_ended
    engine.start()
    try:
        DBOS.retrieve_workflow("returns-late").get_result()
    finally:
        engine.stop()


def due_once_its_process_is_missed(sessions) -> None:
    """Not before: two would send it."""
    assert ended(sessions) == [False]
    with sessions() as session:
        assert not delivery.something_due(session, now=utc_now())
    silence(sessions)
    with sessions() as session:
        missed = session.scalars(select(Process.id)).all()
    assert taking_over.declare_lost(missed) == missed
    with sessions() as session:
        assert delivery.something_due(session, now=utc_now())


def test_a_message_that_may_still_arrive_is_let_go_once_its_process_is_missed(sessions, monkeypatch):
    asked, answer = threading.Event(), threading.Event()

    def slow(_message) -> None:
        asked.set()
        assert answer.wait(WITHIN_SECONDS)

    monkeypatch.setattr(online_payments, "adapters", lambda *_: {GATEWAY: slow})
    put(sessions, "a", channel=GATEWAY)
    engine.start()
    try:
        assert asked.wait(WITHIN_SECONDS)
        began = time.monotonic()
        engine.stop()
        assert time.monotonic() - began < TEN_SECONDS
        due_once_its_process_is_missed(sessions)
    finally:
        answer.set()


def environment(database_url: str, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BILLING_", "STRIPE_"))}
    return kept | {"BILLING_DATABASE_URL": database_url, "BILLING_DATA_DIR": str(folder)}


def test_a_worker_ends_within_ten_seconds_while_a_mail_server_keeps_it_waiting(sessions, database_url, tmp_path):
    put(sessions, "a")
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = environment(database_url, tmp_path) | {"BILLING_SMTP_URL": f"smtp://127.0.0.1:{server.getsockname()[1]}"}
        told |= {"BILLING_MAIL_FROM": "billing@ours.example", "BILLING_SECRET_KEY": "s" * 32}
        with forked("-m", "billing_core", "worker", environment=told) as (worker, _):
            server.settimeout(WITHIN_SECONDS)
            connection, _ = server.accept()
            began = time.monotonic()
            worker.terminate()
            worker.join(WITHIN_SECONDS)
            took = time.monotonic() - began
            assert (worker.exitcode, took < TEN_SECONDS) == (0, True), took
        connection.close()
    with sessions() as session:
        assert session.scalars(select(OutboxMessage.attempts)).one() == 1
    due_once_its_process_is_missed(sessions)


def answers_by(port: int, path: str) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while True:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}"):
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_product_hands_over_at_once_while_it_still_answers_somebody(sessions, database_url, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with forked("app.py", environment=environment(database_url, tmp_path) | {"PORT": str(port)}) as (product, _):
        answers_by(port, "readyz")
        # The rest of the request does not come.
        request = socket.create_connection(("127.0.0.1", port))
        request.sendall(b"POST /webhooks/stripe HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
        # Once the server has answered this, it has begun with that.
        answers_by(port, "healthz")
        began = time.monotonic()
        product.terminate()
        while ended(sessions) != [True]:
            assert time.monotonic() - began < TEN_SECONDS
            time.sleep(0.05)
        assert product.is_alive()
        request.close()
        product.join(WITHIN_SECONDS)


def test_a_process_ends_within_ten_seconds_with_a_workflow_that_does_not_look_up(sessions, database_url, tmp_path):
    """What it does not complete, another one takes up at once, although nobody has missed it."""
    told = environment(database_url, tmp_path)
    with forked("tests/jobs/deaf_worker.py", environment=told) as (worker, said):
        while "deep in work" not in (line := said.readline()):
            assert line, "it has died"
        began = time.monotonic()
        worker.terminate()
        worker.join(WITHIN_SECONDS)
        assert (worker.exitcode, time.monotonic() - began < TEN_SECONDS) == (0, True)
    assert ended(sessions) == [True]
    _begun.clear()
    engine.start()
    try:
        assert _begun.wait(WITHIN_SECONDS)
    finally:
        engine.stop()

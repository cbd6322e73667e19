"""Nudges between processes, and pauses: heard within moments, and no work is lost when one is not."""

import threading

import pytest
from sqlalchemy import func, select, text

from billing_core import runtime
from billing_core.database import Sessions, connect
from billing_core.jobs import nudges, pauses
from billing_core.jobs.periodic import Periodic
from billing_core.processes.models import Queue

WITHIN_SECONDS = 300


@pytest.fixture
def heard():
    """Set when this process hears of mails."""
    told = threading.Event()
    nudges.wait_for(Queue.MAILS, told.set)
    yield told
    nudges.wait_no_more(Queue.MAILS, told.set)


@pytest.fixture
def listening(emptied_database, monkeypatch, heard):
    opened = Sessions(connect(emptied_database.taken()))
    monkeypatch.setattr(runtime, "sessions", lambda: opened)
    listener = nudges.Listener()
    listener.start()
    # Everybody looks once when it begins to listen.
    assert heard.wait(WITHIN_SECONDS)
    heard.clear()
    yield opened
    listener.stop(timeout_seconds=WITHIN_SECONDS)
    opened.engine.dispose()


def said(sessions, payload: str) -> None:
    """By another process."""
    with sessions.engine.begin() as connection:
        connection.execute(select(func.pg_notify(nudges.CHANNEL, payload)))


def test_what_another_process_says_is_heard(listening, heard):
    assert nudges.patience_seconds() == 30
    said(listening, "work of a later version")
    said(listening, "mails")
    assert heard.wait(WITHIN_SECONDS)


def test_a_connection_that_is_cut_is_replaced_and_what_was_missed_looked_for(listening, heard):
    with listening.engine.begin() as connection:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN billing%'"
        assert connection.execute(text(cut)).all() == [(True,)]
    assert heard.wait(WITHIN_SECONDS)
    heard.clear()
    said(listening, "mails")
    assert heard.wait(WITHIN_SECONDS)


def test_nudges_leave_together_by_a_thread_of_their_own(listening, monkeypatch):
    sent, first, both = [], threading.Event(), threading.Event()

    def notify(queues):
        sent.append(set(queues))
        first.set()
        if set().union(*sent) == {Queue.MAILS, Queue.SEALING}:
            both.set()

    monkeypatch.setattr(nudges, "notify", notify)
    nudges.start_sending()
    try:
        for _ in range(100):
            nudges.tell(Queue.MAILS)
        nudges.tell(Queue.SEALING)
        assert both.wait(WITHIN_SECONDS)
    finally:
        nudges.stop_sending(timeout_seconds=WITHIN_SECONDS)
    assert len(sent) < 50


def test_a_nudge_that_cannot_be_sent_harms_nobody(monkeypatch):
    away = Sessions(connect("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))
    monkeypatch.setattr(runtime, "sessions", lambda: away)
    nudges.tell(Queue.MAILS)


def test_a_paused_queue_stops_between_two_steps_and_goes_on_when_it_is_resumed():
    steps, paused, resumed = [], threading.Event(), threading.Event()

    def work(to_stop):
        while not to_stop():
            steps.append(pauses.is_paused(Queue.MAILS))
            if paused.is_set():
                resumed.set()
                return
            pauses.learn({Queue.MAILS})
        paused.set()

    loop = Periodic("test", work, every_seconds=3600, queue=Queue.MAILS)
    loop.start()
    try:
        assert paused.wait(WITHIN_SECONDS)
        loop.nudge()
        assert len(steps) == 1
        pauses.learn(set())
        assert resumed.wait(WITHIN_SECONDS)
    finally:
        pauses.learn(set())
        loop.stop(timeout_seconds=WITHIN_SECONDS)
    assert steps == [False, False]

"""DBOS asks its database for work when there may be some. What is replaced must exist in the DBOS that is pinned."""

import threading
import time

import pytest
from dbos import DBOS
from dbos._sys_db import SystemDatabase
from sqlalchemy import event

from billing_core import runtime
from billing_core.jobs import engine, nudges, pacing, queues
from billing_core.jobs.pacing import Gate
from billing_core.processes.models import Queue
from tests.jobs import lingering

WITHIN_SECONDS = 300


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock) -> Gate:
    """One that has been passed once."""
    gate = Gate(clock)
    assert gate.passes()
    return gate


def test_an_idle_gate_opens_every_minute(gate, clock):
    passed = []
    for clock.now in range(1, 181):
        if gate.passes():
            passed.append(clock.now)
    assert passed == [60, 120, 180]


def test_a_nudge_opens_it_once(gate, clock):
    clock.now = 0.2
    gate.open()
    assert [gate.passes(), gate.passes()] == [True, False]


def test_after_something_was_taken_it_opens_at_once_and_then_every_second_for_a_while(gate, clock):
    gate.took_some()
    passed = []
    for quarter in range(1, 100):
        clock.now = quarter / 4
        if gate.passes():
            passed.append(clock.now)
    assert passed == [0.25, 1.25, 2.25, 3.25, 4.25]


def test_with_work_in_hand_it_opens_every_second_until_a_while_after_the_last(gate, clock):
    passed = []
    for clock.now in range(1, 20):
        if clock.now <= 10:
            gate.has_some()
        if gate.passes():
            passed.append(clock.now)
    assert passed == list(range(1, 15))


@pytest.mark.parametrize("name", ["list_queues", "get_queue", "start_queued_workflows", "background_job_lock"])
def test_what_is_replaced_is_there(name):
    assert callable(getattr(SystemDatabase, name))


@pytest.fixture
def launched(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    engine.start()
    yield pacing._get_dbos_instance()
    engine.stop()


@pytest.mark.slow
def test_what_ends_makes_room_at_once(launched, monkeypatch):
    """Of a queue that no thread of DBOS looks at meanwhile."""
    in_hand, ours = {"apart": 2}, engine._running.pacing
    monkeypatch.setattr(launched._active_workflows_set, "count_for_queue", lambda name: in_hand.get(name, 0))
    gate = ours._gate("work", "apart")
    ours._note_in_hand("apart")
    assert [gate.passes(), gate.passes()] == [True, False]
    in_hand["apart"] = 1
    ours._note_in_hand("apart")
    assert [gate.passes(), gate.passes()] == [True, False]
    ours._note_in_hand("apart")
    assert not gate.passes()


@DBOS.workflow(name="is_begun")
def note_that_it_is_begun(_file: str) -> None:
    _is_begun.set()


_is_begun = threading.Event()


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["start_queued_workflows", "get_workflow_statuses"])
def test_what_is_being_taken_up_is_in_hand(launched, monkeypatch, moment):
    """While the database notes whose it is, and until it is listed: an ending process must not hand it over."""
    ours = engine._running.pacing
    owner, name = (ours, f"_{moment}") if moment == "start_queued_workflows" else (launched._sys_db, moment)
    asked, at_it, goes_on = getattr(owner, name), threading.Event(), threading.Event()

    def slow(*arguments, **options):
        found = asked(*arguments, **options)
        if "is-begun" in str(found):
            at_it.set()
            assert goes_on.wait(WITHIN_SECONDS)
        return found

    monkeypatch.setattr(owner, name, slow)
    _is_begun.clear()
    queues.enqueue(queues.BILL_RUNS, note_that_it_is_begun, "", workflow_id="is-begun")
    try:
        assert at_it.wait(WITHIN_SECONDS)
        assert not _is_begun.is_set()
        assert {"is-begun", queues.BILL_RUNS} & set(ours.in_hand())
    finally:
        goes_on.set()
    assert _is_begun.wait(WITHIN_SECONDS)
    deadline = time.monotonic() + WITHIN_SECONDS
    while {"is-begun", queues.BILL_RUNS} & set(ours.in_hand()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_between_nudges_the_reads_of_dbos_do_not_reach_the_database(launched):
    database, sent = launched._sys_db, []
    ours = threading.get_ident()

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, *_rest):
        if threading.get_ident() == ours:
            sent.append(statement)

    queue = database.get_queue(queues.IMPORTS)
    expected = set(queues.HEARD.values())
    deadline = time.monotonic() + WITHIN_SECONDS
    # DBOS's own thread may be about to read them for the first time.
    while {each.name for each in database.list_queues(application_name="billing")} != expected:
        assert time.monotonic() < deadline
    # Until its first turns are over, in which it also looks.
    quiet = 0
    while quiet < 20:
        assert time.monotonic() < deadline
        sent.clear()
        database.list_queues(application_name="billing")
        database.get_queue(queues.IMPORTS)
        assert database.start_queued_workflows(queue, "nobody", "1", None) == ([], None) or sent
        with database.background_job_lock("background_jobs") as taken:
            assert taken is False or sent
        quiet = 0 if sent else quiet + 1
    nudges.wake(Queue.IMPORTS)
    assert database.start_queued_workflows(queue, "nobody", "1", None) == ([], None)
    assert database.start_queued_workflows(queue, "nobody", "1", None) == ([], None)


@pytest.mark.slow
def test_what_is_enqueued_here_begins_at_once_and_twenty_follow_each_other(launched, tmp_path):
    files = [tmp_path / str(number) for number in range(20)]
    began = time.monotonic()
    for file in files:
        queues.enqueue(queues.BILL_RUNS, lingering.linger, str(file), workflow_id=f"lingers-{file.name}")
        queues.enqueue(queues.BILL_RUNS, lingering.linger, str(file), workflow_id=f"lingers-{file.name}")
    for file in files:
        DBOS.retrieve_workflow(f"lingers-{file.name}").get_result()
    # Two at a time; DBOS alone would take up two a second, and a gate that stayed shut none for half a minute.
    assert time.monotonic() - began < 25
    assert {file.read_text() for file in files} == {"first\nsecond\n"}

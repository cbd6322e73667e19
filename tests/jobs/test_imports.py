"""Imports in the background: put into the queue, worked on by whichever process lives, killed, handed over."""

import io
import os
import signal
import threading
import time
from datetime import datetime

import pytest
from sqlalchemy import func, select, update

from billing_core import runtime
from billing_core.database.functions import database_clock
from billing_core.dates import utc_now
from billing_core.identity import Role, actor_with
from billing_core.imports import inbox, upkeep
from billing_core.imports.models import FileState, ImportFile, ImportFilePart, ImportJob, ImportRun
from billing_core.jobs import engine, imports, nudges
from billing_core.jobs.presence import heartbeat, taking_over
from billing_core.orders.models import Order
from billing_core.processes import pausing
from billing_core.processes.models import Process, Queue
from tests.forked import carried_out, forked
from tests.imports.files import row_count

pytestmark = pytest.mark.slow
ADA = actor_with(Role.ADMIN, user_id=1, name="Ada")
CUSTOMERS = b"customer_ref,name\nACME,Acme Inc\n"
ORDERS = b"order_number,customer_ref,order_date\nSO-1,ACME,2025-03-04\n"


@pytest.fixture(autouse=True)
def two_files(sessions, monkeypatch) -> None:
    """Dropped in the wrong order."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    for name, content in (("orders.csv", ORDERS), ("customers.csv", CUSTOMERS)):
        inbox.receive(sessions, ADA, name, io.BytesIO(content), now=utc_now())


def requested(sessions, request, *tokens) -> int:
    with sessions.begin() as session:
        chosen = tokens or [received.token for received in inbox.files_of(session, ADA)]
        return request(session, ADA, chosen, now=utc_now())


def until(what, seconds=300) -> None:
    deadline, looking_again = time.monotonic() + seconds, threading.Event()
    while not what():
        assert time.monotonic() < deadline, "it did not come to that"
        looking_again.wait(0.05)


def over(sessions, job_id) -> bool:
    with sessions() as session:
        return session.get_one(ImportJob, job_id).finished_at is not None


def heard(sessions) -> datetime | None:
    """When a process was last heard of."""
    with sessions() as session:
        return session.scalar(select(func.max(Process.last_heard_at)))


def states(sessions) -> list[FileState]:
    with sessions() as session:
        return [received.state for received in inbox.files_of(session, ADA)]


def environment(database_url, dying) -> dict[str, str]:
    return {**os.environ, "BILLING_DATABASE_URL": database_url, "DYING": dying}


def completed_here(sessions, job_id) -> None:
    engine.start()
    try:
        until(lambda: over(sessions, job_id))
    finally:
        engine.stop()


def missed(sessions) -> None:
    """Whoever has died was silent for so long that it is declared lost. How that comes about is tested elsewhere."""
    with sessions.begin() as session:
        silence = update(Process).values(last_heard_at=database_clock(seconds=-60))
        ids = session.scalars(silence.returning(Process.id)).all()
    assert taking_over.declare_lost(ids) == list(ids)


def test_a_check_and_an_import_are_done_in_the_background(sessions):
    engine.start()
    try:
        for request, expected in ((inbox.check, FileState.READY), (inbox.import_, FileState.IMPORTED)):
            job_id = requested(sessions, request)
            imports.begin(job_id)
            imports.begin(job_id)
            until(lambda job_id=job_id: over(sessions, job_id))
            assert states(sessions) == [expected, expected]
    finally:
        engine.stop()
    assert row_count(sessions, Order) == 1
    assert row_count(sessions, ImportRun) == 2


def test_a_job_that_was_never_put_into_the_queue_is_found(sessions):
    job_id = requested(sessions, inbox.import_)
    imports.begin(job_id)  # no jobs in this process: nothing happens
    assert states(sessions) == [FileState.WAITING, FileState.WAITING]
    completed_here(sessions, job_id)
    assert states(sessions) == [FileState.IMPORTED, FileState.IMPORTED]


def test_jobs_are_done_in_the_order_in_which_they_were_requested(sessions):
    """Each file needs what the one before it brings."""
    with sessions() as session:
        tokens = [received.token for received in inbox.files_of(session, ADA)]
    jobs = [requested(sessions, inbox.import_, token) for token in tokens]
    completed_here(sessions, jobs[-1])
    assert states(sessions) == [FileState.IMPORTED, FileState.IMPORTED]
    with sessions() as session:
        started = session.scalars(select(ImportJob.started_at).order_by(ImportJob.id)).all()
    assert started == sorted(started)


def test_while_imports_are_paused_nothing_is_taken_up(sessions, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 1)
    with sessions.begin() as session:
        pausing.pause(session, ADA, Queue.IMPORTS, now=utc_now())
    job_id = requested(sessions, inbox.import_)
    engine.start()
    try:
        imports.begin(job_id)
        beats = [heard(sessions)]
        # In the time between two heartbeats a process that does not know of the pause takes up whatever waits.
        until(lambda: beats.append(heard(sessions)) or len(set(beats)) == 3)
        assert states(sessions) == [FileState.WAITING, FileState.WAITING]
        with sessions.begin() as session:
            pausing.resume(session, ADA, Queue.IMPORTS, now=utc_now())
        nudges.tell(Queue.IMPORTS)
        until(lambda: over(sessions, job_id))
    finally:
        engine.stop()
    assert states(sessions) == [FileState.IMPORTED, FileState.IMPORTED]


@pytest.mark.parametrize(
    ("dying", "request_", "imported"),
    [
        ("checking", inbox.check, [False, False]),
        ("importing", inbox.import_, [False, False]),
        ("imported", inbox.import_, [True, False]),
    ],
)
def test_a_process_killed_at_its_work_doubles_and_loses_nothing(sessions, database_url, dying, request_, imported):
    job_id = requested(sessions, request_)
    died = carried_out("tests/jobs/dying_importer.py", environment=environment(database_url, dying))
    assert died == -signal.SIGKILL

    # What else a file is said to be may lag behind: progress is not written while the database is busy.
    assert [state is FileState.IMPORTED for state in states(sessions)] == imported
    assert (row_count(sessions, ImportRun), row_count(sessions, Order)) == (sum(imported), 0)

    missed(sessions)
    completed_here(sessions, job_id)

    if request_ is inbox.check:
        assert states(sessions) == [FileState.READY, FileState.READY]
        assert row_count(sessions, ImportRun) == 0
        return
    assert states(sessions) == [FileState.IMPORTED, FileState.IMPORTED]
    with sessions() as session:
        runs = select(ImportRun.file_name, ImportRun.new_count, ImportRun.unchanged_count).order_by(ImportRun.id)
        assert session.execute(runs).all() == [("customers.csv", 1, 0), ("orders.csv", 1, 0)]
    upkeep.forget(sessions, now=utc_now())
    assert row_count(sessions, ImportFilePart) == 0
    assert row_count(sessions, ImportFile) == 2


def test_a_process_that_ends_hands_over_at_once(sessions, database_url):
    job_id = requested(sessions, inbox.import_)
    told = environment(database_url, "handing over")
    with forked("tests/jobs/dying_importer.py", environment=told) as (ending, said):
        assert said.readline() == "reading\n"
        began = time.monotonic()
        ending.terminate()
        ending.join(300)
        assert (ending.exitcode, time.monotonic() - began < 10) == (0, True)
    assert states(sessions) == [FileState.WAITING, FileState.WAITING]
    assert row_count(sessions, ImportRun) == 0

    completed_here(sessions, job_id)

    assert states(sessions) == [FileState.IMPORTED, FileState.IMPORTED]
    assert row_count(sessions, ImportRun) == 2

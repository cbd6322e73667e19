"""What a dead process leaves behind: noticed, freed, and completed elsewhere, each step once."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from dbos import DBOS
from sqlalchemy import create_engine, select, text, update

from billing_core import runtime
from billing_core.database.functions import database_clock
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.jobs import engine, system_database
from billing_core.jobs.presence import heartbeat, taking_over
from billing_core.jobs.presence.heartbeat import Heartbeat
from billing_core.mailing.mails import MAIL
from billing_core.outbox import delivery
from billing_core.outbox import service as outbox
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.outbox.service import Message
from billing_core.processes import current, service
from billing_core.processes.models import Process, ProcessKind, Queue
from billing_core.processes.queries import ProcessRow
from tests.forked import carried_out
from tests.jobs import lingering  # noqa: F401  # the workflow must be known before the launch

WITHIN_SECONDS = 300


@pytest.fixture(autouse=True)
def _ours(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    yield
    current.become(None)


def killed_in_the_middle(database_url: str, folder: Path) -> Path:
    """The file into which the first step was written; the second is for whoever takes over."""
    file = folder / "written"
    environment = {**os.environ, "BILLING_DATABASE_URL": database_url, "DYING": "1", "FILE": str(file)}
    died = carried_out("tests/jobs/dying_lingerer.py", environment=environment)
    assert (died, file.read_text()) == (-9, "first\n")
    return file


def in_dbos(sessions, statement: str) -> None:
    """Execute it on the table of DBOS's workflows."""
    if sessions.engine.dialect.name == "postgresql":
        with sessions.engine.begin() as connection:
            connection.execute(text(statement.replace("workflow_status", "dbos.workflow_status")))
        return
    theirs = create_engine(system_database.address(sessions.engine.url))
    with theirs.begin() as connection:
        connection.execute(text(statement))
    theirs.dispose()


def silence(sessions, *process_ids: str, seconds: float = 60) -> None:
    with sessions.begin() as session:
        unheard = {"last_heard_at": database_clock(seconds=-seconds)}
        statement = update(Process).values(unheard)
        session.execute(statement.where(Process.id.in_(process_ids)) if process_ids else statement)


def processes(sessions) -> list[ProcessRow]:
    with sessions() as session:
        columns = [getattr(Process, name) for name in ProcessRow.__slots__]
        return [ProcessRow(*row) for row in session.execute(select(*columns).order_by(Process.started_at))]


def wait_until(condition) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("left", ["silent", "unknown"])
def test_a_workflow_goes_on_in_another_process_each_step_once(sessions, database_url, tmp_path, monkeypatch, left):
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 1)
    file = killed_in_the_middle(database_url, tmp_path)
    if left == "silent":
        silence(sessions)
    else:
        # As a version left it that named its executor as DBOS does by itself, and kept no table of processes.
        in_dbos(sessions, "UPDATE workflow_status SET executor_id = 'local' WHERE workflow_uuid = 'lingers'")
    engine.start()
    try:
        wait_until(lambda: file.read_text() != "first\n")
        DBOS.retrieve_workflow("lingers").get_result()
    finally:
        engine.stop()
    assert file.read_text() == "first\nsecond\n"
    dead, ours = processes(sessions)
    assert (dead.kind, dead.lost_at is not None) == (ProcessKind.WORKER, left == "silent")
    assert (ours.kind, ours.ended_at is not None, ours.lost_at) == (ProcessKind.APP, True, None)


@pytest.mark.slow
def test_workflows_that_this_version_does_otherwise_are_cancelled(sessions, database_url, tmp_path):
    killed_in_the_middle(database_url, tmp_path)
    in_dbos(
        sessions, "UPDATE workflow_status SET executor_id = 'local', name = 'work_off' WHERE workflow_uuid = 'lingers'"
    )
    engine.start()
    try:
        assert DBOS.get_workflow_status("lingers").status == "CANCELLED"
    finally:
        engine.stop()


def put(sessions, key: str, channel: str = MAIL) -> None:
    """A message that is due."""
    message = Message(
        channel=channel,
        topic="test",
        key=key,
        recipient="a@b.example",
        title=key,
        subject=("test", 1),
        content={"text": "Hello"},
    )
    with sessions.begin() as session:
        outbox.put(session, SYSTEM, message, now=utc_now() - timedelta(minutes=1))


def registered(sessions, *ids: str) -> None:
    with sessions.begin() as session:
        for process_id in ids:
            service.register(session, process_id, ProcessKind.WORKER, host="billing-1", pid=17, version="0.1.0")


def test_a_message_that_a_lost_process_was_delivering_is_due_at_once(sessions):
    registered(sessions, "dead", "lives")
    put(sessions, "a")
    put(sessions, "b")
    for process_id in ("dead", "lives"):
        with sessions.begin() as session:
            delivery._claim(session, {MAIL: print}, delivery.EVERY_QUEUE, process_id, now=utc_now())
    with sessions() as session:
        assert not delivery.something_due(session, now=utc_now())
    silence(sessions, "dead")

    assert taking_over.declare_lost(["dead", "lives"]) == ["dead"]

    sent = []
    outcome = delivery.deliver_due(
        sessions, {MAIL: lambda message: sent.append(message.key)}, process_id=lambda: "next"
    )
    assert (sent, outcome.delivered) == (["a"], 1)
    with sessions() as session:
        assert session.get_one(Process, "dead").in_hand == {Queue.MAILS.value: 1}
        claimed = dict(session.execute(select(OutboxMessage.key, OutboxMessage.claimed_by)).all())
        assert claimed == {"a": "next", "b": "lives"}
        states = dict(session.execute(select(OutboxMessage.key, OutboxMessage.state)).all())
    assert states == {"a": MessageState.DELIVERED, "b": MessageState.WAITING}


def test_who_was_taken_for_dead_while_it_delivers_claims_the_next_message_under_its_new_name(sessions):
    registered(sessions, "before", "after")
    put(sessions, "a")
    put(sessions, "b")
    current.become("before")
    deliver = {MAIL: lambda _message: current.become("after")}
    assert delivery.deliver_all(sessions, deliver, queue=delivery.EVERY_QUEUE, process_id=current.process_id) == 2
    with sessions() as session:
        claimed = dict(session.execute(select(OutboxMessage.key, OutboxMessage.claimed_by)).all())
    assert claimed == {"a": "before", "b": "after"}


def test_messages_that_no_process_can_be_delivering_are_due_at_once_and_those_on_their_way_stay_claimed(
    sessions, monkeypatch
):
    """``silent``: it ended while a message was on its way, or is about to be missed."""
    monkeypatch.setattr(DBOS, "list_workflows", lambda **_which: [])
    gone, others = ["lost", "ended", "unknown"], ["lives", "silent", None]
    registered(sessions, "lost", "ended", "lives", "silent")
    for process_id in gone + others:
        put(sessions, str(process_id))
    silence(sessions, "lost", "silent")
    with sessions.begin() as session:
        assert service.lose(session, ["lost"]) == ["lost"]
        service.end(session, "ended")
    for process_id in gone + others:
        with sessions.begin() as session:
            claimed, _ = delivery._claim(session, {MAIL: print}, delivery.EVERY_QUEUE, process_id, now=utc_now())
            assert claimed.key == str(process_id)

    taking_over.hand_on_orphans()

    sent = []
    delivery.deliver_due(sessions, {MAIL: lambda message: sent.append(message.key)})
    assert sent == gone


def test_a_message_that_ends_every_process_is_given_up(sessions):
    put(sessions, "a")
    for number in range(len(delivery.WAITS) + 1):
        registered(sessions, f"dead-{number}")
        with sessions.begin() as session:
            claimed, _ = delivery._claim(session, {MAIL: print}, delivery.EVERY_QUEUE, f"dead-{number}", now=utc_now())
            assert claimed is not None
        silence(sessions, f"dead-{number}")
        assert taking_over.declare_lost([f"dead-{number}"]) == [f"dead-{number}"]
    assert delivery.deliver_due(sessions, {MAIL: print}).failed == 1


@pytest.fixture
def observed(monkeypatch) -> list[list[str]]:
    """Whom a heartbeat declares lost, beat by beat; DBOS does not run."""
    declared: list[list[str]] = []
    monkeypatch.setattr(taking_over, "declare_lost", lambda ids: declared.append(list(ids)) or [])
    monkeypatch.setattr(taking_over, "hand_on_orphans", lambda: 0)
    return declared


def test_a_silence_counts_only_after_two_more_beats_of_the_observer(sessions, observed):
    registered(sessions, "dead")
    silence(sessions, "dead")
    ours = Heartbeat(ProcessKind.APP, renamed=lambda _id: None)
    ours.register()
    for expected in ([], [], [["dead"]]):
        ours.beat()
        assert observed == expected


def test_who_speaks_again_was_never_missed(sessions, observed):
    registered(sessions, "slow")
    ours = Heartbeat(ProcessKind.APP, renamed=lambda _id: None)
    ours.register()
    for seconds in (60, 60, 0, 60, 60):
        silence(sessions, "slow", seconds=seconds)
        ours.beat()
    assert observed == []


def test_who_was_taken_for_dead_goes_on_as_somebody_new(sessions, observed):
    named = []
    ours = Heartbeat(ProcessKind.APP, renamed=named.append)
    before = ours.register()
    silence(sessions, before)
    with sessions.begin() as session:
        assert service.lose(session, [before]) == [before]
    ours.beat()
    assert named == [current.process_id()]
    assert named != [before]
    ours.beat()
    assert [(row.id, row.lost_at is None) for row in processes(sessions)] == [(before, False), (named[0], True)]

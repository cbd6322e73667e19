"""What is due by the clock: once an hour or a day for the installation, and pruned when it is long over."""

from datetime import UTC, datetime, timedelta

import pytest
from dbos import DBOS
from sqlalchemy import select

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import Conflict
from billing_core.jobs import engine, pauses, queues
from billing_core.jobs.schedules import archiving, daily, due, link_expiry, outcomes, pruning, returned_mails
from billing_core.processes.models import FailedSchedule, Process, Queue
from billing_core.settings import settings
from tests.jobs import lingering


@pytest.fixture(autouse=True)
def _ours(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)


@pytest.mark.parametrize(
    ("minute", "hour", "now", "expected"),
    [
        (5, None, datetime(2026, 3, 1, 14, 5, tzinfo=UTC), datetime(2026, 3, 1, 14, 5, tzinfo=UTC)),
        (5, None, datetime(2026, 3, 1, 0, 4, 59, tzinfo=UTC), datetime(2026, 2, 28, 23, 5, tzinfo=UTC)),
        (20, 2, datetime(2026, 3, 1, 2, 20, 1, tzinfo=UTC), datetime(2026, 3, 1, 2, 20, tzinfo=UTC)),
        (20, 2, datetime(2026, 3, 1, 2, 19, tzinfo=UTC), datetime(2026, 2, 28, 2, 20, tzinfo=UTC)),
    ],
)
def test_when_it_was_due_the_last_time(minute, hour, now, expected):
    assert due.Schedule("x", Queue.PRUNING, print, minute, hour).last_due(now) == expected


@pytest.mark.parametrize(
    ("minute", "now", "expected"),
    [
        (0, datetime(2026, 3, 1, 14, 0, tzinfo=UTC), datetime(2026, 3, 1, 14, 0, tzinfo=UTC)),
        (0, datetime(2026, 3, 1, 14, 14, 59, tzinfo=UTC), datetime(2026, 3, 1, 14, 0, tzinfo=UTC)),
        (0, datetime(2026, 3, 1, 14, 59, 59, tzinfo=UTC), datetime(2026, 3, 1, 14, 45, tzinfo=UTC)),
        (5, datetime(2026, 3, 1, 0, 4, tzinfo=UTC), datetime(2026, 2, 28, 23, 50, tzinfo=UTC)),
    ],
)
def test_what_is_due_several_times_an_hour(minute, now, expected):
    assert due.Schedule("x", Queue.BOUNCES, print, minute, every=15).last_due(now) == expected


@pytest.mark.slow
def test_a_start_catches_up_once_for_the_installation(monkeypatch):
    done = []
    for module, step in (
        (daily, "remind_due"),
        (link_expiry, "end_due"),
        (pruning, "prune"),
        (archiving, "archive_old"),
        (returned_mails, "read_mailbox"),
    ):
        monkeypatch.setattr(module, step, lambda step=step: done.append(step) or 0)
    now = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)
    monkeypatch.setattr(engine, "utc_now", lambda: now)
    for _process in range(2):
        engine.start()
        try:
            names = [
                "sched-reminders-2026-03-01T14:00:00+00:00",
                "sched-payment-links-2026-03-01T14:05:00+00:00",
                "sched-pruning-2026-03-01T02:20:00+00:00",
                "sched-usage-archives-2026-03-01T02:40:00+00:00",
                "sched-returned-mails-2026-03-01T14:30:00+00:00",
            ]
            for name in names:
                DBOS.retrieve_workflow(name).get_result()
            kept = {schedule["schedule_name"]: schedule for schedule in DBOS.list_schedules()}
        finally:
            engine.stop()
    assert sorted(done) == ["archive_old", "end_due", "prune", "read_mailbox", "remind_due"]
    assert {name: (each["schedule"], each["queue_name"]) for name, each in kept.items()} == {
        "reminders": ("0 * * * *", queues.SCHEDULES),
        "payment-links": ("5 * * * *", queues.SCHEDULES),
        "pruning": ("20 2 * * *", queues.SCHEDULES),
        "usage-archives": ("40 2 * * *", queues.SCHEDULES),
        "returned-mails": ("0-59/15 * * * *", queues.SCHEDULES),
    }


def a_time(queue: Queue, error: Exception | None = None) -> None:
    with outcomes.recorded(queue):
        if error is not None:
            raise error


def kept_failures(sessions) -> dict[Queue, str]:
    with sessions() as session:
        return {failure.queue: failure.reason for failure in session.scalars(select(FailedSchedule))}


def test_what_failed_at_its_last_time_is_kept_until_a_later_one_succeeds(sessions):
    for reason in ("No rate", "The disk is full"):
        with pytest.raises(Conflict):
            a_time(Queue.REMINDERS, Conflict(reason))
    with pytest.raises(ZeroDivisionError):
        a_time(Queue.PRUNING, ZeroDivisionError("secret"))
    failures = kept_failures(sessions)
    assert failures[Queue.REMINDERS] == "The disk is full"
    assert failures[Queue.PRUNING].startswith("Something went wrong on our side. Reference ")
    assert len(failures) == 2

    a_time(Queue.REMINDERS)

    assert set(kept_failures(sessions)) == {Queue.PRUNING}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "step", "queue", "name"),
    [
        (daily, "announce_overdue", Queue.REMINDERS, "reminders"),
        (link_expiry, "end_due", Queue.LINK_EXPIRY, "payment-links"),
        (pruning, "prune", Queue.PRUNING, "pruning"),
        (archiving, "archive_old", Queue.USAGE_ARCHIVES, "usage-archives"),
        (returned_mails, "read_mailbox", Queue.BOUNCES, "returned-mails"),
    ],
)
def test_a_schedule_that_fails_needs_attention(sessions, monkeypatch, module, step, queue, name):
    def fails() -> int:
        raise Conflict("The books are closed")

    monkeypatch.setattr(module, step, fails)
    engine.start()
    try:
        (schedule,) = (each for each in due.SCHEDULES if each.name == name)
        workflow = DBOS.retrieve_workflow(f"sched-{name}-{schedule.last_due(utc_now()).isoformat()}")
        with pytest.raises(Conflict):
            workflow.get_result()
    finally:
        engine.stop()
    assert kept_failures(sessions) == {queue: "The books are closed"}


@pytest.mark.slow
def test_what_ended_is_kept_for_the_days_of_the_setting(sessions, tmp_path, monkeypatch):
    monkeypatch.setattr(pruning, "_BATCH", 2)
    engine.start()
    engine.stop()
    engine.start()
    try:
        for number in range(5):
            name = f"lingers-{number}"
            queues.enqueue(queues.BILL_RUNS, lingering.linger, str(tmp_path / name), workflow_id=name)
        for number in range(5):
            DBOS.retrieve_workflow(f"lingers-{number}").get_result()
        for schedule in due.SCHEDULES:
            DBOS.retrieve_workflow(f"sched-{schedule.name}-{schedule.last_due(utc_now()).isoformat()}").get_result()
        pauses.learn({Queue.BILL_RUNS})
        queues.enqueue(queues.BILL_RUNS, lingering.linger, str(tmp_path / "waits"), workflow_id="waits")
        days = timedelta(days=settings().keep_jobs_days)

        assert pruning.prune(utc_now() + days - timedelta(hours=1)) == 0
        assert pruning.prune(utc_now() + days + timedelta(hours=1)) >= 8

        left = DBOS.list_workflows()
        assert [(each.workflow_id, each.status) for each in left] == [("waits", "ENQUEUED")]
        with sessions() as session:
            assert len(session.scalars(select(Process.id)).all()) == 1
    finally:
        pauses.learn(set())
        engine.stop()

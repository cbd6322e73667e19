"""Schedules: last run, next run, last failure, as DBOS knows them."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from billing_core.dates import utc_now
from billing_core.jobs import system_database
from billing_core.jobs.overview import schedules
from billing_core.jobs.schedules import due
from billing_core.processes.models import Queue
from tests.jobs.overview import schedules_of_dbos as dbos

pytestmark = pytest.mark.slow

HALF_PAST = datetime(2026, 4, 2, 9, 30, tzinfo=UTC)


def rows(sessions, now: datetime = HALF_PAST) -> dict[Queue, schedules.ScheduleRow]:
    return {row.queue: row for row in schedules.listed(sessions.engine, now=now)}


def test_a_database_on_which_no_jobs_ever_ran_has_none_and_gets_no_tables(sessions):
    assert rows(sessions) == {}
    if sessions.engine.dialect.name == "sqlite":
        assert not Path(system_database.address(sessions.engine.url).removeprefix("sqlite:///")).exists()


def test_every_schedule_is_known_by_its_name():
    assert {schedule.name: schedule.queue for schedule in due.SCHEDULES} == schedules.QUEUES


def test_what_has_not_run_yet_says_when_it_will(sessions):
    with dbos.running(sessions):
        dbos.schedule("payment-links", dbos.quiet, "5 * * * *")
        dbos.schedule("reminders", dbos.refused)
        dbos.schedule("of others", dbos.broken)
    assert list(rows(sessions)) == [Queue.REMINDERS, Queue.LINK_EXPIRY]
    assert rows(sessions)[Queue.REMINDERS] == schedules.ScheduleRow(
        Queue.REMINDERS, False, None, datetime(2026, 4, 2, 10, tzinfo=UTC), None, ""
    )
    assert rows(sessions)[Queue.LINK_EXPIRY].next_run_at == datetime(2026, 4, 2, 10, 5, tzinfo=UTC)


def test_runs_and_failures_are_those_of_each(sessions):
    begun = utc_now() - timedelta(seconds=1)
    with dbos.running(sessions):
        dbos.schedule("reminders", dbos.quiet)
        dbos.schedule("payment-links", dbos.refused)
        dbos.schedule("pruning", dbos.broken)
        for workflow in (dbos.quiet, dbos.refused, dbos.broken):
            dbos.run(workflow, HALF_PAST)
        meanwhile = rows(sessions)
    seen = rows(sessions)
    assert seen == meanwhile
    went_well, refused, broke = (seen[queue] for queue in (Queue.REMINDERS, Queue.LINK_EXPIRY, Queue.PRUNING))
    assert begun <= went_well.last_run_at <= refused.last_run_at <= broke.last_run_at <= utc_now()
    assert (went_well.failed, went_well.last_failed_at, went_well.last_error) == (False, None, "")
    assert (refused.failed, refused.last_failed_at) == (True, refused.last_run_at)
    assert refused.last_error == "The business has no time zone"
    assert broke.last_error == "Something went wrong on our side; the log says what"


def test_a_failure_is_told_also_when_it_went_well_since(sessions):
    with dbos.running(sessions):
        dbos.schedule("reminders", dbos.fails_at_first)
        dbos.run(dbos.fails_at_first, HALF_PAST)
        # On SQLite DBOS tells the instants of runs to the second: one within the same second may come before the other.
        deadline = time.monotonic() + 300
        while rows(sessions)[Queue.REMINDERS].failed and time.monotonic() < deadline:
            dbos.run(dbos.fails_at_first, HALF_PAST + timedelta(hours=1))
    row = rows(sessions)[Queue.REMINDERS]
    assert not row.failed
    assert row.last_failed_at < row.last_run_at
    assert row.last_error == "Not yet"

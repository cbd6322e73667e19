"""The processes that live, and those that ended or were lost lately."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from billing_core.audit.models import AuditEntry
from billing_core.bill_runs.models import RunOutcome
from billing_core.database.functions import database_clock
from billing_core.errors import Conflict, Forbidden
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.jobs.overview import processes
from billing_core.jobs.overview.processes import ProcessState
from billing_core.outbox.models import MessageState
from billing_core.processes import service
from billing_core.processes.models import Process, ProcessKind, Queue
from tests.jobs.overview.work import (
    NOW,
    a_living_process,
    a_lost_process,
    a_process,
    a_run,
    an_import,
    customers,
    messages,
    of_run,
)


def states(session) -> dict[str, ProcessState]:
    return {row.id: row.state for row in processes.listed(session)}


def moved(session, process_id: str, **days_ago: float) -> None:
    """As if it had happened so many days ago."""
    instants = {name: database_clock(seconds=-days * 86_400) for name, days in days_ago.items()}
    session.execute(update(Process).where(Process.id == process_id).values(instants))


def test_each_is_in_its_state_the_living_first(session):
    a_lost_process(session, "lost")
    a_process(session, "ended")
    service.end(session, "ended")
    a_process(session, "silent", silent_for=17)
    a_process(session, "living", silent_for=12, kind=ProcessKind.WORKER)
    assert states(session) == {
        "living": ProcessState.LIVING,
        "silent": ProcessState.SILENT,
        "lost": ProcessState.LOST,
        "ended": ProcessState.ENDED,
    }
    row = processes.listed(session)[0]
    assert (row.id, row.kind, row.host, row.pid, row.version) == (
        "living",
        ProcessKind.WORKER,
        "billing-1",
        17,
        "0.1.0",
    )
    assert 12 <= row.heard_seconds_ago < 16


def test_what_a_living_one_has_in_hand_is_counted_by_kind(session):
    a_process(session, "a")
    claim = {"claimed_by": "a", "claimed_until": NOW + timedelta(minutes=15)}
    messages(session, "mail", 2, **claim)
    messages(session, "webhook", 3, **claim)
    messages(session, "mail", 4, claimed_by="a", state=MessageState.DELIVERED, delivered_at=NOW)
    run_id = a_run(session)
    of_run(session, run_id, customers(session, 5), RunOutcome.WAITING, process_id="a")
    of_run(session, run_id, customers(session, 6), RunOutcome.CREATED, process_id="a", finished_at=NOW)
    an_import(session, process_id="a", started_at=NOW)
    an_import(session, process_id="a", started_at=NOW, finished_at=NOW)
    [row] = processes.listed(session)
    assert row.in_hand == {Queue.MAILS: 2, Queue.OUTGOING_WEBHOOKS: 3, Queue.BILL_RUNS: 5, Queue.IMPORTS: 1}


def test_what_one_that_ended_has_handed_over_is_not_in_its_hand(session):
    for process_id in ("ended", "living"):
        a_process(session, process_id)
        messages(session, "mail", 2, claimed_by=process_id, claimed_until=NOW, not_before=NOW)
    messages(session, "mail", 1, claimed_by="ended", claimed_until=NOW + timedelta(minutes=15))
    service.end(session, "ended")
    assert {row.id: row.in_hand for row in processes.listed(session)} == {"living": {}, "ended": {}}


def test_what_a_lost_one_had_in_hand_is_remembered(session):
    a_lost_process(session, "a", bill_runs=3, mails=1)
    [row] = processes.listed(session)
    assert row.in_hand == {Queue.BILL_RUNS: 3, Queue.MAILS: 1}


def test_what_a_lost_one_of_a_newer_version_had_in_hand_is_told_as_far_as_it_is_known(session):
    a_lost_process(session, "a", bill_runs=3)
    session.execute(update(Process).values(in_hand={"bill runs": 3, "forecasts": 2}))
    [row] = processes.listed(session)
    assert row.in_hand == {Queue.BILL_RUNS: 3}


def test_one_that_ended_is_listed_for_a_day(session):
    for process_id, days in (("today", 0.9), ("yesterday", 1.1)):
        a_process(session, process_id)
        moved(session, process_id, ended_at=days)
    assert states(session) == {"today": ProcessState.ENDED}


def test_one_that_was_lost_is_listed_until_it_is_dismissed_and_for_a_day(session):
    for process_id, days in (("long ago", 40), ("seen", 2), ("seen today", 0.5)):
        a_lost_process(session, process_id)
        moved(session, process_id, lost_at=days)
    for process_id in ("seen", "seen today"):
        service.dismiss(session, SYSTEM, process_id, now=NOW)
    assert states(session) == {"seen today": ProcessState.LOST, "long ago": ProcessState.LOST}


def test_dismissing_leaves_a_trace_and_happens_once(session):
    ada = actor_with(Role.ADMIN, user_id=1, name="Ada")
    a_lost_process(session, "a")
    service.dismiss(session, ada, "a", now=NOW)
    session.flush()
    [entry] = session.query(AuditEntry).all()
    assert (entry.action, entry.subject_id, entry.subject_label) == ("jobs.dismiss", "a", "billing-1, 17")
    assert entry.actor_name == "Ada"
    [row] = processes.listed(session)
    assert row.dismissed_at == NOW
    with pytest.raises(Conflict, match="dismissed already"):
        service.dismiss(session, ada, "a", now=NOW)


def test_only_a_lost_one_can_be_dismissed_and_only_by_admins(session):
    a_process(session, "alive")
    with pytest.raises(Conflict, match="not lost"):
        service.dismiss(session, SYSTEM, "alive", now=NOW)
    a_lost_process(session, "lost")
    for role in (Role.FINANCE, Role.MANAGER):
        with pytest.raises(Forbidden):
            service.dismiss(session, actor_with(role, user_id=1, name="Somebody"), "lost", now=NOW)


def test_no_more_are_listed_than_anybody_reads(session):
    for number in range(processes.MOST + 1):
        a_process(session, f"p{number}")
    assert len(processes.listed(session)) == processes.MOST


def test_those_that_live_or_were_lost_stay_listed_however_many_came_and_went_since(session):
    a_living_process(session, "app")
    a_lost_process(session, "lost")
    moved(session, "app", started_at=2)
    moved(session, "lost", lost_at=2)
    for number in range(processes.MOST + 1):
        service.end(session, a_process(session, f"command-{number}", kind=ProcessKind.COMMAND))
    listed = processes.listed(session)
    assert [(row.id, row.state) for row in listed[:2]] == [
        ("app", ProcessState.LIVING),
        ("lost", ProcessState.LOST),
    ]
    assert {row.state for row in listed[2:]} == {ProcessState.ENDED}
    assert processes.counts(session) == {
        ProcessState.LIVING: 1,
        ProcessState.SILENT: 0,
        ProcessState.LOST: 1,
        ProcessState.ENDED: processes.MOST + 1,
    }

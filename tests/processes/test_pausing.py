"""Pausing a kind of work: who may, once, and on record."""

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.errors import Conflict, Forbidden
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.processes import pausing, queries
from billing_core.processes.models import PausedQueue, Queue
from tests.at_once import at_once
from tests.processes import newer
from tests.reports.company import NOW

ADMIN = actor_with(Role.ADMIN, user_id=3, name="Grace Hopper")


def test_a_paused_queue_says_since_when_and_by_whom_until_it_is_resumed(sessions):
    with sessions.begin() as session:
        pausing.pause(session, ADMIN, Queue.MAILS, now=NOW)
    with sessions() as session:
        assert pausing.paused(session) == {Queue.MAILS}
        assert queries.silent_and_paused(session) == (set(), {Queue.MAILS})
        row = session.scalars(select(PausedQueue)).one()
        assert (row.paused_at, row.paused_by_id, row.paused_by) == (NOW, 3, "Grace Hopper")
    with sessions.begin() as session:
        pausing.resume(session, ADMIN, Queue.MAILS, now=NOW)
    with sessions() as session:
        assert pausing.paused(session) == set()
        recorded = session.execute(select(AuditEntry.action, AuditEntry.subject_id).order_by(AuditEntry.id)).all()
    assert recorded == [("jobs.pause", "mails"), ("jobs.resume", "mails")]


def test_what_a_newer_version_has_paused_is_passed_over(session):
    pausing.pause(session, ADMIN, Queue.MAILS, now=NOW)
    newer.paused(session, "forecasts")
    assert pausing.paused(session) == {Queue.MAILS}
    assert queries.silent_and_paused(session) == (set(), {Queue.MAILS})


def test_what_is_paused_cannot_be_paused_and_what_goes_on_not_resumed(sessions):
    with pytest.raises(Conflict, match="“Mails” is not paused"), sessions.begin() as session:
        pausing.resume(session, SYSTEM, Queue.MAILS, now=NOW)

    def pause():
        with sessions.begin() as session:
            pausing.pause(session, SYSTEM, Queue.MAILS, now=NOW)

    assert sorted(str(came) for came in at_once(pause, pause)) == ["None", "“Mails” is paused already"]


@pytest.mark.parametrize("change", [pausing.pause, pausing.resume])
def test_only_who_manages_jobs_may(sessions, change):
    manager = actor_with(Role.MANAGER, user_id=4, name="M")
    with pytest.raises(Forbidden, match=r"jobs\.manage"), sessions.begin() as session:
        change(session, manager, Queue.MAILS, now=NOW)

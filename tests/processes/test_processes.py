"""Processes: heard of, ended, missed; by the database's clock alone."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, literal, select, update

from billing_core.database.functions import database_clock
from billing_core.processes import current, queries, service
from billing_core.processes.models import Process, ProcessKind
from tests.at_once import at_once


def started(sessions, *ids: str) -> None:
    with sessions.begin() as session:
        for process_id in ids:
            service.register(session, process_id, ProcessKind.WORKER, host="billing-1", pid=17, version="0.1.0")


def unheard(sessions, process_id: str, *, seconds: float) -> None:
    """As if it had last said so long ago that it lives."""
    with sessions.begin() as session:
        silence = {"last_heard_at": database_clock(seconds=-seconds)}
        session.execute(update(Process).where(Process.id == process_id).values(silence))


def living(sessions) -> list[str]:
    with sessions() as session:
        return [row.id for row in queries.living(session)]


def test_the_databases_clock_is_now_in_utc_to_the_millisecond(session):
    before, after = session.execute(select(database_clock(seconds=-0.25), database_clock(seconds=0.25))).one()
    assert before.tzinfo is UTC
    assert timedelta(milliseconds=499) <= after - before < timedelta(seconds=1)
    assert abs(datetime.now(UTC) - after) < timedelta(seconds=30)


def test_the_databases_clock_compares_with_stored_instants(session):
    for name, heard in (("past", -1), ("future", 60)):
        at = datetime.now(UTC) + timedelta(seconds=heard)
        session.execute(
            insert(Process).values(
                id=name, kind=ProcessKind.APP, host="h", pid=1, version="1", started_at=at, last_heard_at=at
            )
        )
    assert session.scalars(select(Process.id).where(Process.last_heard_at < database_clock())).all() == ["past"]


def test_a_process_lives_from_its_start_until_it_says_goodbye(sessions):
    started(sessions, "a", "b")
    with sessions() as session:
        row = queries.living(session)[0]
    assert (row.id, row.kind, row.host, row.pid, row.version) == ("a", ProcessKind.WORKER, "billing-1", 17, "0.1.0")
    # The clock is read once for each.
    assert timedelta(0) <= row.last_heard_at - row.started_at < timedelta(seconds=1)
    assert (row.ended_at, row.lost_at) == (None, None)

    with sessions.begin() as session:
        service.end(session, "a")
    assert living(sessions) == ["b"]
    with sessions.begin() as session:
        assert service.beat(session, "a") is False


@pytest.mark.parametrize(("seconds", "lives"), [(12, True), (17, False)])
def test_who_is_silent_for_fifteen_seconds_does_not_count_as_living(sessions, seconds, lives):
    started(sessions, "a")
    unheard(sessions, "a", seconds=seconds)
    assert living(sessions) == (["a"] if lives else [])
    with sessions() as session:
        assert session.scalar(select(queries.is_living(literal("a")))) is lives
        assert queries.silent_and_paused(session)[0] == (set() if lives else {"a"})


def test_a_beat_brings_back_who_was_silent(sessions):
    started(sessions, "a")
    unheard(sessions, "a", seconds=60)
    with sessions.begin() as session:
        assert service.beat(session, "a") is True
    assert living(sessions) == ["a"]
    with sessions.begin() as session:
        assert service.lose(session, ["a"]) == []


def test_who_is_declared_lost_learns_it_from_its_next_beat(sessions):
    started(sessions, "a", "b")
    unheard(sessions, "a", seconds=60)
    with sessions.begin() as session:
        assert service.lose(session, ["a", "b"]) == ["a"]
    with sessions.begin() as session:
        assert service.beat(session, "a") is False
    assert living(sessions) == ["b"]
    with sessions() as session:
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        assert [row.id for row in queries.lost(session, since=hour_ago)] == ["a"]
        assert queries.silent_and_paused(session)[0] == set()


def test_of_two_observers_one_declares_it_lost(sessions):
    started(sessions, "a")
    unheard(sessions, "a", seconds=60)

    def notice():
        with sessions.begin() as session:
            return service.lose(session, ["a"])

    assert sorted(at_once(notice, notice)) == [[], ["a"]]


def test_those_long_gone_are_forgotten(sessions):
    started(sessions, "ended", "lost", "lives")
    unheard(sessions, "lost", seconds=60)
    with sessions.begin() as session:
        service.end(session, "ended")
        service.lose(session, ["lost"])
    with sessions.begin() as session:
        assert service.forget(session, before=datetime.now(UTC) - timedelta(days=1)) == 0
        assert service.forget(session, before=datetime.now(UTC) + timedelta(days=1)) == 2
    with sessions() as session:
        assert session.scalars(select(Process.id)).all() == ["lives"]


def test_this_process_has_an_id_only_while_it_is_registered():
    assert current.process_id() is None
    current.become("a")
    try:
        assert current.process_id() == "a"
    finally:
        current.become(None)

"""A connection that one test leaves and the next one takes is as good as new."""

import threading

import psycopg
import pytest

from tests.kept_connections import KeptConnections
from tests.postgres import EmptiedDatabase

OF_A_SESSION = "SELECT current_setting('statement_timeout'), to_regclass('pg_temp.left_behind'), current_user"
HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"


@pytest.fixture
def connections(emptied_database) -> KeptConnections:
    emptied_database.taken()
    kept = emptied_database.connections
    kept.end()
    return kept


def process_of(connection: psycopg.Connection) -> int:
    return connection.info.backend_pid


def test_the_next_takes_it_and_finds_nothing_of_what_the_one_before_did(connections):
    first = connections.take()
    process, as_new = process_of(first), first.execute(OF_A_SESSION).fetchone()
    first.execute("CREATE ROLE somebody_else")
    first.execute("CREATE TEMP TABLE left_behind (id integer)")
    first.commit()
    first.execute("SET statement_timeout = '7s'")
    first.execute("LISTEN anything")
    first.execute("SELECT pg_advisory_lock(7)")
    first.execute("SET SESSION AUTHORIZATION somebody_else")
    first.commit()
    first.close()

    second = connections.take()
    assert process_of(second) == process
    assert second.execute(OF_A_SESSION).fetchone() == as_new
    assert second.execute(HELD).fetchone() == (0,)
    assert second.execute("SELECT pg_listening_channels()").fetchall() == []
    second.execute("DROP ROLE somebody_else")
    second.commit()
    second.close()


def test_what_was_not_committed_is_gone(connections):
    first = connections.take()
    first.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    first.execute("CREATE TABLE never (id integer)")
    first.close()

    second = connections.take()
    assert second.isolation_level is None
    assert second.execute("SELECT to_regclass('never')").fetchone() == (None,)
    second.close()


def test_one_in_a_failed_transaction_is_taken_again(connections):
    first = connections.take()
    process = process_of(first)
    with pytest.raises(psycopg.Error):
        first.execute("SELECT 1 / 0")
    first.close()

    second = connections.take()
    assert process_of(second) == process
    assert second.execute("SELECT 1").fetchone() == (1,)
    second.close()


def test_one_that_the_server_ended_is_taken_by_nobody(connections):
    first, other = connections.take(), connections.take()
    process = process_of(first)
    first.close()
    other.execute("SELECT pg_terminate_backend(%s, 10000)", (process,))

    second = connections.take()
    assert process_of(second) != process
    assert second.execute("SELECT 1").fetchone() == (1,)
    second.close()
    other.close()


def test_one_that_another_thread_is_at_work_with_ends_as_any_other(connections):
    at_work = connections.take()
    process = process_of(at_work)
    with at_work.lock:
        closing = threading.Thread(target=at_work.close)
        closing.start()
        closing.join(300)
        assert not closing.is_alive()

    assert at_work.closed
    assert process not in connections.processes


def test_the_next_test_leaves_those_that_wait_and_ends_those_that_somebody_has(
    connections: KeptConnections, emptied_database: EmptiedDatabase
):
    waiting, had = connections.take(), connections.take()
    waiting.close()

    emptied_database.taken()

    with pytest.raises(psycopg.OperationalError):
        had.execute("SELECT 1")
    had.close()
    again = connections.take()
    assert process_of(again) == process_of(waiting)
    again.close()

"""What waits can be called off, and what is removed meanwhile is not imported."""

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Forbidden, NotFound
from billing_core.identity import Role, actor_with
from billing_core.imports import claims, inbox, queries, steps, upkeep
from billing_core.imports.incoming import reading
from billing_core.imports.models import FileState, ImportRun
from billing_core.processes import service as processes
from billing_core.processes.models import ProcessKind
from tests.imports.files import row_count
from tests.imports.inbox.dropped import ADA, CUSTOMERS, EVE, NOW


def test_everything_that_waits_can_be_called_off(receive, requested, files, sessions):
    receive("customers.csv", CUSTOMERS)
    receive("customers.csv", CUSTOMERS, EVE)
    for actor in (ADA, EVE):
        requested(inbox.check, actor=actor)
    mario = actor_with(Role.MANAGER, user_id=3, name="Mario")
    with pytest.raises(Forbidden), sessions.begin() as session:
        upkeep.cancel_waiting(session, mario, limit=10, now=NOW)
    with sessions.begin() as session:
        assert upkeep.cancel_waiting(session, EVE, limit=10, now=NOW) == 2
        assert upkeep.cancel_waiting(session, EVE, limit=10, now=NOW) == 0
    assert [received.state for actor in (ADA, EVE) for received in files(actor)] == [FileState.NEW, FileState.NEW]


def test_what_waits_can_be_called_off_by_its_owner(receive, requested, files, sessions):
    receive("customers.csv", CUSTOMERS)
    job = requested(inbox.import_)
    with pytest.raises(NotFound), sessions.begin() as session:
        inbox.cancel(session, ADA, job + 1, now=NOW)
    with sessions.begin() as session:
        inbox.cancel(session, ADA, job, now=NOW)
    assert files()[0].state is FileState.NEW
    steps.work_off(sessions, job)
    assert row_count(sessions, Customer) == 0
    with pytest.raises(Conflict, match="over already"), sessions.begin() as session:
        inbox.cancel(session, ADA, job, now=NOW)


def test_what_a_process_has_taken_up_is_not_called_off_until_that_process_is_lost(
    receive, requested, files, sessions, monkeypatch
):
    token = receive("customers.csv", CUSTOMERS).token
    job = requested(inbox.import_)

    class Killed(BaseException):
        pass

    progress = claims.Progress.__call__

    def killed(told, step, done, total):
        progress(told, step, done, total)
        raise Killed

    monkeypatch.setattr(claims.Progress, "__call__", killed)

    with sessions.begin() as session:
        processes.register(session, "worker-1", ProcessKind.WORKER, host="here", pid=1, version="1")
    with pytest.raises(Killed):
        steps.work_off(sessions, job, process_id="worker-1")
    with sessions() as session:
        (progress,) = queries.under_way(session, ADA)
        assert (progress.worked_on, progress.taken_up, progress.state) == (True, True, FileState.RUNNING)
        assert queries.under_way(session, EVE) == []
    with pytest.raises(Conflict, match="taken up"), sessions.begin() as session:
        inbox.cancel(session, ADA, job, now=NOW)
    with pytest.raises(Conflict, match="being worked on"), sessions.begin() as session:
        inbox.discard(session, ADA, [token])

    with sessions.begin() as session:
        assert claims.free(session, ["worker-1", "worker-2"]) == {"worker-1": 1}

    with sessions() as session:
        (progress,) = queries.under_way(session, ADA)
        assert (progress.worked_on, progress.taken_up, progress.state) == (False, False, FileState.WAITING)
    with sessions.begin() as session:
        inbox.cancel(session, ADA, job, now=NOW)
    assert files()[0].state is FileState.NEW


def test_a_file_that_is_removed_while_it_waits_leaves_the_rest_of_its_job(receive, requested, files, sessions):
    waiting = receive("customers.csv", CUSTOMERS)
    receive("more.csv", CUSTOMERS.replace(b"ACME", b"BETA"))
    job = requested(inbox.import_)
    with sessions.begin() as session:
        inbox.discard(session, ADA, [waiting.token])
    steps.work_off(sessions, job)
    assert [(received.file_name, received.state) for received in files()] == [("more.csv", FileState.IMPORTED)]
    with sessions() as session:
        assert session.scalars(select(Customer.ref)).all() == ["BETA"]


def test_whoever_loses_the_file_while_importing_it_imports_nothing(receive, requested, files, sessions, monkeypatch):
    """A process that was taken for dead goes on beside the one that took over: one of them imports."""
    receive("customers.csv", CUSTOMERS)
    receive("more.csv", CUSTOMERS.replace(b"ACME", b"BETA"))
    job = requested(inbox.import_)
    beside = {"left": 1}
    real = reading.read_or_raise

    def read_beside(*arguments, **named):
        read = real(*arguments, **named)
        if beside["left"]:
            beside["left"] = 0
            steps.work_off(sessions, job, process_id="another")
        return read

    monkeypatch.setattr(reading, "read_or_raise", read_beside)
    steps.work_off(sessions, job, process_id="taken for dead")
    assert [received.state for received in files()] == [FileState.IMPORTED, FileState.IMPORTED]
    with sessions() as session:
        assert sorted(session.scalars(select(ImportRun.file_name))) == ["customers.csv", "more.csv"]

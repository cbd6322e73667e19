"""What fails while files are worked on leaves none of them busy, and is tried again where that may help."""

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.imports import inbox, service, steps, upkeep
from billing_core.imports.mapping import Fixed
from billing_core.imports.models import FileState, ImportJob, ImportRun
from tests.imports.inbox.dropped import ADA, CUSTOMERS, EVE, NOW


def test_an_unexpected_failure_leaves_no_file_busy_and_a_reference_to_the_log(
    receive, requested, files, sessions, monkeypatch, capsys
):
    receive("customers.csv", CUSTOMERS)

    def broken(*_arguments, **_named):
        raise ZeroDivisionError

    real = service.apply_together
    monkeypatch.setattr(service, "apply_together", broken)
    failed = requested(inbox.import_)
    steps.work_off(sessions, failed)
    (received,) = files()
    assert received.state is FileState.REFUSED
    told = "Something went wrong that is not the file's fault. Nothing of it was imported. Reference "
    assert received.problem.startswith(told)
    assert received.problem.removeprefix(told) in capsys.readouterr().out

    monkeypatch.setattr(service, "apply_together", real)
    with sessions.begin() as session:
        assert upkeep.retry_failed(session, EVE, limit=10, now=NOW) == 1
        assert upkeep.retry_failed(session, EVE, limit=10, now=NOW) == 0
    steps.work_off(sessions, failed)
    assert files()[0].state is FileState.IMPORTED
    with sessions() as session:
        assert session.scalars(select(ImportRun.created_by)).all() == ["Ada"]
        assert session.scalars(
            select(AuditEntry.action).where(AuditEntry.actor_id == EVE.user_id).order_by(AuditEntry.id)
        ).all() == ["jobs.retry"]


def test_what_its_owner_has_begun_anew_is_not_tried_again_by_others(receive, requested, files, sessions, monkeypatch):
    token = receive("customers.csv", CUSTOMERS).token

    def broken(*_arguments, **_named):
        raise ZeroDivisionError

    monkeypatch.setattr(service, "apply_together", broken)
    steps.work_off(sessions, requested(inbox.import_))
    with sessions.begin() as session:
        inbox.choose_origins(session, ADA, token, {"currency": Fixed("EUR")})
    with sessions.begin() as session:
        assert upkeep.retry_failed(session, EVE, limit=10, now=NOW) == 0
    assert files()[0].state is FileState.NEW


def test_a_database_that_fails_is_tried_again_for_so_long(receive, requested, files, sessions, monkeypatch):
    receive("customers.csv", CUSTOMERS)
    job = requested(inbox.import_)
    gone = sessions.engine.dialect.loaded_dbapi.OperationalError("the connection is lost")

    def lost(*_arguments, **_named):
        raise gone

    real = service.apply_together
    monkeypatch.setattr(service, "apply_together", lost)
    with pytest.raises(type(gone)):
        steps.work_off(sessions, job)
    assert files()[0].busy
    assert steps.begin_again(sessions, job, 1) == 2
    assert steps.begin_again(sessions, job, 1) is None, "somebody else was first"
    for attempt in range(2, steps.MOST_ATTEMPTS):
        assert steps.begin_again(sessions, job, attempt) == attempt + 1
    steps.work_off(sessions, job)
    assert files()[0].state is FileState.REFUSED
    monkeypatch.setattr(service, "apply_together", real)


def test_a_job_that_kills_every_process_is_given_up(receive, requested, files, sessions):
    receive("customers.csv", CUSTOMERS)
    job = requested(inbox.import_)
    for attempt in range(1, steps.MOST_ATTEMPTS):
        assert steps.begin_again(sessions, job, attempt) == attempt + 1
    assert steps.begin_again(sessions, job, steps.MOST_ATTEMPTS) is None
    assert files()[0].state is FileState.REFUSED
    with sessions() as session:
        assert steps.unfinished(session) == []
        assert session.get_one(ImportJob, job).reason.startswith("Something went wrong on our side. Reference ")

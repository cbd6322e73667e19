"""Dropped files are for whoever dropped them, and for a day."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from billing_core.errors import Forbidden, NotFound
from billing_core.identity import Role, actor_with
from billing_core.imports import Kind, inbox, steps, upkeep
from billing_core.imports.models import ImportFile, ImportFilePart, ImportJob, ImportRun
from tests.imports.files import row_count
from tests.imports.inbox.dropped import ADA, CUSTOMERS, EVE, NOW, ORDERS, rejected


def test_files_are_for_whoever_dropped_them(receive, requested, sessions):
    received = receive("customers.csv", b"customer_ref,name\nA,\n")
    job = requested(inbox.check)
    steps.work_off(sessions, job)
    for actor, token in ((EVE, received.token), (ADA, "another")):
        with pytest.raises(NotFound):
            rejected(sessions, token, actor)
        with pytest.raises(NotFound):
            requested(inbox.check, token, actor=actor)
        for verb in (
            lambda session, actor=actor, token=token: inbox.choose_kind(session, actor, token, Kind.ORDERS),
            lambda session, actor=actor, token=token: inbox.choose_origins(session, actor, token, {}),
            lambda session, actor=actor, token=token: inbox.discard(session, actor, [token]),
        ):
            with pytest.raises(NotFound), sessions.begin() as session:
                verb(session)
    mario = actor_with(Role.MANAGER, user_id=1, name="Mario")
    with pytest.raises(Forbidden):
        rejected(sessions, received.token, mario)
    with pytest.raises(Forbidden):
        receive("customers.csv", CUSTOMERS, mario)
    with pytest.raises(Forbidden):
        requested(inbox.check, received.token, actor=mario)


def test_a_removed_file_leaves_nothing_behind(receive, files, sessions):
    kept = receive("orders.csv", ORDERS)
    removed = receive("customers.csv", CUSTOMERS * 100_000)
    with sessions.begin() as session:
        inbox.discard(session, ADA, [removed.token])
    assert [received.token for received in files()] == [kept.token]
    upkeep.forget(sessions, now=NOW)
    with sessions() as session:
        assert session.scalars(select(ImportFile.token)).all() == [kept.token]
        assert session.scalars(select(ImportFilePart.file_id)).all() == [kept.id]


def test_files_and_finished_jobs_are_kept_for_a_day(receive, requested, files, sessions):
    tomorrow = NOW + timedelta(seconds=upkeep.KEPT_SECONDS + 1)
    receive("customers.csv", CUSTOMERS)
    steps.work_off(sessions, requested(inbox.import_))
    waiting = receive("orders.csv", ORDERS)
    receive("orders2.csv", ORDERS)
    fresh = receive("orders3.csv", ORDERS, now=tomorrow)
    job = requested(inbox.check, waiting.token)
    upkeep.forget(sessions, now=NOW + timedelta(seconds=upkeep.KEPT_SECONDS - 1))
    assert len(files()) == 4
    with sessions.begin() as session:
        session.query(ImportJob).filter(ImportJob.id != job).update({"finished_at": NOW})

    upkeep.forget(sessions, now=tomorrow)

    assert [received.token for received in files()] == [waiting.token, fresh.token]
    with sessions() as session:
        assert session.scalars(select(ImportJob.id)).all() == [job]
        assert set(session.scalars(select(ImportFilePart.file_id))) == {waiting.id, fresh.id}
    assert row_count(sessions, ImportRun) == 1


def test_jobs_whose_files_are_gone_are_forgotten_too(receive, requested, sessions):
    token = receive("customers.csv", CUSTOMERS).token
    steps.work_off(sessions, requested(inbox.check))
    with sessions.begin() as session:
        session.execute(update(ImportJob).values(finished_at=NOW))
        inbox.discard(session, ADA, [token])
    for seconds, left in ((1, 1), (upkeep.KEPT_SECONDS + 1, 0)):
        upkeep.forget(sessions, now=NOW + timedelta(seconds=seconds))
        assert (row_count(sessions, ImportFile), row_count(sessions, ImportJob)) == (0, left)

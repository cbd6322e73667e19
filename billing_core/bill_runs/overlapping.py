"""Two runs that would bill the same: the second is refused as long as the first is unfinished."""

from typing import Final

from sqlalchemy import ColumnElement, and_, exists, literal, or_, select, true
from sqlalchemy.orm import Session, aliased

from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome
from billing_core.bill_runs.progress import visible
from billing_core.database import turns
from billing_core.dates import Period
from billing_core.errors import Conflict
from billing_core.identity.permissions import Actor

_TERMS: Final = (
    "source",
    "goal",
    "with_links",
    "period_start",
    "period_end",
    "services",
    "line_grouping",
    "tax_rate",
    "all_customers",
)


class Overlapping(Conflict):
    """``run_id``: the unfinished run that bills some of the same; None where this actor may not see it. ``is_same``: it
    is the very run that was asked for, so that whoever asked can join it.
    """

    def __init__(self, message: str, run_id: int | None, *, is_same: bool) -> None:
        super().__init__(message)
        self.run_id, self.is_same = run_id, is_same


def refuse_overlap(session: Session, actor: Actor, run: BillRun) -> None:
    """Conflict where an unfinished run bills customers who wait in this one, for some of its days and services: the
    same orders, or the same usage.

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
        select(
            BillRun.id,
            BillRun.period_start,
            BillRun.period_end,
            visible(actor).label("visible"),
            _is_same(run).label("same"),
        )
        .where(
            BillRun.id != run.id,
            unfinished(),
            BillRun.source == run.source,
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
        is_same=bool(first.visible and first.same),
    )


def unfinished() -> ColumnElement[bool]:
    """In SQL: the run is in progress or paused."""
    return BillRun.finished_at.is_(None) & BillRun.cancelled_at.is_(None)


def _is_same(run: BillRun) -> ColumnElement[bool]:
    """In SQL: the other run has the same goal, period and terms, and everybody or the same customers to bill."""
    same = and_(*(getattr(BillRun, name) == getattr(run, name) for name in _TERMS))
    if run.all_customers:
        return same
    mine, theirs = (
        select(BillRunCustomer.customer_id).where(BillRunCustomer.run_id == run_id).correlate(BillRun)
        for run_id in (run.id, BillRun.id)
    )
    return same & ~exists(mine.except_(theirs)) & ~exists(theirs.except_(mine))


def _shares_services(services: str) -> ColumnElement[bool]:
    """In SQL: the run is limited to none, or to some of these, as both spell them: "1,4"."""
    if not services:
        return true()
    listed = literal(",") + BillRun.services + ","
    return or_(BillRun.services == "", *(listed.contains(f",{service_id},") for service_id in services.split(",")))

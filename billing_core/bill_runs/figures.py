"""The figures of customers whom a bill run failed with, and of runs that were paused by no person."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, String, TextClause, and_, cast, exists, func, not_, text
from sqlalchemy.orm import aliased

from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome
from billing_core.figures import NO_CURRENCY, Figure, Scope, bound, day_of, one_each, select_rows
from billing_core.identity import Permission

# Written out, so that both databases can match the index of failed customers alone.
_FAILED: Final = text("bill_run_customers.outcome = 'failed'")


def failed_customers() -> tuple[ColumnElement[bool] | TextClause, ...]:
    """In SQL, of customers of runs joined with their runs: it failed, and no later run of the same goal, period and
    services has the customer. Nothing of a rehearsal has failed, and of a stopped run nothing is wanted.
    """
    later, again = aliased(BillRun), aliased(BillRunCustomer)
    taken_up_again = exists().where(
        again.customer_id == BillRunCustomer.customer_id,
        again.run_id == later.id,
        again.outcome != RunOutcome.FAILED,
        later.id > BillRun.id,
        later.cancelled_at.is_(None),
        later.source == BillRun.source,
        later.goal == BillRun.goal,
        later.period_start == BillRun.period_start,
        later.period_end == BillRun.period_end,
        later.services == BillRun.services,
    )
    return (
        _FAILED,
        BillRun.goal != RunGoal.REHEARSAL,
        BillRun.cancelled_at.is_(None),
        not_(taken_up_again),
    )


def going_on() -> ColumnElement[bool]:
    """In SQL: the run has neither ended nor been stopped."""
    return and_(BillRun.finished_at.is_(None), BillRun.cancelled_at.is_(None))


def _failed(scope: Scope) -> Select[*tuple[Any, ...]]:
    """By run, which is where they are retried. Whoever is bound to a customer sees the runs of such people alone."""
    period = cast(BillRun.period_start, String) + " to " + cast(BillRun.period_end, String)
    rows = select_rows(
        BillRun.id, "Bill run from " + period, day_of(BillRun.created_at), NO_CURRENCY, func.count()
    ).join_from(BillRunCustomer, BillRun)
    failed = rows.where(*failed_customers()).group_by(
        BillRun.id, BillRun.period_start, BillRun.period_end, BillRun.created_at
    )
    return bound(failed, scope, BillRun.bound_to)


def _paused(scope: Scope) -> Select[*tuple[Any, ...]]:
    period = cast(BillRun.period_start, String) + " to " + cast(BillRun.period_end, String)
    rows = one_each(BillRun.id, "Bill run from " + period, day_of(BillRun.paused_at))
    return bound(
        rows.where(going_on(), BillRun.paused_at.is_not(None), BillRun.pause_reason != ""), scope, BillRun.bound_to
    )


FAILED_IN_RUNS: Final = Figure(
    key="failed_in_runs",
    title="Customers whom a bill run failed with",
    definition="Customers whom a bill run could not take as far as it should, and no later run of the same period has.",
    formula="number of customers",
    permission=Permission.REPORT_READ,
    rows=_failed,
    opens="/reports?tab=Generate&run={id}",
)
PAUSED_RUNS: Final = Figure(
    key="paused_runs",
    title="Bill runs paused by no person",
    definition="Unfinished bill runs that could not go on, or came from a backup. Each says why, on its page.",
    formula="number of bill runs",
    permission=Permission.REPORT_READ,
    rows=_paused,
    opens="/reports?tab=Generate&run={id}",
)

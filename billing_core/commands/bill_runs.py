"""``report run``: a report for every customer who has orders in a period."""

from argparse import Namespace

from billing_core import runtime
from billing_core.bill_runs import planning, progress
from billing_core.bill_runs.models import RunOutcome
from billing_core.commands import Answer
from billing_core.dates import Period, utc_now
from billing_core.identity import SYSTEM
from billing_core.jobs import bill_run_work


def run(arguments: Namespace) -> Answer:
    sessions = runtime.sessions()
    with sessions.begin() as session:
        period = Period(arguments.start, arguments.end)
        run_id = planning.plan(session, SYSTEM, customer_ids=None, period=period, now=utc_now())
    bill_run_work.run_here(run_id)
    with sessions() as session:
        done = progress.progress(session, SYSTEM, run_id, now=utc_now())
        failed = progress.items(session, SYSTEM, run_id, outcome=RunOutcome.FAILED, limit=done.total)
        unpriced = progress.without_rates(session, SYSTEM, run_id, limit=done.total)
    data = {
        "run": run_id,
        "customers": done.total,
        "created": done.created,
        "unchanged": done.unchanged,
        "without_rates": unpriced,
        "failed": [{"customer_id": row.customer_id, "reason": row.reason} for row in failed],
    }
    lines = [
        f"{done.total} customers: {done.created} new reports, {done.unchanged} unchanged, {done.failed} failed",
        *(f"  {row.customer_name}: {row.reason}" for row in failed),
    ]
    if unpriced:
        lines.append(f"{len(unpriced)} without any rate for their orders, billed 0: {', '.join(unpriced)}")
    return Answer(data, "\n".join(lines), refused=bool(failed))

"""A month's billing of ten thousand organizations with a hundred million calls, against one bare GROUP BY.

Charging knows who was on which plan on which days, sums by segment, meter and bucket, and prices each sum exactly; the
bare statement adds up the calls of the same totals by organization. Both in processor time, in turns. A run that makes
drafts of some of them, chunk by chunk, says what numbers, lines, events and the audit log cost beside that.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select, text

from benchmarks.usage import company
from billing_core.bill_runs import planning, taking, workflow
from billing_core.bill_runs.models import RunGoal, RunSource
from billing_core.database import Sessions
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.online_payments.gateway import Gateway
from billing_core.usage.charges import charges_of

TURNS = 3
CHUNK = 1_000
DRAFTED = 2_000
NOW = datetime(2026, 4, 2, tzinfo=UTC)
_BARE = text(
    "SELECT customer_id, sum(calls) FROM usage_days WHERE zone_kind = 'billing' AND meter_id = 1"
    " AND day BETWEEN '2026-03-01' AND '2026-03-31' GROUP BY customer_id"
)


def run(scratch: Path) -> list[dict]:
    many = company.build(scratch / "many.sqlite3", organizations=company.ORGANIZATIONS)
    assert _charged(many) == _added_up(many) == company.MANY
    turns = [(_spent(_charged, many), _spent(_added_up, many)) for _ in range(TURNS)]
    ours, bare = (company.ORGANIZATIONS / min(seconds) for seconds in zip(*turns, strict=True))
    drafts = DRAFTED / _spent(_drafted, many)
    charged = f"a month of {company.ORGANIZATIONS:,} organizations with {company.MANY:,} calls, charged"
    return [_row(charged, ours, bare, ">= 0.5"), _row(f"drafts of {DRAFTED:,} of them, by a run", drafts, bare, "")]


def _row(name: str, ours: float, bare: float, aim: str) -> dict:
    return {
        "name": name,
        "ours": round(ours),
        "limit": round(bare),
        "unit": "organizations/s",
        "ratio": round(ours / bare, 2),
        "aim": aim,
    }


def _charged(sessions: Sessions) -> int:
    """The calls that were charged for or included."""
    calls = 0
    for first in range(1, company.ORGANIZATIONS + 1, CHUNK):
        with sessions() as session:
            charges = charges_of(session, range(first, first + CHUNK), company.MARCH)
        for each in charges.values():
            (charge,) = each
            assert charge.amount is not None
            calls += int(charge.quantity)
    return calls


def _added_up(sessions: Sessions) -> int:
    with sessions.engine.connect() as connection:
        return sum(calls for _, calls in connection.execute(_BARE))


def _drafted(sessions: Sessions) -> None:
    """Planned and worked off, as by one process."""
    with sessions.begin() as session:
        run_id = planning.plan(
            session,
            SYSTEM,
            source=RunSource.USAGE,
            customer_ids=range(1, DRAFTED + 1),
            period=company.MARCH,
            goal=RunGoal.DRAFTS,
            now=NOW,
        )
    with sessions() as session:
        terms = taking.terms(session, run_id)
        chunks = taking.waiting_chunks(session, run_id, terms.attempt)
    for chunk in chunks:
        while workflow.bill_next(sessions, _no_gateway, terms, chunk, now=NOW):
            pass
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Invoice)) == DRAFTED


def _no_gateway() -> Gateway:
    raise AssertionError("drafts have no payment links")


def _spent(work: Callable[[Sessions], int], sessions: Sessions) -> float:
    began = time.process_time()
    work(sessions)
    return time.process_time() - began

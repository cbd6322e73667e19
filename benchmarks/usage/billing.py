"""A month's charges of ten thousand organizations with a hundred million calls, against one bare GROUP BY.

Ours knows who was on which plan on which days, sums by segment, meter and bucket, and prices each sum exactly; the bare
statement adds up the calls of the same totals by organization. Both in processor time, in turns.
"""

import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from benchmarks.usage import company
from billing_core.database import Sessions
from billing_core.usage.charges import charges_of

TURNS = 3
# As many at a time as a bill run takes.
CHUNK = 1_000
_BARE = text(
    "SELECT customer_id, sum(calls) FROM usage_days WHERE zone_kind = 'billing' AND meter_id = 1"
    " AND day BETWEEN '2026-03-01' AND '2026-03-31' GROUP BY customer_id"
)


def run(scratch: Path) -> list[dict]:
    many = company.build(scratch / "many.sqlite3", organizations=company.ORGANIZATIONS)
    assert _charged(many) == _added_up(many) == company.MANY
    turns = [(_spent(_charged, many), _spent(_added_up, many)) for _ in range(TURNS)]
    ours, bare = (min(seconds) for seconds in zip(*turns, strict=True))
    return [
        {
            "name": f"a month of {company.ORGANIZATIONS:,} organizations with {company.MANY:,} calls, charged",
            "ours": round(company.ORGANIZATIONS / ours),
            "limit": round(company.ORGANIZATIONS / bare),
            "unit": "organizations/s",
            "ratio": round(bare / ours, 2),
            "aim": ">= 0.5",
        }
    ]


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


def _spent(work: Callable[[Sessions], int], sessions: Sessions) -> float:
    began = time.process_time()
    work(sessions)
    return time.process_time() - began

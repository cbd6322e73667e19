"""Server time of the Usage page: with a hundred million calls of ten thousand organizations, and with a thousand.

Run as ``benchmarks.pages`` runs pages.
"""

from pathlib import Path

from benchmarks.pages import milliseconds, row, visit
from benchmarks.usage import company

MONTH = company.MARCH.start.isoformat()


def run(scratch: Path) -> list[dict]:
    large, small = company.many_and_few(scratch)
    rows = []
    for name, query in (("usage", {}), ("usage of one organization", {"organization": "1"})):
        asked = {"month": MONTH, **query}
        ours, limit = milliseconds(visit(large, "usage.py", asked), visit(small, "usage.py", asked))
        rows.append(row(f"{name}: {company.MANY:,} calls against {company.FEW:,}", ours, limit, "<= 1.5"))
    return rows

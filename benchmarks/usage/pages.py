"""Server time of the Usage page: with a hundred million calls of ten thousand organizations, and with a thousand.

Run as ``benchmarks.pages`` runs pages.
"""

from pathlib import Path

from benchmarks.pages import milliseconds, row, visit
from benchmarks.usage import company

MONTH = {"usage_month": f"{company.MARCH.start:%Y-%m}"}


def run(scratch: Path) -> list[dict]:
    large, small = company.many_and_few(scratch)
    rows = []
    for name, query in (("usage", MONTH), ("usage of one organization", {"organization": "1"})):
        ours, limit = milliseconds(visit(large, "usage.py", query), visit(small, "usage.py", query))
        rows.append(row(f"{name}: {company.MANY:,} calls against {company.FEW:,}", ours, limit, "<= 1.5"))
    return rows

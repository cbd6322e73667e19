"""Processor time of the Usage page: with a hundred million calls of ten thousand organizations, and with a thousand;
and of those who used more than is included, against all.

Run as ``benchmarks.pages`` runs pages.
"""

from pathlib import Path

from benchmarks.pages import milliseconds, row, visit
from benchmarks.usage import company

# As the page names it.
MONTH = {"usage_month": f"{company.MARCH.start:%B %Y}"}


def run(scratch: Path) -> list[dict]:
    large, small = company.many_and_few(scratch)
    rows = []
    for name, query in (("usage", MONTH), ("usage of one organization", {"organization": "1"})):
        ours, limit = milliseconds(visit(large, "usage.py", query), visit(small, "usage.py", query))
        rows.append(row(f"{name}: {company.MANY:,} calls against {company.FEW:,}", ours, limit, "<= 1.5"))
    exceeded = {**MONTH, "usage_allowance": "Exceeded"}
    filtered, all_ = milliseconds(visit(large, "usage.py", exceeded), visit(large, "usage.py", MONTH))
    rows.append(row("usage: those who have exceeded against all", filtered, all_, "<= 1.5"))
    return rows

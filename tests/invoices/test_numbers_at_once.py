"""Two processes that number invoices at the same time, some of them failing: no hole, no number twice."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from billing_core.invoices import numbering
from billing_core.invoices.models import Invoice
from tests.invoices.company import a_customer

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parent.parent.parent
EACH = 30


def test_two_processes_leave_no_hole_and_draw_no_number_twice(sessions, database_url):
    with sessions.begin() as session:
        assert a_customer(session) == 1

    beside = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.invoices.sending_beside_others", database_url, str(EACH)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    # Both are loaded before either begins: otherwise the first might be done when the second starts.
    assert [process.stdout.readline() for process in beside] == [b"ready\n"] * 2
    for process in beside:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in beside:
        process.communicate(timeout=300)
    assert [process.returncode for process in beside] == [0, 0]

    # A third of each failed.
    kept = 2 * EACH * 2 // 3
    with sessions() as session:
        numbers = list(session.scalars(select(Invoice.number).order_by(Invoice.sequence)))
        (series,) = numbering.series(session)
    assert numbers == [f"INV-2026-{place:03}" for place in range(1, kept + 1)]
    assert (series.last, series.whole) == (kept, True)

"""What random tests draw with ``CI=1``, and what comes of it, follows from the commit alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = 3
# Histories whose steps choose among what the former ones made.
TESTS = [
    "tests/usage/test_bills_naive.py::test_whatever_happens_all_amounts_are_what_the_events_cost[sqlite]",
    "tests/invoices/test_state_machine.py::test_any_sequence_of_steps_keeps_everything_together[sqlite]",
    "tests/payments/test_any_sequence.py::test_any_sequence_of_actions_keeps_the_books[sqlite]",
    "tests/ledger/test_balances.py::test_balances_are_what_adding_up_says[sqlite]",
]


def drawing(tests, file, hash_seed):
    """A process of pytest's that runs these tests, in their order."""
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.drawn", "-p", "no:xdist", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env={**os.environ, "CI": "1", "PYTHONHASHSEED": hash_seed, "DRAWN": f"{file}", "EXAMPLES": f"{EXAMPLES}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.later
@pytest.mark.slow
def test_processes_with_other_hashes_and_another_order_draw_the_same(tmp_path):
    files = tmp_path / "one.json", tmp_path / "other.json"
    processes = [drawing(TESTS, files[0], "1"), drawing(TESTS[::-1], files[1], "2")]
    told = [process.communicate()[0] for process in processes]
    # So few examples need not come to all that these tests demand of a run.
    assert {process.returncode for process in processes} <= {0, 1}, "\n".join(told)
    one, other = (json.loads(file.read_text()) for file in files)
    assert {test: drawn[0] for test, drawn in one.items()} == dict.fromkeys(TESTS, EXAMPLES), "\n".join(told)
    assert one == other

"""Work in processes of its own ends in time, whatever it does, and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
FOUR_KINDS_OF_WORK = """
import signal
import sys

from mutants import forking


def answers():
    print("well")
    return 7


def fails():
    raise ValueError("badly")


def hangs():
    signal.pause()


def hangs_and_hears_nothing():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pause()


forking._GRACE = 0.5
limits = {answers: 60, fails: 60, hangs: 0.1, hangs_and_hears_nothing: 0.1}
jobs = [forking.Job(work, seconds, work.__name__) for work, seconds in limits.items()]
for ended in forking.ran(jobs, at_once=2):
    print(ended.job.about, ended.code, *ended.said.splitlines()[-1:])
"""


@pytest.mark.slow
def test_each_ends_in_time_and_tells_what_came_of_it(tmp_path):
    told = subprocess.run(
        [sys.executable, "-c", FOUR_KINDS_OF_WORK],
        env={"PYTHONPATH": str(PROJECT / ".ci"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.stderr == ""
    answered = dict(line.split(" ", 1) for line in told.stdout.splitlines())
    assert answered["answers"] == "7 well"
    assert answered["fails"] == "1 ValueError: badly"
    assert answered["hangs"].startswith("None")
    assert answered["hangs_and_hears_nothing"].startswith("None")
    assert [*tmp_path.iterdir()] == []

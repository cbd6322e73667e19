"""The whole of it, on a project with one module."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
RULE = '''"""A rule about prices."""

LARGEST = 100


def capped(amount):
    return LARGEST if amount > LARGEST else amount


def with_fee(amount):
    return amount + 5


def below(left):
    while left > 0:
        left -= 2
    return left


def nobody_asks(amount):
    if amount:
        return amount * 2
    return 1
'''
TESTS = """from billing_core.prices.rule import capped, below, nobody_asks, with_fee


def test_no_more_than_the_largest():
    assert [capped(99), capped(150)] == [99, 100]


def test_there_is_a_fee():
    assert with_fee(1) > 1


def test_steps_of_two():
    assert [below(4), below(1)] == [0, -1]


def test_nothing():
    assert nobody_asks(0) == 1
"""
# What hangs is given up after a second.
TRIED = """
from pathlib import Path
from mutants import trying
from mutants.__main__ import main
from mutants.equivalents import Equivalent

trying._SECONDS = 1
line = "return LARGEST if amount > LARGEST else amount"
listed = [Equivalent("billing_core/prices/rule.py", "capped", line, "> → >=", "Both are the largest")]
raise SystemExit(main(Path.cwd(), ["prices"], listed, count=0, seed=1))
"""


@pytest.fixture
def project(tmp_path):
    for folder, name, text in (("billing_core", "rule.py", RULE), ("tests", "test_rule.py", TESTS)):
        (tmp_path / folder / "prices").mkdir(parents=True)
        (tmp_path / folder / "prices" / name).write_text(text)
    # Else the product's package, which has one, would be found before it.
    (tmp_path / "billing_core/__init__.py").touch()
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\npythonpath = .\naddopts = --import-mode=importlib\nfilterwarnings = error\n"
        "markers =\n    slow: slow\n    browser: browser\n"
    )
    return tmp_path


def tried(project):
    return subprocess.run(
        [sys.executable, "-c", TRIED],
        cwd=project,
        env={"PYTHONPATH": str(PROJECT / ".ci"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.later
@pytest.mark.slow
def test_what_no_test_notices_is_named_and_the_rest_is_counted(project):
    found = tried(project)
    said = found.stdout.splitlines()
    assert found.stderr == ""
    rule = "billing_core/prices/rule.py"
    assert sorted(line for line in said if "survived" in line) == [
        f"  survived: {rule}:11 in with_fee: 5 → 6 in: return amount + 5 (1 tests run it)",
        f"  survived: {rule}:22 in nobody_asks: * → // in: return amount * 2 (no quick test runs it)",
        f"  survived: {rule}:22 in nobody_asks: 2 → 3 in: return amount * 2 (no quick test runs it)",
        f"  survived: {rule}:22 in nobody_asks: return → return None in: return amount * 2 (no quick test runs it)",
    ]
    assert [line for line in said if "never run" in line] == [f"  never run by them: {rule}, lines 22"]
    # LARGEST, 2 in capped, 3 in with_fee, 5 in below and 5 in nobody_asks are 16. One is listed, four survived.
    score = "prices: 11 of 15 noticed, 73.3% (16 possible, 1 of them equivalent), 3 of 4 branches run, in "
    assert [line for line in said if line.startswith(score)] == [said[-2]]
    assert (said[-1], found.returncode) == ("Seed 1. Below the aim: prices", 1)
    assert (project / "billing_core/prices/rule.py").read_text() == RULE


@pytest.mark.later
@pytest.mark.slow
def test_tests_that_fail_already_are_told_of_instead(project):
    (project / "tests/prices/test_rule.py").write_text(TESTS.replace("== 1", "== 2"))
    found = tried(project)
    assert "FAILED tests/prices/test_rule.py::test_nothing" in found.stderr
    assert "Tests that fail already cannot tell what a fault would change." in found.stderr
    assert found.returncode == 1

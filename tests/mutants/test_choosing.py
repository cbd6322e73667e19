"""Which tests have to notice a mutant, and in which order they are asked."""

from mutants.measuring import Measured, QuickTest
from mutants.mutations import Mutant
from mutants.trying import covering_tests

RULE, WORDS = "billing_core/prices/tiers.py", "billing_core/text.py"
# Seconds, and which lines of the rule it runs.
KNOWN = Measured(
    {
        "tests/prices/test_report.py::test_a_month": QuickTest(9.0, on_postgresql=False, lines={RULE: {4, 5, 9}}),
        "tests/prices/test_report.py::test_a_day": QuickTest(0.1, on_postgresql=False, lines={RULE: {5}}),
        "tests/prices/test_tiers.py::test_edges": QuickTest(0.5, on_postgresql=False, lines={RULE: {5, 6}}),
        "tests/prices/test_tiers.py::test_none": QuickTest(0.2, on_postgresql=False, lines={RULE: {4}}),
        "tests/prices/test_words.py::test_words": QuickTest(
            0.3, on_postgresql=False, lines={"billing_core/text.py": {5}}
        ),
    }
)


def asked(first, last, *, file=RULE, at_import=False):
    mutant = Mutant(file, "price", first, "a < b", "< → <=", (first, last), at_import, place=0)
    return [test.partition("::")[2] for test in covering_tests(mutant, KNOWN)]


def test_those_that_run_its_statement_are_asked():
    assert asked(6, 8) == ["test_edges"]
    assert asked(9, 9) == ["test_a_month"]


def test_the_file_named_like_the_rule_is_asked_first_and_then_the_quickest():
    assert asked(5, 5) == ["test_edges", "test_a_day", "test_a_month"]


def test_nobody_is_asked_about_what_nobody_runs():
    assert asked(7, 8) == []


def test_whoever_runs_anything_of_the_file_is_asked_about_what_runs_at_its_import():
    assert asked(1, 1, at_import=True) == ["test_none", "test_edges", "test_a_day", "test_a_month"]


def test_everybody_is_asked_about_a_file_of_tables_that_nobody_calls():
    assert len(asked(1, 1, file="billing_core/prices/models.py", at_import=True)) == 5

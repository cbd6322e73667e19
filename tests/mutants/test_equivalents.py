"""Mutants that nobody can notice: known by what stands on their line, and refused once it does not any longer."""

from pathlib import Path

import pytest

from mutants.__main__ import mutants_in, refuse_unknown
from mutants.equivalents import Equivalent, read, without
from mutants.mutations import mutants_of

PROJECT = Path(__file__).parent.parent.parent
SOURCE = "def capped(amount):\n    return LARGEST if amount > LARGEST else amount\n"
LINE = "return LARGEST if amount > LARGEST else amount"
THE_SAME_AT_THE_EDGE = Equivalent("billing_core/rule.py", "capped", LINE, "> → >=", "At the edge both are the same")


def test_an_equivalent_mutant_is_known_and_no_other():
    mutants = mutants_of("billing_core/rule.py", SOURCE)
    left = without(mutants, [THE_SAME_AT_THE_EDGE])
    assert [mutant.change for mutant in mutants if mutant not in left] == ["> → >="]


def test_it_stays_known_when_lines_move():
    mutants = mutants_of("billing_core/rule.py", f'"""Rules."""\n\nLARGEST = 100\n\n\n{SOURCE}')
    left = without(mutants, [THE_SAME_AT_THE_EDGE])
    assert [mutant.line for mutant in mutants if mutant not in left] == [7]


@pytest.mark.parametrize(
    "source",
    [
        SOURCE.replace("else amount", "else -amount"),
        SOURCE.replace("capped", "bounded"),
        SOURCE.replace(">", ">="),
    ],
)
def test_an_entry_whose_line_has_changed_is_refused(tmp_path, source):
    (tmp_path / "billing_core").mkdir()
    (tmp_path / "billing_core/rule.py").write_text(source)
    with pytest.raises(SystemExit, match="no mutant of today's code"):
        refuse_unknown(tmp_path, [THE_SAME_AT_THE_EDGE])


def test_an_entry_about_a_file_that_is_gone_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="capped: > → >="):
        refuse_unknown(tmp_path, [THE_SAME_AT_THE_EDGE])


def test_an_entry_without_a_reason_is_refused(tmp_path):
    (tmp_path / "billing_core").mkdir()
    (tmp_path / "billing_core/rule.py").write_text(SOURCE)
    refuse_unknown(tmp_path, [THE_SAME_AT_THE_EDGE])
    with pytest.raises(SystemExit, match="without a reason"):
        refuse_unknown(tmp_path, [Equivalent("billing_core/rule.py", "capped", LINE, "> → >=", " ")])


def test_every_entry_of_the_project_names_a_mutant_once():
    listed = read()
    refuse_unknown(PROJECT, listed)
    named = [(one.file, one.function, one.line, one.change) for one in listed]
    assert len(set(named)) == len(named)
    mutants = mutants_in(PROJECT, sorted({one.file for one in listed}))
    assert len(mutants) - len(without(mutants, listed)) == len(listed)


def test_entries_stand_in_the_order_of_their_files():
    files = [one.file for one in read()]
    assert files == sorted(files)

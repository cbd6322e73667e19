"""What is tried, and when it is enough."""

from pathlib import Path

import pytest

from mutants.__main__ import meets_aim, mutants_in, sample
from mutants.modules import LAYOUT, MODULES, WITHOUT_EXCEPTION, module
from mutants.mutations import Mutant
from mutants.trying import Verdict

PROJECT = Path(__file__).parent.parent.parent


def verdicts(noticed, survived, file="billing_core/rating/pricing.py"):
    mutant = Mutant(file, "price", 1, "a < b", "< → <=", (1, 1), at_import=False, place=0)
    return [Verdict(mutant, survived=number >= noticed, tests=1) for number in range(noticed + survived)]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_files_tests_and_enough_to_try(name):
    one = module(PROJECT, name)
    assert one.tests
    assert len(sample(mutants_in(PROJECT, one.files), 20, seed=1)) == 20


def test_what_admits_no_exception_is_there():
    assert all((PROJECT / file).is_file() for file in WITHOUT_EXCEPTION)


def test_where_something_stands_on_a_page_is_left_alone_unless_it_is_asked_for():
    files = set(module(PROJECT, "invoices").files)
    assert all((PROJECT / file).is_file() and file not in files for file in LAYOUT)
    assert "billing_core/invoices/documents/document.py" in files
    assert module(PROJECT, "invoices/documents/pdf").files == ("billing_core/invoices/documents/pdf.py",)


def test_a_file_or_a_folder_is_a_module_too():
    assert module(PROJECT, "rating/limits").files == ("billing_core/rating/limits.py",)
    assert module(PROJECT, "rating/limits").tests == module(PROJECT, "rating").tests
    assert module(PROJECT, "money").files == ("billing_core/money.py",)
    assert module(PROJECT, "money").tests == ("tests/test_money.py",)
    webhooks = module(PROJECT, "online_payments/webhooks").files
    assert {str(Path(file).parent) for file in webhooks} == {"billing_core/online_payments/webhooks"}


def test_an_unknown_module_is_refused_and_the_known_ones_are_named():
    with pytest.raises(SystemExit, match="No module raiting that has tests: one of rating, metering, plans"):
        module(PROJECT, "raiting")


def test_a_sample_changes_by_no_more_than_what_comes_and_goes():
    mutants = mutants_in(PROJECT, module(PROJECT, "rating").files)
    drawn = sample(mutants, 20, seed=1)
    assert sample(mutants[::-1], 20, seed=1) == drawn
    assert sample([mutant for mutant in mutants if mutant != drawn[0]], 19, seed=1) == drawn[1:]
    assert sample(mutants, 20, seed=2) != drawn
    assert len(sample(mutants, 0, seed=1)) == len(mutants)


@pytest.mark.parametrize(
    ("noticed", "survived", "enough"), [(20, 0, True), (19, 1, True), (18, 2, False), (0, 0, True)]
)
def test_nineteen_of_twenty_are_enough(noticed, survived, enough):
    assert meets_aim(verdicts(noticed, survived)) is enough


def test_some_files_admit_no_exception():
    assert not meets_aim(verdicts(99, 1, "billing_core/payments/credit.py"))

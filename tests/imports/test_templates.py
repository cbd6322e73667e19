"""Templates: what they show by example goes in as it is."""

import pytest

from billing_core.errors import Forbidden, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.imports import Kind
from billing_core.imports.templates import files
from tests.imports.files import counts

# New rows by kind, one for each example.
EXAMPLES = {kind: 2 if kind in (Kind.SERVICES, Kind.RATES) else 1 for kind in Kind}


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_templates_of_all_kinds_go_into_an_empty_company_without_a_question(take_in, form):
    outcomes = {kind: take_in(kind.value, files.named(SYSTEM, f"{kind}.{form}").content) for kind in Kind}

    assert {kind: outcome.rejections for kind, outcome in outcomes.items()} == {kind: [] for kind in Kind}
    assert {kind: counts(outcome)[0] for kind, outcome in outcomes.items()} == EXAMPLES
    assert all(outcome.applied for outcome in outcomes.values())


def test_a_template_has_every_column_under_its_own_name():
    header, example = files.named(SYSTEM, "order-items.csv").content.decode("utf-8-sig").splitlines()
    assert (header, example) == ("order_number,sku,quantity", "SO-1001,MUG-BLUE,3")


@pytest.mark.parametrize(
    "name", ["", "customers", "customers.pdf", "customer.csv", "../customers.csv", "Customers.csv"]
)
def test_there_is_no_template_of_another_name(name):
    with pytest.raises(NotFound):
        files.named(SYSTEM, name)


def test_whoever_may_not_import_gets_no_template():
    with pytest.raises(Forbidden):
        files.named(actor_with(Role.FINANCE, user_id=1, name="Fay"), "customers.csv")

"""Where rows of one key differ, people say which of them counts. Rows that are the same are one."""

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.imports.received import outcome_json
from billing_core.orders.models import Order, Product
from tests.imports.files import counts, rejections

# A stands on four lines: the third is the first again.
CUSTOMERS = "customer_ref,name,city\nA,Alpha,Bonn\nB,Beta,Ulm\nA,Alpha Ltd,Bonn\nA,Alpha,Bonn\nA,Alpha plc,Köln\n"


def names(sessions) -> dict[str, str]:
    with sessions() as session:
        return dict(map(tuple, session.execute(select(Customer.ref, Customer.name))))


def test_rows_that_differ_are_asked_about_and_named(take_in, sessions):
    refused = take_in("customers", CUSTOMERS)
    assert rejections(refused) == [
        (4, "customer_ref", "A", "comes again with other content; it was first on line 2"),
        (6, "customer_ref", "A", "comes again with other content; it was first on line 2"),
    ]
    assert refused.question == (
        "2 rows differ from one of the same key above: say whether the first or the last row of a key counts"
    )
    assert (refused.applied, refused.repeated, names(sessions)) == (False, 2, {})


@pytest.mark.parametrize(
    ("repeats", "name", "same", "passed_over"),
    # The third row of A is as the first; none is as the last.
    [("first", "Alpha", 1, 2), ("last", "Alpha plc", 0, 3)],
)
def test_the_first_or_the_last_row_counts(take_in, dry_run, sessions, repeats, name, same, passed_over):
    for outcome in (dry_run("customers", CUSTOMERS, repeats=repeats), take_in("customers", CUSTOMERS, repeats=repeats)):
        assert counts(outcome) == (2, 0, same, 0)
        assert (outcome.passed_over, outcome.repeated, outcome.question) == (passed_over, 0, "")
        assert outcome_json(outcome)["passed_over"] == passed_over
    assert names(sessions) == {"A": name, "B": "Beta"}
    with sessions() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (entry.after["passed over"], entry.after["counts"]) == (passed_over, repeats)
    # The same file and choice again: nothing changes.
    assert counts(take_in("customers", CUSTOMERS, repeats=repeats)) == (0, 0, 2 + same, 0)
    assert names(sessions) == {"A": name, "B": "Beta"}


def test_of_what_is_there_already_only_the_row_that_counts_changes_it(two_customers, take_in, sessions):
    file = "customer_ref,sku,name\nACME,X,Mug\nBETA,x,Cup\nACME,x,Mug blue\n"
    take_in("products", "customer_ref,sku,name\nACME,X,Mug\n")
    # By SKU without case, and of each customer by itself. The first row is as it is there.
    assert counts(take_in("products", file, repeats="first")) == (1, 0, 1, 0)
    assert counts(take_in("products", file, repeats="last")) == (0, 1, 1, 0)
    with sessions() as session:
        rows = select(Customer.ref, Product.name).join(Customer, Customer.id == Product.customer_id)
        assert dict(map(tuple, session.execute(rows))) == {"ACME": "Mug blue", "BETA": "Cup"}


def test_the_head_of_an_order_that_stands_on_each_of_its_lines(two_customers, take_in, sessions):
    file = (
        "order_number,customer_ref,order_date,notes\n1,ACME,2025-03-04,ring\n1,ACME,2025-03-04,\n1,ACME,2025-03-05,\n"
    )
    assert take_in("orders", file).repeated == 2
    assert counts(take_in("orders", file, repeats="first")) == (1, 0, 0, 0)
    with sessions() as session:
        assert [order.notes for order in session.scalars(select(Order))] == ["ring"]


def test_a_row_that_does_not_count_must_be_readable_nevertheless(take_in, sessions):
    refused = take_in("customers", "customer_ref,name,email\nA,Alpha,\nA,Alpha,nobody\n", repeats="first")
    assert (refused.rejected, names(sessions)) == (1, {})


def test_of_events_no_row_is_chosen(two_customers, take_in):
    file = "event_id,customer_ref,time,quantity\n1,ACME,2026-03-10T10:00:00Z,1\n1,ACME,2026-03-10T10:00:00Z,2\n"
    refused = take_in("usage", file, repeats="last")
    assert (refused.rejected, refused.repeated, refused.question) == (1, 0, "")

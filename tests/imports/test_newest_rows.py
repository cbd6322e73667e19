"""Of several rows of one key the newest may count, where a column says which that is."""

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.errors import Invalid
from billing_core.imports.layouts import newest
from billing_core.orders.models import Product
from tests.imports.files import counts, rejections

# The second row of A is its newest, whichever way 04/05 is read, and its last row is as its first.
CUSTOMERS = (
    "customer_ref,name,Updated at\n"
    "A,Alpha,2026-03-04 10:00\nB,Beta,2026-01-01\nA,Alpha plc,2026-03-05 09:00\nA,Alpha Ltd,2026-03-04 23:59\n"
    "A,Alpha,2026-03-04 10:00\n"
)


def names(sessions) -> dict[str, str]:
    with sessions() as session:
        return dict(map(tuple, session.execute(select(Customer.ref, Customer.name).order_by(Customer.ref))))


def test_the_newest_row_counts_wherever_it_stands(take_in, dry_run, sessions):
    for outcome in (
        dry_run("customers", CUSTOMERS, repeats="newest"),
        take_in("customers", CUSTOMERS, repeats="newest"),
    ):
        assert (counts(outcome), outcome.passed_over, outcome.repeated) == ((2, 0, 0, 0), 3, 0)
    assert names(sessions) == {"A": "Alpha plc", "B": "Beta"}
    with sessions() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (entry.after["passed over"], entry.after["counts"]) == (3, "newest")


def test_what_is_as_new_as_the_newest_and_what_has_no_time_is_asked_about(take_in, sessions):
    file = (
        "customer_ref,name,Updated at\n"
        "A,Alpha,2026-03-05\nA,Alpha Ltd,2026-03-05\nA,Alpha,2026-03-05\nA,Alpha plc,\nA,Alpha old,2026-03-04\n"
    )
    refused = take_in("customers", file, repeats="newest")
    reason = "comes again with other content, and nothing says whether it is newer than line 2"
    assert rejections(refused) == [(3, "customer_ref", "A", reason), (5, "customer_ref", "A", reason)]
    assert (refused.applied, refused.repeated, refused.passed_over, names(sessions)) == (False, 2, 1, {})


def test_times_are_compared_as_instants(take_in, sessions):
    """00:30 in Berlin is 23:30 of the day before in UTC, and before 18:45 in New York, 23:45."""
    file = (
        "customer_ref,name,Last modified\n"
        "A,Berlin,2026-01-02T00:30:00+01:00\nA,New York,2026-01-01T18:45:00-05:00\nA,Old,2026-01-01T23:00:00Z\n"
    )
    assert counts(take_in("customers", file, repeats="newest")) == (1, 0, 0, 0)
    assert names(sessions) == {"A": "New York"}


def test_days_that_can_be_read_in_two_ways_are_asked_about_as_others_are(take_in, dry_run, sessions):
    file = "customer_ref,name,Updated\nA,March,04/03/2026\nA,April,03/04/2026\n"
    asked = dry_run("customers", file, repeats="newest")
    assert [(one.field, one.column) for one in asked.questions] == [("newest_by", "Updated")]
    assert asked.refused
    # A day that proves it: the fourth of March comes before the third of April.
    assert counts(take_in("customers", file + "B,Beta,13/03/2026\n", repeats="newest")) == (2, 0, 0, 0)
    assert names(sessions)["A"] == "April"


def test_nobody_is_asked_about_the_column_while_it_does_not_matter(take_in):
    outcome = take_in("customers", "customer_ref,name,Updated at\nA,Alpha,04/03/2026\nB,Beta,no day\n")
    assert (outcome.applied, outcome.questions) == (True, [])


def test_another_column_is_named_and_remembered(take_in, sessions):
    file = "customer_ref,name,Updated at,Signed\nA,Alpha,2026-03-05,2026-01-01\nA,Alpha Ltd,2026-03-04,2026-01-02\n"
    take_in("customers", file, "newest_by=Signed", repeats="newest")
    assert names(sessions) == {"A": "Alpha Ltd"}
    take_in("customers", file.replace("A,", "B,"), repeats="newest")
    assert names(sessions)["B"] == "Alpha Ltd"


@pytest.mark.parametrize(
    ("header", "row", "told"),
    [
        ("customer_ref,name,Birthday", "A,Alpha,1990-03-04", "These hold days: Birthday"),
        ("customer_ref,name,Updated at", "A,Alpha,yesterday", "None of its first rows has a day"),
    ],
)
def test_without_a_column_that_says_it_the_newest_is_no_choice(take_in, header, row, told):
    with pytest.raises(Invalid, match=told):
        take_in("customers", f"{header}\n{row}\n", repeats="newest")
    assert newest.column(header.split(","), [row.split(",")]) is None


def test_of_rows_for_every_customer_too(two_customers, take_in, sessions):
    file = "sku,name,Modified on\nX,Mug,2026-03-05\nY,Cup,2026-03-01\nx,Old mug,2026-03-04\n"
    assert counts(take_in("products", file, "customer_ref==*", repeats="newest")) == (4, 0, 0, 0)
    with sessions() as session:
        assert sorted(session.scalars(select(Product.name))) == ["Cup", "Cup", "Mug", "Mug"]


def test_the_order_s_date_says_which_row_of_its_customer_is_the_newest():
    header = ["Order No", "Order Date", "Customer", "SKU", "Qty"]
    assert newest.column(header, [["1", "2026-03-04", "C", "A", "1"]]) == "Order Date"
    assert (
        newest.column([*header, "Last Modified"], [["1", "2026-03-04", "C", "A", "1", "2026-03-05"]]) == "Last Modified"
    )


def test_of_lines_and_of_events_no_row_is_the_newest(one_order, take_in):
    with pytest.raises(Invalid, match="each row counts"):
        take_in("order-items", "order_number,sku,quantity\nSO-1,A,1\n", repeats="newest")

"""Rows that follow up on the one above have what they share with it, and nothing that is their own."""

from dataclasses import replace
from functools import partial

import pytest

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import service
from tests.imports.files import incoming, rejections
from tests.imports.test_layouts import take_in_whole, what_is_there

SHOPIFY = "Name,Email,Financial Status,Fulfillment Status,Created at,Lineitem quantity,Lineitem name,Lineitem sku\n"
ERPNEXT = "ID,Customer,Date,Item Code (Items),Quantity (Items)\n"
UNKNOWN = "Order No,Order Date,Customer,Customer Name,SKU,Qty\n"
NOTHING = {"customers": [], "orders": [], "order-items": [], "products": []}


def refusal(sessions, text: str) -> list[tuple[int, str, str]]:
    """Why a file is refused, of which nothing is stored then: the lines, columns and reasons."""
    last = take_in_whole(sessions, text.encode())[-1]
    with sessions() as session:
        assert what_is_there(session) == NOTHING
    return [(line, column, reason) for line, column, _, reason in rejections(last)]


def test_a_line_without_a_quantity_has_not_that_of_the_first(sessions):
    rows = "#1,a@x.example,paid,fulfilled,2026-03-02,7,Mug,MUG\n#1,,,,,,Cup,CUP\n"
    assert refusal(sessions, SHOPIFY + rows) == [(3, "Lineitem quantity", "is empty")]


@pytest.mark.parametrize(
    "row", [",Bolt,2026-03-02,CUP,1", ",Acme,2026-03-03,CUP,1"], ids=["of another customer", "of another day"]
)
def test_a_row_whose_number_is_missing_is_no_line_of_the_order_above(sessions, row):
    found = refusal(sessions, f"{ERPNEXT}SO-1,Acme,2026-03-02,MUG,7\n{row}\n")
    assert found == [(3, "ID", "is empty")]


def test_nor_is_it_in_a_file_that_nobody_knows(take_in):
    take_in("customers", "customer_ref,name\nC1,Acme\nC2,Bolt\n")
    rows = "SO-1,2026-03-02,C1,Acme,MUG,7\n,,,,CUP,1\n,2026-03-03,C2,Bolt,CUP,2\n"
    found = rejections(take_in("orders", UNKNOWN + rows))
    assert [(line, column, reason) for line, column, _, reason in found] == [(4, "Order No", "is empty")]


def test_a_row_that_says_again_whose_the_order_is_follows_up_on_it(sessions):
    outcomes = take_in_whole(sessions, f"{ERPNEXT}SO-1,Acme,2026-03-02,MUG,7\n,Acme,2026-03-02,CUP,1\n".encode())
    assert [outcome.applied for outcome in outcomes] == [True, True, True]
    with sessions() as session:
        assert what_is_there(session)["order-items"] == [("SO-1", "CUP", 1), ("SO-1", "MUG", 7)]


def test_nor_do_the_rows_below_it_belong_to_the_order_above(sessions):
    """Not even where the rows that are refused are set aside."""
    rows = "SO-1,Acme,2026-03-02,MUG,7\n,Bolt,2026-03-02,CUP,1\n,,,JAR,2\n"
    assert refusal(sessions, ERPNEXT + rows) == [(3, "ID", "is empty")]
    take_in = partial(service.apply, sessions, SYSTEM, now=utc_now())
    take_in(incoming("customers", "customer_ref,name\nAcme,Acme\n"))
    take_in(incoming("orders", "order_number,customer_ref,order_date\nSO-1,Acme,2026-03-02\n"))
    outcome = take_in(replace(incoming("order-items", ERPNEXT + rows), may_set_aside=2))
    assert (outcome.new, outcome.set_aside) == (1, 2)
    with sessions() as session:
        assert what_is_there(session)["order-items"] == [("SO-1", "MUG", 7)]


@pytest.mark.parametrize("number", ['"=""0815"""', "'0815", "0815 "], ids=["a formula", "an apostrophe", "a blank"])
def test_a_number_with_a_spreadsheets_signs_around_it_is_that_of_the_row_above(sessions, number):
    rows = f"{number},a@x.example,paid,fulfilled,2026-03-02,7,Mug,MUG\n0815,,,,,1,Cup,CUP\n"
    outcomes = take_in_whole(sessions, (SHOPIFY + rows).encode())
    assert all(outcome.applied for outcome in outcomes)
    with sessions() as session:
        assert what_is_there(session)["order-items"] == [("0815", "CUP", 1), ("0815", "MUG", 7)]

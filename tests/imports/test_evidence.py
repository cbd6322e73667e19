"""What an unknown file holds, by the names of its columns and its cells."""

import csv
import io

import pytest

from billing_core.imports import Kind
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.layouts.evidence import weigh
from tests.imports import northwind


def evidence_of(text: str, file_name: str = "export.csv"):
    header, *rows = csv.reader(io.StringIO(text))
    return weigh(header, rows, file_name)


@pytest.mark.parametrize(
    ("file_name", "kind", "text"),
    [
        ("customers.csv", "customers", northwind.CUSTOMERS),
        ("products.csv", "products", northwind.PRODUCTS),
        ("orders.csv", "orders", northwind.ORDERS),
        ("order_details.csv", "order-items", northwind.ORDER_DETAILS),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_the_sample_s_files_are_known_also_by_another_name(file_name, kind, text, named):
    assert evidence_of(text, file_name if named else "export.csv").kinds == (Kind(kind),)


@pytest.mark.parametrize("kind", Kind)
def test_our_own_columns_are_known_alone(kind):
    assert weigh([field.name for field in DEFINITIONS[kind].fields], [], "export.csv").kinds == (kind,)


@pytest.mark.parametrize("kind", Kind)
def test_our_own_required_columns_are_enough(kind):
    assert weigh(DEFINITIONS[kind].required, [], "export.csv").kinds == (kind,)


def test_products_of_a_shop_are_no_customers():
    text = "ID,Type,SKU,Name,Published\n11,simple,AB-1,Blue mug,1\n12,simple,AB-2,Red mug,1\n"
    assert evidence_of(text).kinds == (Kind.PRODUCTS,)


def test_names_that_say_nothing_leave_it_to_a_person_unless_the_file_s_name_says_it():
    text = "ID,Name\n11,Blue mug\n12,Red mug\n"
    asked = evidence_of(text)
    assert asked.kinds == ()
    assert asked.question == (
        "The names of its columns alone do not prove that this file contains customers: say what it does."
    )
    assert evidence_of(text, "customers 2026.csv").kinds == (Kind.CUSTOMERS,)


def test_kinds_that_are_as_likely_are_both_named():
    text = "Customer,Company,SKU\nC1,Acme,A-1\nC2,Bolt,B-2\n"
    asked = evidence_of(text)
    assert asked.kinds == ()
    assert asked.question == "By its columns, this file may contain customers or products: say which."
    assert evidence_of(text, "products.csv").kinds == (Kind.PRODUCTS,)


def test_cells_speak_against_a_column_s_name():
    by_cells = "Order,SKU,Quantity,Customer,Date\nO1,A-1,3,C1,{}\n"
    assert evidence_of(by_cells.format("2026-01-05")).kinds == (Kind.ORDERS, Kind.ORDER_ITEMS)
    wrong = "Product,Customer,Email\nMug,Ann,blue\nCup,Bob,red\n"
    assert evidence_of(wrong).kinds == (Kind.PRODUCTS,)


def test_orders_with_their_lines_and_customers_in_one_file_are_all_of_them():
    text = (
        "Order No,Order Date,Customer,Customer Name,SKU,Qty\nO1,2026-01-05,C1,Acme,A-1,3\nO1,2026-01-05,C1,Acme,B-2,1\n"
    )
    assert evidence_of(text).kinds == (Kind.CUSTOMERS, Kind.ORDERS, Kind.ORDER_ITEMS)


def test_a_file_of_nothing_known_asks_openly():
    asked = evidence_of("alpha,beta\n1,2\n")
    assert (asked.kinds, asked.close) == ((), ())
    assert asked.question == "The names of its columns do not tell what this file contains: say it."


def test_a_file_whose_columns_say_nothing_is_what_its_name_says():
    assert evidence_of("Id,Firm name,Given\n1,Acme,Ada\n", "customers.csv").kinds == (Kind.CUSTOMERS,)


def test_addresses_of_mail_speak_for_customers():
    assert evidence_of("customer_ref,name,email\nC1,Acme,a@x.example\n").kinds == (Kind.CUSTOMERS,)
    # By “ID” and “Name” alone nothing is proven: the column of addresses tells.
    assert evidence_of("ID,Name,E-Mail\n1,Acme,a@x.example\n2,Bolt,b@x.example\n").kinds == (Kind.CUSTOMERS,)

"""Which column is which: guessed, changed, fixed, remembered."""

import pytest

from billing_core.errors import Invalid
from billing_core.imports import Kind, mapping
from billing_core.imports.kinds.registry import DEFINITIONS, guess_kind
from billing_core.imports.mapping import Fixed, FromColumn
from billing_core.imports.source import Layout
from tests.imports import northwind

HEADERS = {
    "customers": northwind.CUSTOMERS,
    "products": northwind.PRODUCTS,
    "orders": northwind.ORDERS,
    "order-items": northwind.ORDER_DETAILS,
}


def header_of(kind: str) -> list[str]:
    return HEADERS[kind].splitlines()[0].split(",")


GUESSES = {
    "customers": {
        "customer_ref": "CustomerID",
        "name": "CompanyName",
        "phone": "Phone",
        "address": "Address",
        "city": "City",
        "state": "Region",
        "postal_code": "PostalCode",
        "country": "Country",
    },
    "products": {"sku": "ProductID", "name": "ProductName"},
    "orders": {
        "order_number": "OrderID",
        "customer_ref": "CustomerID",
        "order_date": "OrderDate",
        "ship_to_name": "ShipName",
        "ship_to_address": "ShipAddress",
        "ship_to_city": "ShipCity",
        "ship_to_state": "ShipRegion",
        "ship_to_postal_code": "ShipPostalCode",
        "ship_to_country": "ShipCountry",
        "carrier": "Shipper",
    },
    "order-items": {"order_number": "OrderID", "sku": "ProductID", "quantity": "Quantity"},
}


@pytest.mark.parametrize(("kind", "columns"), GUESSES.items())
def test_the_sample_s_columns_are_guessed(kind, columns):
    found = mapping.guess(DEFINITIONS[Kind(kind)], header_of(kind))
    assert found == {name: FromColumn(column) for name, column in columns.items()}


@pytest.mark.parametrize("kind", Kind)
def test_our_own_names_are_guessed_however_they_are_written(kind):
    definition = DEFINITIONS[kind]
    names = [field.name for field in definition.fields]
    for written in (names, [name.upper() for name in names], [name.replace("_", " ").title() for name in names]):
        assert mapping.guess(definition, written) == dict(zip(names, map(FromColumn, written), strict=True))


@pytest.mark.parametrize(
    ("file_name", "kind"),
    [
        ("customers.csv", "customers"),
        ("products.csv", "products"),
        ("orders.csv", "orders"),
        ("order_details.csv", "order-items"),
    ],
)
def test_the_kind_of_the_sample_s_files_is_guessed(file_name, kind):
    assert guess_kind(header_of(kind), file_name) == kind


@pytest.mark.parametrize("kind", Kind)
def test_the_kind_is_guessed_from_our_own_columns_alone(kind):
    assert guess_kind([field.name for field in DEFINITIONS[kind].fields], "export.csv") == kind


LAYOUT = Layout(("Code", "Title", "Basis", "Extra=1"), ",")
SERVICES = DEFINITIONS[Kind.SERVICES]


def test_columns_can_be_chosen_fixed_and_left_out():
    changes = mapping.read_changes(SERVICES, ["service_code=Extra=1", "cost_type==per_order", "name=title"])
    start = mapping.guess(SERVICES, LAYOUT.header)
    assert mapping.settle(SERVICES, LAYOUT, start, changes) == {
        "service_code": FromColumn("Extra=1"),
        "name": FromColumn("Title"),
        "cost_type": Fixed("per_order"),
    }
    orders = DEFINITIONS[Kind.ORDERS]
    layout = Layout(("order", "customer", "date", "notes"), ",")
    settled = mapping.settle(
        orders, layout, mapping.guess(orders, layout.header), mapping.read_changes(orders, ["notes="])
    )
    assert set(settled) == {"order_number", "customer_ref", "order_date"}


def test_a_required_column_cannot_be_left_out():
    with pytest.raises(Invalid) as refused:
        mapping.settle(SERVICES, LAYOUT, mapping.guess(SERVICES, LAYOUT.header), {"name": None})
    assert str(refused.value).startswith("No column of the file is name.")
    assert refused.value.fields == {"name": "is required"}


def test_what_is_no_mapping_is_refused():
    with pytest.raises(Invalid, match=r"^“name” is not a mapping: write field=column, or field==value"):
        mapping.read_changes(SERVICES, ["name"])


def test_the_mapping_of_a_layout_is_remembered(sessions, take_in):
    header = "Nummer;Bezeichnung;Art\n"
    take_in(
        "services",
        header + "pick;Kommissionierung;per_item\n",
        "service_code=Nummer",
        "name=Bezeichnung",
        "cost_type=Art",
    )

    again = take_in("services", header + "ship;Versand;per_order\n")

    assert (again.new, again.applied) == (1, True)
    # Another order of the columns is another layout.
    with pytest.raises(Invalid, match="No column of the file is"):
        take_in("services", "Bezeichnung;Nummer;Art\nVersand;ship;per_order\n")


def test_a_refused_file_s_mapping_is_not_remembered(sessions, take_in):
    assert not take_in("services", "Nr,Name,Art\npick,Picking,x\n", "service_code=Nr", "cost_type=Art").applied
    with pytest.raises(Invalid):
        take_in("services", "Nr,Name,Art\npick,Picking,per_item\n")

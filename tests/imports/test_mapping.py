"""Which column is which: guessed, changed, fixed, remembered."""

import io
import json

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, mapping, service
from billing_core.imports.incoming import Incoming
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.mapping import Fixed, FromColumns, Together, from_column
from billing_core.imports.sources import Layout
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
    assert found == {name: from_column(column) for name, column in columns.items()}


@pytest.mark.parametrize("kind", Kind)
def test_our_own_names_are_guessed_however_they_are_written(kind):
    definition = DEFINITIONS[kind]
    names = [field.name for field in definition.fields]
    for written in (names, [name.upper() for name in names], [name.replace("_", " ").title() for name in names]):
        assert mapping.guess(definition, written) == dict(zip(names, map(from_column, written), strict=True))


LAYOUT = Layout(("Code", "Title", "Basis", "Extra=1"), ",")
SERVICES = DEFINITIONS[Kind.SERVICES]


def test_columns_can_be_chosen_fixed_and_left_out():
    changes = mapping.read_changes(SERVICES, ["service_code=Extra=1", "cost_type==per_order", "name=title"])
    start = mapping.guess(SERVICES, LAYOUT.header)
    assert mapping.settle(SERVICES, LAYOUT, start, changes) == {
        "service_code": from_column("Extra=1"),
        "name": from_column("Title"),
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


PEOPLE = "Nr,First,Last,Firm,Kind\n1,Ada,Byron,,x\n2,Bo, ,,x\n3,Cy,Day,Day Ltd,x\n"


def names(sessions):
    with sessions() as session:
        return session.scalars(select(Customer.name).order_by(Customer.ref)).all()


def test_several_columns_are_joined_to_one_value(sessions, take_in):
    take_in("customers", PEOPLE, "customer_ref=Nr", "name=First+last")
    assert names(sessions) == ["Ada Byron", "Bo", "Cy Day"]


def test_the_first_of_several_columns_that_is_filled_is_taken(sessions, take_in):
    take_in("customers", PEOPLE, "customer_ref=Nr", "name=Firm|Last|First")
    assert names(sessions) == ["Byron", "Bo", "Day Ltd"]


def test_one_column_or_else_several_joined(sessions, take_in):
    take_in("customers", PEOPLE, "customer_ref=Nr", "name=firm|First+Last")
    assert names(sessions) == ["Ada Byron", "Bo", "Day Ltd"]
    # And so again, as the layout is known now.
    assert take_in("customers", PEOPLE).unchanged == 3


@pytest.mark.parametrize(
    ("kind", "field", "header", "named"),
    [
        ("customers", "name", "Last Name,First Name", "First Name+Last Name"),
        ("customers", "name", "Vorname,Nachname", "Vorname+Nachname"),
        ("customers", "name", "Company,First Name,Last Name", "Company|First Name+Last Name"),
        ("customers", "name", "Name,Company", "Name"),
        ("customers", "name", "First Name", None),
        ("customers", "address", "Address 1,Address 2", "Address 1+Address 2"),
        ("customers", "address", "address,address_2", "address+address_2"),
        ("customers", "address", "Address 1", "Address 1"),
        ("customers", "address", "Street,House number,City", "Street+House number"),
        ("orders", "ship_to_address", "Shipping Address1,Shipping Address2", "Shipping Address1+Shipping Address2"),
        ("orders", "ship_to_address", "Ship address,Ship street", "Ship address"),
        ("orders", "ship_to_name", "Shipping First Name,Shipping Last Name", "Shipping First Name+Shipping Last Name"),
    ],
)
def test_columns_that_are_a_value_together_are_guessed(kind, field, header, named):
    found = mapping.guess(DEFINITIONS[Kind(kind)], header.split(",")).get(field)
    assert (found and found.named) == named


def test_columns_that_are_not_used_are_named_and_a_guess_is_one_unless_all_names_are_ours():
    def look(header: str) -> tuple[list[str], bool]:
        layout = Layout(tuple(header.split(",")), ",")
        guessed = mapping.guess(DEFINITIONS[Kind.CUSTOMERS], layout.header)
        return mapping.unused(layout, guessed), mapping.in_doubt(layout, guessed)

    assert look("customer_ref,Name,Mail") == ([], True)
    assert look("Customer Ref,NAME,email") == ([], False)
    assert look("customer_ref,name,Status,Note") == (["Status", "Note"], True)
    assert look("customer_ref,Company,First Name,Last Name,Fax") == (["Fax"], True)


def test_a_column_whose_name_has_a_plus_is_one_column(sessions, take_in):
    take_in("customers", "Nr,A+B,A,B\n1,one,two,three\n", "customer_ref=Nr", "name=A+B")
    assert names(sessions) == ["one"]


def test_one_of_several_columns_that_the_file_lacks_is_named(take_in):
    with pytest.raises(Invalid, match=r"^The file has no column “Middle”"):
        take_in("customers", PEOPLE, "customer_ref=Nr", "name=First+Middle")


def test_words_of_the_file_stand_for_ours(sessions):
    content = io.BytesIO(b"Code,Title,Basis\na,A,Each Order\nb,B,PER_ITEM\nc,C,each  order\n")
    basis = FromColumns(("Basis",), words=(("each order ", "per_order"),))
    changes = {"service_code": from_column("Code"), "name": from_column("Title"), "cost_type": basis}
    outcome = service.check(sessions, SYSTEM, Incoming(Kind.SERVICES, content, "services.csv", changes), now=utc_now())
    assert (outcome.new, outcome.rejected) == (3, 0), "what stands for nothing else is still read as it is"


@pytest.mark.parametrize(
    "origin",
    [
        FromColumns(("Title",), readings=("comma",), words=(("On Hold", "submitted"),)),
        FromColumns(("Title", "Basis"), Together.JOINED),
        FromColumns(("Title", "Basis"), Together.FIRST),
        FromColumns(("Code",), or_else=FromColumns(("Title", "Basis"), Together.JOINED)),
        Fixed("x"),
    ],
)
def test_a_stored_mapping_is_the_same_when_it_is_read(origin):
    chosen = mapping.Mapping(name=origin)
    assert mapping.from_json(SERVICES, LAYOUT, json.loads(json.dumps(mapping.to_json(chosen)))) == chosen


def test_a_mapping_of_columns_that_a_file_no_longer_has_is_forgotten():
    stored = {"name": {"columns": ["Title", "Gone"], "together": "joined"}, "cost_type": {"column": "Basis"}}
    assert mapping.from_json(SERVICES, LAYOUT, stored) == {"cost_type": from_column("Basis")}

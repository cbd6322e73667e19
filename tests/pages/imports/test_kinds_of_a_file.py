"""The import page with a file that holds several kinds, or of which it is not certain what it holds."""

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.imports import Kind
from billing_core.imports.models import FileState
from billing_core.orders.models import Order, OrderLine, Product
from tests.imports.files import row_count
from tests.imports.test_layouts import example
from tests.imports.test_orders_without_a_customer import till
from tests.pages.as_read import as_read
from tests.pages.imports.dropping import drop, files, press
from tests.reports.company import a_customer

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@ONE_DATABASE
def test_a_shop_s_export_has_a_part_for_each_kind_and_one_can_be_left_out(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, orders_export=example("shopify_orders").decode())
    first, *_ = parts = files(sessions)
    assert [part.kind for part in parts] == [Kind.CUSTOMERS, Kind.ORDERS, Kind.ORDER_ITEMS]
    assert [button.key for button in page.button if button.key.endswith("_remove")] == [f"import_{first.token}_remove"]
    page.toggle(key=f"import_{first.token}_taken").set_value(False).run()
    press(page, "import_check")
    assert [part.state for part in files(sessions)] == [FileState.NEW, FileState.REFUSED, FileState.REFUSED]
    page.toggle(key=f"import_{first.token}_taken").set_value(True).run()
    press(page, "import_check")
    press(page, "import_apply")
    assert [row_count(sessions, model) for model in (Customer, Order, OrderLine)] == [2, 3, 4]


@ONE_DATABASE
def test_products_of_a_shop_are_recognised_and_asked_whose_they_are(page_as, sessions):
    with sessions.begin() as session:
        a_customer(session)
    page = page_as("admin").visit("imports.py")
    drop(page, export=example("woocommerce_products").decode())
    (received,) = files(sessions)
    assert received.kind is Kind.PRODUCTS
    assert page.button(key="import_check").disabled
    page.selectbox(key=f"import_{received.token}_products_customer_ref").set_value("every customer").run()
    press(page, "import_check")
    press(page, "import_apply")
    with sessions() as session:
        assert sorted(session.scalars(select(Product.sku))) == ["AB-1", "AB-2"]


@ONE_DATABASE
def test_where_two_kinds_are_close_nothing_is_checked_until_somebody_has_said(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, export="Customer,Company,SKU\nC1,Acme,A-1\n")
    (received,) = files(sessions)
    assert received.kind is None
    assert "customers or products" in as_read(page.warning[0].value)
    assert page.button(key="import_check").disabled
    page.selectbox(key=f"import_{received.token}_kind").set_value(Kind.CUSTOMERS).run()
    press(page, "import_check")
    press(page, "import_apply")
    assert row_count(sessions, Customer) == 1


@ONE_DATABASE
def test_a_file_can_be_said_to_hold_a_further_kind_which_can_be_taken_out_again(page_as, sessions):
    page = page_as("admin").visit("imports.py")
    drop(page, export="Order,Item,Qty,When,Buyer\nSO-1,A,2,2025-03-04,ACME\n,B,1,,\n")
    (lines,) = files(sessions)
    assert lines.kind is Kind.ORDER_ITEMS

    page.selectbox(key=f"import_{lines.id}_further_1").set_value(Kind.ORDERS).run()
    assert not page.exception
    page.selectbox(key=f"import_{lines.id}_further_2").set_value(Kind.CUSTOMERS).run()
    assert not page.exception
    tokens = {file.kind: file.token for file in files(sessions)}
    assert list(tokens) == [Kind.ORDER_ITEMS, Kind.ORDERS, Kind.CUSTOMERS]
    page.selectbox(key=f"import_{tokens[Kind.ORDERS]}_orders_order_date").set_value("When").run()
    page.selectbox(key=f"import_{tokens[Kind.ORDERS]}_orders_customer_ref").set_value("Buyer").run()
    page.selectbox(key=f"import_{tokens[Kind.CUSTOMERS]}_customers_customer_ref").set_value("Buyer").run()
    page.selectbox(key=f"import_{tokens[Kind.CUSTOMERS]}_customers_name").set_value("Buyer").run()
    assert not page.exception

    page.toggle(key=f"import_{tokens[Kind.CUSTOMERS]}_taken").set_value(False).run()
    press(page, "import_check")
    assert {file.kind: file.state for file in files(sessions)} == {
        Kind.CUSTOMERS: FileState.NEW,
        Kind.ORDERS: FileState.REFUSED,
        Kind.ORDER_ITEMS: FileState.REFUSED,
    }, "nobody brings the customer"
    page.toggle(key=f"import_{tokens[Kind.CUSTOMERS]}_taken").set_value(True).run()
    press(page, "import_check")
    press(page, "import_apply")
    assert [row_count(sessions, model) for model in (Customer, Order, OrderLine)] == [1, 1, 2]


@ONE_DATABASE
def test_orders_without_a_customer_belong_to_whom_somebody_says(page_as, sessions):
    with sessions.begin() as session:
        at_the_till = a_customer(session, ref="TILL", name="Sales at the till", currency="EUR")
        gone = a_customer(session, ref="GONE", name="No longer billed", currency="EUR")
        session.get_one(Customer, gone).active = False
    page = page_as("admin").visit("imports.py")
    drop(page, orders=till("#2001", "#2002").decode())
    (orders,) = [file for file in files(sessions) if file.kind is Kind.ORDERS]
    key = f"import_{orders.token}_owner"
    assert not [box for box in page.selectbox if box.key == key], "nobody knows of any yet"
    press(page, "import_check")

    assert page.selectbox(key=key).options == ["Sales at the till"]
    page.selectbox(key=key).set_value(at_the_till).run()
    page.selectbox(key=key).set_value(None).run()
    press(page, "import_check")
    assert page.button(key="import_apply").disabled, "it was taken back"
    page.selectbox(key=key).set_value(at_the_till).run()
    assert page.selectbox(key=key).value == at_the_till
    press(page, "import_check")
    assert "2 orders without a customer belong to TILL" in [as_read(info.value) for info in page.info]
    press(page, "import_apply")
    with sessions() as session:
        of_till = select(Order.number).join(Customer, Customer.id == Order.customer_id).where(Customer.ref == "TILL")
        assert session.scalars(of_till.order_by(Order.number)).all() == ["#2001", "#2002"]

"""The sample company's files go in as they are."""

from datetime import date

import pytest
from sqlalchemy import func, select

from billing_core.customers.models import Customer
from billing_core.orders.models import Order, OrderLine, OrderStatus, Product
from billing_core.reports.models import BillingMonth
from tests.imports import northwind
from tests.imports.files import counts, row_count

EVERYBODY = "customer_ref==*"


def test_the_sample_files_go_in_unchanged_and_once(sessions, take_in):
    files = {kind: northwind.sample(kind) for kind in northwind.FILES}
    first = [
        take_in("customers", files["customers"]),
        take_in("products", files["products"], EVERYBODY),
        take_in("orders", files["orders"]),
        take_in("order-items", files["order-items"]),
    ]
    assert [counts(outcome) for outcome in first] == [
        (93, 0, 0, 0),
        (77 * 93, 0, 0, 0),
        (830, 0, 0, 0),
        (2155, 0, 0, 0),
    ]

    # The mapping of the products is remembered.
    again = [take_in(kind, files[kind]) for kind in northwind.FILES]

    assert [counts(outcome) for outcome in again] == [
        (0, 0, 93, 0),
        (0, 0, 77 * 93, 0),
        (0, 0, 830, 0),
        (0, 0, 2155, 0),
    ]
    # 51,317 units: the sum of the file's own Quantity column.
    with sessions() as session:
        assert session.scalar(select(func.sum(OrderLine.quantity))) == 51_317


@pytest.fixture
def imported(take_in):
    return [
        take_in("customers", northwind.CUSTOMERS),
        take_in("products", northwind.PRODUCTS, EVERYBODY),
        take_in("orders", northwind.ORDERS),
        take_in("order-items", northwind.ORDER_DETAILS),
    ]


def test_files_with_the_sample_s_quirks_go_in(imported):
    assert [counts(outcome) for outcome in imported] == [(6, 0, 0, 0), (12, 0, 0, 0), (3, 0, 0, 0), (4, 0, 0, 0)]


def test_a_customer_s_key_is_trimmed_and_its_country_becomes_a_code(imported, sessions):
    with sessions() as session:
        rows = session.execute(
            select(Customer.ref, Customer.country, Customer.state, Customer.currency).order_by(Customer.ref)
        )
        assert [tuple(row) for row in rows] == [
            ("ALFKI", "DE", "", "USD"),
            ("BLONP", "FR", "", "USD"),
            ("ISLAT", "GB", "Isle of Wight", "USD"),
            ("LETSS", "US", "CA", "USD"),
            ("LILAS", "VE", "Lara", "USD"),
            ("Val2", "", "", "USD"),
        ]


def test_each_customer_gets_ids_of_its_own(imported, sessions):
    with sessions() as session:
        rows = session.execute(select(Customer.public_id, Customer.uuid)).all()
    assert len({public_id for public_id, _ in rows}) == len({uuid for _, uuid in rows}) == 6
    assert all(public_id.startswith("cus_") for public_id, _ in rows)


def test_an_order_keeps_its_day_its_carrier_and_a_quoted_comma(imported, sessions):
    with sessions() as session:
        order = session.scalars(select(Order).where(Order.number == "10249")).one()
    assert (order.order_date, order.carrier, order.ship_to_name, order.ship_to_country, order.status) == (
        date(1996, 7, 5),
        "Speedy Express",
        "Toms, Spezialitäten",
        "VE",
        OrderStatus.SUBMITTED,
    )


def test_a_line_may_name_a_product_that_nobody_knows(imported, sessions):
    with sessions() as session:
        quantity = session.scalar(select(OrderLine.quantity).where(OrderLine.sku == "99"))
    assert quantity == 9
    assert row_count(sessions, Product) == 12


def test_the_kept_totals_of_the_months_follow(imported, sessions):
    with sessions() as session:
        months = session.execute(
            select(BillingMonth.month, func.sum(BillingMonth.orders), func.sum(BillingMonth.unbilled_orders))
            .group_by(BillingMonth.month)
            .order_by(BillingMonth.month)
        )
        assert [tuple(row) for row in months] == [(date(1996, 7, 1), 2, 2), (date(1998, 5, 1), 1, 1)]

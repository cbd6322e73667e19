"""A file of rates that names no customer is for each that is billed in its currency."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.rating.models import Rate
from tests.imports.files import counts, rejections
from tests.reports.company import billed

EVERYONE = "customer_ref==*"
HEADER = "service_code,unit_price,currency,valid_from\n"


@pytest.fixture
def company(two_customers, take_in) -> None:
    """ACME in USD, BETA and GAMA in EUR; two services."""
    take_in("customers", "customer_ref,name,currency\nGAMA,Gama GmbH,EUR\n")
    take_in("services", "service_code,name,cost_type\npick,Picking,per_item\nship,Shipping,per_order\n")


def prices(sessions):
    """Those in force: customer, service, price, currency."""
    with sessions() as session:
        rows = session.execute(
            select(Customer.ref, Rate.service_id, Rate.unit_price, Rate.currency, Rate.valid_from)
            .join(Customer, Customer.id == Rate.customer_id)
            .where(Rate.in_force)
            .order_by(Customer.ref, Rate.service_id)
        )
        return [(ref, price, currency) for ref, _, price, currency, _ in rows]


def test_each_customer_of_the_currency_gets_them(company, take_in, sessions):
    """A row that says nothing is in the business's currency, USD: that of ACME."""
    outcome = take_in("rates", f"{HEADER}pick,0.5,EUR,\nship,4,,\n", EVERYONE)
    assert counts(outcome) == (3, 0, 0, 0)
    assert outcome.notes == ["It is for 3 customers. Customers who come later get nothing of it by themselves."]
    assert prices(sessions) == [
        ("ACME", Decimal(4), "USD"),
        ("BETA", Decimal("0.5"), "EUR"),
        ("GAMA", Decimal("0.5"), "EUR"),
    ]
    assert counts(take_in("rates", f"{HEADER}pick,0.5,EUR,\nship,4,,\n", EVERYONE)) == (0, 0, 3, 0)
    dollars = take_in("rates", f"{HEADER}pick,0.6,USD,\n", EVERYONE)
    assert (counts(dollars), prices(sessions)[0]) == ((1, 0, 0, 0), ("ACME", Decimal("0.6"), "USD"))
    assert dollars.notes == [
        "It is for 1 customer, of 3: the others are billed in other currencies. Customers who come later get nothing "
        "of it by themselves."
    ]


def test_whose_price_changes_is_named(company, take_in, dry_run):
    take_in("rates", "customer_ref,service_code,unit_price\nBETA,pick,1\n")
    outcome = dry_run("rates", f"{HEADER}pick,0.5,EUR,\n", EVERYONE)
    assert counts(outcome) == (1, 1, 0, 0)
    assert [(change.row, change.old, change.new) for change in outcome.changes] == [
        ("BETA · pick · 1900-01-01", Decimal(1), Decimal("0.5"))
    ]


def test_a_rate_of_other_days_stands_in_the_way(company, take_in):
    take_in("rates", "customer_ref,service_code,unit_price,valid_from\nBETA,pick,1,2026-05-01\n")
    outcome = take_in("rates", f"{HEADER}pick,0.5,EUR,2026-01-01\n", EVERYONE)
    assert [row[3] for row in rejections(outcome)] == [
        "the rate of BETA for pick from 2026-01-01 on overlaps its rate from 2026-05-01 on"
    ]


def test_a_currency_in_which_nobody_is_billed_is_refused(company, take_in):
    outcome = take_in("rates", f"{HEADER}pick,0.5,CHF,\n", EVERYONE)
    assert rejections(outcome) == [
        (2, "currency", "CHF", "no customer is billed in this currency; import customers first")
    ]


def test_amounts_are_checked_in_the_currency_of_the_row(company, take_in):
    take_in("customers", "customer_ref,name,currency\nYAMA,Yamada KK,JPY\n")
    header = "service_code,unit_price,currency,minimum,maximum\n"
    outcome = take_in("rates", f"{header}pick,1,JPY,1.5,2\nship,1,EUR,1.555,2\nship,1,USD,3,2\n", EVERYONE)
    assert [(row[0], row[1], row[3]) for row in rejections(outcome)] == [
        (2, "minimum", "has more decimals than JPY is paid in"),
        (3, "minimum", "has more decimals than EUR is paid in"),
        (4, "maximum", "is below the minimum"),
    ]


def test_what_reports_of_several_customers_used_is_kept_for_them(company, take_in, sessions):
    """One line corrects the rate of both: each old one is withdrawn, and each new one begins."""
    take_in("rates", f"{HEADER}pick,1,EUR,2025-01-01\n", EVERYONE)
    take_in("orders", "order_number,customer_ref,order_date\nSO-1,BETA,2025-03-04\nSO-2,GAMA,2025-03-04\n")
    take_in("order-items", "order_number,sku,quantity\nSO-1,A,1\nSO-2,A,1\n")
    with sessions.begin() as session:
        for ref in ("BETA", "GAMA"):
            customer_id = session.scalars(select(Customer.id).where(Customer.ref == ref)).one()
            billed(session, customer_id, Period(date(2025, 3, 1), date(2025, 3, 31)))
    assert counts(take_in("rates", f"{HEADER}pick,2,EUR,2025-01-01\n", EVERYONE)) == (0, 2, 0, 0)
    assert prices(sessions) == [("BETA", Decimal(2), "EUR"), ("GAMA", Decimal(2), "EUR")]
    with sessions() as session:
        assert len(session.scalars(select(Rate).where(~Rate.in_force)).all()) == 2


def test_orders_are_never_everybody_s(company, take_in):
    outcome = take_in("orders", "order_number,order_date\nSO-1,2026-01-01\n", EVERYONE)
    assert [row[3] for row in rejections(outcome)] == ["no customer has this customer_ref; import customers first"]

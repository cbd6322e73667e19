"""Services and rates from files: exact amounts, one rate a day, nothing lost that a report has used."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.imports.models import ImportRun
from billing_core.money import Money
from billing_core.rating.models import CostType, Rate, Service, TierMode
from billing_core.reports.models import ReportCharge
from tests.imports.files import counts, rejections, row_count
from tests.reports.company import billed

HEADER = "customer_ref,service_code,unit_price,currency,valid_from,valid_to,minimum,maximum,skus,tiers,conditions\n"
NOW = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def services(two_customers, take_in) -> None:
    take_in("services", "service_code,name,cost_type\npick,Picking,per_item\nship,Shipping,Per order\n")


def rates_of(sessions) -> list[Rate]:
    with sessions() as session:
        return list(session.scalars(select(Rate).order_by(Rate.valid_from, Rate.id)))


def test_services_come_in_once(services, take_in, sessions):
    with sessions() as session:
        rows = session.execute(select(Service.code, Service.name, Service.cost_type).order_by(Service.code))
        assert [tuple(row) for row in rows] == [
            ("pick", "Picking", CostType.PER_ITEM),
            ("ship", "Shipping", CostType.PER_ORDER),
        ]
    again = take_in("services", "code,name,type\npick,Picking and packing,per_item\nship,Shipping,per_order\n")
    assert counts(again) == (0, 1, 1, 0)


def test_new_services_keep_the_order_of_the_file(take_in, sessions):
    header = "service_code,name,cost_type\n"
    take_in("services", header + "s-10,Ten,per_item\ns-2,Two,per_item\na,A,per_order\n")
    take_in("services", header + "z,Z,per_order\ns-2,Two,per_item\nb,B,per_order\n")
    with sessions() as session:
        assert session.scalars(select(Service.code).order_by(Service.id)).all() == ["s-10", "s-2", "a", "z", "b"]


def test_a_service_with_rates_keeps_its_cost_type(services, take_in):
    take_in("rates", HEADER + "ACME,pick,1,USD,,,,,,,\n")
    refused = take_in("services", "service_code,name,cost_type\npick,Picking,per_sku\nship,Shipping,per_sku\n")
    assert counts(refused) == (0, 1, 0, 1)
    assert rejections(refused) == [
        (2, "cost_type", "per_sku", "the service is priced per_item in rate cards; enter a new service instead")
    ]


def test_a_rate_with_everything_comes_in_exactly(services, take_in, sessions):
    tiers = '"[{""up_to"": 10, ""unit_price"": ""1.5""}, {""unit_price"": 0.25}]"'
    condition = '"{""field"": ""weight"", ""op"": ""gt"", ""value"": 20}"'
    row = f"BETA,pick,0.123456,EUR,2025-01-01,2025-12-31,1.50,99.99,a-1; B2,{tiers},{condition}\n"

    assert counts(take_in("rates", HEADER + row)) == (1, 0, 0, 0)

    (rate,) = rates_of(sessions)
    assert (rate.unit_price, rate.currency, rate.valid_from, rate.valid_to) == (
        Decimal("0.123456"),
        "EUR",
        date(2025, 1, 1),
        date(2025, 12, 31),
    )
    assert (rate.minimum_minor, rate.maximum_minor, rate.skus, rate.tier_mode) == (
        150,
        9999,
        ["A-1", "B2"],
        TierMode.GRADUATED,
    )
    assert rate.tiers == [{"up_to": "10", "unit_price": "1.5"}, {"up_to": None, "unit_price": "0.25"}]
    assert rate.conditions == {"all": [{"field": "weight", "op": "gt", "value": "20"}]}
    assert counts(take_in("rates", HEADER + row)) == (0, 0, 1, 0)


def test_blank_cells_mean_the_customer_s_currency_and_always(services, take_in, sessions):
    assert counts(take_in("rates", HEADER + "BETA,pick,2,,,,,,,,\n")) == (1, 0, 0, 0)
    (rate,) = rates_of(sessions)
    assert (rate.currency, rate.valid_from, rate.valid_to) == ("EUR", date(1900, 1, 1), None)


def test_minimum_and_maximum_are_in_the_currency_s_own_minor_unit(take_in, services, sessions):
    take_in("customers", "customer_ref,name,currency\nYEN,Yen KK,JPY\nDIN,Dinar,KWD\n")
    take_in("rates", HEADER + "YEN,pick,2,JPY,,,500,1000,,,\nDIN,pick,2,KWD,,,1.1250,,,,\n")
    assert {rate.currency: (rate.minimum_minor, rate.maximum_minor) for rate in rates_of(sessions)} == {
        "JPY": (500, 1000),
        "KWD": (1125, None),
    }


REJECTED = {
    "unknown customer": (
        "NOBODY,pick,1,USD,,,,,,,",
        ("customer_ref", "NOBODY", "no customer has this customer_ref; import customers first"),
    ),
    "unknown service": (
        "ACME,pack,1,USD,,,,,,,",
        ("service_code", "pack", "no service has this code; import services first"),
    ),
    "foreign currency": ("ACME,pick,1,EUR,,,,,,,", ("currency", "EUR", "the customer is billed in USD")),
    "seven decimals": ("ACME,pick,1.0000001,USD,,,,,,,", ("unit_price", "1.0000001", "has more than 6 decimals")),
    "backwards": (
        "ACME,pick,1,USD,2025-02-01,2025-01-31,,,,,",
        ("valid_to", "2025-01-31", "lies before valid_from 2025-02-01"),
    ),
    "maximum below minimum": ("ACME,pick,1,USD,,,5,4,,,", ("maximum", "4", "is below the minimum")),
    "part of a cent": ("ACME,pick,1,USD,,,1.005,,,,", ("minimum", "1.005", "has more decimals than USD is paid in")),
    "broken tiers": ("ACME,pick,1,USD,,,,,,[,", ("tiers", "[", "is refused: Tiers: not valid JSON")),
}


@pytest.mark.parametrize(("row", "rejection"), REJECTED.values(), ids=REJECTED)
def test_a_wrong_rate_is_rejected(row, rejection, services, take_in, sessions):
    refused = take_in("rates", HEADER + row + "\n")
    assert rejections(refused) == [(2, *rejection)]
    assert (row_count(sessions, Rate), refused.applied) == (0, False)


def test_prices_and_bounds_of_a_file_may_be_the_largest_of_their_currency_and_no_larger(services, take_in, sessions):
    """Of USD a file, as a page, takes prices of 9 × 10^12; of KWD 10^12 dinars are 10^15 fils."""
    take_in("customers", "customer_ref,name,currency\nKUW,Kuwait,KWD\n")
    dollars, dinars = "9000000000000", "1000000000000"
    refused = take_in(
        "rates",
        HEADER
        + "".join(
            f"KUW,{row}\n"
            for row in (
                f"pick,{dinars}.001,KWD,2025-01-01,2025-01-31,,,,,",
                f"pick,1,KWD,2025-02-01,2025-02-28,{dinars}.001,,,,",
                f"pick,1,KWD,2025-03-01,2025-03-31,,{dinars}.001,,,",
            )
        ),
    )
    reason = "is more than the largest amount in KWD"
    assert rejections(refused) == [
        (2, "unit_price", f"{dinars}.001", reason),
        (3, "minimum", f"{dinars}.001", reason),
        (4, "maximum", f"{dinars}.001", reason),
    ]
    take_in(
        "rates", HEADER + f"KUW,pick,{dinars},KWD,,,{dinars},{dinars},,,\nACME,pick,{dollars},USD,,,{dollars},,,,\n"
    )
    assert {
        (rate.currency, rate.unit_price, rate.minimum_minor, rate.maximum_minor) for rate in rates_of(sessions)
    } == {
        ("KWD", Decimal(dinars), 10**15, 10**15),
        ("USD", Decimal(dollars), 9 * 10**14, None),
    }


def test_overlapping_rates_of_one_file_name_each_other(services, take_in, sessions):
    refused = take_in(
        "rates", HEADER + "ACME,pick,1,USD,2025-01-01,2025-06-30,,,,,\nACME,pick,2,USD,2025-06-30,,,,,,\n"
    )
    assert rejections(refused) == [
        (
            3,
            "valid_from",
            "2025-06-30",
            "the rate from 2025-06-30 on overlaps the one on line 2 from 2025-01-01 to 2025-06-30",
        )
    ]
    assert row_count(sessions, Rate) == 0


def test_a_rate_that_overlaps_one_that_is_there_names_both(services, take_in):
    take_in("rates", HEADER + "ACME,pick,1,USD,2025-01-01,,,,,,\n")
    refused = take_in("rates", HEADER + "ACME,pick,2,USD,2025-07-01,,,,,,\nBETA,pick,2,EUR,2025-07-01,,,,,,\n")
    assert rejections(refused) == [
        (
            2,
            "valid_from",
            "2025-07-01",
            "the rate of ACME for pick from 2025-07-01 on overlaps its rate from 2025-01-01 on",
        )
    ]


def test_one_file_may_end_a_rate_and_begin_another(services, take_in, sessions):
    take_in("rates", HEADER + "ACME,pick,1,USD,2025-01-01,,,,,,\n")
    outcome = take_in(
        "rates", HEADER + "ACME,pick,1,USD,2025-01-01,2025-06-30,,,,,\nACME,pick,2,USD,2025-07-01,,,,,,\n"
    )
    assert counts(outcome) == (1, 1, 0, 0)
    assert [(rate.valid_from, rate.valid_to, rate.unit_price) for rate in rates_of(sessions)] == [
        (date(2025, 1, 1), date(2025, 6, 30), Decimal(1)),
        (date(2025, 7, 1), None, Decimal(2)),
    ]


@pytest.fixture
def billed_rate(services, take_in, sessions) -> None:
    """ACME's rate for picking from 2025 on, used by a report for an order of 4 March."""
    take_in("rates", HEADER + "ACME,pick,1,USD,2025-01-01,,,,,,\n")
    take_in("orders", "order_number,customer_ref,order_date\nSO-1,ACME,2025-03-04\n")
    take_in("order-items", "order_number,sku,quantity\nSO-1,A,1\n")
    with sessions.begin() as session:
        customer_id = session.scalars(select(Customer.id).where(Customer.ref == "ACME")).one()
        report = billed(session, customer_id, Period(date(2025, 3, 1), date(2025, 3, 31)), now=NOW)
        assert report.total == Money(100, "USD")


@pytest.mark.parametrize(("last_day", "until"), [("", None), ("2025-12-31", date(2025, 12, 31))])
def test_a_used_rate_with_other_terms_is_withdrawn_and_the_new_one_begins_the_same_day(
    last_day, until, billed_rate, take_in, dry_run, sessions
):
    file = HEADER + f"ACME,pick,2,USD,2025-01-01,{last_day},,,,,\nACME,ship,5,USD,2025-01-01,,,,,,\n"
    assert counts(dry_run("rates", file)) == (1, 1, 0, 0)
    outcome = take_in("rates", file)
    assert counts(outcome) == (1, 1, 0, 0)
    assert ("unit_price", Decimal(1), Decimal(2)) in [
        (change.column, change.old, change.new) for change in outcome.changes
    ]

    wrong, *in_force = rates_of(sessions)
    assert (wrong.unit_price, wrong.valid_from, wrong.valid_to) == (Decimal(1), date(2025, 1, 1), None)
    assert wrong.withdrawn_at is not None
    assert sorted((rate.unit_price, rate.valid_from, rate.valid_to, rate.withdrawn_at) for rate in in_force) == [
        (Decimal(2), date(2025, 1, 1), until, None),
        (Decimal(5), date(2025, 1, 1), None, None),
    ]
    with sessions() as session:
        assert session.scalars(select(ReportCharge.rate_id)).all() == [wrong.id]

    assert counts(take_in("rates", file)) == (0, 0, 2, 0)
    assert row_count(sessions, Rate) == 3


def test_a_correction_takes_over_what_its_file_does_not_give(billed_rate, take_in, sessions):
    take_in("rates", "customer_ref,service_code,unit_price,valid_from,minimum,skus\nACME,pick,1,2025-01-01,3,A;B\n")
    take_in("rates", "customer_ref,service_code,unit_price,valid_from\nACME,pick,4,2025-01-01\n")
    # The first correction was used by nothing and is simply replaced; the billed one was withdrawn by it.
    billed, corrected = rates_of(sessions)
    assert (billed.unit_price, billed.minimum_minor, billed.withdrawn_at is None) == (Decimal(1), None, False)
    assert (corrected.unit_price, corrected.minimum_minor, corrected.skus, corrected.currency) == (
        Decimal(4),
        300,
        ["A", "B"],
        "USD",
    )
    assert corrected.withdrawn_at is None


def test_a_withdrawn_rate_overlaps_nothing_and_comes_in_again_as_new(billed_rate, take_in, sessions):
    with sessions.begin() as session:
        session.scalars(select(Rate)).one().withdrawn_at = NOW
    assert counts(take_in("rates", HEADER + "ACME,pick,3,USD,2025-02-01,,,,,,\n")) == (1, 0, 0, 0)
    overlapping = take_in("rates", HEADER + "ACME,pick,1,USD,2025-01-01,,,,,,\n")
    assert counts(overlapping) == (0, 0, 0, 1)
    assert counts(take_in("rates", HEADER + "ACME,pick,1,USD,2025-01-01,2025-01-31,,,,,\n")) == (1, 0, 0, 0)


def test_a_used_rate_may_end_before_an_order_that_it_billed(billed_rate, take_in, sessions):
    """Its report stays as it is, and so does the rate: ending it is no other price."""
    assert counts(take_in("rates", HEADER + "ACME,pick,1,USD,2025-01-01,2025-03-03,,,,,\n")) == (0, 1, 0, 0)
    assert [(rate.valid_to, rate.withdrawn_at) for rate in rates_of(sessions)] == [(date(2025, 3, 3), None)]


def test_a_rate_that_a_report_has_used_may_end_after_its_last_order(billed_rate, take_in, sessions):
    assert counts(take_in("rates", HEADER + "ACME,pick,1,USD,2025-01-01,2025-03-04,,,,,\n")) == (0, 1, 0, 0)
    assert [rate.valid_to for rate in rates_of(sessions)] == [date(2025, 3, 4)]


def test_a_used_rate_that_comes_again_unchanged_is_unchanged(billed_rate, take_in, sessions):
    before = row_count(sessions, ImportRun)
    assert counts(take_in("rates", HEADER + "ACME,pick,1.0,USD,2025-01-01,,,,,,\n")) == (0, 0, 1, 0)
    assert row_count(sessions, ImportRun) == before + 1


def test_a_customer_with_rates_keeps_its_currency(services, take_in):
    take_in("rates", HEADER + "ACME,pick,1,USD,,,,,,,\n")
    refused = take_in("customers", "customer_ref,name,currency\nACME,Acme Inc,CHF\nBETA,Beta GmbH,CHF\n")
    assert rejections(refused) == [
        (2, "currency", "CHF", "the customer is billed in USD, and has rates, reports or a plan in it")
    ]

"""The long CSV and the workbook explain tiers: in every row quantity × unit price is the amount."""

import csv
import io
import itertools
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from openpyxl import load_workbook

from billing_core.identity import SYSTEM
from billing_core.reports import prices, queries, service
from billing_core.reports.exports import explained, files
from tests.arrivals import arriving
from tests.rating import cards, naive
from tests.rating.examples import a_rate, an_order, of_items

TIERS = [(Decimal(10), Decimal("0.5")), (Decimal(100), Decimal("0.4")), (None, Decimal("0.125"))]


def reported(session, card, orders, products=None, *, customer_id=1):
    cards.store(session, card, orders, products or {}, customer_id=customer_id)
    made = service.generate(session, SYSTEM, customer_id=customer_id, period=cards.PERIOD, now=cards.NOW)
    return made.report_id


def listed(session, report_id):
    """The rows of the long CSV."""
    text = b"".join(files.chunks(session, SYSTEM, report_id, "csv", variant="long")).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def charges_of(session, report_id):
    """The rows of the workbook's charges, without their header."""
    book = load_workbook(io.BytesIO(b"".join(files.chunks(session, SYSTEM, report_id, "xlsx"))))
    return [[cell.value for cell in row] for row in book["Charges"].iter_rows(min_row=2)]


@pytest.mark.parametrize(
    ("card", "quantity", "expected"),
    [
        ([a_rate(price="0.2936")], 615, [("615", "0.2936", "", "", "180.56")]),
        (
            [a_rate(tiers=TIERS)],
            120,
            [
                ("10", "0.5", "1", "", "5.00"),
                ("90", "0.4", "2", "", "36.00"),
                ("20", "0.125", "3", "", "2.50"),
            ],
        ),
        ([a_rate(tiers=TIERS, tier_mode="volume")], 120, [("120", "0.125", "3", "", "15.00")]),
        (
            [a_rate(tiers=TIERS, minimum=1000)],
            15,
            [("10", "0.5", "1", "", "5.00"), ("5", "0.4", "2", "", "2.00"), ("1", "3", "", "minimum", "3.00")],
        ),
        ([a_rate(maximum=1000)], 15, [("15", "1", "", "", "15.00"), ("1", "-5", "", "maximum", "-5.00")]),
        # 1.005 + 0.0995 = 1.1045 is 1.10, and its slices are 1.01 and 0.10.
        (
            [a_rate(tiers=[(Decimal(10), Decimal("0.1005")), (None, Decimal("0.0995"))])],
            11,
            [
                ("10", "0.1005", "1", "", "1.01"),
                ("1", "0.0995", "2", "", "0.10"),
                ("1", "-0.01", "", "rounding", "-0.01"),
            ],
        ),
    ],
)
def test_a_charge_has_a_row_for_each_tier_and_for_what_else_decided_it(session, card, quantity, expected):
    report_id = reported(session, card, of_items(quantity))

    rows = listed(session, report_id)
    names = ("quantity", "unit_price", "tier", "bound", "amount")
    assert [tuple(row[name] for name in names) for row in rows] == expected
    numbers = [[*map(Decimal, (quantity, price, minor))] for quantity, price, _, _, minor in expected]
    in_workbook = [(row[5], row[6], row[10]) for row in charges_of(session, report_id)]
    assert [[Decimal(str(cell)) for cell in row] for row in in_workbook] == numbers


def test_a_percentage_is_a_price_of_one_of_its_base(session):
    """10 % of 3.33 is 0.333."""
    card = [a_rate("percent_of_services", "10"), a_rate("per_item", "1.11", service=2)]
    rows = listed(session, reported(session, card, [an_order(("A", Decimal(3)))]))

    (row,) = [row for row in rows if row["cost_type"] == "percent_of_services"]
    assert (row["quantity"], row["unit_price"], row["amount"]) == ("3.33", "0.1", "0.33")


KINDS = ("a price", "a tier", "minimum", "maximum", "USD", "JPY", "KWD")


@pytest.mark.drawn
def test_every_row_is_its_quantity_times_its_price_and_those_of_a_charge_come_to_it(session):
    customers = itertools.count(1)

    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
    @given(cards.billings())
    def agree(billing):
        card, orders, products = billing
        with session.begin_nested() as savepoint:
            report_id = reported(session, card, orders, products, customer_id=next(customers))
            billed = [one for one in orders if cards.PERIOD.start <= one["day"] <= cards.PERIOD.end]
            charged = naive.charges(card, billed, products)
            rows, report = listed(session, report_id), queries.one(session, SYSTEM, report_id)
            # The workbook says how many rows a sheet has before it reads them.
            assert explained.of_report(session, report).count(session, report) == len(rows)
            at_prices = prices.rows(session, report)
            savepoint.rollback()
        session.expunge_all()

        numbers = {order["id"]: str(place) for place, order in enumerate(orders)}
        ids = dict.fromkeys(rate["service"] for rate in card)
        services = {service_id: f"Service {number}" for number, service_id in enumerate(ids, start=1)}
        places = naive.DIGITS[card[0]["currency"]]
        left = {
            (numbers[order_id], services[service_id]): Decimal(found[-1])
            for (order_id, service_id), found in charged.items()
        }
        for row in rows:
            exact = Decimal(row["quantity"]) * Decimal(row["unit_price"])
            assert Decimal(row["amount"]) == exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
            left[row["order_number"].partition("-")[2], row["service_name"]] -= Decimal(row["amount"]).scaleb(places)
            if row["bound"] != "rounding":
                arrived(row["bound"] or ("a tier" if row["tier"] else "a price"))
            arrived(row["currency"])
        assert not any(left.values())
        for one in at_prices:
            exact = one.quantity * one.unit_price * 10**places
            assert one.amount_minor == exact.quantize(Decimal(1), ROUND_HALF_UP)
        assert sum(one.amount_minor for one in at_prices) == sum(found[-1] for found in charged.values())

    with arriving(KINDS) as arrived:
        agree()

"""The lines that bill the services of a report: real quantities and unit prices, tiers as they were charged."""

import itertools
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.invoices import from_reports, queries
from billing_core.invoices.content import report_lines
from billing_core.rating.slices import Slice
from billing_core.reports import contents, service
from billing_core.reports import queries as reports
from billing_core.reports.prices import AtPrice
from tests.arrivals import arriving
from tests.rating import cards, naive
from tests.rating.examples import a_rate, an_order, of_items

DAYS = "Mar 1 – 10, 2026"
TODAY = date(2026, 4, 1)
TIERS = [(Decimal(10), Decimal("0.5")), (Decimal(100), Decimal("0.4")), (None, Decimal("0.125"))]


def reported(session, card, orders, products=None, *, customer_id=1, language="en"):
    """The id of a report of these orders."""
    cards.store(session, card, orders, products or {}, customer_id=customer_id)
    session.execute(update(Customer).where(Customer.id == customer_id).values(language=language))
    made = service.generate(session, SYSTEM, customer_id=customer_id, period=cards.PERIOD, now=cards.NOW)
    return made.report_id


def lines(session, card, orders, products=None, **more):
    """Description, quantity × unit price = amount of each line of the report's draft, in major units."""
    report_id = reported(session, card, orders, products, **more)
    draft = from_reports.draft_from_report(session, SYSTEM, report_id, now=cards.NOW, today=TODAY)
    assert draft.subtotal_minor == reports.one(session, SYSTEM, report_id).total_minor
    return [
        (line.description.removeprefix("Service 1, "), f"{line.quantity:f}", f"{line.unit_price:f}", line.amount_minor)
        for line in queries.lines(session, draft.id)
    ]


def line(words, quantity, price, minor, *, days=DAYS):
    return (f"{days}: {words}", f"{Decimal(quantity):.6f}", f"{Decimal(price):.6f}", minor)


@pytest.mark.parametrize(
    ("card", "orders", "expected"),
    [
        # 615 × 0.2936 = 180.564
        ([a_rate(price="0.2936")], of_items(615), [line("615 items, 1 order", 615, "0.2936", 18056)]),
        ([a_rate(price="0.25")], of_items(3, 5), [line("8 items, 2 orders", 8, "0.25", 200)]),
        ([a_rate("per_order", "2.5")], of_items(3, 5, 9), [line("3 orders", 3, "2.5", 750)]),
        # Each order is charged 2.02.
        (
            [a_rate("per_order", "2.0183")],
            of_items(3, 5, 9),
            [line("3 orders, 3 × 2.0183 USD, rounded per order", 3, "2.02", 606)],
        ),
        # 1 × 0.333 is 0.33 in each of the orders: 0.99, where 3 × 0.333 = 0.999 is 1.00.
        (
            [a_rate(price="0.333")],
            of_items(1, 1, 1),
            [line("3 items, 3 orders, 3 × 0.333 USD, rounded per order", 1, "0.99", 99)],
        ),
        # 10 × 0.50, 5 × 0.40 and all three tiers: 20 × 0.50 + (5 + 90) × 0.40 + 20 × 0.125 = 10 + 38 + 2.50
        (
            [a_rate(tiers=TIERS)],
            of_items(15, 120, 4),
            [
                line("tier 1, 24 items, 3 orders", 24, "0.5", 1200),
                line("tier 2, 95 items, 2 orders", 95, "0.4", 3800),
                line("tier 3, 20 items, 1 order", 20, "0.125", 250),
            ],
        ),
        # 100 still belongs to the second tier.
        (
            [a_rate(tiers=TIERS, tier_mode="volume")],
            of_items(10, 11, 100, 4),
            [
                line("tier 1, 14 items, 2 orders", 14, "0.5", 700),
                line("tier 2, 111 items, 2 orders", 111, "0.4", 4440),
            ],
        ),
        # A first tier of 0 tells what is free. 3 × 0.375 = 1.125 is 1.13.
        (
            [a_rate(tiers=[(Decimal(10), Decimal(0)), (None, Decimal("0.375"))])],
            of_items(13, 4),
            [line("tier 1, 14 items, 2 orders", 14, 0, 0), line("tier 2, 3 items, 1 order", 3, "0.375", 113)],
        ),
        # 10 × 0.105 + 1 × 0.105 is 1.155, which is 1.16 of an order; its slices are 1.05 and 0.11. Of two orders: 2.32,
        # and 2.10 + 0.21.
        (
            [a_rate(tiers=[(Decimal(10), Decimal("0.105")), (None, Decimal("0.105"))])],
            of_items(11, 11),
            [line("22 items, 2 orders, 20 × 0.105 + 2 × 0.105 USD, rounded per order", 1, "2.32", 232)],
        ),
        # 11 × 0.105 = 1.155 is 1.16 of each, and of both together 2.31.
        (
            [a_rate(tiers=[(Decimal(10), Decimal(1)), (None, Decimal("0.105"))], tier_mode="volume")],
            of_items(11, 11),
            [line("tier 2, 22 items, 2 orders, 22 × 0.105 USD, rounded per order", 1, "2.32", 232)],
        ),
        # Two orders below 3.00, one above 5.00, one between them.
        (
            [a_rate(minimum=300, maximum=500)],
            of_items(1, 2, 4, 9),
            [
                line("4 items, 1 order", 4, 1, 400),
                line("minimum per order, 3 items, 2 orders", 2, 3, 600),
                line("maximum per order, 9 items, 1 order", 1, 5, 500),
            ],
        ),
    ],
)
def test_a_line_is_a_quantity_at_a_unit_price_where_that_is_what_was_charged(session, card, orders, expected):
    assert lines(session, card, orders) == expected


@pytest.mark.parametrize(
    ("orders", "expected"),
    # A price is at most 9,000,000,000,000: what one order costs beyond that is a thousand times its thousandth.
    [
        (1, line("minimum per order, 7 items, 1 order", 1000, 10**12, 10**15)),
        (2, line("minimum per order, 14 items, 2 orders", 2000, 25 * 10**10, 5 * 10**14)),
        (125, line("minimum per order, 875 items, 125 orders", 125, 8 * 10**12, 10**15)),
    ],
)
def test_the_largest_amount_of_a_report_can_be_invoiced(session, orders, expected):
    minimum = expected[-1] // orders
    card = [a_rate("per_item", "10", currency="VND", minimum=minimum)]
    assert lines(session, card, of_items(*[7] * orders)) == [expected]


def test_a_line_says_how_a_percentage_came_about(session):
    """10 % of 5.00 and of 3.33, which is 0.333: 0.50 + 0.33."""
    card = [
        a_rate("per_item", "1.11", service=2),
        a_rate("percent_of_services", "10"),
        a_rate("per_order", "0", service=3),
    ]
    found = lines(session, card, [an_order(("A", Decimal(3))), an_order(("A", Decimal(4)))])

    # 3 × 1.11 + 4 × 1.11 = 7.77
    assert found[0][1:] == ("7.000000", "1.110000", 777)
    # 10 % of 3.33 is 0.33, and of 4.44 0.44.
    assert found[1:] == [line("2 orders, 7.77 × 10% USD, rounded per order", 1, "0.77", 77)]


def test_a_price_that_changed_in_the_period_makes_a_line_each_with_its_days(session):
    first, second = date(2026, 3, 5), date(2026, 3, 6)
    card = [
        a_rate(price="1", valid_to=first),
        a_rate(price="2", valid_from=second),
    ]
    orders = [an_order(("A", Decimal(3)), day=day) for day in (cards.FIRST, first, second)]

    assert lines(session, card, orders) == [
        line("6 items, 2 orders", 6, 1, 600, days="Mar 1 – 5, 2026"),
        line("3 items, 1 order", 3, 2, 600, days="Mar 6 – 10, 2026"),
    ]


def test_rates_with_the_same_price_make_one_line(session):
    first, second = date(2026, 3, 5), date(2026, 3, 6)
    card = [a_rate(valid_to=first), a_rate(valid_from=second, skus=["A"])]
    orders = [an_order(("A", Decimal(3)), day=day) for day in (first, second)]

    assert lines(session, card, orders) == [line("6 items, 2 orders", 6, 1, 600)]


@pytest.mark.parametrize(("tiers", "count"), [(20, 20), (21, 1)])
def test_a_service_with_very_many_prices_is_one_line(session, tiers, count):
    ends = [*map(Decimal, range(1, tiers)), None]

    found = lines(session, [a_rate(tiers=[(end, Decimal(2)) for end in ends])], of_items(tiers))

    assert len(found) == count
    if count == 1:
        assert found == [line("21 items, 1 order", 1, 42, 4200)]


def test_a_percentage_that_no_order_rounds_says_nothing_of_it(session):
    """10 % of 5.00."""
    card = [a_rate("percent_of_services", "10"), a_rate("per_order", "5", service=2)]
    found = lines(session, card, of_items(1))
    assert found[1:] == [line("1 order, 5.00 × 10% USD", 1, "0.5", 50)]


def test_days_that_were_free_have_no_line(session):
    card = [a_rate(price="0", valid_to=date(2026, 3, 5)), a_rate(price="2", valid_from=date(2026, 3, 6))]
    orders = [an_order(("A", Decimal(3)), day=date(2026, 3, day)) for day in (1, 6)]
    assert lines(session, card, orders) == [line("3 items, 1 order", 3, 2, 600, days="Mar 6 – 10, 2026")]


def test_more_than_a_line_may_have_is_billed_as_an_amount(session):
    """A million million and one items at a millionth: 1,000,000.000001."""
    report = reports.one(session, SYSTEM, reported(session, [a_rate()], of_items(1)))
    (total,) = contents.service_totals(session, report)

    def of_items_at_a_millionth(items):
        slices = (Slice(1, 1_000, 0), Slice(2, items * 1_000, 1))
        at_price = AtPrice(cards.PERIOD, None, 1, (items + 1) * 1_000, slices, 100_000_000)
        made = report_lines.of_service(report, total, [at_price], "en")
        return [(one.quantity, one.unit_price) for one in made]

    largest = 10**12
    assert of_items_at_a_millionth(largest) == [(1, 0), (largest, Decimal("0.000001"))]
    assert of_items_at_a_millionth(largest + 1) == [(1, 1_000_000)]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", "1.–10. März 2026: Staffel 1, 24 Artikel, 3 Aufträge"),
        ("es", "1–10 mar 2026: tramo 1, 24 artículos, 3 pedidos"),
        ("fr", "1–10 mars 2026: palier 1, 24 articles, 3 commandes"),
    ],
)
def test_lines_name_tiers_in_the_customers_language(session, language, words):
    assert lines(session, [a_rate(tiers=TIERS)], of_items(15, 120, 4), language=language)[0][0] == words


_prices = st.sampled_from(["0.5", "0.25", "2", "0.333", "0.2936"]).map(Decimal)


@st.composite
def billings(draw):
    """A card with two rates of an item service one after the other, and a percentage of it; and orders."""
    currency = draw(st.sampled_from(["USD", "JPY", "KWD"]))
    rates = []
    for days in ({"valid_to": date(2026, 3, 5)}, {"valid_from": date(2026, 3, 6)}):
        tiers = draw(st.none() | st.tuples(_prices, _prices, _prices))
        ends = [Decimal(10), Decimal(100), None]
        rates.append(
            a_rate(
                price=draw(_prices),
                currency=currency,
                tiers=tiers and [*zip(ends, tiers, strict=True)],
                tier_mode=draw(st.sampled_from(["graduated", "volume"])),
                minimum=draw(st.sampled_from([None, None, 500])),
                maximum=draw(st.sampled_from([None, None, 2_000])),
                **days,
            )
        )
    card = [*rates, a_rate("percent_of_services", "2.5", service=2, currency=currency)]
    quantities = draw(st.lists(st.integers(1, 150).map(Decimal), min_size=1, max_size=6))
    orders = [an_order(("A", one), day=date(2026, 3, draw(st.sampled_from([2, 8])))) for one in quantities]
    return card, orders


KINDS = ("a tier", "a bound", "an amount", "a unit price", "several prices", "USD", "JPY", "KWD")


def kind(words):
    """Which of them a line is, by its description."""
    said = words.partition(": ")[2]
    if " × " in said:
        return "an amount"
    if "per order" in said:
        return "a bound"
    return "a tier" if said.startswith("tier ") else "a unit price"


@pytest.mark.drawn
def test_every_line_is_its_quantity_times_its_price_and_together_they_are_the_report(session):
    """Whatever the card and the orders, which are billed as nobody would ship it by ``naive``."""
    customers = itertools.count(1)

    @settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
    @given(billings())
    def agree(billing):
        card, orders = billing
        with session.begin_nested() as savepoint:
            report_id = reported(session, card, orders, customer_id=next(customers))
            charged = naive.charges(card, orders, {})
            made = []
            if sum(charge[-1] for charge in charged.values()):
                draft = from_reports.draft_from_report(session, SYSTEM, report_id, now=cards.NOW, today=TODAY)
                facts = ("description", "service_id", "quantity", "unit_price", "amount_minor")
                made = [[getattr(one, fact) for fact in facts] for one in queries.lines(session, draft.id)]
            savepoint.rollback()
        session.expunge_all()

        by_service, prices = {}, {}
        for (_, service_id), charge in charged.items():
            by_service[service_id] = by_service.get(service_id, 0) + charge[-1]
        for words, service_id, quantity, price, minor in made:
            by_service[service_id] -= minor
            exact = quantity * price * 10 ** naive.DIGITS[card[0]["currency"]]
            assert minor == exact.quantize(Decimal(1), ROUND_HALF_UP)
            prices.setdefault(service_id, []).append(price)
            arrived(kind(words))
            arrived(card[0]["currency"])
        assert not any(by_service.values())
        if any(len(of_service) > 1 for of_service in prices.values()):
            arrived("several prices")

    with arriving(KINDS) as arrived:
        agree()

"""Which orders the rates could not bill in full, and why: each kind of question by hand, and when it does not arise."""

from datetime import date
from decimal import Decimal

import pytest

from billing_core.rating import statements
from billing_core.rating.models import QuestionKind
from tests.rating import cards
from tests.rating.cards import day
from tests.rating.examples import a_rate, an_order

D = Decimal
NO_RATE, GAP = QuestionKind.NO_RATE.value, QuestionKind.RATE_GAP.value
NO_LINES, NO_WEIGHT = QuestionKind.NO_LINES.value, QuestionKind.NO_WEIGHT.value
NO_PACKAGES, UNKNOWN = QuestionKind.NO_PACKAGES.value, QuestionKind.UNKNOWN_SKU.value


def asked(session, card, orders, products=None, *, services=(), only=None, customer_id=1):
    """For each order its questions, sorted: (service's number on the card or None, SKU, kind). ``only``: the place of
    the only order that is asked about."""
    numbers = [rate["service"] for rate in card]
    cards.store(session, card, orders, products or {}, customer_id=customer_id)
    ids = {number: rate["service"] for number, rate in zip(numbers, card, strict=True)}
    number_of = {service_id: number for number, service_id in ids.items()} | {None: None}
    order_id = None if only is None else orders[only]["id"]
    wanted = [ids[number] for number in services]
    statement = statements.questions(session, customer_id, cards.PERIOD, wanted, order_id=order_id)
    rows = session.execute(statement).all()
    places = {order["id"]: place for place, order in enumerate(orders)}
    assert [row.order_number for row in rows] == [f"{customer_id}-{places[row.order_id]}" for row in rows]
    found = [[] for _ in orders]
    for row in rows:
        found[places[row.order_id]].append((number_of[row.service_id], row.sku, row.kind))
    return [sorted(questions, key=str) for questions in found]


def on_each_day(*numbers):
    return [an_order(("A", D(1)), day=day(number)) for number in numbers]


# The period has the days 0 to 9. What holds from when to when, and the days on which no rate, or no rate of that
# service between two others, is valid.
VALIDITIES = [
    ([], set(range(10)), set()),
    ([(-5, None)], set(), set()),
    ([(0, 9)], set(), set()),
    ([(0, 0)], set(range(1, 10)), set()),
    ([(9, 9)], set(range(9)), set()),
    ([(1, 8)], {0, 9}, set()),
    ([(-9, -1)], set(range(10)), set()),
    ([(10, None)], set(range(10)), set()),
    ([(-9, -5), (20, None)], set(range(10)), set(range(10))),
    ([(-9, -1), (10, None)], set(range(10)), set(range(10))),
    ([(-9, 3), (4, None)], set(), set()),
    ([(-9, 3), (5, None)], {4}, {4}),
    ([(-9, 2), (6, 40)], {3, 4, 5}, {3, 4, 5}),
    ([(0, 1), (3, 4), (6, 8)], {2, 5, 9}, {2, 5}),
    ([(-9, -3), (2, 8), (12, None)], {0, 1, 9}, {0, 1, 9}),
    ([(2, 3), (5, None)], {0, 1, 4}, {4}),
    ([(-9, -1), (0, None)], set(), set()),
    ([(-9, 9), (11, None)], set(), set()),
]


@pytest.mark.parametrize(("validities", "without", "gaps"), VALIDITIES, ids=str)
def test_days_without_any_rate_and_between_two_rates_of_a_service(session, validities, without, gaps):
    card = [a_rate(valid_from=day(first), valid_to=None if last is None else day(last)) for first, last in validities]
    found = asked(session, card, on_each_day(*range(-1, 11)))

    expected = [[] for _ in range(12)]
    for number in range(10):
        if number in gaps:
            expected[number + 1].append((1, "", GAP))
        if number in without:
            expected[number + 1].append((None, "", NO_RATE))
    assert found == [sorted(questions, key=str) for questions in expected]


def test_another_services_rate_covers_a_day_but_closes_no_gap(session):
    """Service 1 until day 2 and from day 5 on; service 2 from day 3 to 3, and service 3 all the time before day 1."""
    card = [
        a_rate(valid_from=day(-9), valid_to=day(2)),
        a_rate(valid_from=day(5)),
        a_rate(service=2, valid_from=day(3), valid_to=day(3)),
        a_rate(service=3, valid_from=day(-20), valid_to=day(0)),
    ]
    assert asked(session, card, on_each_day(2, 3, 4, 5)) == [
        [],
        [(1, "", GAP)],
        [(1, "", GAP), (None, "", NO_RATE)],
        [],
    ]


def test_a_rate_within_another_ones_days_ends_nothing(session):
    card = [
        a_rate(valid_from=day(0), valid_to=day(7)),
        a_rate(service=2, valid_from=day(1), valid_to=day(2)),
        a_rate(service=3, valid_from=day(8)),
    ]
    assert asked(session, card, on_each_day(3, 7, 8)) == [[], [], []]


@pytest.mark.parametrize("status", ["draft", "cancelled"])
def test_nobody_is_asked_about_what_is_not_billed_or_not_theirs(session, status):
    orders = [an_order(status=status), an_order(("A", D(1)), day=date(2027, 1, 1))]
    cards.store(session, [], [an_order()], {}, customer_id=2)
    assert asked(session, [a_rate("per_weight_unit"), a_rate("per_case", service=2)], orders) == [[], []]


LACKING = [
    # The rate, what an order lacks for it, and an order that lacks nothing.
    (a_rate(), an_order(), NO_LINES, an_order(("A", D(1)))),
    (a_rate("per_sku"), an_order(), NO_LINES, an_order(("A", D(1)))),
    (a_rate("per_case"), an_order(), NO_LINES, an_order(("A", D(1)))),
    (a_rate("per_loose_unit"), an_order(), NO_LINES, an_order(("A", D(1)))),
    (a_rate("per_order", skus=["A"]), an_order(), NO_LINES, an_order(("B", D(1)))),
    (a_rate("per_weight_unit"), an_order(), NO_WEIGHT, an_order(weight=D(0))),
    (a_rate("per_package"), an_order(), NO_PACKAGES, an_order(packages=0)),
]


@pytest.mark.parametrize(("rate", "lacks", "kind", "has"), LACKING, ids=lambda value: str(value)[:40])
def test_what_an_order_lacks_for_a_service_is_asked(session, rate, lacks, kind, has):
    assert asked(session, [dict(rate)], [dict(lacks), dict(has)], {"A": D(1), "B": D(1)}) == [[(1, "", kind)], []]


@pytest.mark.parametrize("cost_type", ["per_order", "per_weight_unit", "per_package", "percent_of_services"])
def test_no_lines_are_missed_by_a_service_that_counts_none(session, cost_type):
    assert asked(session, [a_rate(cost_type)], [an_order(weight=D(1), packages=1)]) == [[]]


@pytest.mark.parametrize("cost_type", ["per_item", "per_sku", "per_order", "per_case", "per_loose_unit"])
def test_neither_weight_nor_packages_are_missed_by_a_service_that_counts_lines(session, cost_type):
    assert asked(session, [a_rate(cost_type)], [an_order(("A", D(1)))], {"A": D(1)}) == [[]]


@pytest.mark.parametrize(("cost_type", "kind"), [("per_weight_unit", NO_WEIGHT), ("per_package", NO_PACKAGES)])
def test_a_service_for_some_skus_misses_nothing_of_orders_without_them(session, cost_type, kind):
    orders = [an_order(("A", D(1))), an_order(("B", D(1)))]
    assert asked(session, [a_rate(cost_type, skus=["A"])], orders) == [[(1, "", kind)], []]


def test_a_service_misses_nothing_outside_its_days_and_conditions(session):
    condition = {"field": "country", "op": "eq", "value": "DE"}
    card = [
        a_rate("per_weight_unit", condition=condition, valid_from=day(1), valid_to=day(2)),
        a_rate("per_case", service=2, condition=condition, valid_from=day(1), valid_to=day(2)),
        a_rate("per_order", service=3),
    ]
    orders = [
        an_order(("A", D(1)), day=day(number), country=country)
        for number, country in ((0, "DE"), (1, "DE"), (2, "US"), (3, "DE"))
    ]
    assert asked(session, card, orders) == [[], [(1, "", NO_WEIGHT), (2, "A", UNKNOWN)], [], []]


@pytest.mark.parametrize("cost_type", ["per_case", "per_loose_unit"])
def test_each_sku_that_nobody_knows_is_asked_once_where_its_case_matters(session, cost_type):
    """A product of another customer is none of this one's."""
    cards.store(session, [], [], {"NEW": None}, customer_id=2)
    lines = [("KNOWN", D(1)), ("new", D(1)), (" NEW ", D(2)), ("other", D(1))]
    found = asked(session, [a_rate(cost_type)], [an_order(*lines), an_order(lines[0])], {"KNOWN": D(6)})
    assert found == [[(1, "NEW", UNKNOWN), (1, "OTHER", UNKNOWN)], []]


@pytest.mark.parametrize("cost_type", ["per_case", "per_loose_unit"])
def test_a_product_of_which_nobody_said_what_a_case_holds_is_asked_and_not_billed(session, cost_type):
    products = {"NONE": None, "NOUGHT": D(0), "ONE": D(1)}
    orders = [an_order((sku, D(10))) for sku in products]
    assert asked(session, [a_rate(cost_type)], orders, products) == [[(1, "NONE", UNKNOWN)], [], []]


def test_of_a_line_of_which_nothing_was_ordered_nobody_need_know_what_a_case_holds(session):
    assert asked(session, [a_rate("per_case")], [an_order(("NEW", D(0))), an_order(("NEW", D(1)))]) == [
        [],
        [(1, "NEW", UNKNOWN)],
    ]


def test_a_sku_that_the_rate_does_not_name_is_not_asked(session):
    order = an_order(("A", D(1)), ("B", D(1)))
    assert asked(session, [a_rate("per_case", skus=["A"])], [order]) == [[(1, "A", UNKNOWN)]]


def test_only_the_services_and_the_order_that_are_asked_about_are_told(session):
    card = [a_rate("per_weight_unit"), a_rate("per_package", service=2)]
    orders = [an_order(), an_order()]
    both = [(1, "", NO_WEIGHT), (2, "", NO_PACKAGES)]
    assert asked(session, [dict(rate) for rate in card], [dict(one) for one in orders], services=[2]) == [
        [both[1]],
        [both[1]],
    ]
    assert asked(session, card, orders, only=1, customer_id=2) == [[], both]
    assert asked(session, [], [an_order(), an_order()], only=0, customer_id=3) == [[(None, "", NO_RATE)], []]

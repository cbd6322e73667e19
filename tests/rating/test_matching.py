"""Which orders a condition takes, as the database sees it: signs that mean something in SQL mean only themselves."""

from decimal import Decimal

from billing_core.rating.meaning import evaluate
from tests.rating.examples import a_rate, amounts, an_order

D = Decimal


def taken(session, comparisons, orders) -> list[list[int]]:
    """For each (field, operator, value) the places of the orders that it takes."""
    card = [
        a_rate("per_order", service=place, condition={"field": field, "op": op, "value": value})
        for place, (field, op, value) in enumerate(comparisons)
    ]
    costs = amounts(session, card, orders)
    return [[index for index, cost in enumerate(costs) if place in cost] for place, _ in enumerate(comparisons)]


NOTES = ["50% off", "50 off", "500% off", "x_y", "xzy", "x-y_", "\\x", "_", "%", "100 %", "/x", ""]
OF_NOTES = [
    ("starts_with", "50%", ["50% off"]),
    ("starts_with", "%", ["%"]),
    ("starts_with", "x_", ["x_y"]),
    ("starts_with", "X_Y", ["x_y"]),
    ("starts_with", "_", ["_"]),
    ("starts_with", "\\", ["\\x"]),
    ("starts_with", "/", ["/x"]),
    ("starts_with", "5", ["50% off", "50 off", "500% off"]),
    ("starts_with", "off", []),
    ("ends_with", "%", ["%", "100 %"]),
    ("ends_with", "_", ["x-y_", "_"]),
    ("ends_with", "_y", ["x_y"]),
    ("ends_with", "0% off", ["50% off", "500% off"]),
    ("contains", "0%", ["50% off", "500% off"]),
    ("contains", "_", ["x_y", "x-y_", "_"]),
    ("contains", "\\", ["\\x"]),
    ("eq", "%", ["%"]),
    ("in", ["_", "x_y"], ["x_y", "_"]),
    ("not_contains", "%", ["50 off", "x_y", "xzy", "x-y_", "\\x", "_", "/x", ""]),
]


def test_a_text_is_compared_sign_by_sign(session):
    orders = [an_order(notes=notes) for notes in NOTES]

    found = taken(session, [("notes", op, value) for op, value, _ in OF_NOTES], orders)

    assert [
        (op, value, [NOTES[index] for index in places]) for (op, value, _), places in zip(OF_NOTES, found, strict=True)
    ] == OF_NOTES


SKUS = ["A%B", "AXB", "A_B", "%", "_", "B%", "AB"]
OF_SKUS = [
    ("starts_with", "a%", ["A%B"]),
    ("starts_with", "A_", ["A_B"]),
    ("starts_with", "%", ["%"]),
    ("starts_with", "_", ["_"]),
    ("starts_with", "A", ["A%B", "AXB", "A_B", "AB"]),
    ("ends_with", "%", ["%", "B%"]),
    ("ends_with", "_b", ["A_B"]),
    ("ends_with", "%B", ["A%B"]),
    # Whether one of the order's SKUs is this one.
    ("contains", "%", ["%"]),
    ("contains", "a_b", ["A_B"]),
    ("eq", "_", ["_"]),
    ("ne", "_", ["A%B", "AXB", "A_B", "%", "B%", "AB"]),
]


def test_a_sku_is_compared_sign_by_sign(session):
    orders = [an_order((sku, D(1))) for sku in SKUS]

    found = taken(session, [("skus", op, value) for op, value, _ in OF_SKUS], orders)

    assert [
        (op, value, [SKUS[index] for index in places]) for (op, value, _), places in zip(OF_SKUS, found, strict=True)
    ] == OF_SKUS


# Of an order without lines (0), one with a line of nothing (1), and one with two lines of a SKU, 2 and 3 units (2).
OF_LINES = [
    ("line_count", "eq", 0, [0]),
    ("line_count", "lt", 1, [0]),
    ("line_count", "ge", 1, [1, 2]),
    ("line_count", "eq", 2, [2]),
    ("sku_count", "eq", 0, [0]),
    ("sku_count", "eq", 1, [1, 2]),
    ("quantity", "eq", 0, [0, 1]),
    ("quantity", "le", 0, [0, 1]),
    ("quantity", "gt", 0, [2]),
    ("quantity", "eq", 5, [2]),
    ("skus", "contains", "A", [1, 2]),
    ("skus", "not_contains", "A", [0]),
    ("skus", "eq", "A", [1, 2]),
    ("skus", "ne", "A", [0]),
    ("skus", "starts_with", "A", [1, 2]),
]


def test_an_order_without_lines_has_none_and_no_sku_and_a_quantity_of_0(session):
    orders = [an_order(), an_order(("A", D(0))), an_order(("A", D(2)), ("A", D(3)))]

    found = taken(session, [(field, op, value) for field, op, value, _ in OF_LINES], orders)

    assert [(*asked, places) for (*asked, _), places in zip(OF_LINES, found, strict=True)] == OF_LINES


def test_a_text_is_compared_without_regard_to_case_and_accents(session):
    cities = ["KÖLN", "Köln", "koln", "Kölner Str.", "ΠΕΙΡΑΙΆΣ", "Łódź", "İzmir", "Straße 1", "", "Bonn"]
    orders = [an_order(city=city) for city in cities]
    expected = [
        ("eq", "Köln", [0, 1, 2]),
        ("ne", "KOLN", [3, 4, 5, 6, 7, 8, 9]),
        ("in", ["köln", "lodz"], [0, 1, 2, 5]),
        ("starts_with", "KÖL", [0, 1, 2, 3]),
        ("ends_with", "πειραιας", [4]),
        ("contains", "STRASSE", [7]),
        ("eq", "IZMIR", [6]),
        # A mark alone is not part of every text.
        ("contains", "\u0301", []),
    ]

    found = taken(session, [("city", op, value) for op, value, _ in expected], orders)

    assert found == [places for _, _, places in expected]
    for op, value, places in expected:
        condition = {"field": "ship_to_city", "op": op, "value": value}
        assert [at for at, city in enumerate(cities) if evaluate(condition, {"ship_to_city": city})] == places

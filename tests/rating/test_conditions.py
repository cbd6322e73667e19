"""What a condition may say, in which form it is kept, and how it reads."""

import json
from decimal import Decimal

import pytest
from babel.numbers import format_decimal

from billing_core.errors import Invalid
from billing_core.rating.conditions import parse, plain_number
from billing_core.rating.meaning import describe, evaluate, findings

PROMISED = (
    '{"all": [{"field": "weight", "op": "gt", "value": 20}, {"field": "ship_to_country", "op": "ne", "value": "US"}]}'
)


def a_leaf(field="weight", op="gt", value="20"):
    return {"field": field, "op": op, "value": value}


def test_the_promised_example_is_kept_with_numbers_as_text():
    assert parse(PROMISED) == {"all": [a_leaf(), a_leaf("ship_to_country", "ne", "US")]}


def test_what_was_kept_reads_as_itself():
    kept = parse({"one": [a_leaf(), {"none": [a_leaf("sku", "in", [" a1 ", "A1", "b"])]}]})
    assert parse(json.dumps(kept)) == kept
    assert kept == {"one": [a_leaf(), {"none": [a_leaf("skus", "in", ["A1", "B"])]}]}


@pytest.mark.parametrize("nothing", [None, "", "  ", {}, "null", "{}"])
def test_no_condition_is_none(nothing):
    assert parse(nothing) is None


def test_one_comparison_alone_is_a_group_of_one():
    assert parse(a_leaf()) == {"all": [a_leaf()]}


@pytest.mark.parametrize(
    ("alias", "field", "value"),
    [
        ("country", "ship_to_country", "DE"),
        ("state", "ship_to_state", "NY"),
        ("city", "ship_to_city", "Rome"),
        ("reference", "reference_number", "R1"),
        ("quantities", "quantity", "3"),
        ("total_quantity", "quantity", "3"),
        ("number_of_skus", "sku_count", "3"),
        ("SKU", "skus", "A"),
    ],
)
def test_fields_are_known_by_other_names_too(alias, field, value):
    assert parse({"all": [a_leaf(alias, "eq", value)]}) == {"all": [a_leaf(field, "eq", value)]}


@pytest.mark.parametrize("spelling", ["Germany", "de", "Deutschland", "DEU"])
def test_countries_are_kept_as_codes(spelling):
    assert parse(a_leaf("country", "eq", spelling)) == {"all": [a_leaf("ship_to_country", "eq", "DE")]}


@pytest.mark.parametrize(
    ("raw", "kept"), [("20.500", "20.5"), (2e1, "20"), (Decimal("1E+2"), "100"), (" -0.0 ", "0"), ("0.001", "0.001")]
)
def test_numbers_are_exact_and_written_one_way(raw, kept):
    assert parse(a_leaf(value=raw)) == {"all": [a_leaf(value=kept)]}


def test_blanks_around_a_text_do_not_count_however_wide():
    assert parse(a_leaf("city", "eq", "\u00a0\u3000Köln\u2003")) == {"all": [a_leaf("ship_to_city", "eq", "Köln")]}


def test_json_numbers_never_pass_through_a_float():
    text = '{"all": [{"field": "weight", "op": "eq", "value": 100000000000.003}]}'
    assert parse(text) == {"all": [a_leaf(op="eq", value="100000000000.003")]}


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ("[1]", "conditions"),
        ("nonsense", "conditions"),
        ('{"all": [NaN]}', "conditions"),
        ('{"each": []}', "conditions.each"),
        ('{"all": 1}', "conditions.all"),
        ({"all": [], "any": []}, "conditions"),
        ({"all": ["x"]}, "conditions.all[0]"),
        ({"all": [a_leaf(), a_leaf(value="much")]}, "conditions.all[1].value"),
        ({"any": [{"none": [a_leaf(field="colour")]}]}, "conditions.any[0].none[0].field"),
        (a_leaf(op="contains"), "conditions.op"),
        (a_leaf("notes", "gt", "a"), "conditions.op"),
        (a_leaf(value="1.0001"), "conditions.value"),
        (a_leaf(value="1e999999"), "conditions.value"),
        (a_leaf(value=True), "conditions.value"),
        (a_leaf("notes", "eq", " "), "conditions.value"),
        (a_leaf("notes", "eq", "a\x00b"), "conditions.value"),
        (a_leaf("notes", "eq", "x" * 201), "conditions.value"),
        (a_leaf("country", "eq", "Atlantis"), "conditions.value"),
        (a_leaf("skus", "in", []), "conditions.value"),
        (a_leaf("skus", "in", ["A", {}]), "conditions.value[1]"),
        ({"field": "weight", "op": "gt"}, "conditions.value"),
        ({**a_leaf(), "unit": "kg"}, "conditions.unit"),
        ({"all": [a_leaf()] * 101}, "conditions.all"),
        ({"all": [{"any": [a_leaf()] * 60}, {"any": [a_leaf()] * 60}]}, "conditions"),
        ('{"all": [' * 7 + "]}" * 7, "conditions.all[0].all[0].all[0].all[0].all[0].all[0]"),
        ('{"all": [' * 100_000, "conditions"),
        ("[" * 5_000, "conditions"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(raw, place):
    with pytest.raises(Invalid) as refused:
        parse(raw)
    assert list(refused.value.fields) == [place]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (None, "always"),
        ({"all": []}, "always"),
        ({"any": []}, "never"),
        (json.loads(PROMISED), "weight is above 20 and country is not US"),
        (
            {"any": [a_leaf(), {"all": [a_leaf("carrier", "in", ["UPS", "DHL"]), a_leaf("skus", "contains", "a1")]}]},
            "weight is above 20 or (carrier is one of UPS, DHL and SKUs include A1)",
        ),
        ({"none": [a_leaf(), a_leaf("packages", "eq", 1)]}, "none of (weight is above 20, packages are 1)"),
        ({"all": [{"one": [a_leaf("notes", "contains", "rush")]}]}, "exactly one of (notes contain rush)"),
    ],
)
def test_a_condition_reads_as_words(raw, words):
    assert describe(parse(raw)) == words


@pytest.mark.parametrize(
    ("op", "value", "words"),
    [
        ("gt", "1250.5", "weight is above 1.250,5"),
        ("in", ["1.5", "20"], "weight is one of 1,5; 20"),
        ("in", ["1", "20"], "weight is one of 1, 20"),
    ],
)
def test_a_condition_has_its_numbers_as_the_reader_writes_them(op, value, words):
    def german(number):
        return format_decimal(number, locale="de", decimal_quantization=False)

    condition = parse(a_leaf("weight", op, value))
    assert describe(condition, number=german) == words
    (_, found) = findings(condition, {"weight": Decimal("12.500")}, number=german)
    assert (found.words, found.actual) == (words, "12,5")


def test_a_text_that_looks_like_a_number_stays_as_it_is():
    assert describe(parse(a_leaf("ship_to_postal_code", "eq", "01067.5")), number=str.upper) == "postal code is 01067.5"


def test_findings_tell_what_the_order_has():
    facts = {"weight": Decimal("12.500"), "ship_to_country": ""}
    found = [(part.depth, part.words, part.held, part.actual) for part in findings(parse(PROMISED), facts)]
    assert found == [
        (0, "all of", False, ""),
        (1, "weight is above 20", False, "12.5"),
        (1, "country is not US", True, "not known"),
    ]


@pytest.mark.parametrize(("word", "held"), [("all", True), ("any", False), ("none", True), ("one", False)])
def test_groups_of_nothing(word, held):
    assert evaluate({word: []}, {}) is held


@pytest.mark.parametrize("number", ["999999999999.999", "-999999999999.999", "0"])
def test_a_number_is_below_a_trillion_either_way(number):
    assert parse(a_leaf(value=number)) == {"all": [a_leaf(value=number)]}


@pytest.mark.parametrize("number", ["1000000000000", "-1000000000000", "Infinity", "NaN"])
def test_no_other_number_is_compared(number):
    with pytest.raises(Invalid, match="is not a number that can be compared"):
        parse(a_leaf(value=number))


def nested(levels):
    condition = a_leaf()
    for _ in range(levels):
        condition = {"any": [condition]}
    return condition


def test_as_much_as_there_may_be_and_no_more():
    """Six levels, a hundred comparisons in one group or in several, 500 values, and texts of 200 characters."""
    hundred = {"all": [a_leaf()] * 100}
    halves = {"all": [{"any": [a_leaf()] * 50}, {"any": [a_leaf()] * 50}]}
    values = a_leaf("skus", "in", [f"A{number}" for number in range(500)])
    text = a_leaf("notes", "eq", "x" * 200)
    for most in (nested(5), hundred, halves, {"all": [values]}, {"all": [text]}, {"all": []}):
        assert parse(most) == most

    too_much = {
        "conditions.any[0].any[0].any[0].any[0].any[0].any[0]": nested(6),
        "conditions.all": {"all": [a_leaf()] * 101},
        "conditions": {"all": [{"any": [a_leaf()] * 50}, {"any": [a_leaf()] * 51}]},
        "conditions.value": a_leaf("skus", "in", ["A"] * 501),
    }
    for place, condition in too_much.items():
        with pytest.raises(Invalid) as refused:
            parse(condition)
        assert list(refused.value.fields) == [place]


def test_a_text_of_conditions_may_have_200_000_characters():
    text = json.dumps(a_leaf())
    assert parse(text + " " * (200_000 - len(text))) == {"all": [a_leaf()]}
    with pytest.raises(Invalid, match="too long"):
        parse(text + " " * (200_001 - len(text)))


def test_what_is_quoted_of_a_wrong_word_is_short():
    for length, quoted in ((60, "y" * 60), (61, "y" * 59 + "…")):
        with pytest.raises(Invalid, match=f"“{quoted}” is not a number$"):
            parse(a_leaf(value="y" * length))


HOLDS = {
    # The values that hold, and those that do not, for an order of 12.5 kg in New York with the SKUs AB-1 and CD-2.
    ("weight", "eq"): (["12.5", "12.500"], ["12.4", "13"]),
    ("weight", "ne"): (["12.4"], ["12.5"]),
    ("weight", "lt"): (["12.501", "13"], ["12.5", "12"]),
    ("weight", "le"): (["12.5", "13"], ["12.499"]),
    ("weight", "gt"): (["12.499"], ["12.5", "13"]),
    ("weight", "ge"): (["12.499", "12.5"], ["12.501"]),
    ("weight", "in"): ([["1", "12.5"]], [["1", "12"]]),
    ("weight", "not_in"): ([["1", "12"]], [["1", "12.5"]]),
    ("city", "eq"): (["new york", " NEW YORK "], ["york", "new yorks"]),
    ("city", "ne"): (["york"], ["New York"]),
    ("city", "in"): ([["Rome", "NEW york"]], [["Rome", "New"]]),
    ("city", "not_in"): ([["Rome", "New"]], [["new york"]]),
    ("city", "contains"): (["W Y", "new york"], ["newyork"]),
    ("city", "not_contains"): (["newyork"], ["w y"]),
    ("city", "starts_with"): (["NEW", "new york"], ["york", "ew"]),
    ("city", "ends_with"): (["YORK", "new york"], ["new", "yor"]),
    ("skus", "eq"): ([], ["AB-1", "CD-2"]),
    ("skus", "ne"): (["AB-1"], []),
    ("skus", "in"): ([["x", "cd-2"]], [["x", "ab"]]),
    ("skus", "not_in"): ([["x", "ab"]], [["ab-1"]]),
    ("skus", "contains"): (["ab-1", "CD-2"], ["ab", "-"]),
    ("skus", "not_contains"): (["ab"], ["ab-1"]),
    ("skus", "starts_with"): (["ab", "C"], ["b", "-1"]),
    ("skus", "ends_with"): (["1", "d-2"], ["d", "ab"]),
}


@pytest.mark.parametrize(("field", "op"), HOLDS)
def test_each_operator_holds_for_what_it_says_and_for_nothing_else(field, op):
    facts = {"weight": Decimal("12.500"), "ship_to_city": " New York\t", "skus": {"AB-1", "CD-2"}}
    for held, values in zip((True, False), HOLDS[field, op], strict=True):
        for value in values:
            assert evaluate(parse(a_leaf(field, op, value)), facts) is held, value


def test_exactly_means_the_only_sku():
    one = {"skus": {"AB-1"}}
    assert evaluate(parse(a_leaf("skus", "eq", "ab-1")), one)
    assert not evaluate(parse(a_leaf("skus", "eq", "ab-1")), {"skus": set()})
    assert not evaluate(parse(a_leaf("skus", "eq", "ab-2")), one)


@pytest.mark.parametrize(("op", "held"), [("eq", False), ("lt", False), ("ge", False), ("ne", True), ("not_in", True)])
def test_what_the_order_does_not_have_is_never_compared(op, held):
    assert evaluate(parse(a_leaf(op=op, value=["1"] if op == "not_in" else "1")), {"weight": None}) is held


@pytest.mark.parametrize(
    ("number", "text"), [("0", "0"), ("-0.00", "0"), ("20.500", "20.5"), ("2E+1", "20"), ("100", "100")]
)
def test_each_number_is_written_one_way(number, text):
    assert plain_number(Decimal(number)) == text


@pytest.mark.parametrize(
    ("field", "fact", "told"),
    [
        ("weight", None, "not known"),
        ("weight", Decimal("2.50"), "2.5"),
        ("packages", 3, "3"),
        ("packages", 0, "0"),
        ("city", "", "not known"),
        ("city", "Rome", "Rome"),
        ("skus", {"B", "A"}, "A, B"),
        ("skus", set(), "no lines"),
    ],
)
def test_a_finding_says_what_the_order_has(field, fact, told):
    condition = parse(a_leaf(field, "eq", "1"))
    (leaf,) = condition["all"]
    _, found = findings(condition, {leaf["field"]: fact})
    assert (found.depth, found.actual, found.held) == (1, told, False)

"""What a condition may say, in which form it is kept, and how it reads."""

import json
from decimal import Decimal

import pytest

from billing_core.errors import Invalid
from billing_core.rating.conditions import parse
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

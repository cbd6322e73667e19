"""Which tiers a rate may have, and in which form they are kept."""

import pytest

from billing_core.errors import Invalid
from billing_core.rating.models import TierMode
from billing_core.rating.tiers import Tiers, parse

KEPT = [{"up_to": "10", "unit_price": "0.5"}, {"up_to": None, "unit_price": "0.123456"}]


def test_a_list_is_graduated_unless_told_otherwise():
    text = '[{"up_to": 10.0, "unit_price": 0.50}, {"up_to": null, "unit_price": "0.123456"}]'
    assert parse(text) == Tiers(TierMode.GRADUATED, KEPT)
    assert parse(text, mode=TierMode.VOLUME) == Tiers(TierMode.VOLUME, KEPT)


def test_the_mode_may_be_named_with_the_tiers():
    assert parse({"mode": "volume", "tiers": KEPT}) == Tiers(TierMode.VOLUME, KEPT)


@pytest.mark.parametrize("nothing", [None, "", " ", "[]", [], {}, {"mode": "volume", "tiers": []}])
def test_no_tiers_are_none(nothing):
    assert parse(nothing) is None


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ("{", "tiers"),
        ("3", "tiers"),
        ({"mode": "stairs", "tiers": KEPT}, "tiers.mode"),
        ({"rows": KEPT}, "tiers.rows"),
        ([1], "tiers[0]"),
        ([{"up_to": None}], "tiers[0].unit_price"),
        ([{"up_to": None, "unit_price": -1}], "tiers[0].unit_price"),
        ([{"up_to": None, "unit_price": "0.1234567"}], "tiers[0].unit_price"),
        ([{"up_to": None, "unit_price": "NaN"}], "tiers[0].unit_price"),
        ([{"up_to": None, "unit_price": "1e13"}], "tiers[0].unit_price"),
        ([{"up_to": None, "unit_price": True}], "tiers[0].unit_price"),
        ([{"up_to": None, "unit_price": "much"}], "tiers[0].unit_price"),
        ([{"up_to": None, "unit_price": [1]}], "tiers[0].unit_price"),
        ([{"up_to": {}, "unit_price": 1}, KEPT[1]], "tiers[0].up_to"),
        ([{"up_to": "0.0001", "unit_price": 1}, KEPT[1]], "tiers[0].up_to"),
        ([{"up_to": 0, "unit_price": 1}, KEPT[1]], "tiers[0].up_to"),
        ([KEPT[0], KEPT[0], KEPT[1]], "tiers[1].up_to"),
        ([KEPT[1], KEPT[1]], "tiers[0].up_to"),
        ([KEPT[0]], "tiers[0].up_to"),
        ([{"up_to": None, "unit_price": 1, "price": 2}], "tiers[0].price"),
        ([KEPT[0]] * 51, "tiers"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(raw, place):
    with pytest.raises(Invalid) as refused:
        parse(raw)
    assert list(refused.value.fields) == [place]


@pytest.mark.parametrize(
    ("up_to", "price", "place"),
    [
        ("0.001", "0", None),
        ("1000000000000000", "9000000000000", None),
        ("0", "0", "tiers[0].up_to"),
        ("-0.001", "0", "tiers[0].up_to"),
        ("0.0005", "0", "tiers[0].up_to"),
        ("1000000000000000.001", "0", "tiers[0].up_to"),
        ("1", "-0.000001", "tiers[0].unit_price"),
        ("1", "0.0000005", "tiers[0].unit_price"),
        ("1", "9000000000000.000001", "tiers[0].unit_price"),
    ],
)
def test_a_tier_may_end_at_the_largest_amount_and_cost_the_largest_price(up_to, price, place):
    rows = [{"up_to": up_to, "unit_price": price}, {"up_to": None, "unit_price": "0"}]
    if place is None:
        assert parse(rows).rows == rows
    else:
        with pytest.raises(Invalid) as refused:
            parse(rows)
        assert list(refused.value.fields) == [place]


def test_there_may_be_fifty_tiers_each_ending_after_the_one_before():
    rows = [{"up_to": str(end), "unit_price": "1"} for end in range(1, 50)] + [{"up_to": None, "unit_price": "1"}]
    assert parse(rows).rows == rows
    assert parse([rows[0], {"up_to": "1.001", "unit_price": "1"}, rows[-1]]).rows[1]["up_to"] == "1.001"
    with pytest.raises(Invalid, match="more than 50 tiers"):
        parse([rows[0], *rows])
    with pytest.raises(Invalid, match=r"Tier 2, up to: must be greater than the tier before"):
        parse([rows[0], {"up_to": "0.999", "unit_price": "1"}, rows[-1]])


def test_a_text_of_tiers_may_have_20_000_characters():
    text = '[{"up_to": null, "unit_price": 1}]'
    assert parse(text + " " * (20_000 - len(text))).rows == [{"up_to": None, "unit_price": "1"}]
    with pytest.raises(Invalid, match="too long"):
        parse(text + " " * (20_001 - len(text)))


def test_a_tier_is_counted_as_people_count():
    with pytest.raises(Invalid, match=r"^Tier 2, unit price: is missing$"):
        parse([KEPT[0], {"up_to": None}])


@pytest.mark.parametrize("unlike_a_number", [True, False, [1], {"a": 1}, (1, 2)])
def test_what_is_no_number_and_no_text_is_said_to_be_none(unlike_a_number):
    with pytest.raises(Invalid, match=r"^Tier 1, unit price: must be a number$"):
        parse([{"up_to": None, "unit_price": unlike_a_number}])


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("{", "Tiers: not valid JSON"),
        ([1], "Tier 1: must have up_to and unit_price"),
        ([KEPT[0], 1], "Tier 2: must have up_to and unit_price"),
        ({"mode": "stairs", "tiers": KEPT}, "tiers.mode: must be graduated or volume"),
    ],
)
def test_a_refusal_begins_with_what_it_is_about(raw, words):
    with pytest.raises(Invalid) as refused:
        parse(raw)
    assert str(refused.value) == words

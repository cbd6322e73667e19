"""What may be set for a rate: each limit just below, at and above it."""

from decimal import Decimal

import pytest

from billing_core.errors import Invalid
from billing_core.rating.models import TierMode
from billing_core.rating.pricing import MAX_SKUS, Pricing, columns

D = Decimal


@pytest.mark.parametrize("price", ["0", "0.000001", "0.0000010", "1", "999999999.999999", "9000000000000"])
def test_a_price_has_at_most_six_decimals(price):
    assert columns(Pricing(D(price)), "USD") == {
        "unit_price": D(price),
        "currency": "USD",
        "minimum_minor": None,
        "maximum_minor": None,
        "skus": None,
        "tier_mode": None,
        "tiers": None,
        "conditions": None,
    }


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ("-0.000001", "must be from 0 to 9,000,000,000,000"),
        ("9000000000000.000001", "must be from 0 to 9,000,000,000,000"),
        ("Infinity", "must be from 0 to 9,000,000,000,000"),
        ("NaN", "must be from 0 to 9,000,000,000,000"),
        ("0.0000001", "has more than 6 decimals"),
        ("1.0000005", "has more than 6 decimals"),
    ],
)
def test_a_price_beyond_that_is_refused(price, reason):
    assert refusal(Pricing(D(price))) == {"unit_price": reason}


@pytest.mark.parametrize(
    ("currency", "largest"),
    # What one of them may cost is an amount, too: 10^15 thousandths of a dinar.
    [("JPY", "9,000,000,000,000"), ("VND", "9,000,000,000,000"), ("KWD", "1,000,000,000,000")],
)
def test_the_largest_price_of_a_currency(currency, largest):
    price = D(largest.replace(",", ""))
    assert columns(Pricing(price), currency)["unit_price"] == price
    reason = f"must be from 0 to {largest}"
    assert refusal(Pricing(price + D("0.000001")), currency) == {"unit_price": reason}


# Cents, yen, and thousandths of a dinar.
@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [
        ("USD", "0", 0),
        ("USD", "0.01", 1),
        ("USD", "12.5", 1250),
        ("USD", "10000000000000", 10**15),
        ("JPY", "1", 1),
        ("JPY", "1250", 1250),
        ("JPY", "1000000000000000", 10**15),
        ("KWD", "0.001", 1),
        ("KWD", "1.25", 1250),
        ("KWD", "1000000000000", 10**15),
    ],
)
def test_bounds_are_kept_in_the_currencys_minor_units(currency, amount, minor):
    kept = columns(Pricing(D(1), minimum=D(amount), maximum=D(amount)), currency)

    assert (kept["minimum_minor"], kept["maximum_minor"]) == (minor, minor)


@pytest.mark.parametrize("bound", ["minimum", "maximum"])
@pytest.mark.parametrize(
    ("currency", "amount", "reason"),
    [
        ("USD", "0.001", "has more decimals than USD has (2)"),
        ("USD", "0.005", "has more decimals than USD has (2)"),
        ("JPY", "0.5", "has more decimals than JPY has (0)"),
        ("KWD", "0.0005", "has more decimals than KWD has (3)"),
        ("USD", "-0.01", "must be from 0 to 10,000,000,000,000"),
        ("USD", "10000000000000.01", "must be from 0 to 10,000,000,000,000"),
        ("JPY", "1000000000000001", "must be from 0 to 1,000,000,000,000,000"),
        ("KWD", "1000000000000.001", "must be from 0 to 1,000,000,000,000"),
        ("USD", "NaN", "must be from 0 to 10,000,000,000,000"),
    ],
)
def test_other_bounds_are_refused(bound, currency, amount, reason):
    assert refusal(Pricing(D(1), **{bound: D(amount)}), currency) == {bound: reason}


def test_the_maximum_may_equal_the_minimum_and_not_be_below_it():
    both = columns(Pricing(D(1), minimum=D("0.02"), maximum=D("0.03")), "USD")
    assert (both["minimum_minor"], both["maximum_minor"]) == (2, 3)
    assert columns(Pricing(D(1), minimum=D(0), maximum=D(0)), "USD")["maximum_minor"] == 0
    for minimum, maximum in (("0.02", "0.01"), ("0.01", "0")):
        assert refusal(Pricing(D(1), minimum=D(minimum), maximum=D(maximum))) == {"maximum": "is below the minimum"}


def test_as_many_skus_as_there_may_be_and_as_long_as_they_may_be():
    """Compared as orders compare them: once each, without blanks around them, in upper case."""
    many = [f"s{number}" for number in range(MAX_SKUS)]
    assert len(columns(Pricing(D(1), skus=[*many, " S0 ", ""]), "USD")["skus"]) == MAX_SKUS
    assert columns(Pricing(D(1), skus=[" b", "A", "a", "x" * 100]), "USD")["skus"] == ["A", "B", "X" * 100]
    assert columns(Pricing(D(1), skus=["", " "]), "USD")["skus"] is None
    assert refusal(Pricing(D(1), skus=[*many, "one more"])) == {"skus": "names more than 1,000 SKUs"}
    assert refusal(Pricing(D(1), skus=["x" * 101])) == {"skus": f"“{'X' * 40}…” is longer than 100 characters"}
    assert "contains the control character" in refusal(Pricing(D(1), skus=["a\x00b"]))["skus"]


def test_tiers_bring_their_own_mode():
    rows = [{"up_to": 5, "unit_price": "0.1"}, {"unit_price": "0.05"}]
    listed = columns(Pricing(D(1), tiers=rows, tier_mode=TierMode.VOLUME), "USD")
    named = columns(Pricing(D(1), tiers={"mode": "graduated", "tiers": rows}, tier_mode=TierMode.VOLUME), "USD")

    assert (listed["tier_mode"], named["tier_mode"]) == (TierMode.VOLUME, TierMode.GRADUATED)
    assert listed["tiers"] == named["tiers"]
    assert columns(Pricing(D(1), tiers=[], tier_mode=TierMode.VOLUME), "USD")["tier_mode"] is None


def refusal(pricing, currency="USD"):
    with pytest.raises(Invalid) as refused:
        columns(pricing, currency)
    return refused.value.fields

"""A charge in words."""

from decimal import Decimal

import pytest

from billing_core.rating.models import CostType, TierMode
from billing_core.reports.explanation import explain

TIERS = [
    {"up_to": "10", "unit_price": "0.5"},
    {"up_to": "100", "unit_price": "0.4"},
    {"up_to": None, "unit_price": "0.125"},
]


def words(cost_type, quantity, price, amount, *, currency="USD", **facts):
    facts = {"bound": None, "matched": None, "tier": None, "tier_mode": None, "tiers": None, **facts}
    return explain(
        cost_type=cost_type,
        quantity=Decimal(quantity),
        unit_price=Decimal(price),
        currency=currency,
        amount_minor=amount,
        **facts,
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words(CostType.PER_CASE, "3.000", "2.500000", 750), "3 cases × 2.50 = 7.50"),
        (
            words(CostType.PER_CASE, "3", "2.5", 1000, bound="minimum"),
            "3 cases × 2.50 = 7.50; minimum 10.00 applied",
        ),
        (words(CostType.PER_ORDER, "1", "1250", 125000), "1 order × 1,250.00 = 1,250.00"),
        (words(CostType.PER_ITEM, "3", "0.333", 100), "3 items × 0.333 = 0.999, rounded 1.00"),
        (words(CostType.PER_WEIGHT_UNIT, "1.250", "0.8", 100), "1.25 weight units × 0.80 = 1.00"),
        (words(CostType.PER_ITEM, "3", "0.5", 2, currency="JPY"), "3 items × 0.5 = 1.5, rounded 2"),
        (words(CostType.PERCENT_OF_SERVICES, "25", "10", 250), "10 % of 25.00 = 2.50"),
        (
            words(CostType.PER_ITEM, "120", "0.125", 4350, tier=3, tier_mode=TierMode.GRADUATED, tiers=TIERS),
            "10 items × 0.50 + 90 items × 0.40 + 20 items × 0.125 = 43.50",
        ),
        (
            words(CostType.PER_ITEM, "10", "0.5", 500, tier=1, tier_mode=TierMode.GRADUATED, tiers=TIERS),
            "10 items × 0.50 = 5.00",
        ),
        (
            words(CostType.PER_ITEM, "50", "0.4", 2000, tier=2, tier_mode=TierMode.VOLUME, tiers=TIERS),
            "50 items × 0.40 = 20.00; price of tier 2",
        ),
        (
            words(CostType.PER_PACKAGE, "2", "9", 1500, bound="maximum", matched="country is US"),
            "2 packages × 9.00 = 18.00; maximum 15.00 applied; because country is US",
        ),
    ],
)
def test_charges_explain_themselves(said, expected):
    assert said == expected

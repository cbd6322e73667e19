"""What a customer may agree to: a whole period of it can be billed."""

from decimal import Decimal

import pytest

from billing_core.errors import Invalid
from billing_core.plans.models import BillingTiming, PlanInterval, TrialEnd
from billing_core.plans.offers import Offer, OfferedAddOn
from billing_core.plans.terms import Phase
from billing_core.subscriptions.pricing import Terms, check


def an_offer(price, seat, phases=()):
    """In dong; its add-on costs 10^12."""
    return Offer(
        *(1, "team", "Team", 1, "VND", price, seat, 0, BillingTiming.ADVANCE, PlanInterval.MONTH, 1),
        trial_end=TrialEnd.CANCEL,
        ends_after=None,
        has_usage=False,
        add_ons=(OfferedAddOn("rack", "Rack", 10**12),),
        phases=phases,
    )


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (Terms(an_offer(0, 10**12), seats=1_000), None),
        (Terms(an_offer(1, 10**12), seats=1_000), "seats"),
        (Terms(an_offer(10**12, None), add_ons={"rack": 999}), None),
        (Terms(an_offer(10**12, None), add_ons={"rack": 1_000}), "add_ons"),
        # Ten times as much in its second phase, or already in its first.
        (Terms(an_offer(10**14, None, (Phase(1, Decimal(100)), Phase(1, Decimal(1_000))))), None),
        (Terms(an_offer(2 * 10**14, None, (Phase(1, Decimal(100)), Phase(1, Decimal(1_000))))), "plan_code"),
        (Terms(an_offer(2 * 10**14, None, (Phase(1, Decimal(1_000)),))), "plan_code"),
    ],
)
def test_a_period_costs_at_most_the_largest_amount(terms, field):
    if field is None:
        check(terms)
        return
    with pytest.raises(Invalid) as refused:
        check(terms)
    assert refused.value.fields == {field: "would make a period cost more than 1,000,000,000,000,000 VND"}

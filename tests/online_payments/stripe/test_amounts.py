"""Stripe's units beside ours, after Stripe's page on currencies and ISO 4217."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_core.errors import Invalid
from billing_core.online_payments.stripe.amounts import for_stripe, from_stripe

# 5 ISK are 500 at Stripe, 5 JPY are 5, 5.000 KWD are 5000, and 5.00 MGA are 5.
SAME = [("USD", 1_099, 1_099), ("EUR", 1, 1), ("JPY", 5, 5), ("KRW", 500, 500), ("KWD", 5_120, 5_120)]
OTHER = [("ISK", 5, 500), ("UGX", 5, 500), ("MGA", 500, 5)]


@pytest.mark.parametrize(("currency", "ours", "theirs"), [*SAME, *OTHER])
def test_the_same_money_both_ways(currency, ours, theirs):
    assert for_stripe(ours, currency) == theirs
    assert from_stripe(theirs, currency.lower()) == ours


@pytest.mark.parametrize(("currency", "minor"), [("KWD", 5_124), ("BHD", 1), ("MGA", 501)])
def test_parts_that_stripe_does_not_take_are_refused(currency, minor):
    with pytest.raises(Invalid, match="cannot be paid through Stripe"):
        for_stripe(minor, currency)


@given(st.sampled_from(["USD", "JPY", "ISK", "UGX", "XOF", "CLP"]), st.integers(-(10**12), 10**12))
@settings(max_examples=60)
def test_nothing_is_lost_on_the_way_there_and_back(currency, minor):
    assert from_stripe(for_stripe(minor, currency), currency) == minor

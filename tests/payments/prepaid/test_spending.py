"""Which credit is used first, by hand and in any case."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.payments.prepaid.models import Origin
from billing_core.payments.prepaid.spending import Available, spread

SOON, LATER = date(2026, 4, 1), date(2026, 5, 1)
GIVEN, BOUGHT = Origin.GIVEN, Origin.BOUGHT

GRANTS = st.lists(
    st.builds(
        Available,
        st.integers(1, 10**6),
        st.integers(0, 500),
        st.none() | st.sampled_from([SOON, LATER]),
        st.sampled_from(Origin),
    ),
    unique_by=lambda grant: grant.grant_id,
    max_size=6,
)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Available(2, 10, SOON, BOUGHT), Available(1, 10, LATER, GIVEN)),
        (Available(2, 10, LATER, BOUGHT), Available(1, 10, None, GIVEN)),
        (Available(2, 10, SOON, GIVEN), Available(1, 10, SOON, BOUGHT)),
        (Available(2, 10, None, GIVEN), Available(1, 10, None, BOUGHT)),
        (Available(1, 10, SOON, GIVEN), Available(2, 10, SOON, GIVEN)),
        (Available(1, 10, None, BOUGHT), Available(2, 10, None, BOUGHT)),
    ],
)
def test_what_expires_sooner_comes_first_then_what_was_given_then_the_older(first, second):
    for grants in ([first, second], [second, first]):
        assert spread(10, grants) == [(first.grant_id, 10)]
        assert spread(11, grants) == [(first.grant_id, 10), (second.grant_id, 1)]
        assert spread(21, grants) == [(first.grant_id, 10), (second.grant_id, 10)]


def test_nothing_is_taken_for_nothing_or_from_what_is_empty():
    assert spread(0, [Available(1, 10, None, GIVEN)]) == []
    assert spread(5, [Available(1, 0, SOON, GIVEN), Available(2, 5, None, GIVEN)]) == [(2, 5)]
    assert spread(5, []) == []


@given(GRANTS, st.integers(0, 2_000))
def test_unit_by_unit_each_comes_from_the_first_that_has_any(grants, amount):
    """The same, told one minor unit after the other."""
    left = {grant.grant_id: grant.remaining_minor for grant in grants}
    taken = dict.fromkeys(left, 0)
    for _ in range(amount):
        having = [grant for grant in grants if left[grant.grant_id]]
        if not having:
            break
        soonest = min(grant.expires_on or date.max for grant in having)
        having = [grant for grant in having if (grant.expires_on or date.max) == soonest]
        having = [grant for grant in having if grant.origin is GIVEN] or having
        grant_id = min(grant.grant_id for grant in having)
        left[grant_id] -= 1
        taken[grant_id] += 1
    assert dict(spread(amount, grants)) == {grant_id: minor for grant_id, minor in taken.items() if minor}

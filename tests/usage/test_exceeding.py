"""Those who exceed their allowance, or will, are the same as in the list of all, and only they are computed."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.metering import meters
from billing_core.metering.models import Meter, MeterBucket, UsageDay, ZoneKind
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import exceeding, overview
from billing_core.usage.overview import Allowance, OverviewFilter
from tests.arrivals import arriving
from tests.invoices.company import a_customer
from tests.plans.agreed import NOW, terms

APRIL = Period(date(2026, 4, 1), date(2026, 4, 30))
# By their codes: how many calls plans include, outside of all buckets and in the one for the EU.
PLANS = {"none": (0, 0), "few": (9, 0), "some": (30, 12), "eu": (0, 25), "many": (75, 40)}


@pytest.fixture
def company(session) -> list[int]:
    """Eight organizations, on no plan so far."""
    meters.create(session, SYSTEM, code="other", name="Other", aggregation="count", unit="one", now=NOW)
    meters.add_bucket(session, SYSTEM, "api_calls", code="eu", name="EU", filters={"region": ["eu"]}, now=NOW)
    for code, (included, in_eu) in PLANS.items():
        price = Price("USD", Scheme.PER_UNIT, (Tier(None, Decimal(1)),), included=Decimal(in_eu))
        charged = {Metered("api_calls", "eu"): price}
        plans.create(session, SYSTEM, code=code, name=code, agreed=terms(included), charged=charged, now=NOW)
    return [a_customer(session, f"C{number}", name=f"{number}") for number in range(8)]


def used(session, customer_id, calls, *, meter="api_calls"):
    """``calls`` by day and whether they are in the bucket."""
    meter_id = session.scalar(select(Meter.id).where(Meter.code == meter))
    eu = session.scalar(select(MeterBucket.id))
    facts = {"customer_id": customer_id, "zone_kind": ZoneKind.BILLING, "meter_id": meter_id, "user": ""}
    sums = {"whole": 0, "millionths": 0, "response_time": Decimal(0), "timed_calls": 0}
    rows = [
        {**facts, **sums, "day": day, "bucket_id": eu if in_eu else 0, "calls": number}
        for (day, in_eu), number in calls.items()
        if number
    ]
    if rows:
        session.execute(insert(UsageDay), rows)


# Calls begin so many days before today, and are so many on each weekday in turn, outside of the bucket and in it.
weekdays = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=7)
organizations = st.tuples(
    st.sampled_from(sorted(PLANS)),
    st.none() | st.tuples(st.sampled_from(sorted(PLANS)), st.integers(1, 30)),
    st.sampled_from([0, 1, 3, 10, 27, 28, 29, 60]),
    st.sampled_from([0, 0, 1, 20]),
    weekdays,
)


@pytest.mark.slow
@pytest.mark.later
def test_those_who_exceed_are_those_of_the_list(session, company):
    with arriving([*Allowance, "neither"]) as arrived:

        @settings(max_examples=25)
        @given(st.lists(organizations, min_size=8, max_size=8), st.sampled_from([1, 2, 8, 19, 29, 30]))
        def any_company(given_organizations, day):
            today = date(2026, 4, day)
            with session.begin_nested() as taken_back:
                for customer_id, (plan, other, begun, ended, pattern) in zip(company, given_organizations, strict=True):
                    plans.put_on(session, SYSTEM, customer_id, plan, valid_from=date(2026, 1, 1), now=NOW)
                    if other:
                        since = date(2026, 4, other[1])
                        plans.put_on(session, SYSTEM, customer_id, other[0], valid_from=since, now=NOW)
                    days = [today - timedelta(days=back) for back in range(ended, begun + 1)]
                    calls = {
                        (one, in_eu): pattern[place % len(pattern)][in_eu]
                        for place, one in enumerate(days)
                        for in_eu in (0, 1)
                    }
                    used(session, customer_id, calls)
                    # What is used of another meter says nothing of how long calls are known.
                    used(session, customer_id, {(date(2026, 2, 1), 0): 5}, meter="other")
                shown = OverviewFilter(APRIL.start)
                everybody = overview.page(session, SYSTEM, shown, today=today)
                for allowance in Allowance:
                    found = exceeding.page(session, SYSTEM, shown, allowance, today=today)
                    assert found.months == [month for month in everybody if month.exceeds is allowance]
                    assert found.following is None
                for month in everybody:
                    arrived(month.exceeds or "neither")
                taken_back.rollback()
            session.expire_all()

        any_company()


@pytest.mark.parametrize(
    ("calls_a_day", "matching", "allowance"),
    [
        # Of 75 included calls by the 20th: 80; 60, which will be 90; and 40, which will be 60.
        ((4, 0), 1, Allowance.EXCEEDED),
        ((3, 0), 0, Allowance.EXCEEDED),
        ((3, 0), 1, Allowance.WILL_EXCEED),
        ((2, 0), 0, Allowance.WILL_EXCEED),
        # Of 40 in the bucket: 60; 40, which will be 60; and 20, which will be 30.
        ((0, 3), 1, Allowance.EXCEEDED),
        ((0, 2), 0, Allowance.EXCEEDED),
        ((0, 2), 1, Allowance.WILL_EXCEED),
        ((0, 1), 0, Allowance.WILL_EXCEED),
    ],
)
def test_who_is_near_but_does_not_match_is_not_computed(
    session, company, monkeypatch, calls_a_day, matching, allowance
):
    today = date(2026, 4, 20)
    days = Period(date(2026, 3, 1), today).each_day()
    for customer_id in company:
        plans.put_on(session, SYSTEM, customer_id, "many", valid_from=date(2026, 1, 1), now=NOW)
    used(session, company[0], {(day, in_eu): calls_a_day[in_eu] for day in days for in_eu in (0, 1)})
    computed = []
    months = overview.months

    def watched(session, organizations, *args, **options):
        computed.extend(organizations)
        return months(session, organizations, *args, **options)

    monkeypatch.setattr(overview, "months", watched)
    found = exceeding.page(session, SYSTEM, OverviewFilter(APRIL.start), allowance, today=today)
    assert (len(found.months), len(computed)) == (matching, matching)

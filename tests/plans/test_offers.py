"""What a version costs in a currency, period by period."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from billing_core.errors import Invalid, NotFound
from billing_core.identity import SYSTEM
from billing_core.metering import meters
from billing_core.metering.models import Aggregation
from billing_core.plans import queries, service
from billing_core.plans.models import BillingTiming, PlanAmount, PlanInterval, TrialEnd
from billing_core.plans.offers import Offer, OfferedAddOn, offer
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.plans.terms import AddOn, Amounts, Phase, Terms
from tests.plans.agreed import NOW

D = Decimal
TEAM = Terms(
    "USD",
    D("29.99"),
    0,
    D(0),
    PlanInterval.QUARTER,
    2,
    BillingTiming.ARREARS,
    seat_price=D("4.50"),
    included_seats=3,
    trial_end=TrialEnd.INVOICE,
    ends_after=12,
    further={"EUR": Amounts(D("27.50"), D(4)), "JPY": Amounts(D(4400), D(0))},
    add_ons=(
        AddOn("support", "Support", {"USD": D(10), "EUR": D("9.01"), "JPY": D(1500)}),
        AddOn("backup", "Backup", {"USD": D(0), "EUR": D(0), "JPY": D(0)}),
    ),
    phases=(Phase(1, D(0)), Phase(2, D(50)), Phase(1, D("33.3333"))),
)


def made(session, agreed, charged=None):
    return service.create(session, SYSTEM, code="team", name="Team", agreed=agreed, charged=charged, now=NOW).id


def test_an_offer_has_all_that_was_agreed_in_the_versions_own_currency(session):
    version_id = made(session, TEAM)
    assert offer(session, version_id, "USD") == Offer(
        version_id=version_id,
        code="team",
        name="Team",
        number=1,
        currency="USD",
        price_minor=2999,
        seat_price_minor=450,
        included_seats=3,
        timing=BillingTiming.ARREARS,
        interval=PlanInterval.QUARTER,
        interval_count=2,
        trial_end=TrialEnd.INVOICE,
        ends_after=12,
        has_usage=False,
        add_ons=(OfferedAddOn("support", "Support", 1000), OfferedAddOn("backup", "Backup", 0)),
        phases=(Phase(1, D(0)), Phase(2, D(50)), Phase(1, D("33.3333"))),
    )


def test_in_another_currency_everything_has_that_ones_price(session):
    version_id = made(session, TEAM)
    euros, yen = (offer(session, version_id, currency) for currency in ("EUR", "JPY"))
    assert (euros.currency, euros.price_minor, euros.seat_price_minor) == ("EUR", 2750, 400)
    assert [one.price_minor for one in euros.add_ons] == [901, 0]
    # A yen has no smaller unit.
    assert (yen.price_minor, yen.seat_price_minor, yen.add_on("support").price_minor) == (4400, 0, 1500)


def test_a_plain_plan_is_offered_as_it_was_before_there_were_subscriptions(session):
    plain = offer(session, made(session, Terms("USD", D(29), 100, D(0))), "USD")
    assert (plain.interval, plain.interval_count, plain.timing) == (PlanInterval.MONTH, 1, BillingTiming.ADVANCE)
    assert (plain.seat_price_minor, plain.included_seats, plain.ends_after) == (None, 0, None)
    assert (plain.trial_end, plain.add_ons, plain.phases, plain.has_usage) == (TrialEnd.CANCEL, (), (), False)


def test_a_currency_that_the_version_lacks_is_refused_by_name(session):
    version_id = made(session, TEAM)
    for currency in ("CHF", "usd", ""):
        with pytest.raises(Invalid, match=f"The plan team has no price in {currency}") as refused:
            offer(session, version_id, currency)
        assert refused.value.fields == {"currency": "is none of the plan's"}
    with pytest.raises(NotFound):
        offer(session, version_id + 1, "USD")


def test_each_version_has_its_own_currencies(session):
    first = made(session, TEAM)
    alone = replace(TEAM, further={}, add_ons=())
    second = service.add_version(session, SYSTEM, "team", alone, now=NOW).id
    assert offer(session, first, "EUR").price_minor == 2750
    with pytest.raises(Invalid):
        offer(session, second, "EUR")


def test_calls_with_a_price_are_usage_and_included_ones_alone_are_not(session):
    version_id = made(session, Terms("USD", D(29), 100, D("0.000000000001")))
    assert offer(session, version_id, "USD").has_usage


def test_a_price_of_another_meter_is_usage(session):
    meters.create(session, SYSTEM, code="mails", name="Mails", aggregation=Aggregation.SUM, unit="mail", now=NOW)
    free = Price("USD", Scheme.PER_UNIT, (Tier(None, D(0)),))
    version_id = made(session, Terms("USD", D(29), 0, D(0)), {Metered("mails"): free})
    assert offer(session, version_id, "USD").has_usage


def test_usage_is_never_offered_in_a_currency_in_which_it_has_no_price(session):
    """However such a version came about: no service makes one."""
    version_id = made(session, Terms("USD", D(29), 0, D(1)))
    euros = {"plan_version_id": version_id, "currency": "EUR", "price_minor": 2700}
    session.execute(insert(PlanAmount).values(euros))
    with pytest.raises(Invalid, match="must be USD") as refused:
        offer(session, version_id, "EUR")
    assert list(refused.value.fields) == ["currency"]
    assert offer(session, version_id, "USD").price_minor == 2900


def test_phases_come_one_after_the_other_and_then_the_whole_price(session):
    team = offer(session, made(session, TEAM), "USD")
    # 2,999 cents: nothing, twice a half (1,499.5 up), then 33.3333 % (999.665667 up), then all.
    assert [team.price_in(number) for number in range(6)] == [0, 1500, 1500, 1000, 2999, 2999]
    assert [team.percent_in(number) for number in (0, 2, 3, 4)] == [0, 50, D("33.3333"), 100]
    with pytest.raises(ValueError, match="no paid period -1"):
        team.price_in(-1)


def test_seats_cost_something_beyond_the_included_ones(session):
    team = offer(session, made(session, TEAM), "USD")
    assert [team.paid_seats(seats) for seats in (0, 3, 4, 10)] == [0, 0, 1, 7]
    assert replace(team, seat_price_minor=None).paid_seats(10) == 0


def test_an_add_on_that_the_plan_lacks_is_refused(session):
    team = offer(session, made(session, TEAM), "USD")
    assert team.add_on("backup").name == "Backup"
    with pytest.raises(Invalid, match="The plan team has no add-on “gold”") as refused:
        team.add_on("gold")
    assert list(refused.value.fields) == ["add_ons"]


@given(
    price_minor=st.integers(0, 10**11),
    phases=st.lists(st.tuples(st.integers(1, 5), st.decimals(0, 1000, places=4)), max_size=4),
    period_number=st.integers(0, 30),
)
def test_the_price_in_a_period_is_that_of_the_phase_it_lies_in(price_minor, phases, period_number):
    percents = [percent for periods, percent in phases for _ in range(periods)]
    percent = percents[period_number] if period_number < len(percents) else D(100)
    exact = D(price_minor) * percent / 100
    found = replace(ANY, price_minor=price_minor, phases=tuple(Phase(*one) for one in phases)).price_in(period_number)
    assert abs(found - exact) <= D("0.5")
    assert found != exact - D("0.5"), "half a cent rounds away from zero"


ANY = Offer(
    version_id=1,
    code="team",
    name="Team",
    number=1,
    currency="USD",
    price_minor=0,
    seat_price_minor=None,
    included_seats=0,
    timing=BillingTiming.ADVANCE,
    interval=PlanInterval.MONTH,
    interval_count=1,
    trial_end=TrialEnd.CANCEL,
    ends_after=None,
    has_usage=False,
    add_ons=(),
    phases=(),
)


def test_the_latest_version_of_a_plan_is_what_is_offered_by_its_code(session):
    made(session, TEAM)
    later = service.add_version(session, SYSTEM, "team", replace(TEAM, price=D(35)), now=NOW)
    latest = queries.latest(session, SYSTEM, "team")
    assert latest.id == later.id
    assert offer(session, latest.id, "USD").price_minor == 3500

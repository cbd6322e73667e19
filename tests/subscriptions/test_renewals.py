"""Periods begin on their day, each with one invoice, whenever and however often somebody looks."""

from datetime import date
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.plans.models import BillingTiming, PlanInterval, TrialEnd
from billing_core.plans.terms import AddOn, Phase
from billing_core.promotions import service as promotions
from billing_core.promotions.models import PromoDuration
from billing_core.promotions.new_codes import NewCode
from billing_core.subscriptions import clock, renewals
from billing_core.subscriptions.lifecycle import ACTIVE, CANCELED, TRIALING
from billing_core.subscriptions.models import SubscriptionPeriod
from billing_core.subscriptions.renewals import Step
from tests.database.counting import statements
from tests.subscriptions.signed_up import BEGUN, D, a_plan, a_subscription, at, billed, lines, renewed, state


def begun(sessions, code="pro", price="30", now=BEGUN, plan=(), **facts) -> int:
    with sessions.begin() as session:
        a_plan(session, code, price, **dict(plan))
        return a_subscription(session, code, now=now, **facts)


def test_a_month_from_the_31st_is_billed_on_the_last_of_shorter_months(sessions):
    subscription_id = begun(sessions)
    for now in (at(2, 28), at(3, 31), at(4, 30)):
        assert len(renewed(sessions, subscription_id, now)) == 1

    with sessions() as session:
        assert billed(session, subscription_id) == [
            (date(2026, 1, 31), 3_000),
            (date(2026, 2, 28), 3_000),
            (date(2026, 3, 31), 3_000),
            (date(2026, 4, 30), 3_000),
        ]
        assert lines(session, subscription_id, 1) == [("Pro, Feb 28 – Mar 30, 2026", 3_000)]
        assert state(session, subscription_id).next_at == at(5, 31)


def test_a_renewal_takes_few_statements_and_what_plans_cost_is_read_once_for_all(sessions):
    begun(sessions)
    with sessions.begin() as session:
        a_subscription(session, ref="Globex")
    with statements(sessions.engine) as sent:
        renewing = clock.renew(sessions, SYSTEM, now=at(2, 28))
        assert next(renewing).step is Step.RENEWED
        before = len(sent)
        assert next(renewing).step is Step.RENEWED
    # One of them keeps what the invoice comes to by tax rate, one the customer from being merged meanwhile, and one
    # finds the counter of its numbers, however its letters are written.
    assert len(sent) - before <= 30
    assert len([one for one in sent if "FROM plan_versions" in one]) == 1


def test_nothing_is_done_before_its_instant_nor_twice(sessions):
    subscription_id = begun(sessions)
    assert renewed(sessions, subscription_id, at(2, 28, 9)) == []
    assert len(renewed(sessions, subscription_id, at(2, 28))) == 1
    assert renewed(sessions, subscription_id, at(2, 28)) == []
    assert renewed(sessions, subscription_id, at(3, 1)) == []


def test_a_late_run_makes_the_same_invoices_with_their_own_days_the_oldest_first(sessions):
    subscription_id = begun(sessions)
    done = renewed(sessions, subscription_id, at(4, 29))
    assert [one.step for one in done] == [Step.RENEWED, Step.RENEWED]
    with sessions() as session:
        assert billed(session, subscription_id)[1:] == [(date(2026, 2, 28), 3_000), (date(2026, 3, 31), 3_000)]


def test_more_than_three_periods_wait_for_a_yes(sessions):
    """Four have begun by 31 May: of February, March, April and May."""
    subscription_id = begun(sessions)
    (held,) = renewed(sessions, subscription_id, at(5, 31))
    assert held.step is Step.HELD
    assert renewed(sessions, subscription_id, at(6, 1)) == []
    with sessions.begin() as session:
        assert state(session, subscription_id).hold_reason == "More than 3 periods have begun since"
        renewals.release(session, SYSTEM, subscription_id, now=at(6, 1))
    assert len(renewed(sessions, subscription_id, at(6, 1))) == 4
    with sessions() as session:
        assert [day for day, _ in billed(session, subscription_id)][-1] == date(2026, 5, 31)


def test_three_periods_do_not_wait(sessions):
    subscription_id = begun(sessions)
    assert len(renewed(sessions, subscription_id, at(5, 30))) == 3


def test_periods_tile_in_instants_and_in_days(sessions):
    subscription_id = begun(sessions)
    renewed(sessions, subscription_id, at(4, 30))
    with sessions() as session:
        periods = list(session.scalars(select(SubscriptionPeriod).order_by(SubscriptionPeriod.number)))
    assert [one.number for one in periods] == [0, 1, 2, 3]
    for before, after in pairwise(periods):
        assert before.ends_at == after.starts_at
        assert (after.first_day - before.last_day).days == 1


def test_a_trial_ends_in_the_first_paid_period_whose_anchor_it_is(sessions):
    """14 days from 15 January, 10:30."""
    now = at(1, 15).replace(minute=30)
    subscription_id = begun(sessions, now=now, plan={"trial_end": TrialEnd.INVOICE}, trial_days=14)
    with sessions() as session:
        assert (state(session, subscription_id).state, billed(session, subscription_id)) == (TRIALING, [])
    assert renewed(sessions, subscription_id, at(1, 29)) == []
    (ended,) = renewed(sessions, subscription_id, at(1, 29).replace(minute=30))
    assert ended.step is Step.TRIAL_ENDED
    renewed(sessions, subscription_id, at(3, 1))
    with sessions() as session:
        assert billed(session, subscription_id) == [(date(2026, 1, 29), 3_000), (date(2026, 2, 28), 3_000)]
        assert state(session, subscription_id).next_at == at(3, 29).replace(minute=30)


@pytest.mark.parametrize(
    ("rule", "ends", "step"), [(TrialEnd.CANCEL, CANCELED, Step.CANCELED), (TrialEnd.PAUSE, ACTIVE, Step.PAUSED)]
)
def test_a_trial_without_a_payment_method_ends_as_its_plan_says(sessions, rule, ends, step):
    subscription_id = begun(sessions, plan={"trial_end": rule}, trial_days=7)
    (done,) = renewed(sessions, subscription_id, at(2, 7))
    assert done.step is step
    renewed(sessions, subscription_id, at(3, 7))
    with sessions() as session:
        assert (state(session, subscription_id).state, billed(session, subscription_id)) == (ends, [])


def test_seats_beyond_the_included_ones_and_add_ons_have_lines_of_their_own(sessions):
    """30 + (7 − 2) × 4.50 + 2 × 10 = 72.50."""
    plan = {"seat_price": D("4.5"), "included_seats": 2, "add_ons": (AddOn("support", "Support", {"USD": D(10)}),)}
    subscription_id = begun(sessions, plan=plan, seats=7, add_ons={"support": 2})
    with sessions() as session:
        assert lines(session, subscription_id) == [
            ("Pro, Jan 31 – Feb 27, 2026", 3_000),
            ("Pro, additional seats, Jan 31 – Feb 27, 2026", 2_250),
            ("Support, Jan 31 – Feb 27, 2026", 2_000),
        ]
        assert billed(session, subscription_id) == [(date(2026, 1, 31), 7_250)]


def test_in_arrears_a_period_is_billed_once_it_is_over(sessions):
    subscription_id = begun(sessions, plan={"timing": BillingTiming.ARREARS})
    with sessions() as session:
        assert billed(session, subscription_id) == []
    renewed(sessions, subscription_id, at(2, 28))
    with sessions() as session:
        assert lines(session, subscription_id) == [("Pro, Jan 31 – Feb 27, 2026", 3_000)]
        assert billed(session, subscription_id) == [(date(2026, 2, 28), 3_000)]


def test_phases_ramp_up_the_price(sessions):
    """Half of it in the first period, 80 % in the second, all of it afterwards."""
    plan = {"phases": (Phase(1, D(50)), Phase(1, D(80)))}
    subscription_id = begun(sessions, plan=plan)
    renewed(sessions, subscription_id, at(3, 31))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [1_500, 2_400, 3_000]


def test_a_plan_with_an_end_is_over_after_its_periods(sessions):
    subscription_id = begun(sessions, plan={"ends_after": 2})
    done = renewed(sessions, subscription_id, at(4, 1))
    assert [one.step for one in done] == [Step.RENEWED, Step.CANCELED]
    with sessions() as session:
        assert len(billed(session, subscription_id)) == 2
        assert (state(session, subscription_id).state, state(session, subscription_id).next_at) == (CANCELED, None)
        assert state(session, subscription_id).canceled_at == at(3, 31)


def a_code(sessions, **facts) -> None:
    with sessions.begin() as session:
        known = {"code": "SPRING", "duration": PromoDuration.ONCE} | facts
        promotions.create(session, SYSTEM, NewCode(**known), now=at(1, 1))


def test_a_promo_code_takes_its_percentage_off_the_plan_for_its_periods_alone(sessions):
    """20 % of 30.00 for two periods; seats are never reduced."""
    a_code(sessions, percent=D(20), duration=PromoDuration.PERIODS, periods=2)
    plan = {"seat_price": D(5), "included_seats": 1}
    subscription_id = begun(sessions, plan=plan, seats=2, promo_code="spring")
    renewed(sessions, subscription_id, at(3, 31))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [2_900, 2_900, 3_500]


def test_a_trial_uses_up_no_period_of_a_promo_code(sessions):
    a_code(sessions, percent=D(50))
    plan = {"trial_end": TrialEnd.INVOICE}
    subscription_id = begun(sessions, plan=plan, trial_days=10, promo_code="SPRING")
    renewed(sessions, subscription_id, at(3, 10))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [1_500, 3_000]


def test_what_a_promo_code_exceeds_the_price_by_is_lost_and_shown(sessions):
    """40.00 off 30.00: nothing is left to pay, and 10.00 is not used."""
    a_code(sessions, amount=D(40), currency="USD")
    subscription_id = begun(sessions, promo_code="SPRING")
    with sessions() as session:
        ((words, amount),) = lines(session, subscription_id)
        assert amount == 0
        assert "10.00 USD of the discount is not used" in words
        assert billed(session, subscription_id) == [(date(2026, 1, 31), 0)]


def test_a_code_that_cannot_be_redeemed_creates_nothing(sessions):
    with pytest.raises(Invalid) as refused:
        begun(sessions, promo_code="NOWHERE")
    assert "promo_code" in refused.value.fields
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Invoice)) == 0


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"trial_days": -1}, "trial_days"),
        ({"trial_days": 366}, "trial_days"),
        ({"seats": 0}, "seats"),
        ({"seats": 2}, "seats"),
        ({"add_ons": {"support": 1}}, "add_ons"),
    ],
)
def test_terms_that_the_plan_does_not_have_are_refused(sessions, facts, field):
    with pytest.raises(Invalid) as refused:
        begun(sessions, **facts)
    assert field in refused.value.fields


def test_the_usage_of_a_period_is_billed_with_the_one_after_it(sessions):
    """1 cent a call. Those of 31 January to 27 February are on the invoice of 28 February."""
    subscription_id = begun(sessions, plan={"price_per_call": "0.01"})
    called(sessions, subscription_id, at(2, 1), at(2, 27, 23), at(2, 28, 11))
    renewed(sessions, subscription_id, at(2, 28))
    with sessions() as session:
        assert [amount for _, amount in lines(session, subscription_id)] == [3_000, 2]
    renewed(sessions, subscription_id, at(3, 31))
    with sessions() as session:
        assert [amount for _, amount in lines(session, subscription_id)] == [3_000, 1]


def test_usage_is_billed_with_one_subscription_of_a_customer_alone(sessions):
    begun(sessions, plan={"price_per_call": "0.01"})
    with pytest.raises(Conflict):
        begun(sessions, "basic", plan={"price_per_call": "0.02"})


def called(sessions, subscription_id, *moments) -> None:
    from billing_core.customers.models import Customer
    from billing_core.metering import ingestion

    with sessions.begin() as session:
        uuid = session.get_one(Customer, state(session, subscription_id).customer_id).uuid
        events = [{"id": f"{moment}", "organization_id": uuid, "time": moment.isoformat()} for moment in moments]
        recorded = ingestion.record(session, SYSTEM, events, now=max(moments), atomic=True)
        assert recorded.accepted == len(moments)


def test_another_zone_counts_from_the_next_period_on_and_leaves_no_instant_out(sessions):
    """From UTC to New York, 5 hours behind: 10:00 there is 15:00 UTC, and 14:00 once clocks have gone forward."""
    subscription_id = begun(sessions)
    with sessions.begin() as session:
        customer = session.get_one(Customer, state(session, subscription_id).customer_id)
        customer.time_zone = "America/New_York"
        assert state(session, subscription_id).next_at == at(2, 28)
    renewed(sessions, subscription_id, at(2, 28))
    with sessions() as session:
        assert state(session, subscription_id).next_at == at(3, 31, 14)
    renewed(sessions, subscription_id, at(3, 31, 14))
    with sessions() as session:
        periods = list(session.scalars(select(SubscriptionPeriod).order_by(SubscriptionPeriod.number)))
        assert all(before.ends_at == after.starts_at for before, after in pairwise(periods))
        assert [(one.first_day, one.last_day) for one in periods] == [
            (date(2026, 1, 31), date(2026, 2, 27)),
            (date(2026, 2, 28), date(2026, 3, 30)),
            (date(2026, 3, 31), date(2026, 4, 29)),
        ]


def test_another_zone_in_a_trial_counts_from_the_first_paid_period_on(sessions):
    """The trial ends at 10:00 UTC as it was told; the period that it begins ends at 10:00 in New York."""
    subscription_id = begun(sessions, plan={"trial_end": TrialEnd.INVOICE}, trial_days=10)
    with sessions.begin() as session:
        customer = session.get_one(Customer, state(session, subscription_id).customer_id)
        customer.time_zone = "America/New_York"
    renewed(sessions, subscription_id, at(2, 10))
    with sessions() as session:
        (period,) = session.scalars(select(SubscriptionPeriod))
        assert (period.starts_at, period.ends_at) == (at(2, 10), at(3, 10, 14))
        assert (period.first_day, period.last_day) == (date(2026, 2, 10), date(2026, 3, 9))


def test_a_day_does_not_end_before_it_begins_where_the_new_zone_is_26_hours_ahead(sessions):
    subscription_id = begun(sessions, plan={"interval": PlanInterval.DAY})
    with sessions.begin() as session:
        customer = session.get_one(Customer, state(session, subscription_id).customer_id)
        customer.time_zone = "Etc/GMT+12"
    renewed(sessions, subscription_id, at(2, 1))
    with sessions.begin() as session:
        session.get_one(Customer, state(session, subscription_id).customer_id).time_zone = "Pacific/Kiritimati"
    renewed(sessions, subscription_id, at(2, 2, 22))
    with sessions() as session:
        subscription = state(session, subscription_id)
        assert (subscription.held_at, subscription.zone) == (None, "Etc/GMT+12")
        assert subscription.next_at > at(2, 2, 22)

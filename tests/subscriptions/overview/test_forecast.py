"""What the next periods will bill, and signing up without keeping anything, against what is really billed then."""

from datetime import date

import pytest
from sqlalchemy import func, select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.plans.models import BillingTiming, TrialEnd
from billing_core.plans.terms import AddOn, Phase
from billing_core.promotions import service as promotions
from billing_core.promotions.models import PromoDuration, PromoRedemption
from billing_core.promotions.new_codes import NewCode
from billing_core.settings import settings
from billing_core.subscriptions.changes import changing
from billing_core.subscriptions.changes import wanted as asking
from billing_core.subscriptions.models import Subscription, SubscriptionPeriod
from billing_core.subscriptions.overview import forecast, rehearsal
from billing_core.subscriptions.service import Wanted
from tests.invoices.company import a_customer
from tests.subscriptions.signed_up import BEGUN, YEAR, D, a_plan, a_subscription, at, billed, renewed, state


def foretold(session, subscription_id: int, count: int = 3, **facts) -> list[tuple[date, int]]:
    bills = forecast.bills(session, SYSTEM, subscription_id, count=count, **facts)
    return [(bill.issued_on, bill.total_minor) for bill in bills]


def test_periods_follow_from_the_anchor(session):
    a_plan(session)
    subscription_id = a_subscription(session)
    (first, *_) = forecast.bills(session, SYSTEM, subscription_id, count=3)
    assert foretold(session, subscription_id) == [
        (date(2026, 2, 28), 3_000),
        (date(2026, 3, 31), 3_000),
        (date(2026, 4, 30), 3_000),
    ]
    assert (first.days.start, first.days.end) == (date(2026, 2, 28), date(2026, 3, 30))
    assert [line.amount_minor for line in first.lines] == [3_000]


def test_what_is_foretold_is_what_is_billed(sessions):
    """Phases, a promo code for two periods, seats, add-ons and tax; 19 % on each."""
    facts = {"seat_price": D(5), "included_seats": 1, "add_ons": (AddOn("sms", "SMS", {"USD": D(4)}),)}
    with sessions.begin() as session:
        a_plan(session, phases=(Phase(2, D(50)),), **facts)
        new = NewCode("TENTH", percent=D(10), duration=PromoDuration.PERIODS, periods=3)
        promotions.create(session, SYSTEM, new, now=BEGUN)
        agreed = {"seats": 3, "add_ons": {"sms": 2}, "tax_rate": D(19), "promo_code": "TENTH"}
        subscription_id = a_subscription(session, **agreed)
    with sessions() as session:
        coming = foretold(session, subscription_id, 4)
    # Beside 10.00 for seats and 8.00 for add-ons: 13.50 (half price, a tenth off), 27.00 (a tenth off), 30.00, 30.00.
    assert [total for _, total in coming] == [37_49, 53_55, 57_12, 57_12]
    renewed(sessions, subscription_id, at(2, 28, 12))
    renewed(sessions, subscription_id, at(3, 31, 12))
    renewed(sessions, subscription_id, at(5, 31, 12))
    with sessions() as session:
        assert billed(session, subscription_id)[1:] == coming


def test_in_arrears_a_period_is_billed_once_it_is_over(sessions):
    with sessions.begin() as session:
        a_plan(session, timing=BillingTiming.ARREARS, ends_after=2)
        subscription_id = a_subscription(session)
        coming = foretold(session, subscription_id)
    assert coming == [(date(2026, 2, 28), 3_000), (date(2026, 3, 31), 3_000)]
    renewed(sessions, subscription_id, at(4, 1))
    with sessions() as session:
        assert billed(session, subscription_id) == coming


def test_scheduled_changes_begin_with_the_next_period(sessions):
    """First less, then by the year: the anchor moves to the day on which that begins."""
    with sessions.begin() as session:
        a_plan(session)
        a_plan(session, "yearly", "200", interval=YEAR)
        subscription_id = a_subscription(session, tax_rate=D(10))
        public_id = state(session, subscription_id).public_id
    wanted = asking.Wanted("yearly", when=asking.When.PERIOD_END)
    gateway = SandboxGateway(sessions, settings())
    changing.change(sessions, SYSTEM, gateway, public_id, wanted, now=at(2, 10))
    with sessions() as session:
        coming = foretold(session, subscription_id, 2)
    assert coming == [(date(2026, 2, 28), 220_00), (date(2027, 2, 28), 220_00)]
    renewed(sessions, subscription_id, at(3, 1))
    renewed(sessions, subscription_id, at(3, 1, year=2027))
    with sessions() as session:
        assert billed(session, subscription_id)[1:] == coming


def test_nothing_follows_what_ends_and_a_pause_bills_nothing(session):
    a_plan(session)
    ids = [a_subscription(session, ref=ref) for ref in ("ENDS", "PAUSED")]
    state(session, ids[0]).cancel_at_period_end = True
    state(session, ids[1]).paused_at = at(2, 1)
    session.flush()
    assert foretold(session, ids[0]) == []
    assert foretold(session, ids[1], 2) == [(date(2026, 2, 28), 0), (date(2026, 3, 31), 0)]


@pytest.mark.parametrize(
    ("trial_end", "has_method", "totals"),
    [
        (TrialEnd.CANCEL, False, []),
        (TrialEnd.PAUSE, False, [0, 0]),
        (TrialEnd.INVOICE, False, [3_000, 3_000]),
        (TrialEnd.CANCEL, True, [3_000, 3_000]),
    ],
)
def test_after_a_trial_it_goes_on_as_the_plan_says(session, trial_end, has_method, totals):
    a_plan(session, trial_end=trial_end)
    subscription_id = a_subscription(session, trial_days=14)
    days = [date(2026, 2, 14), date(2026, 3, 14)][: len(totals)]
    assert foretold(session, subscription_id, 2, has_method=has_method) == list(zip(days, totals, strict=True))


def test_usage_comes_on_top(session):
    a_plan(session, price_per_call="0.01")
    subscription_id = a_subscription(session)
    assert [bill.has_usage for bill in forecast.bills(session, SYSTEM, subscription_id, count=2)] == [True, True]


def rows(session) -> list[int]:
    tables = (Subscription, SubscriptionPeriod, Invoice, PromoRedemption, AuditEntry)
    return [session.scalar(select(func.count()).select_from(table)) for table in tables]


def test_a_rehearsal_tells_what_signing_up_bills_and_keeps_nothing(sessions):
    with sessions.begin() as session:
        a_plan(session)
        customer = session.get_one(Customer, a_customer(session)).public_id
        promotions.create(session, SYSTEM, NewCode("HALF", percent=D(50), limit=1), now=BEGUN)
    wanted = Wanted(customer, "pro", promo_code="HALF", tax_rate=D(10))
    with sessions.begin() as session:
        before = rows(session)
        for _ in range(2):
            found = rehearsal.rehearse(session, SYSTEM, wanted, has_method=True, now=BEGUN)
        assert rows(session) == before
    assert (found.first.total_minor, found.first.tax_minor, found.to_pay_minor) == (16_50, 1_50, 16_50)
    assert [bill.total_minor for bill in found.following] == [33_00, 33_00, 33_00]
    assert (found.currency, found.trial_ends_at) == ("USD", None)
    with sessions.begin() as session:
        subscription_id = a_subscription(session, promo_code="HALF", tax_rate=D(10))
        assert billed(session, subscription_id) == [(date(2026, 1, 31), 16_50)]


def test_a_rehearsed_trial_bills_when_it_ends(session):
    a_plan(session)
    customer = session.get_one(Customer, a_customer(session)).public_id
    found = rehearsal.rehearse(session, SYSTEM, Wanted(customer, "pro", trial_days=14), has_method=True, now=BEGUN)
    assert (found.first, found.to_pay_minor, found.trial_ends_at) == (None, 0, at(2, 14))
    assert [bill.issued_on for bill in found.following] == [date(2026, 2, 14), date(2026, 3, 14), date(2026, 4, 14)]


def test_a_rehearsal_is_refused_for_the_same_reasons(session):
    a_plan(session)
    customer = session.get_one(Customer, a_customer(session)).public_id
    for wanted in (Wanted(customer, "pro", promo_code="NONE"), Wanted(customer, "pro", seats=2)):
        before = rows(session)
        with pytest.raises(Invalid):
            rehearsal.rehearse(session, SYSTEM, wanted, has_method=True, now=BEGUN)
        assert rows(session) == before

"""Changes between plans that bill otherwise: with usage, in arrears, with a promo code; and what comes at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Conflict, Invalid, UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.metering.models import UsagePeriod
from billing_core.online_payments import refunding
from billing_core.online_payments.models import SANDBOX, PaymentCase, RefundRequest, RefundRequestState
from billing_core.online_payments.off_session import attempts
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.online_payments.webhooks import handlers
from billing_core.outbox.models import OutboxMessage
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.plans import queries as plan_queries
from billing_core.plans.models import BillingTiming
from billing_core.settings import settings
from billing_core.subscriptions import clock, verification
from billing_core.subscriptions.changes import cancelling, paying
from billing_core.subscriptions.changes.closing import Ending, Unused
from billing_core.subscriptions.changes.wanted import When
from billing_core.subscriptions.lifecycle import ACTIVE, CANCELED, UNPAID
from billing_core.subscriptions.models import ChangeState, SubscriptionChange
from tests.subscriptions.changed import HALF, balance, changed, charged, credited, found, plans, previewed, subscribed
from tests.subscriptions.signed_up import a_plan, at, billed, renewed, state
from tests.subscriptions.test_collecting import FAILS, other_card
from tests.subscriptions.test_metered import called

ARREARS = BillingTiming.ARREARS


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, settings())


@pytest.fixture
def further(sessions) -> None:
    """*calls* is 30.00 and 1 cent a call, *more* 60.00 and 5 cents; *later* 30.00 and *latest* 60.00 in arrears."""
    with sessions.begin() as session:
        plans(session)
        a_plan(session, "calls", price_per_call="0.01")
        a_plan(session, "more", "60", price_per_call="0.05")
        a_plan(session, "later", timing=ARREARS)
        a_plan(session, "latest", "60", timing=ARREARS)


def id_of(sessions, public_id) -> int:
    with sessions() as session:
        return found(session, public_id).id


def everything_holds(session) -> bool:
    return [check.wrong for check in verification.checks(session) if check.wrong] == []


def test_usage_is_priced_by_the_terms_of_its_day(sessions, gateway, further):
    """A call at 1 cent and one at 5, with the next 60.00."""
    public_id = subscribed(sessions, gateway, "calls")
    subscription_id = id_of(sessions, public_id)
    changed(sessions, gateway, public_id, plan_code="more")
    called(sessions, subscription_id, at(2, 10), at(2, 20))
    renewed(sessions, subscription_id, at(2, 28))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [3_000, 3_000, 6_006]
        assert everything_holds(session)


def test_after_a_plan_with_usage_that_of_its_days_is_billed_still(sessions, gateway, further):
    public_id = subscribed(sessions, gateway, "calls")
    subscription_id = id_of(sessions, public_id)
    changed(sessions, gateway, public_id, plan_code="team")
    called(sessions, subscription_id, at(2, 10), at(2, 20))
    renewed(sessions, subscription_id, at(2, 28))
    renewed(sessions, subscription_id, at(3, 31))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [3_000, 3_000, 6_001, 6_000]
        customer_id = state(session, subscription_id).customer_id
        assert plan_queries.on_plan(session, customer_id, Period(date(2026, 3, 1), date(2026, 3, 1))) == []


def test_a_scheduled_plan_with_usage_begins_with_its_period(sessions, gateway, further):
    public_id = subscribed(sessions, gateway, "team")
    subscription_id = id_of(sessions, public_id)
    changed(sessions, gateway, public_id, plan_code="calls")
    renewed(sessions, subscription_id, at(2, 28))
    called(sessions, subscription_id, at(2, 20), at(3, 1))
    renewed(sessions, subscription_id, at(3, 31))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [6_000, 3_000, 3_001]


def test_a_trial_that_is_changed_to_usage_costs_nothing_of_it(sessions, gateway, further):
    """Until 2 March: a call in it is free, one after it is billed."""
    public_id = subscribed(sessions, gateway, "pro", trial_days=30)
    subscription_id = id_of(sessions, public_id)
    changed(sessions, gateway, public_id, plan_code="calls")
    called(sessions, subscription_id, at(2, 20), at(3, 5))
    renewed(sessions, subscription_id, at(3, 2))
    renewed(sessions, subscription_id, at(4, 2))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [3_000, 3_001]


def test_what_was_used_in_a_trial_before_its_plan_had_usage_keeps_nothing_waiting(sessions, gateway, further):
    """From 5 February to the 20th its plan has usage, and from the 25th on."""
    public_id = subscribed(sessions, gateway, "pro", trial_days=30)
    subscription_id = id_of(sessions, public_id)
    for day, code in ((5, "calls"), (21, "pro"), (25, "calls")):
        changed(sessions, gateway, public_id, at(2, day), plan_code=code)
    called(sessions, subscription_id, at(2, 2), at(2, 6), at(2, 22), at(2, 26), at(3, 5))
    renewed(sessions, subscription_id, at(3, 2))
    renewed(sessions, subscription_id, at(4, 2))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [3_000, 3_001]
        closed = session.scalars(select(UsagePeriod).order_by(UsagePeriod.first_day))
        assert [(one.first_day, one.last_day) for one in closed] == [
            (date(2026, 2, 5), date(2026, 2, 20)),
            (date(2026, 2, 25), date(2026, 3, 1)),
            (date(2026, 3, 2), date(2026, 4, 1)),
        ]


def test_with_usage_another_length_begins_at_the_end_alone(sessions, gateway, further):
    public_id = subscribed(sessions, gateway, "calls")
    with pytest.raises(Invalid) as refused:
        changed(sessions, gateway, public_id, plan_code="year", when=When.NOW)
    assert set(refused.value.fields) == {"when"}
    changed(sessions, gateway, public_id, plan_code="year", when=When.PERIOD_END)
    subscription_id = id_of(sessions, public_id)
    called(sessions, subscription_id, at(2, 20))
    renewed(sessions, subscription_id, at(2, 28))
    with sessions() as session:
        assert billed(session, subscription_id)[-1] == (date(2026, 2, 28), 36_001)


def test_a_plan_has_usage_again_from_the_periods_end_on(sessions, gateway, further):
    """A call on the days between has no price, and would keep the whole period waiting. On the day on which usage ended
    there are none between.
    """
    public_id = subscribed(sessions, gateway, "calls")
    subscription_id = id_of(sessions, public_id)
    changed(sessions, gateway, public_id, at(2, 10), plan_code="pro", when=When.NOW)
    changed(sessions, gateway, public_id, at(2, 10, 12), plan_code="calls", when=When.NOW)
    changed(sessions, gateway, public_id, at(2, 12), plan_code="pro", when=When.NOW)
    with pytest.raises(Invalid) as refused:
        changed(sessions, gateway, public_id, at(2, 20), plan_code="calls", when=When.NOW)
    assert set(refused.value.fields) == {"when"}
    changed(sessions, gateway, public_id, at(2, 20), plan_code="calls", when=When.PERIOD_END)
    called(sessions, subscription_id, at(2, 5), at(2, 15), at(3, 1))
    renewed(sessions, subscription_id, at(3, 31))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)][-2:] == [3_001, 3_001]


def test_usage_of_the_last_days_is_billed_once_the_day_is_over(sessions, gateway, further):
    """Cancelled on 13 February: the calls of the 10th and of that evening, and none of the day after."""
    public_id = subscribed(sessions, gateway, "calls")
    subscription_id = id_of(sessions, public_id)
    cancelling.cancel(sessions, SYSTEM, gateway, public_id, Ending(), now=at(2, 13))
    called(sessions, subscription_id, at(2, 10), at(2, 13, 20), at(2, 14, 1))
    assert list(clock.run(sessions, SYSTEM, gateway, now=at(2, 13, 23))) == []
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 14, 2)))
    with sessions() as session:
        assert billed(session, subscription_id) == [(date(2026, 1, 31), 3_000), (date(2026, 2, 14), 2)]
        assert (state(session, subscription_id).state, charged(session)) == (CANCELED, [3_000])
        assert everything_holds(session)
    assert list(clock.run(sessions, SYSTEM, gateway, now=at(3, 31))) == []


def test_in_arrears_each_day_costs_what_its_terms_say(sessions, gateway, further):
    """Half of 30.00 and half of 60.00, afterwards."""
    public_id = subscribed(sessions, gateway, "later")
    shown = previewed(sessions, public_id, plan_code="latest")
    assert (shown.when, shown.to_pay_minor, shown.next_invoice.sums.total_minor) == (When.NOW, 0, 4_500)
    changed(sessions, gateway, public_id, plan_code="latest", token=shown.token)
    subscription_id = id_of(sessions, public_id)
    renewed(sessions, subscription_id, at(2, 28))
    with sessions() as session:
        assert billed(session, subscription_id) == [(date(2026, 2, 28), 4_500)]


def test_after_a_trial_what_is_in_arrears_is_billed_at_the_end_of_the_first_period(sessions, gateway, further):
    public_id = subscribed(sessions, gateway, "pro", trial_days=30)
    following = previewed(sessions, public_id, plan_code="latest").next_invoice
    assert (following.day, following.sums.total_minor) == (date(2026, 4, 2), 6_000)
    changed(sessions, gateway, public_id, plan_code="latest")
    subscription_id = id_of(sessions, public_id)
    renewed(sessions, subscription_id, at(4, 2))
    with sessions() as session:
        assert billed(session, subscription_id) == [(following.day, 6_000)]


def test_from_arrears_to_advance(sessions, gateway, further):
    """30.00 of team now, and half of 30.00 with the next 60.00."""
    public_id = subscribed(sessions, gateway, "later")
    shown = previewed(sessions, public_id, plan_code="team")
    assert (shown.to_pay_minor, shown.next_invoice.sums.total_minor) == (3_000, 7_500)
    changed(sessions, gateway, public_id, plan_code="team")
    subscription_id = id_of(sessions, public_id)
    renewed(sessions, subscription_id, at(2, 28))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [3_000, 7_500]


def test_from_advance_to_arrears(sessions, gateway, further):
    """15.00 come back now, and half of 60.00 is due afterwards."""
    public_id = subscribed(sessions, gateway, "pro")
    shown = previewed(sessions, public_id, plan_code="latest")
    assert (shown.credited_minor, shown.to_pay_minor, shown.next_invoice.sums.total_minor) == (1_500, 0, 3_000)
    changed(sessions, gateway, public_id, plan_code="latest")
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28)))
    with sessions() as session:
        assert (charged(session), balance(session)) == ([3_000, 1_500], 0)


def test_credit_that_is_there_pays_first(sessions, gateway):
    """10.00 and what is credited, 15.00, of 30.00."""
    public_id = subscribed(sessions, gateway)
    with sessions.begin() as session:
        customer_id = session.scalars(select(Customer.id)).one()
        money = Received("USD", 1_000, PaymentMethod.CASH, HALF.date())
        facts = {"allocations": {}, "today": HALF.date(), "now": HALF}
        received.record(session, SYSTEM, customer_id=customer_id, received=money, **facts)
    shown = previewed(sessions, public_id, plan_code="team")
    assert (shown.credit_used_minor, shown.to_pay_minor) == (2_500, 500)
    changed(sessions, gateway, public_id, plan_code="team", token=shown.token)
    with sessions() as session:
        assert (charged(session), balance(session)) == ([3_000, 500], 0)


def test_the_gateways_event_before_our_own_record_ends_the_same(sessions, gateway, monkeypatch):
    public_id = subscribed(sessions, gateway)
    charge = attempts.charge

    def told_first(*given):
        result = charge(*given)
        with sessions.begin() as session:
            for message in session.scalars(select(OutboxMessage).where(OutboxMessage.channel == SANDBOX)):
                handlers.apply(session, json.loads(message.content["event"]), mode=Mode.SANDBOX, now=HALF)
        return result

    monkeypatch.setattr(attempts, "charge", told_first)
    changed(sessions, gateway, public_id, plan_code="team")
    with sessions() as session:
        assert (charged(session), balance(session)) == ([3_000, 1_500], 0)
        assert {one.state for one in session.scalars(select(Invoice))} == {InvoiceState.PAID}
        assert session.scalar(select(func.count()).select_from(PaymentCase)) == 0


@pytest.mark.parametrize("days", [0, 9])
def test_another_payment_method_is_tried_at_once(sessions, gateway, days):
    """After the first failure, and after the last."""
    public_id = subscribed(sessions, gateway)
    subscription_id = id_of(sessions, public_id)
    other_card(sessions, gateway, subscription_id, FAILS)
    for day in (28, *(28 + one for one in (1, 3, 5, 7) if one < days)):
        list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28) if day == 28 else at(3, day - 28)))
    with sessions() as session:
        assert (state(session, subscription_id).state is UNPAID) == (days > 7)
    paying.replace(sessions, SYSTEM, gateway, public_id, "pm_card_visa", now=at(3, 9))
    with sessions() as session:
        assert (state(session, subscription_id).state, charged(session)) == (ACTIVE, [3_000, 3_000])
        assert everything_holds(session)


def test_the_same_change_at_once_counts_once(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    token = previewed(sessions, public_id, plan_code="team").token

    def ask(_number: int) -> bool:
        try:
            changed(sessions, gateway, public_id, plan_code="team", token=token)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert any(list(pool.map(ask, range(4))))
    with sessions() as session:
        assert (charged(session), credited(session), balance(session)) == ([3_000, 1_500], 1_500, 0)


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("card", ["pm_card_visa", FAILS])
def test_killed_after_the_charge_it_is_completed_once(sessions, gateway, monkeypatch, card):
    """What came of the charge is recorded by whoever comes next, once."""
    public_id = subscribed(sessions, gateway)
    other_card(sessions, gateway, id_of(sessions, public_id), card)

    def killed(*_given, **_facts):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(attempts, "record", killed)
        with pytest.raises(Killed):
            changed(sessions, gateway, public_id, plan_code="team")
    for _ in range(2):
        assert list(clock.run(sessions, SYSTEM, gateway, now=HALF + timedelta(minutes=11))) == []
    with sessions() as session:
        (made,) = session.scalars(select(SubscriptionChange))
        paid = card != FAILS
        assert made.state is (ChangeState.APPLIED if paid else ChangeState.FAILED)
        assert charged(session) == ([3_000, 1_500] if paid else [3_000])
        assert (credited(session), balance(session)) == (1_500 if paid else 0, 0)
        assert everything_holds(session)


def test_while_a_change_is_charged_nothing_else_is(sessions, gateway, monkeypatch):
    """What is due for the period may be lowered by it: a retry waits."""
    public_id = subscribed(sessions, gateway)
    subscription_id = id_of(sessions, public_id)
    other_card(sessions, gateway, subscription_id, FAILS)
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28)))
    other_card(sessions, gateway, subscription_id, "pm_card_visa")

    def away(*_given, **_facts):
        raise UpstreamFailed("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "charge_off_session", away)
        with pytest.raises(UpstreamFailed):
            changed(sessions, gateway, public_id, at(3, 1, 9), plan_code="team")
        assert list(clock.run(sessions, SYSTEM, gateway, now=at(3, 1, 10))) == []
    list(clock.run(sessions, SYSTEM, gateway, now=at(3, 1, 11)))
    with sessions() as session:
        # 30 of 31 days are left: 58.06 by the new terms, and 29.03 off the 30.00 that were due.
        assert sorted(charged(session)) == [97, 3_000, 5_806]
        assert (balance(session), everything_holds(session)) == (0, True)


def test_a_refund_without_an_answer_stays_asked_for(sessions, gateway, monkeypatch):
    public_id = subscribed(sessions, gateway)

    def away(*_given, **_facts):
        raise UpstreamFailed("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "refund", away)
        ending = Ending(unused=Unused.REFUND)
        cancelling.cancel(sessions, SYSTEM, gateway, public_id, ending, now=at(2, 13))
    with sessions() as session:
        (request,) = session.scalars(select(RefundRequest))
        assert (request.state, request.amount_minor) == (RefundRequestState.ASKED, 1_500)
        assert (credited(session), balance(session)) == (0, 0)
        payment_id, reason = request.payment_id, request.reason
    refunding.refund(sessions, SYSTEM, gateway, payment_id, amount_minor=1_500, reason=reason, now=at(2, 14))
    with sessions() as session:
        assert (credited(session), balance(session), everything_holds(session)) == (1_500, 0, True)

"""Cancelling, pausing and resuming: what becomes of days that are left, of open invoices, of retries and of usage."""

from datetime import date

import pytest
from sqlalchemy import select

from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.online_payments import verification
from billing_core.online_payments.gateway import Declined, PaymentDetails
from billing_core.online_payments.models import CaseKind, PaymentCase, RefundRequest, RefundRequestState
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.outbox.models import OutboxMessage
from billing_core.payments import crediting
from billing_core.payments.models import Payment, PaymentMethod, Refund
from billing_core.plans.models import BillingTiming
from billing_core.settings import settings
from billing_core.subscriptions import clock
from billing_core.subscriptions.changes import cancelling, pausing
from billing_core.subscriptions.changes.closing import Ending, OpenInvoices, Unused
from billing_core.subscriptions.lifecycle import ACTIVE, CANCELED, PAST_DUE
from billing_core.subscriptions.models import ChangeState, SubscriptionChange, SubscriptionInvoice
from tests.invoices.company import a_customer
from tests.subscriptions.changed import HALF, balance, changed, charged, credited, found, plans, previewed, subscribed
from tests.subscriptions.signed_up import a_plan, at, billed, renewed
from tests.subscriptions.test_collecting import FAILS, other_card

# The day of a cancellation counts as used: half of the days are left after this one.
BEFORE_HALF = at(2, 13)


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, settings())


def cancel(sessions, gateway, public_id, now=BEFORE_HALF, **how) -> None:
    cancelling.cancel(sessions, SYSTEM, gateway, public_id, Ending(**how), now=now)


def run(sessions, gateway, now) -> list:
    return list(clock.run(sessions, SYSTEM, gateway, now=now))


def test_at_once_the_unused_days_become_credit(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    cancel(sessions, gateway, public_id, reason="Too dear")
    with sessions() as session:
        subscription = found(session, public_id)
        assert (subscription.state, subscription.canceled_at, subscription.next_at) == (CANCELED, BEFORE_HALF, None)
        assert subscription.cancel_reason == "Too dear"
        assert (credited(session), balance(session)) == (1_500, 1_500)
    assert run(sessions, gateway, at(3, 31)) == []


def test_at_once_they_can_be_refunded_to_the_card(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    cancel(sessions, gateway, public_id, unused=Unused.REFUND)
    with sessions() as session:
        (refund,) = session.scalars(select(Refund))
        assert (refund.amount_minor, refund.method) == (1_500, PaymentMethod.STRIPE)
        assert (credited(session), balance(session)) == (1_500, 0)


def test_a_refund_that_is_refused_becomes_credit(sessions, gateway, monkeypatch):
    public_id = subscribed(sessions, gateway)

    def refused(*_given, **_facts):
        raise Declined("The account is closed")

    monkeypatch.setattr(SandboxGateway, "refund", refused)
    cancel(sessions, gateway, public_id, unused=Unused.REFUND)
    with sessions() as session:
        assert found(session, public_id).state is CANCELED
        assert (credited(session), balance(session)) == (1_500, 1_500)


class Killed(BaseException):
    pass


def cut_off(sessions, gateway, monkeypatch) -> None:
    """Cancelled with a refund, and killed before the gateway heard of it."""

    def die(*_given, **_facts):
        raise Killed

    public_id = subscribed(sessions, gateway)
    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "refund", die)
        with pytest.raises(Killed):
            cancel(sessions, gateway, public_id, unused=Unused.REFUND)


def test_a_refund_that_was_cut_off_is_made_once_by_whoever_comes_next(sessions, gateway, monkeypatch):
    cut_off(sessions, gateway, monkeypatch)
    with sessions() as session:
        assert not clock.somebody_was_cut_off(session, now=BEFORE_HALF)
        assert clock.somebody_was_cut_off(session, now=at(2, 13, 11))
    for day in (14, 15, 16):
        run(sessions, gateway, at(2, day))
    with sessions() as session:
        assert session.scalars(select(Refund.amount_minor)).all() == [1_500]
        assert (credited(session), balance(session)) == (1_500, 0)
        assert not clock.somebody_was_cut_off(session, now=at(2, 17))


def test_a_refund_that_was_cut_off_and_is_refused_becomes_credit_once(sessions, gateway, monkeypatch):
    def refused(*_given, **_facts):
        raise Declined("The account is closed")

    cut_off(sessions, gateway, monkeypatch)
    monkeypatch.setattr(SandboxGateway, "refund", refused)
    for day in (14, 15, 16):
        run(sessions, gateway, at(2, day))
    with sessions() as session:
        assert (credited(session), balance(session)) == (1_500, 1_500)


@pytest.mark.parametrize("how", ["it names none", "it knows no such payment"])
def test_a_refund_of_a_payment_without_a_charge_becomes_credit_with_a_case_and_is_not_repeated(
    sessions, gateway, monkeypatch, how
):
    asked = []

    def details(_gateway, key):
        asked.append(key)
        if how == "it names none":
            return PaymentDetails(None, None, None)
        raise Declined("No such payment")

    public_id = subscribed(sessions, gateway)
    with sessions.begin() as session:
        session.scalars(select(Payment)).one().intent_id = None
    monkeypatch.setattr(SandboxGateway, "details", details)
    cancel(sessions, gateway, public_id, unused=Unused.REFUND)
    for day in (14, 15):
        run(sessions, gateway, at(2, day))
    assert len(asked) == 1
    with sessions() as session:
        assert found(session, public_id).state is CANCELED
        assert (credited(session), balance(session)) == (1_500, 1_500)
        assert session.scalars(select(RefundRequest.state)).all() == [RefundRequestState.REFUSED]
        (case,) = session.scalars(select(PaymentCase))
        assert (case.kind, case.currency, case.amount_minor) == (CaseKind.REFUND_FAILED, "USD", 1_500)
        assert case.payment_id == session.scalar(select(Payment.id))
        assert "15.00 USD could not be refunded" in case.said
        assert not clock.somebody_was_cut_off(session, now=at(2, 17))
        assert [check.wrong for check in verification.checks(session) if check.wrong] == []


def test_whoever_is_killed_between_the_refusal_and_the_credit_loses_neither(sessions, gateway, monkeypatch):
    def refused(*_given, **_facts):
        raise Declined("The account is closed")

    def die(*_given, **_facts):
        raise Killed

    public_id = subscribed(sessions, gateway)
    monkeypatch.setattr(SandboxGateway, "refund", refused)
    with monkeypatch.context() as patched:
        patched.setattr(crediting, "credit", die)
        with pytest.raises(Killed):
            cancel(sessions, gateway, public_id, unused=Unused.REFUND)
    for day in (14, 15, 16):
        run(sessions, gateway, at(2, day))
    with sessions() as session:
        assert (credited(session), balance(session)) == (1_500, 1_500)


def test_at_once_with_nothing_back(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    cancel(sessions, gateway, public_id, unused=Unused.NOTHING)
    with sessions() as session:
        assert (credited(session), balance(session)) == (0, 0)


def test_after_a_change_both_charges_are_credited_to_their_end(sessions, gateway):
    """On 20 February 7 days are left: of 30.00 for 14 days by team, 15.00. Nothing of pro, which was credited then."""
    public_id = subscribed(sessions, gateway)
    changed(sessions, gateway, public_id, plan_code="team")
    cancel(sessions, gateway, public_id, at(2, 20))
    with sessions() as session:
        assert (credited(session), balance(session)) == (1_500 + 1_500, 1_500)


def test_an_open_invoice_is_kept_and_not_charged_any_more(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    with sessions() as session:
        subscription_id = found(session, public_id).id
    other_card(sessions, gateway, subscription_id, FAILS)
    run(sessions, gateway, at(2, 28))
    with sessions() as session:
        assert found(session, public_id).state is PAST_DUE
    other_card(sessions, gateway, subscription_id, "pm_card_visa")
    cancel(sessions, gateway, public_id, at(2, 28, 12), unused=Unused.NOTHING)
    with sessions() as session:
        assert session.scalars(select(SubscriptionInvoice.collect_at)).all() == [None, None]
    for day in (1, 3, 5, 7, 31):
        assert run(sessions, gateway, at(3, day)) == []
    with sessions() as session:
        assert charged(session) == [3_000]
        assert session.scalars(select(Invoice.due_minor).where(Invoice.state == InvoiceState.OPEN)).all() == [3_000]


def test_an_open_invoice_that_was_not_charged_yet_is_asked_for_by_mail(sessions, gateway):
    """Cancelled between its renewal and the charge: the card is left alone, and the customer hears of the invoice."""
    public_id = subscribed(sessions, gateway)
    with sessions() as session:
        subscription_id = found(session, public_id).id
    renewed(sessions, subscription_id, at(2, 28))
    cancel(sessions, gateway, public_id, at(2, 28, 11), unused=Unused.NOTHING)
    (asked,) = run(sessions, gateway, at(2, 28, 12))
    assert run(sessions, gateway, at(3, 28)) == []
    with sessions() as session:
        assert charged(session) == [3_000]
        (invoice,) = session.scalars(select(Invoice).where(Invoice.state == InvoiceState.OPEN))
        assert (asked.invoice_id, asked.attempt) == (invoice.id, None)
        mails = session.scalars(select(OutboxMessage.title).where(OutboxMessage.channel == "mail")).all()
        assert [title for title in mails if invoice.number in title] != []


def test_an_open_invoice_can_be_voided(sessions, gateway):
    public_id = subscribed(sessions, gateway, card=None)
    cancel(sessions, gateway, public_id, open_invoices=OpenInvoices.VOID)
    with sessions() as session:
        assert session.scalars(select(Invoice.state)).all() == [InvoiceState.CANCELLED]
        assert (credited(session), balance(session)) == (0, 0)


def test_unused_days_are_taken_off_an_open_invoice(sessions, gateway):
    public_id = subscribed(sessions, gateway, card=None)
    cancel(sessions, gateway, public_id)
    with sessions() as session:
        assert session.scalars(select(Invoice.due_minor)).all() == [1_500]
        assert balance(session) == 0


def test_at_the_end_of_the_period_nothing_is_given_back_and_it_can_be_withdrawn(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    cancel(sessions, gateway, public_id, at_period_end=True)
    with sessions.begin() as session:
        pausing.resume(session, SYSTEM, public_id, now=HALF)
    run(sessions, gateway, at(2, 28))
    with sessions() as session:
        assert (found(session, public_id).state, charged(session)) == (ACTIVE, [3_000, 3_000])
    cancel(sessions, gateway, public_id, at(3, 1), at_period_end=True)
    run(sessions, gateway, at(4, 30))
    with sessions() as session:
        subscription = found(session, public_id)
        assert (subscription.state, subscription.canceled_at) == (CANCELED, at(3, 31))
        assert (charged(session), credited(session)) == ([3_000, 3_000], 0)


def test_canceled_is_final(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    cancel(sessions, gateway, public_id)
    with pytest.raises(Conflict):
        cancel(sessions, gateway, public_id)
    for verb in (pausing.pause, pausing.resume):
        with sessions.begin() as session, pytest.raises(Conflict):
            verb(session, SYSTEM, public_id, now=HALF)
    with pytest.raises(Conflict):
        changed(sessions, gateway, public_id, plan_code="team")


def test_whoever_cancels_a_plan_with_usage_can_sign_up_again_from_the_next_day_on(sessions, gateway):
    """The day of the cancellation is billed by the plan that was cancelled."""
    with sessions.begin() as session:
        a_plan(session, "calls", "30", price_per_call="0.01")
        a_customer(session)
    cancelled = subscribed(sessions, gateway, "calls")
    cancel(sessions, gateway, cancelled)
    until = f"is billed with the subscription {cancelled} until 2026-02-13: try again from 2026-02-14 on"
    with pytest.raises(Conflict, match=until):
        subscribed(sessions, gateway, "calls", now=at(2, 13, 12))
    again = subscribed(sessions, gateway, "calls", now=at(2, 14))
    with sessions() as session:
        assert found(session, again).state is ACTIVE


def test_scheduled_changes_go_with_it(sessions, gateway):
    public_id = subscribed(sessions, gateway, "team")
    changed(sessions, gateway, public_id, at(2, 1), plan_code="pro")
    cancel(sessions, gateway, public_id)
    with sessions() as session:
        assert session.scalars(select(SubscriptionChange.state)).all() == [ChangeState.WITHDRAWN]


def test_a_trial_ends_with_nothing(sessions, gateway):
    public_id = subscribed(sessions, gateway, trial_days=30)
    cancel(sessions, gateway, public_id)
    assert run(sessions, gateway, at(3, 2)) == []
    with sessions() as session:
        assert session.scalars(select(Invoice.id)).all() == charged(session) == []


def test_what_is_due_afterwards_is_billed_up_to_the_day_once_that_is_over(sessions, gateway):
    """30.00 a month in arrears: 14 of 28 days, the 13th included. It is asked for, and no card is charged."""
    with sessions.begin() as session:
        plans(session)
        a_plan(session, "later", timing=BillingTiming.ARREARS)
    public_id = subscribed(sessions, gateway, "later")
    cancel(sessions, gateway, public_id)
    assert run(sessions, gateway, at(2, 13, 23)) == []
    run(sessions, gateway, at(2, 14))
    assert run(sessions, gateway, at(2, 28)) == []
    with sessions() as session:
        subscription = found(session, public_id)
        assert billed(session, subscription.id) == [(date(2026, 2, 14), 1_500)]
        assert (subscription.state, subscription.next_at, charged(session)) == (CANCELED, None, [])


def test_periods_that_begin_while_it_is_paused_are_free(sessions, gateway):
    """Paused from 14 February to 14 March: the period from 28 February on is not billed, the one after it is."""
    public_id = subscribed(sessions, gateway)
    with sessions.begin() as session:
        pausing.pause(session, SYSTEM, public_id, now=HALF)
    run(sessions, gateway, at(2, 28))
    with sessions.begin() as session:
        pausing.resume(session, SYSTEM, public_id, now=at(3, 14))
        subscription_id = found(session, public_id).id
    renewed(sessions, subscription_id, at(3, 31))
    with sessions() as session:
        assert billed(session, subscription_id) == [(date(2026, 1, 31), 3_000), (date(2026, 3, 31), 3_000)]


def test_what_is_paused_or_about_to_end_has_no_next_invoice(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    assert previewed(sessions, public_id, plan_code="team").next_invoice is not None
    with sessions.begin() as session:
        pausing.pause(session, SYSTEM, public_id, now=HALF)
    assert previewed(sessions, public_id, plan_code="team").next_invoice is None
    with sessions.begin() as session:
        pausing.resume(session, SYSTEM, public_id, now=HALF)
    cancel(sessions, gateway, public_id, at_period_end=True)
    assert previewed(sessions, public_id, plan_code="team").next_invoice is None


def test_a_change_in_a_paused_period_costs_nothing_of_it(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    with sessions.begin() as session:
        pausing.pause(session, SYSTEM, public_id, now=HALF)
    run(sessions, gateway, at(2, 28))
    changed(sessions, gateway, public_id, at(3, 14), plan_code="team")
    cancel(sessions, gateway, public_id, at(3, 15))
    with sessions() as session:
        assert (charged(session), credited(session)) == ([3_000], 0)

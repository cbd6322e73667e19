"""What is due is charged to the card on file, again after 1, 3, 5 and 7 days, and never twice."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from billing_core.customers.models import Customer
from billing_core.errors import UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import Declined
from billing_core.online_payments.models import SANDBOX, AttemptState, ChargeAttempt, PaymentCase, SandboxCharge
from billing_core.online_payments.off_session import attempts, methods
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.online_payments.webhooks import handlers
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.payments import received
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.received import Received
from billing_core.promotions import service as promotions
from billing_core.promotions.models import PromoRedemption
from billing_core.promotions.new_codes import NewCode
from billing_core.settings import settings
from billing_core.subscriptions import clock, signing_up
from billing_core.subscriptions.collecting import Collected
from billing_core.subscriptions.lifecycle import ACTIVE, PAST_DUE, TRIALING, UNPAID
from billing_core.subscriptions.models import Subscription, SubscriptionState
from billing_core.subscriptions.service import Wanted
from tests.invoices.company import a_customer
from tests.subscriptions.signed_up import BEGUN, D, a_plan, at, billed, state

FAILS, NEEDS_CUSTOMER = "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, settings())


@pytest.fixture
def acme(sessions) -> str:
    with sessions.begin() as session:
        a_plan(session)
        return session.get_one(Customer, a_customer(session)).public_id


def subscribed(sessions, gateway, acme, card="pm_card_visa", now=BEGUN, **facts) -> int:
    public_id = signing_up.subscribe(sessions, SYSTEM, gateway, Wanted(acme, "pro", **facts), method=card, now=now)
    with sessions() as session:
        return session.scalars(select(Subscription.id).where(Subscription.public_id == public_id)).one()


def run(sessions, gateway, now) -> list[AttemptState | None]:
    """What came of each charge that was due."""
    return [one.outcome for one in clock.run(sessions, SYSTEM, gateway, now=now) if isinstance(one, Collected)]


def other_card(sessions, gateway, subscription_id, card) -> None:
    with sessions() as session:
        customer_id = state(session, subscription_id).customer_id
    method_id = methods.attach(sessions, SYSTEM, gateway, customer_id, card, now=BEGUN)
    with sessions.begin() as session:
        state(session, subscription_id).payment_method_id = method_id


def count(session, table, *where) -> int:
    return session.scalar(select(func.count()).select_from(table).where(*where))


def test_the_first_period_is_charged_before_anything_is_sent(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    with sessions() as session:
        (invoice,) = session.scalars(select(Invoice))
        (payment,) = session.scalars(select(Payment))
        assert (invoice.state, invoice.total_minor, invoice.due_minor) == (InvoiceState.PAID, 3_000, 0)
        assert (payment.amount_minor, state(session, subscription_id).state) == (3_000, ACTIVE)
        assert count(session, SandboxCharge, SandboxCharge.succeeded) == 1


@pytest.mark.parametrize("card", [FAILS, NEEDS_CUSTOMER])
def test_where_the_first_charge_fails_nothing_stays(sessions, gateway, acme, card):
    with sessions.begin() as session:
        promotions.create(session, SYSTEM, NewCode("HALF", percent=D(50), limit=1), now=BEGUN)
    with pytest.raises(Declined):
        subscribed(sessions, gateway, acme, card, promo_code="HALF")
    with sessions() as session:
        assert count(session, Subscription) == 0
        assert [invoice.state for invoice in session.scalars(select(Invoice))] == [InvoiceState.CANCELLED]
        assert count(session, Invoice, Invoice.number.is_not(None)) == 0
        assert count(session, Payment) == 0
        assert count(session, PromoRedemption, PromoRedemption.released_at.is_(None)) == 0
    # The code can still be redeemed by its one customer.
    subscription_id = subscribed(sessions, gateway, acme, promo_code="HALF")
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [1_500]


def test_a_card_that_is_refused_creates_nothing(sessions, gateway, acme):
    with pytest.raises(Declined):
        subscribed(sessions, gateway, acme, "pm_card_visa_chargeDeclined")
    with sessions() as session:
        assert count(session, Subscription) == count(session, Invoice) == 0


def test_a_trial_charges_nothing_until_it_ends(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme, trial_days=14)
    with sessions() as session:
        assert (state(session, subscription_id).state, count(session, Payment)) == (TRIALING, 0)
    assert run(sessions, gateway, at(2, 14)) == [AttemptState.SUCCEEDED]
    with sessions() as session:
        assert (state(session, subscription_id).state, count(session, Payment)) == (ACTIVE, 1)


def test_what_stripe_does_not_take_from_a_card_is_mailed_and_is_no_failed_charge(sessions, gateway, acme):
    """30.00 less 29.70: Stripe takes no less than 0.50. The next period is charged as ever."""
    with sessions.begin() as session:
        promotions.create(session, SYSTEM, NewCode("CENTS", amount=D("29.70"), currency="USD"), now=BEGUN)
    subscription_id = subscribed(sessions, gateway, acme, trial_days=14, promo_code="CENTS")
    assert run(sessions, gateway, at(2, 14)) == [None]
    with sessions() as session:
        (invoice,) = session.scalars(select(Invoice))
        assert (invoice.state, invoice.due_minor, invoice.payment_url) == (InvoiceState.OPEN, 30, None)
        assert (state(session, subscription_id).state, count(session, ChargeAttempt)) == (ACTIVE, 0)
        mails = (OutboxMessage.channel == "mail", OutboxMessage.topic == "invoice")
        assert count(session, OutboxMessage, *mails) == 1
    assert run(sessions, gateway, at(3, 14)) == [AttemptState.SUCCEEDED]
    with sessions() as session:
        assert state(session, subscription_id).state is ACTIVE


def test_a_renewal_is_charged_once_however_often_it_runs(sessions, gateway, acme):
    subscribed(sessions, gateway, acme)
    assert run(sessions, gateway, at(2, 28)) == [AttemptState.SUCCEEDED]
    assert run(sessions, gateway, at(2, 28)) == run(sessions, gateway, at(3, 1)) == []
    with sessions() as session:
        assert count(session, Payment) == count(session, Invoice) == 2


def test_five_attempts_in_all_then_it_is_unpaid(sessions, gateway, acme):
    """On 28 February, and 1, 3, 5 and 7 days later."""
    subscription_id = subscribed(sessions, gateway, acme)
    other_card(sessions, gateway, subscription_id, FAILS)
    states = {}
    for day in range(9):
        now = at(2, 28) + timedelta(days=day)
        if run(sessions, gateway, now):
            with sessions() as session:
                states[day] = state(session, subscription_id).state
    assert states == {0: PAST_DUE, 1: PAST_DUE, 3: PAST_DUE, 5: PAST_DUE, 7: UNPAID}
    with sessions() as session:
        assert count(session, ChargeAttempt, ChargeAttempt.state == AttemptState.DECLINED) == 5
        assert count(session, Payment) == 1


def test_a_late_run_keeps_to_the_days_after_the_first_failure(sessions, gateway, acme):
    """Failed on 28 February, looked at again on 4 March: one attempt for 1 and 3 March, and the next one on the 5th."""
    subscription_id = subscribed(sessions, gateway, acme)
    other_card(sessions, gateway, subscription_id, FAILS)
    assert run(sessions, gateway, at(2, 28)) == run(sessions, gateway, at(3, 4)) == [AttemptState.DECLINED]
    assert run(sessions, gateway, at(3, 4, 11)) == []
    assert run(sessions, gateway, at(3, 5)) == [AttemptState.DECLINED]


def test_a_paid_retry_makes_it_active_again(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    other_card(sessions, gateway, subscription_id, FAILS)
    run(sessions, gateway, at(2, 28))
    other_card(sessions, gateway, subscription_id, "pm_card_visa")
    assert run(sessions, gateway, at(3, 1)) == [AttemptState.SUCCEEDED]
    with sessions() as session:
        assert state(session, subscription_id).state is ACTIVE
        assert count(session, Invoice, Invoice.state == InvoiceState.PAID) == 2


def test_authentication_asks_the_customer_each_time(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    other_card(sessions, gateway, subscription_id, NEEDS_CUSTOMER)
    mails = []
    for now in (at(2, 28), at(3, 1)):
        assert run(sessions, gateway, now) == [AttemptState.AUTHENTICATION]
        with sessions() as session:
            (invoice,) = session.scalars(select(Invoice).where(Invoice.state == InvoiceState.OPEN))
            assert invoice.payment_url
        with sessions.begin() as session:
            sent = session.scalars(select(OutboxMessage).where(OutboxMessage.channel == "mail")).all()
            mails.append(len(sent))
            for mail in sent:
                mail.state = MessageState.DELIVERED
    assert mails == [1, 2]


def test_what_was_paid_by_hand_meanwhile_is_not_charged(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    other_card(sessions, gateway, subscription_id, FAILS)
    run(sessions, gateway, at(2, 28))
    with sessions.begin() as session:
        (invoice,) = session.scalars(select(Invoice).where(Invoice.state == InvoiceState.OPEN))
        money = Received("USD", 3_000, PaymentMethod.CASH, at(2, 28).date())
        received.record_for(session, SYSTEM, invoice.id, received=money, today=at(2, 28).date(), now=at(2, 28, 12))
    assert run(sessions, gateway, at(3, 1)) == []
    with sessions() as session:
        assert state(session, subscription_id).state is ACTIVE


def test_a_gateway_that_does_not_answer_leaves_the_charge_to_the_next_run(sessions, gateway, acme, monkeypatch):
    """What was cut off is charged again under its own key: once."""
    subscribed(sessions, gateway, acme)

    def away(*_given, **_facts):
        raise UpstreamFailed("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "charge_off_session", away)
        assert run(sessions, gateway, at(2, 28)) == []
    assert run(sessions, gateway, at(2, 28)) == []  # it may still be under way
    assert run(sessions, gateway, at(2, 28, 11)) == [AttemptState.SUCCEEDED]
    with sessions() as session:
        assert count(session, ChargeAttempt) == count(session, Payment) == 2


def test_a_first_charge_that_was_cut_off_is_completed(sessions, gateway, acme, monkeypatch):
    def away(*_given, **_facts):
        raise UpstreamFailed("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "charge_off_session", away)
        with pytest.raises(UpstreamFailed):
            subscribed(sessions, gateway, acme)
    with sessions() as session:
        assert session.scalars(select(Subscription.state)).all() == [SubscriptionState.INCOMPLETE]
    run(sessions, gateway, BEGUN + timedelta(hours=1))
    with sessions() as session:
        assert session.scalars(select(Subscription.state)).all() == [ACTIVE]
        assert count(session, Payment) == 1


def test_what_has_not_begun_is_not_renewed(sessions, gateway, acme, monkeypatch):
    """The first charge is not answered until a month later: then it is charged, and the month after it."""

    def away(*_given, **_facts):
        raise UpstreamFailed("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "charge_off_session", away)
        with pytest.raises(UpstreamFailed):
            subscribed(sessions, gateway, acme)
        assert list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28))) == []
        with sessions() as session:
            assert count(session, Invoice) == 1
    run(sessions, gateway, at(3, 1))
    with sessions() as session:
        assert session.scalars(select(Subscription.state)).all() == [ACTIVE]
        assert count(session, Invoice, Invoice.state == InvoiceState.PAID) == count(session, Payment) == 2


def test_what_a_late_run_bills_of_one_that_is_over_by_then_is_asked_for(sessions, gateway):
    """Two months from 31 January, looked at in April: no card is charged any more, and a mail asks for the rest."""
    with sessions.begin() as session:
        a_plan(session, ends_after=2)
        acme = session.get_one(Customer, a_customer(session)).public_id
    subscription_id = subscribed(sessions, gateway, acme)
    assert run(sessions, gateway, at(4, 1)) == [None]
    with sessions() as session:
        assert state(session, subscription_id).state is SubscriptionState.CANCELED
        assert count(session, Payment) == 1
        # The other one tells that it is over.
        assert count(session, OutboxMessage, OutboxMessage.channel == "mail") == 2
        (invoice,) = session.scalars(select(Invoice).where(Invoice.state == InvoiceState.OPEN))
        assert (invoice.issued_on, invoice.due_minor) == (at(2, 28).date(), 3_000)
    assert run(sessions, gateway, at(4, 2)) == []


def test_credit_pays_first_and_only_the_rest_is_charged(sessions, gateway, acme):
    """10.00 of credit: 20.00 is charged of the first 30.00."""
    with sessions.begin() as session:
        customer_id = session.scalars(select(Customer.id)).one()
        money = Received("USD", 1_000, PaymentMethod.CASH, BEGUN.date())
        received.record(
            session, SYSTEM, customer_id=customer_id, received=money, allocations={}, today=BEGUN.date(), now=BEGUN
        )
    subscribed(sessions, gateway, acme)
    with sessions() as session:
        (invoice,) = session.scalars(select(Invoice))
        assert (invoice.state, invoice.paid_minor) == (InvoiceState.PAID, 3_000)
        assert session.scalars(select(SandboxCharge.amount_minor)).all() == [2_000]


def test_an_event_before_our_own_record_ends_the_same(sessions, gateway, acme, monkeypatch):
    """10.00 of credit, 20.00 charged: the gateway tells of the 20.00 while the invoice is still a draft."""
    charge = attempts.charge

    def told_first(*given):
        charged = charge(*given)
        with sessions.begin() as session:
            for message in session.scalars(select(OutboxMessage).where(OutboxMessage.channel == SANDBOX)):
                handlers.apply(session, json.loads(message.content["event"]), mode=Mode.SANDBOX, now=BEGUN)
        return charged

    with sessions.begin() as session:
        customer_id = session.scalars(select(Customer.id)).one()
        money = Received("USD", 1_000, PaymentMethod.CASH, BEGUN.date())
        received.record(
            session, SYSTEM, customer_id=customer_id, received=money, allocations={}, today=BEGUN.date(), now=BEGUN
        )
    monkeypatch.setattr(attempts, "charge", told_first)
    subscription_id = subscribed(sessions, gateway, acme)
    with sessions() as session:
        (invoice,) = session.scalars(select(Invoice))
        assert (invoice.state, invoice.paid_minor) == (InvoiceState.PAID, 3_000)
        assert sorted(session.scalars(select(Payment.amount_minor))) == [1_000, 2_000]
        assert count(session, PaymentCase) == 0
        assert state(session, subscription_id).state is ACTIVE

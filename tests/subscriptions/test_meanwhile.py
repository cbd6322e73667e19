"""What happens while a card is charged: events, other cards, credit that comes or goes. *pro* is 30.00 a month."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import Charged, ChargeOutcome, Declined
from billing_core.online_payments.models import SANDBOX, PaymentCase
from billing_core.online_payments.off_session import attempts
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.online_payments.webhooks import handlers
from billing_core.outbox.models import OutboxMessage
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.plans.models import CustomerPlan
from billing_core.settings import settings
from billing_core.subscriptions import clock
from billing_core.subscriptions.changes import paying
from billing_core.subscriptions.lifecycle import ACTIVE
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice
from tests.invoices.company import a_customer
from tests.subscriptions.changed import balance, found, plans, subscribed
from tests.subscriptions.signed_up import BEGUN, a_plan, at
from tests.subscriptions.test_collecting import FAILS, other_card


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, settings())


@pytest.fixture
def meanwhile(monkeypatch):
    """``meanwhile(what, before=False)``: done once, between the next charge and what is recorded of it, or before it;
    what it returns that is a ``Charged`` is the charge's answer.
    """
    charge = attempts.charge

    def arrange(what, *, before=False):
        left = [what]

        def charged(*given):
            answer = left.pop()() if left and before else None
            found = answer if isinstance(answer, Charged) else charge(*given)
            if left:
                left.pop()()
            return found

        monkeypatch.setattr(attempts, "charge", charged)

    return arrange


def got_credit(sessions, minor: int) -> None:
    day = BEGUN.date()
    with sessions.begin() as session:
        customer_id = session.scalars(select(Customer.id)).one()
        money = Received("USD", minor, PaymentMethod.CASH, day)
        received.record(session, SYSTEM, customer_id=customer_id, received=money, allocations={}, today=day, now=BEGUN)


def test_the_gateway_tells_of_the_first_charge_before_we_record_it(sessions, gateway, meanwhile):
    def told():
        with sessions.begin() as session:
            for message in session.scalars(select(OutboxMessage).where(OutboxMessage.channel == SANDBOX)):
                handlers.apply(session, json.loads(message.content["event"]), mode=Mode.SANDBOX, now=BEGUN)

    meanwhile(told)
    subscribed(sessions, gateway)
    with sessions() as session:
        assert session.scalars(select(Subscription.state)).all() == [ACTIVE]
        (invoice,) = session.scalars(select(Invoice))
        assert (invoice.state, balance(session)) == (InvoiceState.PAID, 0)


def test_a_declined_sign_up_leaves_the_customer_on_the_plan_of_before(sessions, gateway):
    with sessions.begin() as session:
        a_plan(session, "calls", price_per_call="0.01")
        a_customer(session)
    with pytest.raises(Declined):
        subscribed(sessions, gateway, "calls", card=FAILS)
    with sessions() as session:
        assert session.scalars(select(CustomerPlan)).all() == []
    subscribed(sessions, gateway, "calls")
    with sessions() as session:
        assert session.scalars(select(Subscription.state)).all() == [ACTIVE]


@pytest.mark.parametrize("version_id", [1, None])
def test_a_declined_sign_up_leaves_what_people_put_the_customer_on_the_same_day(sessions, gateway, version_id):
    """Also where that is no plan at all, after one of before."""
    day = BEGUN.date()
    with sessions.begin() as session:
        a_plan(session, "by-hand", price_per_call="0.02")
        a_plan(session, "calls", price_per_call="0.01")
        customer_id = a_customer(session)
        for since, version in ((day - timedelta(days=9), 1), (day, version_id)):
            put = CustomerPlan(customer_id=customer_id, plan_version_id=version, valid_from=since, created_at=BEGUN)
            session.add(put)
    with pytest.raises(Declined):
        subscribed(sessions, gateway, "calls", card=FAILS)
    with sessions() as session:
        left = session.scalars(select(CustomerPlan).order_by(CustomerPlan.valid_from)).all()
        assert [one.plan_version_id for one in left] == [1, version_id]
        assert [one.billed_with for one in left] == [None, None]


def test_a_card_given_while_the_old_one_is_refused_for_ever_is_charged_at_once(sessions, gateway, meanwhile):
    public_id = subscribed(sessions, gateway)

    def replaced() -> Charged:
        paying.replace(sessions, SYSTEM, gateway, public_id, "pm_card_good", now=at(2, 28))
        return Charged(ChargeOutcome.DECLINED, decline_code="stolen_card", message="Stolen", hard=True)

    meanwhile(replaced, before=True)
    for hour in (10, 11):
        list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28, hour)))
    with sessions() as session:
        assert found(session, public_id).state is ACTIVE
        assert [one.state for one in session.scalars(select(Invoice))] == [InvoiceState.PAID] * 2


def test_a_card_given_while_a_retry_with_the_old_one_fails_is_charged_at_once(sessions, gateway, meanwhile):
    public_id = subscribed(sessions, gateway)
    with sessions() as session:
        subscription_id = found(session, public_id).id
    other_card(sessions, gateway, subscription_id, FAILS)
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28)))
    meanwhile(lambda: paying.replace(sessions, SYSTEM, gateway, public_id, "pm_card_good", now=at(3, 1, 11)))
    list(clock.run(sessions, SYSTEM, gateway, now=at(3, 1, 11)))
    list(clock.run(sessions, SYSTEM, gateway, now=at(3, 1, 11) + timedelta(minutes=11)))
    with sessions() as session:
        assert found(session, public_id).state is ACTIVE


def test_credit_that_comes_while_signing_up_is_kept(sessions, gateway, meanwhile):
    """10.00 come in while the whole 30.00 are charged."""
    meanwhile(lambda: got_credit(sessions, 1_000))
    subscribed(sessions, gateway)
    with sessions() as session:
        (invoice,) = session.scalars(select(Invoice))
        assert (invoice.state, invoice.due_minor, balance(session)) == (InvoiceState.PAID, 0, 1_000)


def test_what_credit_was_to_pay_is_collected_where_it_is_gone_meanwhile(sessions, gateway, meanwhile):
    """20.00 are charged, as 10.00 of credit are to pay the rest, which a subscription to another plan uses first."""
    with sessions.begin() as session:
        plans(session)
    got_credit(sessions, 1_000)
    meanwhile(lambda: subscribed(sessions, gateway, "team", card=None))
    public_id = subscribed(sessions, gateway, "pro")
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 1)))
    with sessions() as session:
        of_it = select(SubscriptionInvoice.invoice_id).where(
            SubscriptionInvoice.subscription_id == found(session, public_id).id
        )
        invoice = session.get_one(Invoice, session.scalars(of_it).one())
        assert (invoice.state, invoice.due_minor) == (InvoiceState.PAID, 0)
        assert session.scalars(select(PaymentCase)).all() == []

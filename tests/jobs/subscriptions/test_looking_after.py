"""What the jobs of subscriptions do between periods: customers are reminded, and what they paid and gave is seen."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core import runtime
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.jobs import queues
from billing_core.jobs.subscriptions import charges, renewals
from billing_core.online_payments.off_session import methods
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.outbox.models import OutboxMessage
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.settings import settings
from billing_core.subscriptions import clock, signing_up
from billing_core.subscriptions.lifecycle import ACTIVE, PAST_DUE
from billing_core.subscriptions.models import Subscription
from billing_core.subscriptions.service import Wanted
from tests.invoices.company import a_customer
from tests.subscriptions.signed_up import a_plan
from tests.subscriptions.test_collecting import FAILS


@pytest.fixture
def company(sessions, data_dir, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    with sessions.begin() as session:
        a_plan(session)
        a_customer(session)
    return sessions


def subscribed(sessions, *, begun_days_ago: int, **facts) -> None:
    gateway = SandboxGateway(sessions, settings())
    with sessions() as session:
        name = session.scalars(select(Customer.public_id)).one()
    begun = utc_now() - timedelta(days=begun_days_ago)
    signing_up.subscribe(sessions, SYSTEM, gateway, Wanted(name, "pro", **facts), method="pm_card_visa", now=begun)


def test_a_trial_that_ends_soon_is_told_of_once(company):
    subscribed(company, begun_days_ago=12, trial_days=14)
    renewals.remind()
    renewals.remind()
    with company() as session:
        assert session.scalars(select(OutboxMessage.topic)).all() == ["trial_ending"]


def test_a_payment_by_hand_brings_it_back_before_anything_is_charged(company, monkeypatch):
    subscribed(company, begun_days_ago=32)
    gateway, now = SandboxGateway(company, settings()), utc_now()
    with company() as session:
        customer_id = session.scalars(select(Customer.id)).one()
    card = methods.attach(company, SYSTEM, gateway, customer_id, FAILS, now=now)
    with company.begin() as session:
        session.scalars(select(Subscription)).one().payment_method_id = card
    assert len(list(clock.run(company, SYSTEM, gateway, now=now - timedelta(days=1)))) == 2
    with company.begin() as session:
        assert session.scalars(select(Subscription.state)).one() is PAST_DUE
        invoice = session.scalars(select(Invoice).where(Invoice.state == InvoiceState.OPEN)).one()
        money = Received("USD", 3_000, PaymentMethod.CASH, now.date())
        received.record_for(session, SYSTEM, invoice.id, received=money, today=now.date(), now=now)
    monkeypatch.setattr(queues, "enqueue_once", lambda *_given, **_facts: None)
    charges.keep_going()
    with company() as session:
        assert session.scalars(select(Subscription.state)).one() is ACTIVE

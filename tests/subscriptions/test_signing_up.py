"""A sign-up that two complete at the same time, and that is declined."""

import pytest
from sqlalchemy import delete, event, select

from billing_core.errors import NotFound
from billing_core.identity import SYSTEM
from billing_core.online_payments.gateway import Declined
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.settings import settings
from billing_core.subscriptions import queries, signing_up
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice
from tests.subscriptions.changed import subscribed
from tests.subscriptions.signed_up import BEGUN, a_plan, a_subscription, at

FAILS = "pm_card_chargeCustomerFail"


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, settings())


def test_who_comes_second_tells_the_decline_too(sessions, gateway, monkeypatch):
    charge = SandboxGateway.charge_off_session

    def overtaken(self, *given, **facts):
        charged = charge(self, *given, **facts)
        monkeypatch.setattr(SandboxGateway, "charge_off_session", charge)
        assert signing_up.complete_unfinished(sessions, SYSTEM, gateway, before=at(2, 1), now=BEGUN) == 1
        return charged

    monkeypatch.setattr(SandboxGateway, "charge_off_session", overtaken)
    with pytest.raises(Declined, match="declined"):
        subscribed(sessions, gateway, card=FAILS)
    with sessions() as session:
        assert session.scalars(select(Subscription)).all() == []


def test_what_goes_while_its_customer_is_waited_for_is_not_found(session):
    a_plan(session)
    subscription_id = a_subscription(session, trial_days=14)

    @event.listens_for(session, "do_orm_execute")
    def goes_meanwhile(execution):
        if execution.is_select and execution.bind_mapper.class_ is Subscription:
            session.execute(delete(SubscriptionInvoice))
            session.execute(delete(Subscription))

    with pytest.raises(NotFound):
        queries.for_change(session, SYSTEM, subscription_id)

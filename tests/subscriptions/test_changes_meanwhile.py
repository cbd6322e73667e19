"""Changes that are asked for again, and what happens beside them while they are charged."""

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.errors import Conflict, UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.online_payments.gateway import Declined
from billing_core.online_payments.models import ChargeAttempt, PaymentCase
from billing_core.online_payments.off_session import attempts
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.settings import settings
from billing_core.subscriptions import clock
from billing_core.subscriptions.changes import changing
from billing_core.subscriptions.changes.changing import Outdated
from billing_core.subscriptions.models import ChangeState, SubscriptionChange
from tests.subscriptions.changed import HALF, balance, changed, charged, found, previewed, subscribed
from tests.subscriptions.signed_up import at
from tests.subscriptions.test_collecting import FAILS, other_card


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, settings())


def states(sessions) -> list[ChangeState]:
    """Of all changes, the oldest first."""
    with sessions() as session:
        return list(session.scalars(select(SubscriptionChange.state).order_by(SubscriptionChange.id)))


def withdrawn(sessions, gateway, public_id: str, token: str | None = None) -> None:
    change_id = changed(sessions, gateway, public_id, plan_code="pro", token=token)
    with sessions.begin() as session:
        changing.withdraw(session, SYSTEM, public_id, change_id, now=HALF)


def test_what_was_withdrawn_can_be_asked_for_again(sessions, gateway):
    public_id = subscribed(sessions, gateway, "team")
    withdrawn(sessions, gateway, public_id)
    changed(sessions, gateway, public_id, plan_code="pro")
    assert states(sessions) == [ChangeState.WITHDRAWN, ChangeState.SCHEDULED]


def test_what_was_withdrawn_can_be_asked_for_again_as_it_is_shown_then(sessions, gateway):
    public_id = subscribed(sessions, gateway, "team")
    withdrawn(sessions, gateway, public_id, previewed(sessions, public_id, plan_code="pro").token)
    shown = previewed(sessions, public_id, plan_code="pro")
    again = changed(sessions, gateway, public_id, plan_code="pro", token=shown.token)
    assert states(sessions) == [ChangeState.WITHDRAWN, ChangeState.SCHEDULED]
    assert changed(sessions, gateway, public_id, plan_code="pro", token=shown.token) == again
    assert states(sessions) == [ChangeState.WITHDRAWN, ChangeState.SCHEDULED]


def test_what_was_shown_before_the_same_was_withdrawn_is_outdated(sessions, gateway):
    public_id = subscribed(sessions, gateway, "team")
    shown = previewed(sessions, public_id, plan_code="pro")
    withdrawn(sessions, gateway, public_id)
    with pytest.raises(Outdated):
        changed(sessions, gateway, public_id, plan_code="pro", token=shown.token)


def test_what_was_declined_is_charged_again_when_asked_for_again(sessions, gateway):
    """Once for the first period, and twice in vain."""
    public_id = subscribed(sessions, gateway)
    with sessions() as session:
        subscription_id = found(session, public_id).id
    other_card(sessions, gateway, subscription_id, FAILS)
    for _ in range(2):
        with pytest.raises(Declined):
            changed(sessions, gateway, public_id, plan_code="team")
    assert states(sessions) == [ChangeState.FAILED, ChangeState.FAILED]
    with sessions() as session:
        assert len(session.scalars(select(ChargeAttempt)).all()) == 3
    other_card(sessions, gateway, subscription_id, "pm_card_visa")
    changed(sessions, gateway, public_id, plan_code="team")
    assert states(sessions)[-1] is ChangeState.APPLIED
    with sessions() as session:
        assert charged(session) == [3_000, 1_500]


def test_credit_that_goes_while_a_change_is_charged_is_asked_for_alone(sessions, gateway, monkeypatch):
    """15.00 for the rest of the period, of which 10.00 of credit were to pay: 5.00 are charged as shown, and once the
    credit has paid another invoice, the 10.00.
    """
    public_id = subscribed(sessions, gateway)
    with sessions.begin() as session:
        customer_id = session.scalars(select(Customer.id)).one()
        money = Received("USD", 1_000, PaymentMethod.CASH, at(2, 1).date())
        day = at(2, 1).date()
        received.record(
            session, SYSTEM, customer_id=customer_id, received=money, allocations={}, today=day, now=at(2, 1)
        )
    shown = previewed(sessions, public_id, plan_code="team")
    assert (shown.to_pay_minor, shown.sums.total_minor) == (500, 3_000)
    charge = attempts.charge

    def spent_meanwhile(*given):
        answer = charge(*given)
        subscribed(sessions, gateway, card=None, now=HALF)
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(attempts, "charge", spent_meanwhile)
        changed(sessions, gateway, public_id, plan_code="team", token=shown.token)
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 15)))
    with sessions() as session:
        assert (charged(session), balance(session)) == ([3_000, 500, 1_000], 0)
        assert session.scalars(select(PaymentCase)).all() == []


def test_one_that_cannot_be_completed_keeps_nobody_waiting(sessions, gateway, monkeypatch):
    """60.00 from 28 February on, for the other one."""

    def away(*_given, **_facts):
        raise UpstreamFailed("no answer")

    def refused(*_given):
        raise Conflict("The card was put on file in live mode, and the product collects in sandbox mode now")

    waiting, other = subscribed(sessions, gateway), subscribed(sessions, gateway, "team")
    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "charge_off_session", away)
        with pytest.raises(UpstreamFailed):
            changed(sessions, gateway, waiting, plan_code="team")
    with monkeypatch.context() as patched:
        patched.setattr(attempts, "charge", refused)
        assert changing.complete_unfinished(sessions, SYSTEM, gateway, before=at(2, 15), now=at(2, 15)) == 1
    assert states(sessions) == [ChangeState.CHARGING]
    # The one that waits is completed by the next run, which renews the other too.
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28)))
    assert states(sessions) == [ChangeState.APPLIED]
    with sessions() as session:
        assert found(session, other).period_number == 1

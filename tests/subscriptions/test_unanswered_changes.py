"""A change that is charged to a card for real money, of which nothing is heard since the product collects none.

*pro* is 30.00 USD, *team* 60.00; in the middle of the period the change costs 30.00 less 15.00 for unused days.
"""

import pytest
from sqlalchemy import select, update

from billing_core.errors import Conflict, UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.models import AttemptState, CaseKind, ChargeAttempt, PaymentCase, PaymentMethodOnFile
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.settings import settings
from billing_core.subscriptions import clock, verification
from billing_core.subscriptions.changes import cancelling, changing
from billing_core.subscriptions.changes.closing import Ending
from billing_core.subscriptions.lifecycle import ACTIVE, CANCELED
from billing_core.subscriptions.models import ChangeState, SubscriptionChange
from tests.subscriptions.changed import balance, changed, charged, found, subscribed
from tests.subscriptions.signed_up import at
from tests.subscriptions.test_collecting import FAILS, other_card


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, settings())


def collects_in(sessions, mode: Mode) -> None:
    """Seen from the cards: all are of this mode, while the product collects in the sandbox."""
    with sessions.begin() as session:
        session.execute(update(PaymentMethodOnFile).values(mode=mode))


def unanswered(sessions, gateway, monkeypatch, *, card: str | None = None) -> str:
    def away(*_given, **_facts):
        raise UpstreamFailed("no answer")

    public_id = subscribed(sessions, gateway)
    if card is not None:
        with sessions() as session:
            subscription_id = found(session, public_id).id
        other_card(sessions, gateway, subscription_id, card)
    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "charge_off_session", away)
        with pytest.raises(UpstreamFailed):
            changed(sessions, gateway, public_id, plan_code="team")
    collects_in(sessions, Mode.LIVE)
    clock.recover(sessions, SYSTEM, gateway, now=at(2, 15))
    return public_id


def withdraw(sessions, public_id, mode: Mode | None) -> None:
    with sessions.begin() as session:
        changing.withdraw(session, SYSTEM, public_id, 1, mode=mode, now=at(2, 16))


def changes(sessions) -> list[ChangeState]:
    with sessions() as session:
        assert [check.wrong for check in verification.checks(session) if check.wrong] == []
        return list(session.scalars(select(SubscriptionChange.state)))


@pytest.mark.parametrize("at_period_end", [False, True])
def test_it_is_withdrawn_before_anything_else_and_that_ends_it(sessions, gateway, monkeypatch, at_period_end):
    public_id = unanswered(sessions, gateway, monkeypatch)
    ending = Ending(at_period_end=at_period_end)
    with pytest.raises(Conflict, match="withdraw that change first"):
        cancelling.cancel(sessions, SYSTEM, gateway, public_id, ending, now=at(2, 16))
    withdraw(sessions, public_id, Mode.SANDBOX)
    assert changes(sessions) == [ChangeState.FAILED]
    cancelling.cancel(sessions, SYSTEM, gateway, public_id, ending, now=at(2, 16))
    with sessions() as session:
        assert (found(session, public_id).state is CANCELED) == (not at_period_end)


@pytest.mark.parametrize("mode", [None, Mode.LIVE])
def test_while_it_can_be_answered_it_is_waited_for(sessions, gateway, monkeypatch, mode):
    public_id = unanswered(sessions, gateway, monkeypatch)
    with pytest.raises(Conflict, match="is being charged"):
        withdraw(sessions, public_id, mode)
    assert changes(sessions) == [ChangeState.CHARGING]


def test_so_it_is_with_a_card_of_this_mode(sessions, gateway, monkeypatch):
    public_id = unanswered(sessions, gateway, monkeypatch)
    collects_in(sessions, Mode.SANDBOX)
    with pytest.raises(Conflict, match="is being charged"):
        withdraw(sessions, public_id, Mode.SANDBOX)


def test_what_is_known_of_it_counts(sessions, gateway, monkeypatch):
    """Its event came, and whoever began it completes it."""
    public_id = unanswered(sessions, gateway, monkeypatch)
    with sessions.begin() as session:
        attempt = session.scalars(select(ChargeAttempt).where(ChargeAttempt.state == AttemptState.STARTED)).one()
        attempt.state, attempt.finished_at = AttemptState.DECLINED, at(2, 15)
    with pytest.raises(Conflict, match="is being charged"):
        withdraw(sessions, public_id, Mode.SANDBOX)


def test_it_goes_on_as_it_was_and_money_that_came_in_is_credit_with_a_case(sessions, gateway, monkeypatch):
    public_id = unanswered(sessions, gateway, monkeypatch)
    withdraw(sessions, public_id, Mode.SANDBOX)
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 16)))
    with sessions() as session:
        assert (charged(session), balance(session)) == ([3_000], 0)
        draft = session.scalars(select(Invoice).order_by(Invoice.id.desc())).first()
        assert (draft.state, draft.number) == (InvoiceState.CANCELLED, None)
    collects_in(sessions, Mode.SANDBOX)
    for _ in range(2):
        list(clock.run(sessions, SYSTEM, gateway, now=at(2, 17)))
    with sessions() as session:
        assert (charged(session), balance(session)) == ([3_000, 1_500], 1_500)
        (case,) = session.scalars(select(PaymentCase))
        assert (case.kind, case.amount_minor) == (CaseKind.NOTHING_DUE, 1_500)
    # The next period costs what it did: the credit pays half of it, the card the rest.
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28)))
    assert changes(sessions) == [ChangeState.FAILED]
    with sessions() as session:
        assert (charged(session), balance(session)) == ([3_000, 1_500, 1_500], 0)
        assert found(session, public_id).state is ACTIVE


def test_a_charge_that_had_failed_changes_nothing(sessions, gateway, monkeypatch):
    public_id = unanswered(sessions, gateway, monkeypatch, card=FAILS)
    withdraw(sessions, public_id, Mode.SANDBOX)
    collects_in(sessions, Mode.SANDBOX)
    for _ in range(2):
        list(clock.run(sessions, SYSTEM, gateway, now=at(2, 17)))
    assert changes(sessions) == [ChangeState.FAILED]
    with sessions() as session:
        assert (found(session, public_id).state, balance(session)) == (ACTIVE, 0)
        assert session.scalars(select(PaymentCase)).all() == []

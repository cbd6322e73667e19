"""What about subscriptions needs a hand: counted, listed, and left out once it is settled."""

from datetime import date

import pytest
from sqlalchemy import select

from billing_core import figures
from billing_core.errors import Forbidden, UpstreamFailed
from billing_core.figures import Scope
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.online_payments.models import PaymentMethodOnFile
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.subscriptions import clock, lifecycle, queries, renewals
from billing_core.subscriptions.lifecycle import CANCELED
from billing_core.subscriptions.overview.attention import (
    EXPIRING_CARDS,
    FAILED_CHARGES,
    HELD_SUBSCRIPTIONS,
    UNANSWERED_CHANGES,
)
from billing_core.subscriptions.upkeep import asking
from tests.subscriptions.changed import changed
from tests.subscriptions.signed_up import a_plan, a_subscription, at, state
from tests.subscriptions.test_collecting import FAILS, acme, gateway, other_card, run, subscribed

__all__ = ["acme", "gateway"]


def shown(sessions, figure, today: date | None = None) -> list[tuple[str, date | None]]:
    with sessions() as session:
        rows = figures.page(session, SYSTEM, figure, Scope(today=today))
        assert figures.value(session, SYSTEM, figure, Scope(today=today)).get(None, 0) == len(rows)
    return [(row.label, row.date) for row in rows]


def test_failed_charges_with_their_next_attempt_until_they_are_paid(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    assert shown(sessions, FAILED_CHARGES) == []
    other_card(sessions, gateway, subscription_id, FAILS)
    run(sessions, gateway, at(2, 28))
    with sessions() as session:
        number = session.scalars(select(Invoice.number).where(Invoice.state == InvoiceState.OPEN)).one()
    assert shown(sessions, FAILED_CHARGES) == [(f"{number}, Acme Corp", date(2026, 3, 1))]
    other_card(sessions, gateway, subscription_id, "pm_card_visa")
    run(sessions, gateway, at(3, 1))
    assert shown(sessions, FAILED_CHARGES) == []


def test_held_ones_until_somebody_releases_them(sessions):
    with sessions.begin() as session:
        a_plan(session)
        held, over = a_subscription(session), a_subscription(session)
        for each in (held, over):
            state(session, each).held_at = at(2, 3)
        session.flush()
        lifecycle.move(session, SYSTEM, queries.for_change(session, SYSTEM, over), CANCELED, now=at(2, 4))
    assert shown(sessions, HELD_SUBSCRIPTIONS) == [("Acme Corp, Pro", date(2026, 2, 3))]
    with sessions.begin() as session:
        renewals.release(session, SYSTEM, held, now=at(2, 4))
    assert shown(sessions, HELD_SUBSCRIPTIONS) == []


def test_changes_whose_charge_is_not_answered_from_the_next_day_on(sessions, gateway, acme, monkeypatch):
    def away(*_given, **_facts):
        raise UpstreamFailed("no answer")

    subscription_id = subscribed(sessions, gateway, acme)
    with sessions.begin() as session:
        a_plan(session, "team", "60")
        public_id = state(session, subscription_id).public_id
    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "charge_off_session", away)
        with pytest.raises(UpstreamFailed):
            changed(sessions, gateway, public_id, at(2, 14), plan_code="team")
    assert shown(sessions, UNANSWERED_CHANGES, date(2026, 2, 14)) == []
    assert shown(sessions, UNANSWERED_CHANGES, date(2026, 2, 15)) == [("Acme Corp, Pro", date(2026, 2, 14))]
    clock.recover(sessions, SYSTEM, gateway, now=at(2, 15))
    assert shown(sessions, UNANSWERED_CHANGES, date(2026, 2, 15)) == []


@pytest.mark.parametrize(
    ("today", "counts"),
    [(date(2026, 2, 28), False), (date(2026, 3, 1), True), (date(2026, 4, 30), True), (date(2026, 5, 1), False)],
)
def test_cards_within_sixty_days_of_their_last_day(sessions, gateway, acme, today, counts):
    """On 30 April, which is 60 days after 1 March."""
    subscribed(sessions, gateway, acme)
    with sessions.begin() as session:
        session.scalars(select(PaymentMethodOnFile)).one().expires_on = date(2026, 4, 30)
    rows = [("Acme Corp, visa •••• 4242", date(2026, 4, 30))]
    assert shown(sessions, EXPIRING_CARDS, today) == (rows if counts else [])


def test_links_are_mailed_for_what_failed_once_a_time(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    assert asking.mail_links(sessions, SYSTEM, gateway, subscription_id, now=at(2, 1)) == 0
    other_card(sessions, gateway, subscription_id, FAILS)
    run(sessions, gateway, at(2, 28))
    assert asking.mail_links(sessions, SYSTEM, gateway, subscription_id, now=at(2, 28, 12)) == 1
    # The first one waits in the outbox.
    assert asking.mail_links(sessions, SYSTEM, gateway, subscription_id, now=at(2, 28, 13)) == 0
    with sessions() as session:
        mail = session.scalars(select(OutboxMessage).where(OutboxMessage.topic == "invoice")).one()
        assert (mail.state, "/pay\n" in mail.content["text"]) == (MessageState.WAITING, True)
        (failed,) = asking.failed(session, SYSTEM, subscription_id)
        assert failed.at == at(3, 1)
    reader = actor_with(Role.MANAGER, user_id=1, name="Manager")
    with pytest.raises(Forbidden):
        asking.mail_links(sessions, reader, gateway, subscription_id, now=at(2, 28, 13))

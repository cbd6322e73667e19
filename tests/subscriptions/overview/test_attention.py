"""What about subscriptions needs a hand: counted, listed, and left out once it is settled."""

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from billing_core import figures
from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Forbidden, UpstreamFailed
from billing_core.figures import Scope
from billing_core.identity import SYSTEM, Actor, Role, actor_with
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.online_payments.models import CardRequest, PaymentMethodOnFile
from billing_core.online_payments.off_session import methods, requests
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.subscriptions import clock, lifecycle, queries, renewals
from billing_core.subscriptions.changes import cancelling
from billing_core.subscriptions.changes.closing import Ending, Unused
from billing_core.subscriptions.lifecycle import CANCELED
from billing_core.subscriptions.overview import search
from billing_core.subscriptions.overview.attention import (
    EXPIRING_CARDS,
    FAILED_CHARGES,
    HELD_SUBSCRIPTIONS,
    UNANSWERED_CHANGES,
)
from billing_core.subscriptions.overview.search import SubscriptionFilter, Tab
from billing_core.subscriptions.upkeep import asking
from tests.subscriptions.changed import changed
from tests.subscriptions.signed_up import a_plan, a_subscription, at, state
from tests.subscriptions.test_collecting import FAILS, NEEDS_CUSTOMER, acme, gateway, other_card, run, subscribed

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
    [(date(2026, 2, 28), False), (date(2026, 3, 1), True), (date(2026, 4, 30), True), (date(2026, 5, 1), True)],
)
def test_cards_from_sixty_days_before_their_last_day_on(sessions, gateway, acme, today, counts):
    """On 30 April, which is 60 days after 1 March."""
    subscribed(sessions, gateway, acme)
    with sessions.begin() as session:
        session.scalars(select(PaymentMethodOnFile)).one().expires_on = date(2026, 4, 30)
    rows = [("Acme Corp, visa •••• 4242", date(2026, 4, 30))]
    assert shown(sessions, EXPIRING_CARDS, today) == (rows if counts else [])
    with sessions() as session:
        on_tab = SubscriptionFilter(tab=Tab.CARD_EXPIRES, today=today)
        assert search.count(session, SYSTEM, on_tab) == len(rows if counts else [])


@pytest.mark.usefixtures("mail_server")
def test_links_are_mailed_for_what_failed_once_a_time(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    assert asking.mail_links(sessions, SYSTEM, gateway, subscription_id, now=at(2, 1)) == 0
    other_card(sessions, gateway, subscription_id, FAILS)
    run(sessions, gateway, at(2, 28))
    # The one that told of it waits in the outbox.
    assert asking.mail_links(sessions, SYSTEM, gateway, subscription_id, now=at(2, 28, 11)) == 0
    delivered(sessions)
    assert asking.mail_links(sessions, SYSTEM, gateway, subscription_id, now=at(2, 28, 12)) == 1
    assert asking.mail_links(sessions, SYSTEM, gateway, subscription_id, now=at(2, 28, 13)) == 0
    with sessions() as session:
        told, mail = session.scalars(select(OutboxMessage).where(OutboxMessage.topic == "charge_failed"))
        assert (mail.state, mail.content["text"]) == (MessageState.WAITING, told.content["text"])
        # Who clicks twice mails once, and can take it back: what tells of a charge leaves at once.
        assert [one.not_before - one.created_at for one in (told, mail)] == [timedelta(0), timedelta(minutes=1)]
        assert all(address in mail.content["text"] for address in ("/pay\n", "/card/", "again on March 1, 2026"))
        (failed,) = asking.failed(session, SYSTEM, subscription_id)
        assert failed.at == at(3, 1)
        assert asking.next_attempts(session, SYSTEM, [subscription_id]) == {subscription_id: at(3, 1)}
        # 30.00 of the period that began on 28 February.
        waiting = (subscription_id, "Acme Corp", "Pro", "USD", 1, 30_00, at(3, 1))
        assert asking.failing(session, SYSTEM, limit=9) == [waiting]
    reader = actor_with(Role.MANAGER, user_id=1, name="Manager")
    with pytest.raises(Forbidden):
        asking.mail_links(sessions, reader, gateway, subscription_id, now=at(2, 28, 13))


def test_failing_are_first_those_that_are_given_up_then_those_that_are_charged_soonest(sessions, gateway, acme):
    later, sooner = (subscribed(sessions, gateway, acme, now=begun) for begun in (at(2, 2), at(1, 31)))
    for each in (later, sooner):
        other_card(sessions, gateway, each, FAILS)

    def listed() -> list[tuple[int, datetime | None]]:
        with sessions() as session:
            return [(one.subscription_id, one.next_at) for one in asking.failing(session, SYSTEM, limit=9)]

    run(sessions, gateway, at(2, 28, 11))
    run(sessions, gateway, at(3, 2, 12))
    # Three days after the first failure of the one, a day after that of the other.
    assert listed() == [(sooner, at(3, 3, 11)), (later, at(3, 3, 12))]
    for day in (4, 6, 8):
        run(sessions, gateway, at(3, day, 12))
    assert listed() == [(sooner, None), (later, at(3, 9, 12))]
    with sessions() as session:
        assert len(asking.failing(session, SYSTEM, limit=1)) == 1
        with pytest.raises(Forbidden):
            asking.failing(session, Actor(1, "Nobody", frozenset(), None), limit=1)


def delivered(sessions) -> None:
    """All that waits in the outbox."""
    with sessions.begin() as session:
        session.execute(update(OutboxMessage).values(state=MessageState.DELIVERED, attempts=1))


def test_whoever_has_to_confirm_is_mailed_the_link_that_asks_for_that(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    other_card(sessions, gateway, subscription_id, NEEDS_CUSTOMER)
    run(sessions, gateway, at(2, 28))
    delivered(sessions)
    assert asking.mail_links(sessions, SYSTEM, gateway, subscription_id, now=at(2, 28, 12)) == 1
    with sessions() as session:
        mail = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id.desc())).first()
        assert mail.title.startswith("Please confirm your payment")
        assert "/pay\n" in mail.content["text"]


def test_of_what_is_canceled_the_invoice_is_mailed_and_no_card_asked_for(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    other_card(sessions, gateway, subscription_id, FAILS)
    run(sessions, gateway, at(2, 28))
    with sessions() as session:
        public_id = state(session, subscription_id).public_id
    cancelling.cancel(sessions, SYSTEM, gateway, public_id, Ending(unused=Unused.NOTHING), now=at(2, 28, 11))
    delivered(sessions)
    assert asking.mail_links(sessions, SYSTEM, gateway, subscription_id, now=at(2, 28, 12)) == 1
    with sessions() as session:
        mail = session.scalars(select(OutboxMessage).where(OutboxMessage.topic == "invoice")).one()
        assert ("/pay\n" in mail.content["text"], "/card/" in mail.content["text"]) == (True, False)
    with sessions.begin() as session, pytest.raises(Conflict):
        asking.ask_for_card(session, SYSTEM, subscription_id, now=at(2, 28, 12))


def asked(sessions, subscription_id: int, now) -> OutboxMessage:
    with sessions.begin() as session:
        asking.ask_for_card(session, SYSTEM, subscription_id, now=now)
    with sessions() as session:
        return session.scalars(select(OutboxMessage).order_by(OutboxMessage.id.desc())).first()


@pytest.mark.parametrize(
    ("language", "title", "words"),
    [
        ("en", "Please give us another card for Pro", "The last day of your card Visa •••• 4242"),
        ("de", "Bitte geben Sie uns eine andere Karte für Pro an", "Der letzte Tag Ihrer Karte Visa •••• 4242"),
        ("es", "Facilítenos otra tarjeta para Pro", "El último día de su tarjeta Visa •••• 4242"),
        ("fr", "Veuillez nous indiquer une autre carte pour Pro", "Le dernier jour de votre carte Visa •••• 4242"),
    ],
)
def test_a_card_is_asked_for_in_the_customers_language(sessions, gateway, acme, language, title, words):
    subscription_id = subscribed(sessions, gateway, acme)
    with sessions.begin() as session:
        session.scalars(select(Customer)).one().language = language
    mail = asked(sessions, subscription_id, at(2, 1))
    with sessions() as session:
        request = session.scalars(select(CardRequest)).one()
    assert (mail.topic, mail.title) == ("card_request", title)
    assert words in mail.content["text"]
    assert f"/card/{request.token}\n" in mail.content["text"]


@pytest.mark.usefixtures("mail_server")
def test_a_card_is_asked_for_once_a_click_and_charged_once_it_is_given(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    with sessions.begin() as session:
        methods.detach(session, SYSTEM, state(session, subscription_id).payment_method_id, now=at(2, 1))
    mail = asked(sessions, subscription_id, at(2, 1))
    assert "We have no card to which we can charge Pro." in mail.content["text"]
    assert mail.not_before - mail.created_at == timedelta(minutes=1)
    with pytest.raises(Conflict, match="waits to be sent"):
        asked(sessions, subscription_id, at(2, 1, 11))
    delivered(sessions)
    assert asked(sessions, subscription_id, at(2, 2)).id > mail.id
    with sessions() as session:
        # Both lead to the same address, and each was written down.
        request = session.scalars(select(CardRequest)).one()
        did = select(AuditEntry.action).where(AuditEntry.action == "subscription.ask_for_card")
        assert len(session.scalars(did).all()) == 2
    requests.keep(sessions, SYSTEM, gateway, request.id, "pm_card_visa", gateway_customer_id=None, now=at(2, 3))
    clock.look_after(sessions, SYSTEM, now=at(2, 3))
    with sessions() as session:
        assert state(session, subscription_id).payment_method_id == session.get_one(CardRequest, request.id).method_id


def test_who_has_no_address_is_not_asked(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    with sessions.begin() as session:
        session.scalars(select(Customer)).one().email = ""
    with pytest.raises(Conflict, match="no e-mail address"):
        asked(sessions, subscription_id, at(2, 1))
    reader = actor_with(Role.MANAGER, user_id=1, name="Manager")
    with sessions.begin() as session, pytest.raises(Forbidden):
        asking.ask_for_card(session, reader, subscription_id, now=at(2, 1))

"""What customers are told, each once and with the change it tells of, and what programs are."""

import re
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.online_payments.models import AttemptState, CardRequest, ChargeAttempt, PaymentMethodOnFile
from billing_core.online_payments.off_session import methods, requests
from billing_core.outbox.models import WEBHOOK, OutboxMessage
from billing_core.outgoing_webhooks.models import WebhookEndpoint
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.plans.models import TrialEnd
from billing_core.settings import settings
from billing_core.subscriptions import clock, collecting, lifecycle, queries
from billing_core.subscriptions.changes import paying
from billing_core.subscriptions.lifecycle import ACTIVE, CANCELED, PAST_DUE, UNPAID
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice
from billing_core.subscriptions.upkeep import reminding
from billing_core.web.api.event_payloads import rendered
from tests.invoices.company import a_customer
from tests.subscriptions.signed_up import BEGUN, a_plan, a_subscription, at, state
from tests.subscriptions.test_collecting import FAILS, NEEDS_CUSTOMER, acme, gateway, other_card, run, subscribed

__all__ = ["acme", "gateway"]


def mails(sessions, topic: str | None = None) -> list[OutboxMessage]:
    with sessions() as session:
        found = select(OutboxMessage).where(OutboxMessage.channel == "mail").order_by(OutboxMessage.id)
        return list(session.scalars(found if topic is None else found.where(OutboxMessage.topic == topic)))


def titles(sessions) -> list[str]:
    return [mail.title for mail in mails(sessions)]


@pytest.mark.parametrize(("days", "told"), [(14, at(2, 11)), (4, at(2, 1)), (3, at(2, 2)), (2, at(2, 1)), (1, BEGUN)])
def test_the_end_of_a_trial_is_told_once_three_days_before_or_one(sessions, gateway, acme, days, told):
    """Begun on 31 January at 10:00: fourteen days end on 14 February, and three days before that is the 11th."""
    subscribed(sessions, gateway, acme, trial_days=days)
    if told > BEGUN:
        run(sessions, gateway, told - timedelta(seconds=1))
        assert mails(sessions) == []
    run(sessions, gateway, told)
    (mail,) = mails(sessions, "trial_ending")
    ends = BEGUN + timedelta(days=days)
    assert mail.title == f"Your trial of Pro ends on {ends:%B} {ends.day}, 2026"
    assert "is charged to your card (Visa •••• 4242)" in mail.content["text"]
    assert "/card/" not in mail.content["text"]
    run(sessions, gateway, told + timedelta(hours=1))
    assert len(mails(sessions, "trial_ending")) == 1


@pytest.mark.parametrize(
    ("trial_end", "words"),
    [
        (TrialEnd.CANCEL, "It goes on only if you give us a card by then."),
        (TrialEnd.PAUSE, "It goes on only if you give us a card by then."),
        (TrialEnd.INVOICE, "we will send you an invoice for it"),
    ],
)
def test_without_a_card_a_trial_asks_for_one(sessions, gateway, trial_end, words):
    with sessions.begin() as session:
        a_plan(session, trial_end=trial_end)
        a_subscription(session, trial_days=14)
    run(sessions, gateway, at(2, 11))
    (mail,) = mails(sessions)
    with sessions() as session:
        (request,) = session.scalars(select(CardRequest))
    assert words in mail.content["text"]
    assert f"/card/{request.token}\n" in mail.content["text"]
    assert f'/card/{request.token}"' in mail.content["html"]


def test_short_trials_that_are_told_of_later_keep_no_other_waiting(sessions):
    """At noon on 11 February: two days that end on the 13th are told of on the 12th, and fourteen now."""
    with sessions.begin() as session:
        a_plan(session)
        a_subscription(session, trial_days=2, now=at(2, 11))
        long = a_subscription(session, trial_days=14, ref="B")
    with sessions() as session:
        assert reminding.trials_due(session, now=at(2, 11, 12), limit=1) == [long]


def test_whoever_ends_with_the_trial_is_not_reminded_but_told_of_the_end(sessions, gateway):
    with sessions.begin() as session:
        a_plan(session)
        subscription = state(session, a_subscription(session, trial_days=14))
        subscription.cancel_at_period_end = True
    run(sessions, gateway, at(2, 11))
    assert titles(sessions) == []
    run(sessions, gateway, at(2, 14))
    run(sessions, gateway, at(2, 15))
    assert titles(sessions) == ["Your subscription to Pro has ended"]
    assert "ended on February 14, 2026" in mails(sessions)[0].content["text"]


def test_a_failed_charge_is_mailed_with_every_way_to_pay(sessions, gateway, acme):
    """On 28 February, with the next attempt a day later."""
    subscription_id = subscribed(sessions, gateway, acme)
    other_card(sessions, gateway, subscription_id, FAILS)
    run(sessions, gateway, at(2, 28))
    (mail,) = mails(sessions)
    with sessions() as session:
        invoice = session.scalars(select(Invoice).where(Invoice.state == InvoiceState.OPEN)).one()
        request = session.scalars(select(CardRequest)).one()
    text = mail.content["text"]
    assert mail.title == f"We could not charge invoice {invoice.number} to your card"
    assert re.findall(r"https?://\S+", text) == [
        f"{settings().address}{path}"
        for path in (f"/i/{invoice.token}", f"/i/{invoice.token}/pay", f"/card/{request.token}")
    ]
    assert invoice.payment_url
    assert "Amount due: $30.00" in text
    assert "try again on March 1, 2026" in text
    assert mail.content["attachments"] == [["invoice_pdf", invoice.id]]


def test_each_attempt_is_told_and_the_last_one_promises_no_other(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    other_card(sessions, gateway, subscription_id, NEEDS_CUSTOMER)
    for days in (0, 1, 3, 5, 7, 8):
        run(sessions, gateway, at(2, 28) + timedelta(days=days))
    texts = [mail.content["text"] for mail in mails(sessions, "charge_failed")]
    assert [re.findall(r"try again on (\w+ \d+)", text) for text in texts] == [
        ["March 1"],
        ["March 3"],
        ["March 5"],
        ["March 7"],
        [],
    ]
    assert all("Your bank wants you to confirm the payment" in text for text in texts)
    with sessions() as session:
        assert len(session.scalars(select(CardRequest)).all()) == 1


@pytest.mark.parametrize("dies", ["have_link", "_react"])
def test_a_crash_between_the_charge_and_its_mail_loses_none(sessions, gateway, acme, monkeypatch, dies):
    subscription_id = subscribed(sessions, gateway, acme)
    other_card(sessions, gateway, subscription_id, FAILS)

    class KilledError(BaseException):
        pass

    def die(*_given, **_facts):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(collecting, dies, die)
        with pytest.raises(KilledError):
            run(sessions, gateway, at(2, 28))
    assert mails(sessions) == []
    assert run(sessions, gateway, at(2, 28, 11)) == [AttemptState.DECLINED]
    assert run(sessions, gateway, at(2, 28, 12)) == []
    assert len(mails(sessions)) == 1
    with sessions() as session:
        billed = session.scalars(select(SubscriptionInvoice).order_by(SubscriptionInvoice.id.desc())).first()
        assert (billed.failures, billed.attempt_id) == (1, None)
        declined = select(ChargeAttempt).where(ChargeAttempt.state == AttemptState.DECLINED)
        assert len(session.scalars(declined).all()) == 1
        assert state(session, subscription_id).state is PAST_DUE


def test_an_invoice_without_a_card_is_mailed_once_with_a_link(sessions, gateway, monkeypatch):
    with sessions.begin() as session:
        a_plan(session)
        a_subscription(session)

    class KilledError(BaseException):
        pass

    def die(*_given, **_facts):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(collecting, "_ask_to_pay", die)
        with pytest.raises(KilledError):
            run(sessions, gateway, BEGUN)
    assert mails(sessions) == []
    for hour in (11, 12):
        run(sessions, gateway, at(1, 31, hour))
    (mail,) = mails(sessions)
    assert (mail.topic, "/pay\n" in mail.content["text"]) == ("invoice", True)


def test_a_card_that_expires_is_told_30_and_7_days_before(sessions, gateway, acme):
    """On 30 April: told on 31 March and on 23 April."""
    subscription_id = subscribed(sessions, gateway, acme)
    with sessions.begin() as session:
        card = session.scalars(select(PaymentMethodOnFile)).one()
        card.expires_on = date(2026, 4, 30)
    told = {}
    for day in (at(3, 30), at(3, 31), at(4, 1), at(4, 22), at(4, 23), at(4, 24), at(5, 1)):
        clock.remind(sessions, SYSTEM, now=day)
        told[day.date()] = len(mails(sessions, "card_expiring"))
    assert list(told.values()) == [0, 1, 1, 1, 2, 2, 2]
    mail = mails(sessions, "card_expiring")[0]
    assert mail.title == "Your card Visa •••• 4242 expires on April 30, 2026"
    assert "to which we charge Pro, expires" in mail.content["text"]
    with sessions() as session:
        request = session.scalars(select(CardRequest)).one()
        assert f"/card/{request.token}\n" in mail.content["text"]
        assert request.expires_at == at(5, 23)
    # Whoever answers the first of these mails after the second one answers both.
    kept = requests.keep(sessions, SYSTEM, gateway, request.id, "pm_other", gateway_customer_id=None, now=at(4, 29))
    assert clock.look_after(sessions, SYSTEM, now=at(4, 29)) == 1
    with sessions() as session:
        assert state(session, subscription_id).payment_method_id == kept


def test_a_card_that_nobody_is_charged_to_is_nobodys_business(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    with sessions.begin() as session:
        session.scalars(select(PaymentMethodOnFile)).one().expires_on = date(2026, 4, 30)
        subscription = queries.for_change(session, SYSTEM, subscription_id)
        lifecycle.move(session, SYSTEM, subscription, CANCELED, now=at(2, 1))
    assert clock.remind(sessions, SYSTEM, now=at(4, 23)) == 0
    assert titles(sessions) == ["Your subscription to Pro has ended"]


def test_whoever_has_no_address_is_told_nothing(sessions, gateway, acme):
    with sessions.begin() as session:
        session.scalars(select(Customer)).one().email = ""
    subscription_id = subscribed(sessions, gateway, acme, trial_days=14)
    other_card(sessions, gateway, subscription_id, FAILS)
    for now in (at(2, 11), at(2, 14)):
        run(sessions, gateway, now)
    with sessions.begin() as session:
        lifecycle.move(session, SYSTEM, queries.for_change(session, SYSTEM, subscription_id), CANCELED, now=at(2, 15))
    assert mails(sessions) == []


def failed_and_asked(sessions, gateway, acme, day=0) -> tuple[int, CardRequest]:
    """A subscription whose charge failed on 28 February, and so many days later; and what its mail asks for."""
    subscription_id = subscribed(sessions, gateway, acme)
    other_card(sessions, gateway, subscription_id, FAILS)
    for days in sorted({0, *(each for each in collecting.RETRIES if each <= day)}):
        run(sessions, gateway, at(2, 28) + timedelta(days=days))
    with sessions() as session:
        return subscription_id, session.scalars(select(CardRequest)).one()


@pytest.mark.parametrize(("day", "was"), [(0, PAST_DUE), (7, UNPAID)])
def test_a_card_given_by_the_address_of_the_mail_is_charged_at_once(sessions, gateway, acme, day, was):
    subscription_id, request = failed_and_asked(sessions, gateway, acme, day)
    now = at(2, 28, 12) + timedelta(days=day)
    with sessions() as session:
        assert state(session, subscription_id).state is was
    kept = requests.keep(sessions, SYSTEM, gateway, request.id, "pm_card_visa", gateway_customer_id=None, now=now)
    assert run(sessions, gateway, now) == [AttemptState.SUCCEEDED]
    with sessions() as session:
        subscription = state(session, subscription_id)
        assert (subscription.state, subscription.payment_method_id, subscription.card_asked_at) == (
            ACTIVE,
            kept,
            None,
        )
    assert run(sessions, gateway, now + timedelta(hours=1)) == []


def test_another_card_that_fails_too_is_tried_again_when_the_first_would_have_been(sessions, gateway, acme):
    subscription_id, _ = failed_and_asked(sessions, gateway, acme)
    with sessions() as session:
        customer_id = state(session, subscription_id).customer_id
    card = methods.attach(sessions, SYSTEM, gateway, customer_id, FAILS, now=at(2, 28, 12))
    with sessions.begin() as session:
        paying.use(session, SYSTEM, subscription_id, card, now=at(2, 28, 12))
    assert run(sessions, gateway, at(2, 28, 12)) == [AttemptState.DECLINED]
    assert run(sessions, gateway, at(2, 28, 13)) == []
    assert run(sessions, gateway, at(3, 1)) == [AttemptState.DECLINED]


def test_a_card_of_somebody_else_is_refused(sessions, gateway, acme):
    subscription_id = subscribed(sessions, gateway, acme)
    with sessions.begin() as session:
        other = a_customer(session, "OTHER")
    card = methods.attach(sessions, SYSTEM, gateway, other, "pm_card_visa", now=BEGUN)
    with pytest.raises(Conflict), sessions.begin() as session:
        paying.use(session, SYSTEM, subscription_id, card, now=BEGUN)


@pytest.mark.parametrize("day", [0, 7])
def test_what_was_paid_by_hand_brings_it_back_at_the_next_look(sessions, gateway, acme, day):
    subscription_id, _ = failed_and_asked(sessions, gateway, acme, day)
    now = at(2, 28, 12) + timedelta(days=day)
    assert clock.look_after(sessions, SYSTEM, now=now) == 0
    with sessions.begin() as session:
        invoice = session.scalars(select(Invoice).where(Invoice.state == InvoiceState.OPEN)).one()
        money = Received("USD", 3_000, PaymentMethod.CASH, now.date())
        received.record_for(session, SYSTEM, invoice.id, received=money, today=now.date(), now=now)
    assert clock.look_after(sessions, SYSTEM, now=now) == 1
    with sessions() as session:
        assert state(session, subscription_id).state is ACTIVE
    assert clock.look_after(sessions, SYSTEM, now=now) == 0
    assert run(sessions, gateway, now + timedelta(days=1)) == []


def events(sessions) -> list[str]:
    with sessions() as session:
        found = select(OutboxMessage.topic).where(
            OutboxMessage.channel == WEBHOOK, OutboxMessage.topic.like("subscription.%")
        )
        return [topic.removeprefix("subscription.") for topic in session.scalars(found.order_by(OutboxMessage.id))]


def test_programs_are_told_what_becomes_of_it(sessions, gateway, acme):
    with sessions.begin() as session:
        listening = WebhookEndpoint(url="https://example.com/hooks", events=[], created_at=BEGUN, created_by="Ada")
        session.add(listening)
    subscription_id = subscribed(sessions, gateway, acme, trial_days=14)
    told = []

    def since() -> list[str]:
        new = events(sessions)[len(told) :]
        told.extend(new)
        return new

    assert since() == ["created"]
    run(sessions, gateway, at(2, 11))
    assert since() == ["trial_will_end"]
    run(sessions, gateway, at(2, 14))
    assert since() == ["updated"]
    other_card(sessions, gateway, subscription_id, FAILS)
    run(sessions, gateway, at(3, 14))
    assert since() == ["renewed", "past_due"]
    for days in collecting.RETRIES:
        run(sessions, gateway, at(3, 14) + timedelta(days=days))
    assert since() == ["unpaid"]
    with sessions.begin() as session:
        lifecycle.move(session, SYSTEM, queries.for_change(session, SYSTEM, subscription_id), CANCELED, now=at(3, 25))
    assert since() == ["canceled"]
    with sessions() as session:
        payload = rendered(session, "subscription", subscription_id)
        public_id = session.scalars(select(Subscription.public_id)).one()
    assert (payload["id"], payload["status"], payload["canceled_at"]) == (public_id, "canceled", at(3, 25))


def test_one_whose_first_charge_is_under_way_is_told_once_it_is_there(sessions, gateway, acme):
    with sessions.begin() as session:
        session.add(WebhookEndpoint(url="https://example.com/h", events=[], created_at=BEGUN, created_by="Ada"))
    subscribed(sessions, gateway, acme)
    assert events(sessions) == ["created"]

"""Cards on file in the sandbox: the documented test methods, its books, and its events on the way to us."""

import json
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from billing_core.dates import day_in
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments import refunding, verification
from billing_core.online_payments.gateway import ChargeOutcome, Declined, PaymentDetails
from billing_core.online_payments.models import SANDBOX, AttemptState, SandboxCharge
from billing_core.online_payments.off_session import attempts, methods
from billing_core.online_payments.sandbox import cards
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.outbox.models import OutboxMessage
from billing_core.settings import Settings
from tests.online_payments.linked import tell
from tests.online_payments.off_session.cards import LATER, begin, charge, put_on_file, record, seen
from tests.online_payments.seen import books, kinds, status, the_payment

SETTINGS = Settings(secret_key="x" * 32, stripe_secret_key=None)


@pytest.fixture
def gateway(sessions) -> SandboxGateway:
    return SandboxGateway(sessions, SETTINGS, now_of=lambda: LATER)


def events(sessions) -> list[dict]:
    with sessions() as session:
        told = select(OutboxMessage.content).where(OutboxMessage.channel == SANDBOX).order_by(OutboxMessage.id)
        return [json.loads(content["event"]) for content in session.scalars(told)]


def begun(sessions, gateway, place, method_id) -> int:
    return begin(sessions, place.invoice_id, put_on_file(sessions, gateway, place.customer_id, method_id))


def invoice_of(sessions, place) -> Invoice:
    with sessions() as session:
        return session.get_one(Invoice, place.invoice_id)


@pytest.mark.parametrize("method_id", ["pm_card_visa", "pm_1234567890", "pm_card_authenticationRequiredOnSetup"])
def test_a_good_card_pays(sessions, gateway, place, method_id):
    attempt = charge(sessions, gateway, begun(sessions, gateway, place, method_id))
    assert attempt.state is AttemptState.SUCCEEDED
    # 2.9 % of 100.00, and 0.30.
    assert books(sessions) == {"cash": 9_680, "fees": 320, "revenue": -10_000}
    assert the_payment(sessions).mode is Mode.SANDBOX


def test_a_declined_card_is_not_put_on_file(sessions, gateway, place):
    with pytest.raises(Declined, match=r"Your card was declined\."):
        put_on_file(sessions, gateway, place.customer_id, "pm_card_visa_chargeDeclined")


@pytest.mark.parametrize(
    ("method_id", "last4", "outcome", "decline_code"),
    [
        ("pm_card_chargeCustomerFail", "0341", ChargeOutcome.DECLINED, "generic_decline"),
        ("pm_card_authenticationRequired", "3184", ChargeOutcome.AUTHENTICATION, "authentication_required"),
    ],
)
def test_cards_that_are_kept_and_refused_when_charged(
    sessions, gateway, place, method_id, last4, outcome, decline_code
):
    attempt_id = begun(sessions, gateway, place, method_id)
    charged = attempts.charge(sessions, gateway, attempt_id)
    assert (charged.outcome, charged.decline_code, charged.hard) == (outcome, decline_code, False)
    attempt = record(sessions, attempt_id, charged)
    assert attempt.state.value == outcome.value
    assert attempt.failure.startswith("Your card was declined.")
    with sessions() as session:
        (newest, _) = methods.of_customer(session, SYSTEM, place.customer_id)
        assert newest.last4 == last4
        assert list(gateway.balance_transactions(LATER - timedelta(days=1), LATER + timedelta(days=1))) == []
    assert status(sessions, invoice_of(sessions, place)) == "sent"


def test_two_customers_can_have_the_same_test_card(sessions, gateway, place):
    assert put_on_file(sessions, gateway, place.customer_id, "pm_card_visa") != place.method_id


@pytest.mark.parametrize(
    ("method_id", "today", "last_month"),
    [
        ("pm_card_visa", date(2026, 12, 31), date(2030, 12, 1)),
        ("pm_sandbox_expiresNextMonth", date(2026, 11, 30), date(2026, 12, 1)),
        ("pm_sandbox_expiresNextMonth", date(2026, 12, 1), date(2027, 1, 1)),
    ],
)
def test_a_card_is_good_for_years_unless_it_is_to_expire_soon(method_id, today, last_month):
    assert cards.last_month(method_id, today=today) == last_month


@pytest.mark.parametrize("method_id", ["pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"])
def test_its_event_alone_ends_as_its_answer_does(sessions, gateway, place, method_id):
    """We were killed after the charge."""
    attempt_id = begun(sessions, gateway, place, method_id)
    charged = attempts.charge(sessions, gateway, attempt_id)
    (event,) = events(sessions)
    tell(sessions, event, mode=Mode.SANDBOX)
    by_event = seen(sessions, attempt_id)
    assert by_event.state.value == charged.outcome.value
    assert (by_event.decline_code, by_event.failure) == (charged.decline_code, charged.message)
    record(sessions, attempt_id, charged)
    assert seen(sessions, attempt_id).finished_at == by_event.finished_at
    events_of_payment = kinds(sessions, invoice_of(sessions, place))[2:]
    assert events_of_payment == (["payment"] if charged.outcome is ChargeOutcome.SUCCEEDED else ["payment_failed"])


def test_asked_again_it_charges_once(sessions, gateway, place):
    attempt_id = begun(sessions, gateway, place, "pm_card_visa")
    answers = {attempts.charge(sessions, gateway, attempt_id) for _ in range(3)}
    assert len(answers) == len(events(sessions)) == 1
    with sessions() as session:
        assert len(session.scalars(select(SandboxCharge)).all()) == 1


def test_its_books_know_the_charge_and_its_refund(sessions, gateway, place):
    charge(sessions, gateway, begun(sessions, gateway, place, "pm_card_visa"))
    payment = the_payment(sessions)
    assert gateway.details(payment.intent_id) == PaymentDetails(payment.intent_id, payment.charge_id, 320)
    refunding.refund(sessions, SYSTEM, gateway, payment.id, amount_minor=2_500, reason="Too much", now=LATER)
    rows = list(gateway.balance_transactions(LATER, LATER + timedelta(seconds=1)))
    assert [(row.type, row.amount_minor, row.fee_minor, row.intent_id) for row in rows] == [
        ("charge", 10_000, 320, payment.intent_id),
        ("refund", -2_500, 0, payment.intent_id),
    ]
    told = events(sessions)[-1]
    assert (told["type"], told["data"]["object"]["amount_refunded"]) == ("charge.refunded", 2_500)
    tell(sessions, told, mode=Mode.SANDBOX)
    with sessions() as session:
        assert [one for check in verification.checks(session) for one in check.wrong] == []
        assert session.get_one(Invoice, place.invoice_id).refunded_minor == 2_500


def test_a_card_is_good_for_some_years(sessions, gateway, place):
    with sessions() as session:
        (card,) = methods.of_customer(session, SYSTEM, place.customer_id)
    assert card.expires_on.year == day_in("UTC", LATER).year + 4

"""Asking a customer for a card: the address, the gateway's page, and the event that puts the card on file."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.errors import Conflict, NotFound
from billing_core.identity import SYSTEM
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.models import CardRequest, WebhookState
from billing_core.online_payments.off_session import methods, requests
from billing_core.online_payments.off_session.requests import Step
from billing_core.outbox.models import OutboxMessage
from tests.online_payments.created_links import deliver
from tests.online_payments.linked import became, tell
from tests.online_payments.off_session.cards import LATER
from tests.online_payments.stripe.events import NOON, event
from tests.payments.books import NOW


@pytest.fixture
def request_of(sessions, place) -> CardRequest:
    with sessions.begin() as session:
        return requests.ask(session, SYSTEM, place.customer_id, now=NOW)


def asked(sessions, token, *, now=LATER) -> requests.Asked:
    with sessions() as session:
        return requests.by_token(session, token, now=now)


def entered(request_id: str, method_id: str = "pm_new", customer: str | None = "cus_stripe"):
    setup = {"id": "seti_1", "object": "setup_intent", "customer": customer, "payment_method": method_id}
    return event("setup_intent.succeeded", setup | {"metadata": {"request_id": request_id}}, at=NOON)


def cards(sessions, customer_id) -> list[str]:
    with sessions() as session:
        return [card.gateway_id for card in methods.of_customer(session, SYSTEM, customer_id)]


def test_whoever_has_the_address_is_told_who_asks(sessions, place, request_of):
    shown = asked(sessions, request_of.token)
    assert (shown.step, shown.customer_id, shown.customer, shown.card) == (Step.OPEN, place.customer_id, "Carla C1", "")
    assert requests.address_of(request_of.token, "https://b.example") == f"https://b.example/card/{request_of.token}"
    with pytest.raises(NotFound):
        asked(sessions, "no such token\0")


def test_an_address_is_good_for_30_days(sessions, gateway, request_of):
    last = NOW + timedelta(days=30)
    assert asked(sessions, request_of.token, now=last - timedelta(seconds=1)).step is Step.OPEN
    assert asked(sessions, request_of.token, now=last).step is Step.ENDED
    with pytest.raises(Conflict):
        requests.start(sessions, gateway, request_of.token, address="https://b.example", now=last)


def test_the_newest_request_that_can_be_answered_is_found(sessions, gateway, place, request_of):
    def found(now=LATER):
        with sessions() as session:
            open_one = requests.open_for(session, SYSTEM, place.customer_id, now=now)
            return open_one and open_one.public_id

    assert found() == request_of.public_id
    assert found(NOW + timedelta(days=30)) is None
    requests.keep(sessions, SYSTEM, gateway, request_of.id, "pm_new", gateway_customer_id=None, now=LATER)
    assert found() is None


def test_it_leads_to_the_gateways_page(sessions, gateway, request_of):
    address = requests.start(sessions, gateway, request_of.token, address="https://b.example", now=LATER)
    assert address == f"https://pay.example/set-up/{request_of.public_id}"


def test_the_event_puts_the_card_on_file_once(sessions, gateway, place, request_of, monkeypatch):
    told = entered(request_of.public_id)
    tell(sessions, told, told, entered(request_of.public_id))
    assert became(sessions, told).state is WebhookState.HANDLED
    with sessions() as session:
        kept = select(OutboxMessage.title).where(OutboxMessage.topic == "keep_card")
        assert len(session.scalars(kept).all()) == 1
    deliver(sessions, gateway, monkeypatch, now=LATER)
    assert cards(sessions, place.customer_id) == ["pm_new", "pm_card_visa"]
    shown = asked(sessions, request_of.token)
    assert (shown.step, shown.card) == (Step.ANSWERED, "Visa •••• 4242")
    with pytest.raises(Conflict, match="any more"):
        requests.start(sessions, gateway, request_of.token, address="https://b.example", now=LATER)


def test_a_card_is_kept_for_whom_the_gateway_says(sessions, gateway, place, request_of):
    with sessions() as session:
        known = session.scalars(select(CardRequest.id)).one()
    kept = (sessions, SYSTEM, gateway, known, "pm_new")
    first = requests.keep(*kept, gateway_customer_id="cus_stripe", now=LATER)
    assert requests.keep(*kept, gateway_customer_id="cus_stripe", now=LATER) == first
    with sessions() as session:
        card = methods.of_customer(session, SYSTEM, place.customer_id)[0]
        assert (card.id, card.gateway_customer_id, card.mode) == (first, "cus_stripe", Mode.TEST)
        assert card.attached_by == "Carla C1"


@pytest.mark.parametrize("request_id", ["crq_unknown", ""])
def test_a_card_that_nobody_asked_for_is_not_ours(sessions, gateway, place, request_id):
    told = entered(request_id)
    tell(sessions, told)
    assert became(sessions, told).state is WebhookState.IGNORED
    assert cards(sessions, place.customer_id) == ["pm_card_visa"]


def test_a_request_of_a_customer_who_is_not_there_is_none(sessions):
    with sessions.begin() as session, pytest.raises(NotFound):
        requests.ask(session, SYSTEM, 999, now=NOW)

"""Cards on file: put there, listed, and taken off."""

from datetime import date

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.errors import Conflict, Invalid, NotFound, UpstreamFailed
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import Declined
from billing_core.online_payments.off_session import methods
from billing_core.online_payments.off_session.methods import CardRow
from tests.online_payments.created_links import deliver
from tests.online_payments.gateways import ScriptedGateway
from tests.online_payments.off_session.cards import LATER, begin, put_on_file
from tests.payments.books import NOW, a_customer


def cards(sessions, customer_id, actor=SYSTEM) -> list[CardRow]:
    with sessions() as session:
        return methods.of_customer(session, actor, customer_id)


def detach(sessions, method_id) -> None:
    with sessions.begin() as session:
        methods.detach(session, SYSTEM, method_id, now=NOW)


def test_a_card_is_kept_by_what_tells_it_from_others(sessions, place):
    (card,) = cards(sessions, place.customer_id)
    assert (card.brand, card.last4, card.exp_month, card.exp_year) == ("visa", "4242", 12, 2029)
    assert (card.mode, card.gateway_id, card.expires_on) == (Mode.TEST, "pm_card_visa", date(2029, 12, 31))
    assert card.public_id.startswith("card_")
    assert methods.card_of(card) == "Visa •••• 4242"
    with sessions() as session:
        entries = session.scalars(select(AuditEntry.subject_label).where(AuditEntry.action == "payment_method.attach"))
        assert entries.all() == ["Carla C1, Visa •••• 4242"]


def test_the_gateway_learns_a_customer_once(sessions, gateway, place):
    put_on_file(sessions, gateway, place.customer_id, "pm_2")
    (second, first) = cards(sessions, place.customer_id)
    assert second.gateway_customer_id == first.gateway_customer_id
    # Another account's customers are others.
    put_on_file(sessions, ScriptedGateway(Mode.LIVE), place.customer_id, "pm_3")
    with sessions() as session:
        known = methods.gateway_customer(session, SYSTEM, place.customer_id, Mode.SANDBOX)
    assert known.gateway_id is None


def test_the_same_card_again_is_the_same(sessions, gateway, place):
    assert put_on_file(sessions, gateway, place.customer_id) == place.method_id
    assert len(cards(sessions, place.customer_id)) == 1


def test_a_card_is_one_customers(sessions, gateway, place):
    with sessions.begin() as session:
        other = a_customer(session, "C2").id
    with pytest.raises(Conflict, match="another customer"):
        put_on_file(sessions, gateway, other)


@pytest.mark.parametrize("method_id", ["", "card_1", "pm_", "pm_ü", "pm_1 ", "4242424242424242", "pm_" + "x" * 201])
def test_what_is_no_payment_method_is_refused_before_the_gateway_is_asked(sessions, gateway, place, method_id):
    gateway.fails = ["down"]
    with pytest.raises(Invalid) as refused:
        put_on_file(sessions, gateway, place.customer_id, method_id)
    assert list(refused.value.fields) == ["payment_method_id"]


@pytest.mark.parametrize(("fails", "error"), [("refuse", Declined), ("down", UpstreamFailed), ("lost", UpstreamFailed)])
def test_a_card_that_the_gateway_does_not_take_is_not_on_file(sessions, gateway, place, fails, error):
    gateway.fails = [fails]
    with pytest.raises(error):
        put_on_file(sessions, gateway, place.customer_id, "pm_2")
    assert len(cards(sessions, place.customer_id)) == 1


def test_a_customer_that_is_not_there_has_no_card(sessions, gateway):
    with pytest.raises(NotFound):
        put_on_file(sessions, gateway, 999)


def test_a_card_taken_off_file_is_forgotten_by_the_gateway_too(sessions, gateway, place, monkeypatch):
    detach(sessions, place.method_id)
    assert cards(sessions, place.customer_id) == []
    deliver(sessions, gateway, monkeypatch, now=LATER)
    assert gateway.detached == ["pm_card_visa"]
    with pytest.raises(Conflict, match="off file already"):
        detach(sessions, place.method_id)
    # It can be put on file again, as another.
    assert put_on_file(sessions, gateway, place.customer_id) != place.method_id


def test_a_card_stays_on_file_while_it_is_charged(sessions, place):
    begin(sessions, place.invoice_id, place.method_id)
    with pytest.raises(Conflict, match="being charged"):
        detach(sessions, place.method_id)


def test_a_person_of_one_customer_sees_no_others_cards(sessions, place):
    bound = actor_with(Role.FINANCE, user_id=None, name="Carla", customer_id=place.customer_id + 1)
    assert cards(sessions, place.customer_id, bound) == []
    with sessions() as session:
        assert methods.expiring(session, bound, today=date(2029, 12, 1)) == []


@pytest.mark.parametrize(
    ("today", "listed"),
    [
        (date(2029, 10, 31), False),
        (date(2029, 11, 1), True),
        (date(2029, 12, 31), True),
        (date(2030, 1, 1), False),
    ],
)
def test_cards_whose_last_day_comes_within_60_days_are_listed(sessions, place, today, listed):
    # 29 more days of November and the 31 of December are the 60 from 1 November to the last day.
    with sessions() as session:
        found = methods.expiring(session, SYSTEM, today=today)
    assert [(card.id, card.customer_name) for card in found] == ([(place.method_id, "Carla C1")] if listed else [])


def test_a_card_off_file_does_not_expire(sessions, place):
    detach(sessions, place.method_id)
    with sessions() as session:
        assert methods.expiring(session, SYSTEM, today=date(2029, 12, 1)) == []

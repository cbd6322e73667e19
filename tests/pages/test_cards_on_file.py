"""Cards on file on a customer's page: seen by all who see payments, asked for and taken off by admins."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import AttachedMethod
from billing_core.online_payments.models import CardRequest, PaymentMethodOnFile
from billing_core.online_payments.off_session import methods
from billing_core.settings import settings
from tests.pages.pressing import tick
from tests.pages.roles import EVERY_ROLE
from tests.payments.books import a_customer

pytestmark = pytest.mark.slow


@pytest.fixture
def carla(sessions) -> int:
    with sessions.begin() as session:
        return a_customer(session).id


def put_on_file(sessions, customer_id: int, last4: str, expires, *, mode=Mode.SANDBOX) -> int:
    attached = AttachedMethod("cus_1", f"pm_{last4}", "visa", last4, expires.month, expires.year)
    with sessions.begin() as session:
        return methods.record(session, SYSTEM, customer_id, attached, mode=mode, now=utc_now())


def payments_of(page_as, customer_id: int, role: str = "admin"):
    return page_as(role).visit("customers.py", customer=str(customer_id), customer_tab="Payments")


@EVERY_ROLE
def test_cards_on_file_are_shown_with_how_long_they_are_good(page_as, sessions, carla, role):
    now = utc_now()
    put_on_file(sessions, carla, "0001", now.replace(day=1) - timedelta(days=1))
    put_on_file(sessions, carla, "0002", now)
    put_on_file(sessions, carla, "0003", now + timedelta(days=400))
    put_on_file(sessions, carla, "0004", now + timedelta(days=400), mode=Mode.LIVE)
    page = payments_of(page_as, carla, role)
    assert not page.exception
    cards = page.dataframe[0].value
    assert cards["Card"].tolist() == [f"Visa •••• 000{last}" for last in (4, 3, 2, 1)]
    states = [cell[0] if isinstance(cell, list) else cell for cell in cards["State"]]
    assert states == ["Of another mode", "Current", "Expires soon", "Expired"]
    good = now + timedelta(days=400)
    assert cards["Expires"][1] == f"{good:%m} / {good:%Y}"
    assert ("Take off file" in cards.columns) == (role == "admin")


@EVERY_ROLE
def test_without_any_only_who_may_ask_for_one_sees_a_word_of_it(page_as, carla, role):
    page = payments_of(page_as, carla, role)
    assert not page.exception
    assert ("ask_for_card" in {button.key for button in page.button}) == (role == "admin")
    assert ("Payment methods" in [one.value for one in page.subheader]) == (role == "admin")


def test_an_admin_asks_for_a_card_by_an_address(page_as, sessions, carla):
    page = payments_of(page_as, carla)
    page.button(key="ask_for_card").click().run()
    # Here the whole page runs, not the dialog alone, so its opener is clicked again with it.
    page.button(key="ask_for_card").click()
    page.button(key="ask_for_card_done").click().run()
    assert not page.exception
    with sessions() as session:
        asked = session.scalars(select(CardRequest)).one()
    assert asked.customer_id == carla
    assert page.code[0].value == f"{settings().address}/card/{asked.token}"
    # Asked again, it is the same address.
    page.button(key="ask_for_card").click().run()
    assert page.code[0].value.endswith(asked.token)
    assert "ask_for_card_done" not in {button.key for button in page.button}


def test_an_admin_takes_a_card_off_file(page_as, sessions, carla):
    put_on_file(sessions, carla, "4242", utc_now() + timedelta(days=400))
    page = tick(payments_of(page_as, carla), row=0)
    page.button(key="cards_on_file_Take off file_of_ticked").click().run()
    assert any("Visa •••• 4242" in one.value for one in page.markdown)
    page.button(key="cards_on_file_Take off file_of_ticked").click()
    page.button(key="take_card_off").click().run()
    assert not page.exception
    with sessions() as session:
        assert session.scalars(select(PaymentMethodOnFile.detached_at)).one() is not None

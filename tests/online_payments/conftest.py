"""Whoever collects for us, on this machine."""

from collections.abc import Iterator

import pytest
from stripe._http_client import HTTPClient

from tests.invoices.company import a_customer, a_draft, an_invoice
from tests.online_payments.created_links import wrong
from tests.online_payments.gateways import ScriptedGateway
from tests.online_payments.linked import linked
from tests.online_payments.stripe.stand_in import StandIn


@pytest.fixture
def stripe_stand_in(monkeypatch) -> Iterator[StandIn]:
    """Fails the test where Stripe would have refused a parameter. The library's pauses between tries are short."""
    monkeypatch.setattr(HTTPClient, "INITIAL_DELAY", 0.01)
    stand_in = StandIn()
    yield stand_in
    stand_in.close()
    assert stand_in.complaints == []


@pytest.fixture
def place(sessions):
    """An open invoice of 100.00 EUR and its active link."""
    with sessions.begin() as session:
        return linked(session)


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway()


@pytest.fixture
def draft_id(sessions) -> int:
    """2 × 100.00 at 19 %: 238.00 USD, due on 1 April."""
    with sessions.begin() as session:
        return a_draft(session, a_customer(session)).id


@pytest.fixture
def open_id(sessions) -> int:
    with sessions.begin() as session:
        return an_invoice(session, a_customer(session)).id


@pytest.fixture
def proven(sessions):
    """In the end, whatever was done: who can pay online, pays what is due."""
    yield
    assert wrong(sessions) == []

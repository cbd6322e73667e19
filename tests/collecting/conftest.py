"""Whoever collects for us, on this machine."""

from collections.abc import Iterator

import pytest
from stripe._http_client import HTTPClient

from tests.collecting.linked import linked
from tests.collecting.stripe_stand_in import StandIn


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

"""Links end with their last day, also where the process was off on it."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from billing_core import runtime
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import LinkState, Mode, PaymentLink
from billing_core.jobs.schedules import link_expiry
from billing_core.online_payments.links import expiry
from billing_core.outbox.models import OutboxMessage
from billing_core.settings import settings
from tests.online_payments.linked import a_link
from tests.payments.books import NOW, a_customer, an_open_invoice


@pytest.fixture
def database_url(sqlite_url) -> str:
    """What ends a link is proved on both databases elsewhere."""
    return sqlite_url


@pytest.mark.parametrize(
    ("key", "left"),
    [
        (None, {"sandbox", "test", "live"}),
        ("sk_test_0123456789", {"test", "live"}),
        ("sk_live_0123456789", {"live"}),
    ],
)
def test_what_was_a_trial_ends_when_the_product_collects_for_good(sessions, monkeypatch, key, left):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    monkeypatch.setattr(settings(), "stripe_secret_key", SecretStr(key) if key else None)
    with sessions.begin() as session:
        customer = a_customer(session)
        for mode in Mode:
            a_link(session, an_open_invoice(session, customer)).mode = mode

    assert link_expiry.end_due(NOW) == 3 - len(left)

    with sessions() as session:
        active = select(PaymentLink).where(PaymentLink.state == LinkState.ACTIVE)
        assert {link.mode.value for link in session.scalars(active)} == left
        payable = session.scalars(select(Invoice.id).where(Invoice.payment_url.is_not(None))).all()
        assert len(payable) == len(left)
        # A live key cannot deactivate what is in test mode, where no money moves: nobody is to look after that.
        told = session.scalars(select(OutboxMessage.recipient)).all()
        assert told == ([] if key is None else ["sandbox"])


def test_all_that_are_over_end_a_few_at_a_time(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    whole = expiry.end_due
    monkeypatch.setattr(expiry, "end_due", lambda *given, **facts: whole(*given, **facts, limit=2))
    with sessions.begin() as session:
        customer = a_customer(session)
        found = [a_link(session, an_open_invoice(session, customer)).id for _ in range(5)]
        session.get_one(PaymentLink, found[-1]).expires_at = NOW + timedelta(days=90)

    assert link_expiry.end_due(NOW + timedelta(days=59)) == 0
    assert link_expiry.end_due(NOW + timedelta(days=61)) == 4
    assert link_expiry.end_due(NOW + timedelta(days=61)) == 0

    with sessions() as session:
        states = session.scalars(select(PaymentLink.state).order_by(PaymentLink.id)).all()
        assert states == [LinkState.EXPIRED] * 4 + [LinkState.ACTIVE]
        assert len(session.scalars(select(OutboxMessage)).all()) == 4

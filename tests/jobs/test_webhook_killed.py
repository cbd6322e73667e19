"""Processes that die with events of the payment gateway in their hands: nothing is lost, and nothing counts twice."""

import json
import os

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.models import WebhookEvent, WebhookState
from billing_core.online_payments.webhooks import inbox
from billing_core.payments.models import Payment
from tests.forked import carried_out
from tests.online_payments.linked import linked, paying
from tests.payments.books import accounts

pytestmark = pytest.mark.slow

HANDLED, WAITING = WebhookState.HANDLED, WebhookState.WAITING


def states(sessions) -> list[WebhookState]:
    with sessions() as session:
        return list(session.scalars(select(WebhookEvent.state).order_by(WebhookEvent.id)))


def finish(sessions) -> None:
    """Apply what is left, once the database has noticed that the other process is gone, and what it held is free."""
    with sessions.begin() as session:
        session.scalars(select(WebhookEvent).with_for_update()).all()
    inbox.apply_due(sessions, Mode.SANDBOX)


@pytest.mark.parametrize(("dying", "left"), [("stored", [WAITING] * 3), ("applied", [HANDLED, WAITING, WAITING])])
def test_a_killed_process_loses_no_event_and_applies_none_twice(sessions, database_url, tmp_path, dying, left):
    with sessions.begin() as session:
        places = [linked(session, ref=ref) for ref in ("A", "B")]
        for _, link in places:
            link.mode = Mode.SANDBOX
        first, second = (paying(link, invoice) for invoice, link in places)
    file = tmp_path / "events.json"
    file.write_text(json.dumps([first.succeeded(), second.succeeded(), second.refunded(4_000)]))
    environment = {**os.environ, "BILLING_DATABASE_URL": database_url, "BILLING_DATA_DIR": str(tmp_path)}
    environment |= {"EVENTS": str(file), "DYING": dying}

    assert carried_out("tests/jobs/dying_clerk.py", environment=environment) == -9
    assert states(sessions) == left

    finish(sessions)
    assert states(sessions) == [HANDLED] * 3
    with sessions() as session:
        assert session.scalars(select(Payment.gateway_key).order_by(Payment.id)).all() == [
            first.intent_id,
            second.intent_id,
        ]
        assert set(session.scalars(select(Invoice.state))) == {InvoiceState.PAID}
        assert accounts(session) == {"cash": 16_000, "revenue": -16_000}
        assert all(at <= utc_now() for at in session.scalars(select(WebhookEvent.handled_at)))

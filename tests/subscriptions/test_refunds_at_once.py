"""A cancellation refunds a payment, and the payment service tells of a refund of it in the same moment.

Both lock the customer first: else one would hold the invoice and wait for the payment, the other the reverse, and the
database would end one of them. 30.00 were charged, and half of them are not used.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.models import PaymentCase
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.online_payments.webhooks import handlers
from billing_core.payments import queries as payments
from billing_core.payments.models import Payment
from billing_core.settings import settings
from billing_core.subscriptions.changes import cancelling, giving_back
from tests.mailing.test_reminding_at_once import wait_until_somebody_waits
from tests.subscriptions.changed import balance, subscribed
from tests.subscriptions.test_refunds_in_parts import BEFORE_HALF, REFUND, everything_holds, refunded


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, settings())


def told(session) -> None:
    """By the payment service: all of the payment went back."""
    payment = session.scalars(select(Payment)).one()
    charge = {
        "id": payment.charge_id,
        "object": "charge",
        "status": "succeeded",
        "payment_intent": payment.intent_id,
        "amount": 3_000,
        "amount_refunded": 3_000,
        "currency": "usd",
        "metadata": {},
    }
    event = {
        "id": "evt_refunded",
        "type": "charge.refunded",
        "created": int(BEFORE_HALF.timestamp()),
        "livemode": False,
        "data": {"object": charge},
    }
    assert handlers.apply(session, event, mode=Mode.SANDBOX, now=BEFORE_HALF).used


def in_the_books(sessions) -> tuple[list[int], int, list[PaymentCase]]:
    """What went back of the payment, what the invoice paid back and is credit, and cases."""
    with sessions() as session:
        invoice = session.scalars(select(Invoice)).one()
        assert invoice.refunded_minor == 3_000
        return [back for _, back in refunded(sessions)], balance(session), list(session.scalars(select(PaymentCase)))


def test_a_cancellation_waits_for_an_event_without_being_waited_for(sessions, gateway):
    public_id = subscribed(sessions, gateway)

    def cancel() -> None:
        cancelling.cancel(sessions, SYSTEM, gateway, public_id, REFUND, now=BEFORE_HALF)

    with ThreadPoolExecutor(1) as pool:
        with sessions.begin() as session:
            payments.for_change(session, SYSTEM, session.scalars(select(Payment.id)).one())
            waiting = pool.submit(cancel)
            wait_until_somebody_waits(sessions)
            told(session)
        waiting.result(timeout=300)
    assert in_the_books(sessions) == ([3_000], 0, [])
    assert everything_holds(sessions)


def test_an_event_waits_for_a_cancellation_without_being_waited_for(sessions, gateway, monkeypatch):
    """What the cancellation asked for is booked as that, and the rest as the payment service's own."""
    public_id = subscribed(sessions, gateway)
    ask, waiting = giving_back.ask, []

    def hear() -> None:
        with sessions.begin() as session:
            told(session)

    with ThreadPoolExecutor(1) as pool:

        def ask_while_it_is_told(*given, **facts):
            waiting.append(pool.submit(hear))
            wait_until_somebody_waits(sessions)
            return ask(*given, **facts)

        monkeypatch.setattr(giving_back, "ask", ask_while_it_is_told)
        cancelling.cancel(sessions, SYSTEM, gateway, public_id, REFUND, now=BEFORE_HALF)
        waiting[0].result(timeout=300)
    assert in_the_books(sessions) == ([1_500, 1_500], 0, [])
    assert everything_holds(sessions)

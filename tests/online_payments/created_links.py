"""Payment links that are created by a gateway on this machine, and what became of them."""

from billing_core.invoices.models import Invoice
from billing_core.online_payments import delivery, verification
from billing_core.online_payments.links import queries as links
from billing_core.online_payments.links import workflow
from billing_core.outbox import delivery as outbox
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.settings import Settings
from tests.invoices.company import GRACE, LATER, NOW, TODAY


def wrong(sessions) -> list[str]:
    with sessions() as session:
        return [one for check in verification.checks(session) for one in check.wrong]


def create(sessions, gateway, invoice_id, *, now=NOW) -> links.LinkRow:
    return seen(sessions, workflow.create(sessions, GRACE, gateway, invoice_id, now=now))


def seen(sessions, link_id) -> links.LinkRow:
    with sessions() as session:
        return links.one(session, GRACE, link_id)


def newest(sessions, invoice_id) -> links.LinkRow:
    with sessions() as session:
        return links.of_invoice(session, GRACE, invoice_id)[0]


def the_invoice(sessions, invoice_id) -> Invoice:
    with sessions() as session:
        return session.get_one(Invoice, invoice_id)


def deliver(sessions, gateway, monkeypatch, *, now=LATER) -> outbox.Outcome:
    """Work the outbox off, with this gateway."""
    monkeypatch.setattr("billing_core.online_payments.configured.gateway", lambda *_: gateway)
    adapters = delivery.adapters(sessions, Settings(secret_key="x" * 32))
    return outbox.deliver_due(sessions, adapters, now_of=lambda: now)


def pay_by_hand(sessions, invoice_id, minor):
    with sessions.begin() as session:
        receive(session, invoice_id, minor)


def receive(session, invoice_id, minor):
    """A bank transfer of so many cents for the invoice."""
    money = Received("USD", minor, PaymentMethod.BANK_TRANSFER, TODAY)
    received.record_for(session, GRACE, invoice_id, received=money, today=TODAY, now=LATER)

"""What ends a payment link, here and at the gateway, and what leaves it alone."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from billing_core.errors import UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, service
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import GATEWAY, LinkState, Mode
from billing_core.invoices.service import Details
from billing_core.online_payments.links import expiry, workflow
from billing_core.outbox.models import WEBHOOK, OutboxMessage
from billing_core.outgoing_webhooks import service as webhook_endpoints
from billing_core.outgoing_webhooks.service import EndpointDetails
from billing_core.payments import write_offs
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, an_invoice, kinds
from tests.online_payments.created_links import create, deliver, newest, receive, seen, the_invoice
from tests.online_payments.gateways import ScriptedGateway

pytestmark = pytest.mark.usefixtures("proven")


def edit(session, invoice_id):
    details = Details(customer_email="new@acme.example")
    service.update_details(session, GRACE, invoice_id, details, now=LATER, today=TODAY)


def cancel(session, invoice_id):
    after_sending.cancel(session, GRACE, invoice_id, now=LATER, today=TODAY)


def pay(minor):
    return lambda session, invoice_id: receive(session, invoice_id, minor)


def write_off(session, invoice_id):
    write_offs.write_off(session, GRACE, invoice_id, reason="Gone", today=TODAY, now=LATER)


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (edit, "The customer's name or e-mail address has changed"),
        (cancel, "The invoice was cancelled"),
        (pay(238_00), "The invoice was paid"),
        (pay(1_00), "What is due has changed"),
        (write_off, "The invoice was written off"),
    ],
    ids=["edited", "cancelled", "paid", "paid in part", "written off"],
)
def test_what_makes_a_link_wrong_ends_it_here_and_at_the_gateway(
    sessions, gateway, open_id, monkeypatch, change, because
):
    link = create(sessions, gateway, open_id)

    with sessions.begin() as session:
        change(session, open_id)

    ended = seen(sessions, link.id)
    assert (ended.state, ended.ended_because) == (LinkState.DEACTIVATED, because)
    assert the_invoice(sessions, open_id).payment_url is None
    with sessions() as session:
        assert kinds(session, open_id)[-1] == "link_ended"
    gateway.fails = ["down"]
    assert deliver(sessions, gateway, monkeypatch).postponed == 1
    assert deliver(sessions, gateway, monkeypatch, now=LATER + timedelta(hours=1)).delivered == 1
    assert gateway.payable == set()


def test_programs_hear_that_an_invoice_can_be_paid_by_a_link_and_no_longer(sessions, gateway, open_id):
    with sessions.begin() as session:
        webhook_endpoints.register(
            session, SYSTEM, EndpointDetails("https://h.example.com/"), private_allowed=False, now=NOW
        )

    def heard():
        with sessions() as session:
            told = select(OutboxMessage.topic).where(OutboxMessage.channel == WEBHOOK).order_by(OutboxMessage.id)
            return session.scalars(told).all()

    link = create(sessions, gateway, open_id)
    assert heard() == ["invoice.updated"]
    with sessions.begin() as session:
        workflow.deactivate(session, GRACE, link.id, reason="Moved", now=NOW)
    assert heard() == ["invoice.updated"] * 2
    create(sessions, gateway, open_id)
    with sessions.begin() as session:
        receive(session, open_id, 238_00)
    # That it is paid says that the link has ended.
    assert heard() == ["invoice.updated"] * 3 + ["invoice.paid"]


def test_what_changes_nothing_for_the_payer_leaves_the_link(sessions, gateway, open_id):
    link = create(sessions, gateway, open_id)

    with sessions.begin() as session:
        invoice = session.get_one(Invoice, open_id)
        after_sending.mark_viewed(session, invoice.token, now=LATER)
        after_sending.hold(session, GRACE, open_id, until=date(2026, 5, 1), reason="Asked", now=LATER, today=TODAY)
        details = Details(notes="Your order 4711", due_on=date(2026, 4, 2))
        service.update_details(session, GRACE, open_id, details, now=LATER, today=TODAY)

    still = seen(sessions, link.id)
    assert (still.state, still.expires_at) == (LinkState.ACTIVE, link.expires_at + timedelta(days=1))


def test_links_end_with_their_last_day_and_unanswered_ones_are_given_up(sessions, gateway, open_id, monkeypatch):
    with sessions.begin() as session:
        other_id = an_invoice(session, a_customer(session, "OTHER")).id
    link = create(sessions, gateway, open_id)
    gateway.fails = ["lost"]
    with pytest.raises(UpstreamFailed):
        create(sessions, gateway, other_id)

    def end_due(now):
        with sessions.begin() as session:
            return expiry.end_due(session, SYSTEM, mode=Mode.TEST, now=now)

    assert end_due(NOW + timedelta(minutes=59)) == 0
    assert end_due(NOW + timedelta(hours=1)) == 1
    assert end_due(link.expires_at - timedelta(seconds=1)) == 0
    assert end_due(link.expires_at) == 1

    assert seen(sessions, link.id).state is LinkState.EXPIRED
    assert newest(sessions, other_id).state is LinkState.FAILED
    deliver(sessions, gateway, monkeypatch, now=link.expires_at)
    assert gateway.payable == set()


def test_a_link_of_another_mode_is_not_forgotten_and_one_of_the_sandbox_needs_nobody(
    sessions, gateway, open_id, monkeypatch
):
    link = create(sessions, gateway, open_id)
    with sessions.begin() as session:
        workflow.deactivate(session, GRACE, link.id, reason="Moved", now=NOW)

    outcome = deliver(sessions, ScriptedGateway(Mode.LIVE), monkeypatch)

    assert outcome.failed == 1
    with sessions.begin() as session:
        message = session.scalars(select(OutboxMessage).where(OutboxMessage.channel == GATEWAY)).one()
        assert "Stripe's test mode" in message.last_error
        message.state, message.recipient = "waiting", Mode.SANDBOX
    assert deliver(sessions, ScriptedGateway(Mode.LIVE), monkeypatch).delivered == 1

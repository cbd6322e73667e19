"""Which published event a change of an invoice becomes, and that a due date passes once."""

from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import select

from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, lifecycle, outgoing_events
from billing_core.invoices.models import EventKind, InvoiceState
from billing_core.outbox.models import OutboxMessage
from billing_core.outgoing_webhooks.models import WebhookEndpoint
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, a_draft, a_line, an_invoice

DUE = TODAY + timedelta(days=30)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def endpoint(session):
    found = WebhookEndpoint(
        public_id="we_1", url="https://erp.example/hook", events=[], active=True, created_at=NOW, created_by="Grace"
    )
    session.add(found)
    session.flush()
    return found


def published(session) -> list[str]:
    session.flush()
    return list(session.scalars(select(OutboxMessage.topic).order_by(OutboxMessage.id)))


@pytest.mark.parametrize(
    ("event", "became", "types"),
    [
        (EventKind.CREATED, None, ["invoice.created"]),
        (EventKind.EDITED, None, ["invoice.updated"]),
        (EventKind.SENT, InvoiceState.OPEN, ["invoice.sent"]),
        (EventKind.SENT, InvoiceState.PAID, ["invoice.sent", "invoice.paid"]),
        (EventKind.PAYMENT, None, ["invoice.updated"]),
        (EventKind.PAYMENT, InvoiceState.PAID, ["invoice.paid"]),
        (EventKind.PAYMENT_UNDONE, InvoiceState.OPEN, ["invoice.updated"]),
        (EventKind.WRITTEN_OFF, InvoiceState.CANCELLED, ["invoice.cancelled"]),
        (EventKind.CANCELLED, InvoiceState.CANCELLED, ["invoice.cancelled"]),
        (EventKind.MAILED, None, []),
        (None, None, []),
        (None, InvoiceState.PAID, ["invoice.paid"]),
    ],
)
def test_a_change_is_published_as_what_it_means(session, event, became, types):
    acme = a_customer(session)
    outgoing_events.changed(session, GRACE, [(7, acme, became)], event, now=NOW)
    assert published(session) == types
    assert {message.customer_id for message in session.scalars(select(OutboxMessage))} <= {acme}


def test_each_step_of_an_invoice_is_published(session):
    acme = a_customer(session)
    sent = an_invoice(session, acme)
    after_sending.mark_viewed(session, sent.token, now=LATER)
    lifecycle.settle(session, SYSTEM, sent, paid=100, event=EventKind.PAYMENT, now=LATER)
    lifecycle.settle(session, SYSTEM, sent, paid=23_700, event=EventKind.PAYMENT, now=LATER)
    an_invoice(session, acme, a_line(unit_price="0"))
    assert published(session) == [
        *("invoice.created", "invoice.sent", "invoice.viewed", "invoice.updated", "invoice.paid"),
        *("invoice.created", "invoice.sent", "invoice.paid"),
    ]


@pytest.mark.parametrize(("days", "late"), [(0, 0), (1, 1), (3, 1), (4, 0)])
def test_a_due_date_that_has_passed_lately_is_published_once(session, days, late):
    acme = a_customer(session)
    an_invoice(session, acme)
    a_draft(session, acme)
    paid = an_invoice(session, acme)
    lifecycle.settle(session, SYSTEM, paid, paid=23_800, event=EventKind.PAYMENT, now=LATER)
    before = len(published(session))
    told = {"today": DUE + days * DAY, "now": LATER}
    assert outgoing_events.overdue(session, SYSTEM, **told) == late
    outgoing_events.overdue(session, SYSTEM, **told)
    assert published(session)[before:] == ["invoice.overdue"] * late


def test_what_is_marked_as_overdue_is_published_then_and_not_again(session):
    invoice = an_invoice(session, a_customer(session))
    before = len(published(session))
    after_sending.mark_overdue(session, GRACE, invoice.id, now=NOW)
    for today in (TODAY, TODAY + DAY, DUE + DAY):
        assert outgoing_events.overdue(session, SYSTEM, today=today, now=LATER) == 0
    assert published(session)[before:] == ["invoice.overdue"]


def test_what_is_overdue_already_and_is_marked_so_is_not_published_again(session):
    invoice = an_invoice(session, a_customer(session))
    after_due = datetime.combine(DUE + DAY, time(12), UTC)
    assert outgoing_events.overdue(session, SYSTEM, today=DUE + DAY, now=after_due) == 1
    before = len(published(session))
    assert after_sending.mark_overdue(session, GRACE, invoice.id, now=after_due).marked_overdue_at is None
    assert published(session)[before:] == []

"""Without a mail server mails are kept: nobody gets them, nothing says otherwise, and none leaves by itself later."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.mailing import dispatch, reminders, service
from billing_core.outbox import delivery
from billing_core.outbox import service as outbox
from billing_core.outbox.delivery import Claimed
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, a_draft, an_invoice

KEPT, RECALLED, WAITING = MessageState.HELD_BACK, MessageState.RECALLED, MessageState.WAITING


def states(session) -> list[MessageState]:
    return list(session.scalars(select(OutboxMessage.state).order_by(OutboxMessage.id)))


def released(sessions, invoice_id: int, message_id: int, paid_minor: int) -> list[str]:
    """To whom it leaves when somebody releases it, after so much was paid."""
    left: list[str] = []

    def send(message: Claimed) -> None:
        with sessions() as session:
            dispatch._refuse_outdated(session, message)
        left.append(message.recipient)

    with sessions.begin() as session:
        if paid_minor:
            money = Received("USD", paid_minor, PaymentMethod.BANK_TRANSFER, TODAY)
            received.record_for(session, GRACE, invoice_id, received=money, today=TODAY, now=NOW)
        outbox.release(session, GRACE, [message_id], now=utc_now())
    delivery.deliver_due(sessions, {"mail": send})
    return left


def test_a_kept_mail_does_not_leave_once_there_is_a_mail_server_unless_somebody_releases_it(sessions):
    left: list[str] = []
    with sessions.begin() as session:
        message_id = service.send_invoice(
            session, GRACE, a_draft(session, a_customer(session)).id, now=NOW, today=TODAY
        )
        assert session.get_one(OutboxMessage, message_id).state is KEPT
    adapters = {"mail": lambda message: left.append(message.recipient)}
    delivery.deliver_due(sessions, adapters, now_of=lambda: utc_now() + timedelta(days=1))
    assert left == []
    with sessions.begin() as session:
        assert outbox.release(session, GRACE, [message_id], now=NOW) == 1
    delivery.deliver_due(sessions, adapters)
    assert left == ["ap@acme.example"]


def test_an_invoice_whose_mail_is_kept_was_not_mailed_and_a_newer_mail_takes_its_place(session):
    invoice = an_invoice(session, a_customer(session))
    service.send_invoice(session, GRACE, invoice.id, now=NOW, today=TODAY)
    (plan,) = service.rehearse(session, GRACE, [invoice.id], today=TODAY)
    assert (plan.reason, plan.sent_before, plan.before.kept_at) == ("", None, NOW)

    service.send_many(session, GRACE, [invoice.id], now=LATER, today=TODAY)
    older, newer = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id))
    assert (older.state, older.last_error) == (RECALLED, "A newer one took its place")
    assert newer.state is KEPT


def test_what_is_kept_of_other_invoices_and_of_other_kinds_stays(session):
    customer = a_customer(session)
    one, other = an_invoice(session, customer), an_invoice(session, customer)
    service.send_many(session, GRACE, [one.id, other.id], now=NOW, today=TODAY)
    reminders.remind_now(session, GRACE, [one.id], now=NOW, today=TODAY)
    assert states(session) == [KEPT, KEPT, KEPT]
    service.send_many(session, GRACE, [one.id], now=LATER, today=TODAY)
    assert states(session) == [RECALLED, KEPT, KEPT, KEPT]


def test_a_kept_reminder_has_reminded_nobody(session):
    invoice = an_invoice(session, a_customer(session))
    reminders.remind_now(session, GRACE, [invoice.id], now=NOW, today=TODAY)
    (plan,) = reminders.rehearse_now(session, GRACE, [invoice.id], now=NOW, today=TODAY)
    assert plan.reason == ""
    reminders.remind_now(session, GRACE, [invoice.id], now=LATER, today=TODAY)
    assert states(session) == [RECALLED, KEPT]


@pytest.mark.parametrize(
    ("age", "paid_minor", "why"),
    [
        (timedelta(hours=23), 0, ""),
        (timedelta(hours=25), 0, "It is more than a day old"),
        (timedelta(0), 100_00, "Another amount is due in the meantime"),
    ],
)
def test_a_reminder_that_was_kept_leaves_only_while_it_is_so(sessions, age, paid_minor, why):
    """238.00 are due; the reminder asks for them and counts the days."""
    with sessions.begin() as session:
        invoice = an_invoice(session, a_customer(session))
        then = utc_now() - age
        (message_id,) = reminders.remind_now(session, GRACE, [invoice.id], now=then, today=TODAY).message_ids
    left = released(sessions, invoice.id, message_id, paid_minor)
    with sessions() as session:
        message = session.get_one(OutboxMessage, message_id)
    assert left == ([] if why else ["ap@acme.example"])
    assert (message.state is RECALLED, message.last_error[: len(why)]) == (bool(why), why)


@pytest.mark.parametrize(
    ("age", "paid_minor", "why"),
    [
        (timedelta(hours=25), 0, ""),
        (timedelta(hours=1), 238_00, ""),
        (timedelta(hours=25), 100_00, "Another amount is due in the meantime"),
    ],
)
def test_an_invoice_that_was_kept_for_days_does_not_ask_for_what_is_paid(sessions, age, paid_minor, why):
    with sessions.begin() as session:
        invoice = an_invoice(session, a_customer(session))
        message_id = service.send_invoice(session, GRACE, invoice.id, now=utc_now() - age, today=TODAY)
    assert released(sessions, invoice.id, message_id, paid_minor) == ([] if why else ["ap@acme.example"])
    with sessions() as session:
        message = session.get_one(OutboxMessage, message_id)
    assert (message.state is RECALLED, message.last_error[: len(why)]) == (bool(why), why)

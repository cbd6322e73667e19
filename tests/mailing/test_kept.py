"""Without a mail server mails are kept: nobody gets them, nothing says otherwise, and none leaves by itself later."""

from datetime import timedelta

from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.mailing import reminders, service
from billing_core.outbox import delivery
from billing_core.outbox import service as outbox
from billing_core.outbox.models import MessageState, OutboxMessage
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, a_draft, an_invoice

KEPT, RECALLED, WAITING = MessageState.HELD_BACK, MessageState.RECALLED, MessageState.WAITING


def states(session) -> list[MessageState]:
    return list(session.scalars(select(OutboxMessage.state).order_by(OutboxMessage.id)))


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

"""From the outbox to the mail: what is asked again when it leaves, and whose name it bears."""

from datetime import timedelta

import pytest

from billing_core.dates import utc_now
from billing_core.errors import Conflict
from billing_core.invoices import after_sending, queries
from billing_core.invoices.models import EventKind
from billing_core.mailing import dispatch, reminders, service
from billing_core.mailing.models import MailKind
from billing_core.outbox import delivery
from billing_core.outbox import service as outbox
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.recipients import Recipients
from billing_core.settings import Settings
from tests.at_once import at_once
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, a_draft, an_invoice
from tests.outbox.post_office import MailServer, PostOffice

# Each of these mails is delivered to one.
pytestmark = pytest.mark.usefixtures("mail_server")


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


def deliver(sessions, office, *, at=LATER, utf8=True):
    with MailServer(office, utf8=utf8) as url:
        adapters = dispatch.adapters(sessions, Settings(smtp_url=url, mail_from="billing@ours.example"))
        return delivery.deliver_due(sessions, adapters, delivered=dispatch.delivered, now_of=lambda: at)


def test_who_has_paid_since_the_reminder_was_put_in_is_not_reminded(sessions, office):
    with sessions.begin() as session:
        invoice = an_invoice(session, a_customer(session))
        (message_id,) = reminders.remind_now(session, GRACE, [invoice.id], now=NOW, today=TODAY).message_ids
    with sessions.begin() as session:
        whole = Received("USD", 23800, PaymentMethod.BANK_TRANSFER, TODAY)
        received.record_for(session, GRACE, invoice.id, received=whole, today=TODAY, now=NOW)

    assert deliver(sessions, office).unwanted == 1
    assert office.mails == []
    with sessions() as session:
        message = session.get_one(OutboxMessage, message_id)
    assert (message.state, message.last_error) == (MessageState.RECALLED, "The invoice is paid in the meantime")


def test_an_invoice_that_was_held_since_the_reminder_was_put_in_is_not_reminded_of(sessions, office):
    far_off = utc_now().date() + timedelta(days=9)
    with sessions.begin() as session:
        invoice = an_invoice(session, a_customer(session))
        reminders.remind_now(session, GRACE, [invoice.id], now=NOW, today=TODAY)
        after_sending.hold(session, GRACE, invoice.id, until=far_off, reason="They complain", now=NOW, today=TODAY)

    assert deliver(sessions, office).unwanted == 1
    assert office.mails == []


def test_an_invoice_that_was_cancelled_before_its_mail_left_is_not_sent(sessions, office):
    with sessions.begin() as session:
        draft = a_draft(session, a_customer(session))
        service.send_invoice(session, GRACE, draft.id, now=NOW, today=TODAY)
        after_sending.cancel(session, GRACE, draft.id, now=NOW, today=TODAY)
    assert deliver(sessions, office).unwanted == 1
    assert office.mails == []


def test_a_reminder_that_has_left_is_in_the_timeline(sessions, office):
    with sessions.begin() as session:
        invoice = an_invoice(session, a_customer(session))
        reminders.remind_now(session, GRACE, [invoice.id], now=utc_now(), today=TODAY)
    assert deliver(sessions, office, at=utc_now() + timedelta(minutes=2)).delivered == 1
    with sessions() as session:
        last = service.queries.events(session, invoice.id)[0]
    assert (last.kind.value, last.data["topic"]) == ("reminded", MailKind.REMINDER_BEFORE.value)


def test_two_people_who_send_the_same_invoice_at_once_send_one_mail(sessions, office):
    with sessions.begin() as session:
        draft_id = a_draft(session, a_customer(session)).id

    def send():
        with sessions.begin() as session:
            return service.send_invoice(session, GRACE, draft_id, now=NOW, today=TODAY)

    assert sorted(map(type, at_once(send, send)), key=str) == [Conflict, int]
    assert deliver(sessions, office).delivered == 1


@pytest.mark.parametrize(
    ("configured", "sender"),
    [
        ({"mail_from": "bills@ours.example"}, "bills@ours.example"),
        ({"smtp_url": "smtps://bill%40ours.example:secret@mail.example"}, "bill@ours.example"),
        ({"smtp_url": "smtps://bill:secret@mail.example", "public_url": "https://b.example"}, "billing@b.example"),
    ],
)
def test_whose_address_a_mail_bears(configured, sender):
    assert dispatch.sender_of(Settings(**configured)) == sender


def test_without_a_mail_server_there_is_nothing_to_deliver_with():
    assert dispatch.adapters(None, Settings()) == {}
    assert dispatch.adapters(None, Settings(smtp_url="")) == {}


def test_a_mail_to_several_tells_in_the_timeline_who_got_it_and_in_no_header_of_blind_copies(sessions, office):
    office.refused = {"gone@acme.example": "550 No such user"}
    to = Recipients.read("ap@acme.example, gone@acme.example", "cfo@acme.example", "books@ours.example")
    with sessions.begin() as session:
        invoice = an_invoice(session, a_customer(session))
        message_id = service.send_invoice(session, GRACE, invoice.id, now=NOW, today=TODAY, to=to)

    assert deliver(sessions, office).failed == 1
    (mail,) = office.mails
    assert office.taken_for == ["ap@acme.example", "cfo@acme.example", "books@ours.example"]
    assert (str(mail["To"]), str(mail["Cc"])) == ("ap@acme.example, gone@acme.example", "cfo@acme.example")
    assert b"books@ours.example" not in office.contents[0]
    with sessions() as session:
        event = queries.events(session, invoice.id)[0]
        message = session.get_one(OutboxMessage, message_id)
        _, archived = dispatch.eml(session, GRACE, message_id, Settings(mail_from="billing@ours.example"))
    assert b"books@ours.example" not in archived
    told = {name: text for name, text in event.data.items() if name not in ("topic", "message_id")}
    assert (event.kind, told) == (
        EventKind.MAILED,
        {"to": "ap@acme.example", "cc": "cfo@acme.example", "bcc": "books@ours.example", "missed": "gone@acme.example"},
    )
    assert message.last_error.endswith("does not take mail for gone@acme.example: 550 No such user")

    office.refused = {}
    with sessions.begin() as session:
        outbox.retry(session, GRACE, [message_id], now=LATER)
    assert deliver(sessions, office).delivered == 1
    assert office.taken_for[3:] == ["gone@acme.example"]
    with sessions() as session:
        assert queries.events(session, invoice.id)[0].data["to"] == "gone@acme.example"


def test_a_name_beyond_ascii_fails_with_words_where_the_server_cannot_carry_it(sessions, office):
    with sessions.begin() as session:
        invoice = an_invoice(session, a_customer(session))
        to = Recipients.read("jörg@acme.example")
        message_id = service.send_invoice(session, GRACE, invoice.id, now=NOW, today=TODAY, to=to)
    assert deliver(sessions, office, utf8=False).failed == 1
    with sessions() as session:
        message = session.get_one(OutboxMessage, message_id)
    assert (message.state, office.mails) == (MessageState.FAILED, [])
    assert (
        "does not take the letters beyond ASCII in jörg@acme.example: it does not offer SMTPUTF8" in message.last_error
    )


def test_mails_return_to_the_address_of_the_setting(sessions, office):
    with sessions.begin() as session:
        service.send_invoice(session, GRACE, a_draft(session, a_customer(session)).id, now=NOW, today=TODAY)
    with MailServer(office) as url:
        known = Settings(smtp_url=url, mail_from="billing@ours.example", bounce_address="bounces@ours.example")
        delivery.deliver_due(sessions, dispatch.adapters(sessions, known), now_of=lambda: LATER)
    assert office.sent_by == ["bounces@ours.example"]
    assert office.mails[0]["From"].addresses[0].addr_spec == "billing@ours.example"

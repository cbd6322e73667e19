"""The outbox page: what waits, what it says, and what people can do about it."""

import base64
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from billing_core.bounces import recording, reports
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices.payment_links import DEACTIVATE, GATEWAY
from billing_core.outbox import queries, service
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.outbox.service import Message
from billing_core.settings import settings
from tests.bounces.returned import returned
from tests.invoices.company import a_customer, an_invoice
from tests.pages.as_read import as_read
from tests.pages.invoicing import shown


@pytest.fixture
def mail(sessions):
    """The id of a mail about an invoice that waits for an hour, with the invoice's PDF."""
    with sessions.begin() as session:
        invoice = an_invoice(session, a_customer(session)).id
        content = {"text": "Plain words", "html": "<p>Nice <b>words</b></p>", "attachments": [["invoice_pdf", invoice]]}
        message = Message("mail", "invoice", "m:1", "ap@acme.example", "Your *invoice*", ("invoice", invoice), content)
        return service.put(session, SYSTEM, message, now=utc_now(), not_before=utc_now() + timedelta(hours=1))


def become(sessions, mail, state, **facts):
    with sessions.begin() as session:
        session.execute(update(OutboxMessage).where(OutboxMessage.id == mail).values(state=state, **facts))


def state_of(sessions, mail):
    with sessions() as session:
        return queries.one(session, SYSTEM, mail).state


def test_without_a_mail_server_a_banner_names_the_setting(page_as, mail):
    page = page_as("finance").visit("admin/outbox.py")
    assert not page.exception
    assert "BILLING_SMTP_URL" in page.warning[0].value
    shown = page.dataframe[0].value
    assert (list(shown["To"]), list(shown["Subject"])) == (["ap@acme.example"], ["Your *invoice*"])


def test_a_mail_opens_in_a_frame_that_can_do_nothing(page_as, mail):
    page = page_as("finance").visit("admin/outbox.py", message=str(mail))
    assert not page.exception
    (frame,) = page.get("iframe")
    kind, _, content = frame.proto.src.partition(",")
    assert kind == "data:text/html;charset=utf-8;base64"
    html = base64.b64decode(content).decode()
    assert html.startswith("""<meta http-equiv="Content-Security-Policy" content="default-src 'none';""")
    assert html.endswith("<p>Nice <b>words</b></p>")
    assert any("INV-2026-001.pdf" in as_read(button.proto.label) for button in page.get("download_button"))


def test_who_may_not_send_may_not_recall_or_try_again(page_as, sessions, mail):
    become(sessions, mail, MessageState.HELD_BACK)
    page = page_as("finance").visit("admin/outbox.py", message=str(mail))
    assert not {"message_recall", "message_release", "message_retry"} & {button.key for button in page.button}


def test_a_mail_is_recalled_before_it_leaves(page_as, sessions, mail):
    page = page_as("admin").visit("admin/outbox.py", message=str(mail))
    page.button(key="message_recall").click().run()
    assert state_of(sessions, mail) is MessageState.RECALLED
    assert "message_recall" not in {button.key for button in page.button}


@pytest.mark.parametrize("server", [None, "smtp://mail.example"])
def test_a_kept_mail_can_be_sent_once_there_is_a_mail_server(page_as, sessions, mail, monkeypatch, server):
    become(sessions, mail, MessageState.HELD_BACK)
    monkeypatch.setattr(settings(), "smtp_url", server and SecretStr(server))
    page = page_as("admin").visit("admin/outbox.py", message=str(mail))
    assert ("message_release" in {button.key for button in page.button}) == bool(server)
    if server:
        page.button(key="message_release").click().run()
        assert state_of(sessions, mail) is MessageState.WAITING


def test_a_failed_mail_says_why_and_is_tried_again(page_as, sessions, mail):
    become(sessions, mail, MessageState.FAILED, attempts=8, last_error="No such mailbox")
    page = page_as("admin").visit("admin/outbox.py", message=str(mail))
    assert "No such mailbox" in page.error[0].value
    page.button(key="message_retry").click().run()
    assert state_of(sessions, mail) is MessageState.WAITING


def test_what_a_gateway_is_told_is_shown_and_cannot_be_taken_back(page_as, sessions):
    """Without it, somebody could still pay by a link that has ended."""
    told = Message(GATEWAY, DEACTIVATE, "k1", "test", "Deactivate the payment link of INV-7", ("payment_link", 7))
    with sessions.begin() as session:
        message_id = service.put(session, SYSTEM, told, now=utc_now())

    page = page_as("admin").visit("admin/outbox.py", message=str(message_id))

    assert not page.exception
    assert list(page.dataframe[0].value["About"]) == ["Payment link to deactivate"]
    buttons = {button.key for button in page.button}
    assert "message_link" in buttons
    assert "message_recall" not in buttons
    with sessions.begin() as session:
        assert service.recall(session, SYSTEM, [message_id], now=utc_now()) == 0
        assert queries.one(session, SYSTEM, message_id).recallable is False


def test_all_that_was_held_back_is_released(page_as, sessions, mail, monkeypatch):
    become(sessions, mail, MessageState.HELD_BACK)
    monkeypatch.setattr(settings(), "smtp_url", SecretStr("smtp://mail.example"))
    page = page_as("admin").visit("admin/outbox.py")
    page.button(key="release_all").click().run()
    assert not page.exception
    assert state_of(sessions, mail) is MessageState.WAITING


def test_filters_that_let_nothing_through_say_so(page_as, mail):
    page = page_as("manager").visit("admin/outbox.py")
    page.text_input(key="q").set_value("nobody").run()
    assert "Clear one of them" in page.info[0].value


def test_who_is_bound_to_a_customer_does_not_see_it(page_as, sessions):
    with sessions.begin() as session:
        customer = a_customer(session)
    page = page_as("finance", customer_id=customer).visit("admin/outbox.py")
    assert "Your role does not allow" in page.error[0].value


def test_a_mail_that_came_back_says_from_whom_and_why(page_as, sessions, mail):
    become(sessions, mail, MessageState.DELIVERED, attempts=1, delivered_at=utc_now())
    with sessions.begin() as session:
        report = reports.read(returned(key="m:1", code="550 *no* <b>"))
        recording.record(session, SYSTEM, report, now=utc_now())
    page = page_as("finance").visit("admin/outbox.py", message=str(mail))
    assert not page.exception
    assert "Bounced" in shown(page)
    assert "It came back from ap@acme.example on" in as_read(page.error[0].value)
    assert "“550 *no* <b> 5.1.1 <ap@acme.example>: Recipient address rejected" in as_read(page.error[0].value)
    assert list(page.dataframe[0].value["State"]) == [["Bounced"]]

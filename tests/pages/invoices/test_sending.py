"""Sending a draft from the editor: what is said before, what is missing, its number, and what goes out."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select

from billing_core.businesses.queries import default_business
from billing_core.invoices import service
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.outbox.models import OutboxMessage
from tests.invoices.company import GRACE, a_draft
from tests.pages.as_read import as_read
from tests.pages.invoices.written import WORK, acme, draft, opened
from tests.pages.invoicing import field, press, shown, stored, write

__all__ = ["acme", "draft"]

pytestmark = pytest.mark.slow


def test_sending_mails_it_with_its_number(page_as, sessions, draft):
    page = opened(page_as, draft)
    page.button(key="send_draft").click().run()
    assert "This cannot be undone" in shown(page)
    page.text_input(key=f"send_to_{draft}").set_value("Bo <boss@example.com>; ben@example.com")
    page.text_input(key=f"send_cc_{draft}").set_value("cfo@example.com")
    page.text_input(key=f"send_bcc_{draft}").set_value("books@ours.example")
    page.button(key="send_draft").click().run()
    who = "boss@example.com, ben@example.com, copy to cfo@example.com, blind copy to books@ours.example"
    assert f"Goes to {who}." in shown(page)
    page.text_input(key=f"send_subject_{draft}").set_value("For you: {{ number }}")
    press(page, "send_by_mail", again="send_draft")

    assert not page.exception
    sent = stored(sessions, draft)
    assert (sent.state, sent.number) == (InvoiceState.OPEN, f"INV-{sent.issued_on.year}-001")
    with sessions() as session:
        mail = session.scalars(select(OutboxMessage)).one()
    assert (mail.recipient, mail.title) == ("boss@example.com", f"For you: {sent.number}")
    assert mail.receivers == [["boss@example.com", "ben@example.com"], ["cfo@example.com"], ["books@ours.example"]]
    assert as_read(page.title[0].value) == f"Invoice {sent.number}"


def test_what_the_law_wants_and_is_missing_is_listed_and_sending_anyway_is_kept(page_as, sessions, draft):
    with sessions.begin() as session:
        default_business(session).country = "FR"
    page = opened(page_as, draft)
    page.button(key="send_draft").click().run()
    said = shown(page)
    assert "The invoice lacks our address, our numéro de TVA (FR and 11 signs), our company register number" in said
    assert "CGI, annexe II, art. 242 nonies A" in said
    assert "nobody can tell from the invoice how to pay" in said
    assert page.button(key="send_by_mail").label == "Send anyway"
    assert page.button(key=f"lacking_business_{stored(sessions, draft).business_id}").label == "Fill in our details"
    press(page, "send_by_mail", again="send_draft")
    assert not page.exception
    assert "It was sent without our address, our tax number, our company register number" in shown(page)


def test_a_complete_invoice_is_sent_without_a_word_of_what_it_lacks(page_as, sessions, acme):
    with sessions.begin() as session:
        business = default_business(session)
        business.country, business.address, business.bank_details = "US", "1 Main St", "Account 1"
        draft = a_draft(session, acme, customer_address="2 Main St").id
    page = opened(page_as, draft)
    page.button(key="send_draft").click().run()
    assert "lacks" not in shown(page)
    assert page.button(key="send_by_mail").label == "Send"


def test_what_would_be_overdue_at_once_is_said_before_it_is_sent(page_as, sessions, acme):
    with sessions.begin() as session:
        late = a_draft(session, acme, issued_on=date(2020, 1, 1)).id
    page = opened(page_as, late)
    page.button(key="send_draft").click().run()
    assert "overdue as soon as it is sent" in page.warning[0].value


def test_a_wrong_address_or_text_is_said_and_nothing_is_sent(page_as, sessions, draft):
    page = opened(page_as, draft)
    page.button(key="send_draft").click().run()
    page.text_input(key=f"send_to_{draft}").set_value("nobody")
    press(page, "send_by_mail", again="send_draft")
    assert "is not an e-mail address" in shown(page)

    page.text_input(key=f"send_to_{draft}").set_value("ana@example.com")
    page.text_area(key=f"send_body_{draft}").set_value("{{ secret }}")
    press(page, "send_by_mail", again="send_draft")
    assert "which this kind of mail does not know" in shown(page)
    assert stored(sessions, draft).state is InvoiceState.DRAFT


def test_an_own_number_is_taken_when_it_is_free(page_as, sessions, acme, draft):
    with sessions.begin() as session:
        other = a_draft(session, acme).id
    for invoice_id in (draft, other):
        page = opened(page_as, invoice_id)
        page.button(key="send_draft").click().run()
        page.button_group(key=f"send_way_{invoice_id}").set_value("Mark as sent")
        page.button(key="send_draft").click().run()
        page.text_input(key=f"send_number_{invoice_id}").set_value("A-7")
        press(page, "mark_as_sent", again="send_draft")
        assert not page.exception

    assert "is already used" in shown(page)
    assert stored(sessions, draft).number == "A-7"
    assert stored(sessions, other).number is None
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(OutboxMessage)) == 0


def test_what_was_sent_meanwhile_is_shown_as_it_is(page_as, sessions, draft):
    page = opened(page_as, draft)
    with sessions.begin() as session:
        service.send(session, GRACE, draft, now=datetime(2026, 3, 3, tzinfo=UTC))
    page.run()

    assert not page.exception
    assert not page.data_editor
    with sessions() as session:
        number = session.scalar(select(Invoice.number).where(Invoice.id == draft))
    assert as_read(page.title[0].value) == f"Invoice {number}"


def test_characters_that_the_pdf_cannot_show_are_named_at_their_fields_and_before_sending(page_as, sessions, draft):
    # Phags-pa, of which no font is here.
    page = opened(page_as, draft)
    field(page, "reference").set_value("PO \ua840").run()
    write(page, {**WORK, "description": "Work \ua841"})

    said = shown(page)
    assert "PDFs cannot show “\ua840” (phags-pa letter ka): no font has it." in said
    assert "Line 1: “\ua841” (phags-pa letter kha)" in said
    assert "= PDF" not in said
    assert "**Reference**: “\ua840” (phags-pa letter ka); **Line 1**: “\ua841”" in said

    page.button(key="send_draft").click().run()
    assert "**Reference**: “\ua840” (phags-pa letter ka)" in shown(page)

    field(page, "reference").set_value("শ্রীমতী").run()
    assert "(phags-pa letter ka)" not in shown(page)

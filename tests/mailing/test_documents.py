"""Credit notes and statements by mail."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Forbidden, Invalid, NotFound
from billing_core.invoices import credit_notes, service
from billing_core.invoices.models import CreditNote
from billing_core.mailing import dispatch, documents
from billing_core.outbox.models import OutboxMessage
from billing_core.receivables.statement import StatementRequest
from billing_core.recipients import Recipients
from tests.invoices.company import GRACE, LATER, NOW, READER, TODAY, a_customer, a_draft, an_invoice

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))


@pytest.fixture
def note_id(session) -> int:
    """A credit note of 38.00 on an invoice of 238.00."""
    invoice = an_invoice(session, a_customer(session))
    issued = credit_notes.issue(
        session, GRACE, invoice.id, amount_minor=3800, reason="one hour less", issued_on=TODAY, today=TODAY, now=LATER
    )
    return issued.id


def test_a_credit_note_is_mailed_with_its_pdf_to_the_address_of_its_invoice(session, note_id):
    message_id = documents.send_credit_note(session, GRACE, note_id, now=LATER)
    message = session.get_one(OutboxMessage, message_id)
    assert message.recipient == "ap@acme.example"
    assert message.title == "Credit note CN-2026-001 for invoice INV-2026-001"
    assert "Amount: $38.00\nReason: one hour less\n\nThe amount is deducted" in message.content["text"]
    (attached,) = dispatch.attachments(session, message.content["attachments"], address="https://ours.example")
    assert (attached.name, attached.content[:5]) == ("CN-2026-001.pdf", b"%PDF-")


def test_its_words_can_be_changed_before(session, note_id):
    prepared = documents.prepare_credit_note(session, GRACE, note_id)
    text = prepared.letter.text.replace("Kind regards", "Sorry again")
    message_id = documents.send_credit_note(
        session, GRACE, note_id, now=LATER, to=Recipients.read("bob@acme.example"), body=text
    )
    message = session.get_one(OutboxMessage, message_id)
    assert (message.recipient, message.title) == ("bob@acme.example", prepared.letter.subject)
    assert "Sorry again" in message.content["text"]


def test_a_reason_may_read_like_a_template(session, note_id):
    session.get_one(CreditNote, note_id).reason = "{% less {{ hours }}"
    text = documents.prepare_credit_note(session, GRACE, note_id).letter.text + "\nSorry!"
    message_id = documents.send_credit_note(session, GRACE, note_id, now=LATER, body=text)
    assert "Reason: {% less {{ hours }}" in session.get_one(OutboxMessage, message_id).content["text"]


def test_a_statement_stays_as_it_was_known_when_it_was_sent(session, note_id):
    customer_id = session.scalars(select(Customer.id)).one()
    wanted = StatementRequest(customer_id, "USD", MARCH)
    message_id = documents.send_statement(session, GRACE, wanted, now=LATER)
    message = session.get_one(OutboxMessage, message_id)
    assert message.title == "Your statement of account from My business"
    assert "Balance due on March 31, 2026: $200.00" in message.content["text"]
    reference = message.content["attachments"]
    (before,) = dispatch.attachments(session, reference, address="")

    # Recorded afterwards, for a day of the period.
    draft = a_draft(session, customer_id)
    service.send(session, GRACE, draft.id, now=LATER + timedelta(hours=1))
    (after,) = dispatch.attachments(session, reference, address="")
    assert before == after
    assert before.name == "statement-USD-2026-03-01-2026-03-31.pdf"


def test_who_may_and_to_whom(session, note_id):
    with pytest.raises(Forbidden):
        documents.send_credit_note(session, READER, note_id, now=LATER)
    with pytest.raises(Forbidden):
        documents.send_statement(session, READER, StatementRequest(1, "USD", MARCH), now=LATER)
    with pytest.raises(NotFound):
        documents.send_credit_note(session, GRACE, 999, now=LATER)
    with pytest.raises(Invalid):
        documents.send_credit_note(session, GRACE, note_id, now=NOW, to=Recipients.read(""))

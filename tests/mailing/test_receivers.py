"""Who gets the mails of a customer with several addresses, copies and blind copies."""

from dataclasses import replace

import pytest

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices import by_email, credit_notes, queries, service
from billing_core.invoices.by_email import Addressed
from billing_core.invoices.content.content import blank
from billing_core.invoices.service import Details
from billing_core.mailing import documents, reminders
from billing_core.mailing import service as mailing
from billing_core.outbox.models import OutboxMessage
from billing_core.receivables.statement import StatementRequest
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, a_line, content

LISTS = {"further_emails": "ben@acme.example", "cc_emails": "cfo@acme.example", "bcc_emails": "books@ours.example"}
ALL = [["ap@acme.example", "ben@acme.example"], ["cfo@acme.example"], ["books@ours.example"]]


@pytest.fixture
def customer_id(session):
    return a_customer(session, **LISTS)


@pytest.fixture
def invoice(session, customer_id):
    """As the page *New invoice* begins it."""
    begun = blank(session, GRACE, customer_id, today=TODAY)
    content_of_it = replace(begun, lines=(a_line(),), payment_terms="Net 30", due_on=None)
    draft = service.create(session, GRACE, content_of_it, now=NOW)
    return service.send(session, GRACE, draft.id, now=NOW)


def receivers(session, message_id):
    message = session.get_one(OutboxMessage, message_id)
    return [[message.recipient]] if message.receivers is None else message.receivers


def test_an_invoice_its_reminder_its_credit_note_and_a_statement_go_to_all_of_them(session, customer_id, invoice):
    issued = credit_notes.issue(
        session, GRACE, invoice.id, amount_minor=3800, reason="late", issued_on=TODAY, today=TODAY, now=NOW
    )
    period = StatementRequest(customer_id, "USD", Period(TODAY, TODAY))
    sent = [
        mailing.send_invoice(session, GRACE, invoice.id, now=NOW, today=TODAY),
        *reminders.remind_now(session, GRACE, [invoice.id], now=NOW, today=TODAY).message_ids,
        documents.send_credit_note(session, GRACE, issued.id, now=NOW),
        documents.send_statement(session, GRACE, period, now=NOW),
    ]
    assert [receivers(session, message_id) for message_id in sent] == [ALL] * 4


def test_an_invoice_keeps_its_own_when_the_customers_change(session, customer_id, invoice):
    session.get_one(Customer, customer_id).cc_emails = "new@acme.example"
    session.flush()
    sent = mailing.send_invoice(session, GRACE, invoice.id, now=NOW, today=TODAY)
    assert receivers(session, sent) == ALL


def test_its_own_are_changed_after_sending_without_ending_its_link(session, invoice):
    new = Details(further_emails="", cc_emails="Ana <ana@acme.example>; ap@acme.example", bcc_emails="")
    service.update_details(session, GRACE, invoice.id, new, now=LATER, today=TODAY)
    assert (invoice.further_emails, invoice.cc_emails, invoice.bcc_emails) == ("", "ana@acme.example", "")
    assert queries.events(session, invoice.id)[0].data == {"fields": [*LISTS]}
    (plan,) = mailing.rehearse(session, GRACE, [invoice.id], today=TODAY)
    assert plan.to == "ap@acme.example, copy to ana@acme.example"


def test_a_program_that_knows_one_address_reaches_the_others_too(session, customer_id):
    asked = Addressed(default_business(session).public_id, "AP@acme.example", "USD", (a_line(),))
    made = by_email.create(session, SYSTEM, asked, now=NOW)
    assert (made.customer_id, made.customer_email) == (customer_id, "AP@acme.example")
    assert {name: getattr(made, name) for name in LISTS} == LISTS


@pytest.mark.parametrize(
    ("facts", "field", "reason"),
    [
        ({"further_emails": "nobody"}, "further_emails", "“nobody” is not an e-mail address"),
        ({"cc_emails": "a@b.example; x@b_c.example"}, "cc_emails", "there can be no domain “b_c.example”"),
        ({"bcc_emails": "a@b.example\r\nTo: eve@evil.example"}, "bcc_emails", "“To: eve@evil.example” is not"),
        ({"cc_emails": ",".join(f"a{n}@b.example" for n in range(11))}, "cc_emails", "at most 10"),
        ({"further_emails": ",".join(f"a{n}@b.example" for n in range(10))}, "further_emails", "at most 9"),
        ({"customer_email": "", "further_emails": "a@b.example"}, "further_emails", "without a first address"),
    ],
)
def test_a_list_that_is_none_is_refused_at_its_field(session, customer_id, facts, field, reason):
    with pytest.raises(Invalid) as refusal:
        service.create(session, GRACE, content(session, customer_id, **facts), now=NOW)
    assert reason in refusal.value.fields[field]

"""Sending invoices and credit notes: rehearsed, in one transaction, once, recallable."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import Role, actor_with
from billing_core.invoices import after_sending
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.mailing import service
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.recipients import Recipients
from tests.invoices.company import GRACE, LATER, NOW, READER, TODAY, a_customer, a_draft, an_invoice


def send(session, invoice_id, *, now=NOW, **options) -> OutboxMessage:
    message_id = service.send_invoice(session, GRACE, invoice_id, now=now, today=TODAY, **options)
    return session.get_one(OutboxMessage, message_id)


def test_sending_a_draft_opens_it_and_puts_one_mail_in(session):
    draft = a_draft(session, a_customer(session))
    message = send(session, draft.id)

    invoice = session.get_one(Invoice, draft.id)
    assert (invoice.state, invoice.number) == (InvoiceState.OPEN, "INV-2026-001")
    assert (message.recipient, message.title) == ("ap@acme.example", "Invoice INV-2026-001 from My business")
    assert "Amount due: $238.00\nDue date: April 1, 2026" in message.content["text"]
    assert f"/i/{invoice.token}" in message.content["text"]
    assert message.content["attachments"] == [["invoice_pdf", draft.id]]
    assert message.customer_id == draft.customer_id


def test_the_mail_says_what_early_payment_takes_off(session):
    # By hand: 2 % of 238.00 is 4.76; ten days after 2 March is 12 March.
    draft = a_draft(session, a_customer(session), payment_terms="2/10 net 30")
    offer = "If paid by March 12, 2026: $233.24 (2% discount, $4.76)"
    assert f"Due date: April 1, 2026\n{offer}\n" in send(session, draft.id).content["text"]


@pytest.mark.usefixtures("mail_server")
def test_one_click_too_many_sends_nothing_twice_and_later_it_can_be_sent_again(session):
    draft = a_draft(session, a_customer(session))
    first = send(session, draft.id)
    with pytest.raises(Conflict, match="waits in the outbox already"):
        send(session, draft.id)
    first.state, first.attempts = MessageState.DELIVERED, 1
    session.flush()
    second = send(session, draft.id, to=Recipients.read(" boss@acme.example "))
    assert second.recipient == "boss@acme.example"
    assert second.key != first.key


@pytest.mark.parametrize(
    ("language", "subject", "amount"),
    [
        ("de", "Rechnung INV-2026-001 von My business", "Zu zahlen: 238,00\xa0$\nFällig am: 1. April 2026"),
        ("fr", "Facture INV-2026-001 de My business", "238,00\xa0$US\nÉchéance\xa0: 1er avril 2026"),
        ("es", "Factura INV-2026-001 de My business", "238,00\xa0US$\nVencimiento: 1 de abril de 2026"),
        ("ja", "Invoice INV-2026-001 from My business", "Amount due: $238.00\nDue date: April 1, 2026"),
    ],
)
def test_the_customer_is_written_to_in_their_language(session, language, subject, amount):
    draft = a_draft(session, a_customer(session))
    session.execute(Invoice.__table__.update().values(language=language))
    session.expire_all()
    message = send(session, draft.id)
    assert message.title == subject
    assert amount in message.content["text"]


def test_the_rehearsal_shows_the_letter_and_why_some_would_not_go(session):
    customer = a_customer(session)
    draft, mute = a_draft(session, customer), a_draft(session, customer, customer_email="")
    gone = an_invoice(session, customer)
    after_sending.cancel(session, GRACE, gone.id, now=LATER, today=TODAY)

    plans = service.rehearse(session, GRACE, [gone.id, draft.id, mute.id], today=TODAY)

    assert [plan.reason for plan in plans] == ["is cancelled", "", "there is no e-mail address"]
    assert (plans[1].to, plans[1].is_draft, plans[1].number) == ("ap@acme.example", True, None)
    assert plans[1].letter.subject == "Invoice {{ number }} from My business"
    assert session.get_one(Invoice, draft.id).state is InvoiceState.DRAFT
    assert session.scalar(select(func.count()).select_from(OutboxMessage)) == 0


def test_words_that_people_have_changed_keep_the_place_of_the_number(session):
    draft = a_draft(session, a_customer(session))
    message = send(session, draft.id, subject="Yours: {{ number }}", body="Hi <b>Bob</b> & Co,\n\nsee {{ number }}.")
    assert message.title == "Yours: INV-2026-001"
    assert message.content["text"] == "Hi <b>Bob</b> & Co,\n\nsee INV-2026-001.\n"
    assert "Hi &lt;b&gt;Bob&lt;/b&gt; &amp; Co," in message.content["html"]


def test_a_variable_that_does_not_exist_is_named_and_nothing_is_sent(session):
    draft = a_draft(session, a_customer(session))
    with pytest.raises(Invalid) as refusal:
        send(session, draft.id, body="Dear {{ custmer_name }}")
    assert "“custmer_name”" in refusal.value.fields["body"]
    assert session.get_one(Invoice, draft.id).state is InvoiceState.DRAFT


@pytest.mark.parametrize("name", ["{% x", "{{ x }}", "{# Acme #}", "{{ link }} {{"])
def test_a_customer_may_be_called_like_a_template_also_where_the_words_were_changed(session, name):
    draft = a_draft(session, a_customer(session, name=name), customer_name=name)
    (plan,) = service.rehearse(session, GRACE, [draft.id], today=TODAY)
    assert f"Dear {name}," in plan.letter.text.splitlines()
    message = send(session, draft.id, subject=f"{{{{ number }}}} for {name}", body=plan.letter.text + "\nThank you!")
    assert message.title == f"INV-2026-001 for {name}"
    assert f"Dear {name}," in message.content["text"].splitlines()
    assert message.content["text"].endswith("Thank you!\n")


def test_who_has_told_us_no_name_is_greeted_by_the_address(session):
    message = send(session, a_draft(session, a_customer(session), customer_name="").id)
    assert message.content["text"].startswith("Dear ap@acme.example,\n")


def test_many_are_sent_at_once_and_what_cannot_go_is_left_out(session):
    customer = a_customer(session)
    ids = [a_draft(session, customer).id for _ in range(3)]
    mute = a_draft(session, customer, customer_email="")

    sending = service.send_many(session, GRACE, [*ids, mute.id], now=NOW, today=TODAY)

    rows = session.scalars(select(OutboxMessage).where(OutboxMessage.id.in_(sending.message_ids))).all()
    assert [row.subject_id for row in rows] == [str(invoice_id) for invoice_id in ids]
    assert {row.not_before for row in rows} == {NOW + timedelta(seconds=60)}
    assert [plan.invoice_id for plan in sending.left_out] == [mute.id]
    assert session.get_one(Invoice, mute.id).state is InvoiceState.DRAFT


@pytest.mark.usefixtures("mail_server")
def test_recalled_mails_do_not_leave_and_their_invoices_stay_sent(session):
    draft = a_draft(session, a_customer(session))
    sending = service.send_many(session, GRACE, [draft.id], now=NOW, today=TODAY)
    assert service.recall(session, GRACE, sending.message_ids, now=NOW) == 1
    assert session.get_one(Invoice, draft.id).state is InvoiceState.OPEN
    again = send(session, draft.id, now=LATER)
    assert (again.state, again.id in sending.message_ids) == (MessageState.WAITING, False)


@pytest.mark.parametrize(("to", "reason"), [("", "is needed|no e-mail"), ("nobody", "not an e-mail address")])
def test_an_address_that_is_none_is_refused_at_its_field(session, to, reason):
    draft = a_draft(session, a_customer(session))
    with pytest.raises(Invalid, match=reason) as refusal:
        send(session, draft.id, to=Recipients.read(to))
    assert set(refusal.value.fields) == {"to"}


def test_who_may_send(session):
    draft = a_draft(session, a_customer(session))
    stranger = actor_with(Role.ADMIN, user_id=None, name="Bo", customer_id=a_customer(session, "OTHER"))
    for verb in (service.send_many, service.rehearse):
        facts = {"today": TODAY} | ({"now": NOW} if verb is service.send_many else {})
        with pytest.raises(Forbidden):
            verb(session, READER, [draft.id], **facts)
        with pytest.raises(Forbidden):
            verb(session, stranger, [draft.id], **facts)
    with pytest.raises(NotFound):
        send(session, 999)

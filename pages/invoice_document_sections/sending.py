"""Sending an invoice: by mail, read and changed before it goes, or marked as sent in another way."""

import streamlit as st

from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor
from billing_core.invoices import queries
from billing_core.invoices.credit_notes import CreditNoteRow
from billing_core.invoices.documents import document, legibility
from billing_core.invoices.models import InvoiceState
from billing_core.invoices.rows import InvoiceView
from billing_core.languages.available import own_name
from billing_core.mailing import documents, letters
from billing_core.mailing import service as mailing
from billing_core.mailing.default_texts import Wording
from billing_core.mailing.service import Planned
from billing_core.outbox import queries as outbox_queries
from billing_core.payments import sending
from billing_core.recipients import Recipients
from pages.invoice_document_sections import preview
from pages.invoice_document_sections.changes import attempt
from pages.ui import context, formats, mail_words
from pages.ui.context import actor as signed_in
from pages.ui.inputs import lacking, print_hint, recipient_fields
from pages.ui.reads import Reader
from pages.ui.text import md

BY_MAIL, OTHERWISE = "By e-mail", "Mark as sent"


@st.dialog("Send invoice", width="large", icon=":material/send:")
def dialog(invoice_id: int) -> None:
    """To whom, with which words, and what sending does."""
    actor = signed_in()
    read = Reader(actor)
    invoice = read(queries.one, invoice_id)
    # Not from memory: mails are delivered without anybody's doing.
    with context.reading() as session:
        (plan,) = mailing.rehearse(session, actor, [invoice_id], today=read.day_of(invoice.business_id))
    _explain(invoice, plan, read)
    _warn_of_missed(invoice)
    paper = read.plain(document.of_invoice, invoice_id)
    print_hint.warn(legibility.of_invoice(paper))
    lacks = lacking.warn(read, actor, invoice)
    if not (paper.issuer.bank_details.strip() or invoice.payment_url) and paper.due_minor:
        st.caption(lacking.BANK_ACCOUNT)
    number = _own_number(invoice) if invoice.number is None else ""
    if invoice.state is InvoiceState.DRAFT:
        way = st.segmented_control(
            "How", [BY_MAIL, OTHERWISE], default=BY_MAIL, key=f"send_way_{invoice_id}", required=True
        )
        if way == OTHERWISE:
            _mark(actor, invoice, number, lacks=lacks)
            return
    _mail(actor, read, invoice, plan, number, lacks=lacks)


@st.dialog("Mail the credit note", icon=":material/mail:")
def credit_note(note: CreditNoteRow) -> None:
    """With the business's own wording and its PDF."""
    st.markdown(
        f"Credit note **{md(note.number)}** for {md(formats.money(note.total_minor, note.currency))}, with its PDF, in "
        "the customer's language."
    )
    mail_words.warn_of_none()
    prepared = Reader(signed_in())(documents.prepare_credit_note, note.id)
    to = recipient_fields.draw(prepared.recipients, "mail_credit_note", note.id)
    if st.button("Send", type="primary", icon=":material/send:", key="send_credit_note"):
        with attempt(mail_words.put_in("The credit note", to.in_words())) as session:
            documents.send_credit_note(session, signed_in(), note.id, to=to, now=utc_now())


def _explain(invoice: InvoiceView, plan: Planned, read: Reader) -> None:
    amount = formats.money(invoice.total_minor, invoice.currency)
    if invoice.state is InvoiceState.DRAFT:
        st.markdown(
            f"**{md(amount)}** to {md(invoice.customer_name)}, due {md(formats.day(invoice.due_on))}. "
            "The invoice gets its number and is posted to the ledger. **This cannot be undone:** its lines and amounts "
            "can no longer be changed; mistakes are corrected with a credit note, or by cancelling it."
        )
        if invoice.due_on < read.day_of(invoice.business_id):
            st.warning(
                "It is due before today, and overdue as soon as it is sent: change the dates first if that is not "
                "intended.",
                icon=":material/event_busy:",
            )
    elif told := mail_words.of_before(plan.before, read.company.time_zone):
        again = "again" if plan.sent_before else "by mail"
        st.markdown(f"{told} Sending it {again} changes nothing in the invoice.")
    else:
        st.markdown("Sending it by mail changes nothing in the invoice.")


def _warn_of_missed(invoice: InvoiceView) -> None:
    # Not from memory: mails are delivered without anybody's doing.
    with context.reading() as session:
        missed = ", ".join(outbox_queries.missed(session, "invoice", invoice.id))
    if missed:
        st.warning(
            f"A mail about it reached others, but not {md(missed)}. *Try again now* in the outbox is for them alone; a "
            "new mail goes to everybody below.",
            icon=":material/mark_email_unread:",
        )


def _own_number(invoice: InvoiceView) -> str:
    return st.text_input(
        "Number",
        key=f"send_number_{invoice.id}",
        placeholder="The next of its series",
        help="Empty: the next free number. A number of your own is accepted if no other invoice has it.",
        width=300,
    )


def _mark(actor: Actor, invoice: InvoiceView, number: str, *, lacks: bool) -> None:
    st.caption("No mail goes out: you hand the invoice over yourself, on paper or through a portal.")
    label = "Mark as sent anyway" if lacks else "Mark as sent"
    if st.button(label, type="primary", icon=":material/check:", key="mark_as_sent"):
        with attempt("The invoice is sent") as session:
            if number.strip():
                sending.give_number(session, actor, invoice.id, number, now=utc_now())
            sending.send(session, actor, invoice.id, now=utc_now())


def _mail(actor: Actor, read: Reader, invoice: InvoiceView, plan: Planned, number: str, *, lacks: bool) -> None:
    mail_words.warn_of_none()
    left, right = st.columns(2, gap="medium")
    with left:
        to = recipient_fields.draw(plan.recipients, "send", invoice.id)
        subject = st.text_input("Subject", plan.letter.subject, key=f"send_subject_{invoice.id}")
        body = st.text_area("Text", plan.letter.text.strip(), key=f"send_body_{invoice.id}", height=340)
        st.caption(
            f"In {own_name(plan.language)}, the customer's language. "
            + ("{{ number }} becomes the invoice's number when it is sent." if plan.number is None else "")
        )
    with right:
        _letter(read, invoice, plan, to, Wording(subject, body), number)
    words_changed = (subject, body) != (plan.letter.subject, plan.letter.text.strip())
    label = "Send again" if plan.sent_before else "Send by mail"
    if plan.is_draft:
        label = "Send anyway" if lacks else "Send"
    if st.button(label, type="primary", icon=":material/send:", key="send_by_mail"):
        with attempt(mail_words.put_in("The invoice", to.in_words())) as session:
            if number.strip():
                sending.give_number(session, actor, invoice.id, number, now=utc_now())
            mailing.send_invoice(
                session,
                actor,
                invoice.id,
                now=utc_now(),
                today=read.day_of(invoice.business_id),
                to=to,
                subject=subject if words_changed else None,
                body=body if words_changed else None,
            )


def _letter(read: Reader, invoice: InvoiceView, plan: Planned, to: Recipients, wording: Wording, number: str) -> None:
    """How the mail will read."""
    st.caption("Preview")
    try:
        with context.reading() as session:
            sender = letters.senders(session, [invoice])[invoice.id]
        values = letters.invoice_values(invoice, sender, today=read.day_of(invoice.business_id))
        values["number"] = invoice.number or number.strip() or "[number]"
        letter = letters.changed_letter(wording, values, plan.language)
    except BillingError as error:
        context.refused(error)
        return
    with st.container(border=True, height=440, gap="small"):
        st.text(f"From {sender.name} to {to.in_words() or formats.NOTHING}")
        st.markdown(f"**{md(letter.subject)}**")
        st.link_button("The invoice as PDF", preview.address(invoice), icon=":material/attach_file:")
        st.text(letter.text)

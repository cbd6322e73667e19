"""What may still be changed on a sent invoice, and whether the customer is reminded of it."""

from dataclasses import fields
from datetime import timedelta

import streamlit as st

from billing_core.dates import LATEST_DAY, utc_now
from billing_core.identity import Actor
from billing_core.invoices import after_sending, service
from billing_core.invoices.content.content import LONGEST
from billing_core.invoices.rows import InvoiceView
from billing_core.invoices.service import Details
from billing_core.mailing import letters, mails, reminders
from billing_core.recipients import in_a_list, split
from pages.invoice_document_sections.changes import attempt
from pages.ui import context, formats, mail_words, messages
from pages.ui.context import actor as signed_in
from pages.ui.inputs import print_hint, reminder_hold, terms_reading
from pages.ui.reads import Reader
from pages.ui.text import md

_HOLD = timedelta(days=14)


@st.dialog("Edit details", icon=":material/edit:")
def details(invoice: InvoiceView) -> None:
    """``invoice`` as it was when the dialog opened: a colleague's change in between is noticed."""
    st.caption("Lines and amounts of a sent invoice do not change; a credit note corrects mistakes in them.")
    if invoice.payment_url:
        st.caption(
            "Another name or e-mail address, and terms that take something else off for paying early, end the payment "
            "link: create a new one then. Another note or due date leaves it as it is."
        )
    key = f"details_{invoice.id}_{invoice.version}"
    name = st.text_input(
        "Bill to", invoice.customer_name, max_chars=LONGEST["customer_name"], key=f"{key}_customer_name"
    )
    print_hint.show(name)
    to = in_a_list((invoice.customer_email, invoice.further_emails))
    emails = st.text_input("E-mail", to, key=f"{key}_customer_email", help="One address, or several with commas")
    left, right = st.columns(2, gap="small")
    cc = left.text_input("CC", invoice.cc_emails, key=f"{key}_cc_emails", placeholder="Nobody")
    bcc = right.text_input("BCC", invoice.bcc_emails, key=f"{key}_bcc_emails", placeholder="Nobody")
    due_on = st.date_input(
        "Due date",
        invoice.due_on,
        min_value=invoice.issued_on,
        max_value=LATEST_DAY,
        required=True,
        key=f"{key}_due_on",
        help="A due date in the future takes “overdue” off the invoice.",
        format=formats.day_form(),
    )
    payment_terms = st.text_input(
        "Payment terms", invoice.payment_terms, max_chars=LONGEST["payment_terms"], key=f"{key}_payment_terms"
    )
    terms_reading.show(payment_terms or "", invoice.issued_on, due_on)
    print_hint.show(payment_terms)
    notes = st.text_area("Notes", invoice.notes, max_chars=LONGEST["notes"], key=f"{key}_notes")
    print_hint.show(notes)
    if st.button("Save details", type="primary", icon=":material/save:", key="save_details"):
        actor = signed_in()
        new_details = Details(name, *split(emails), cc, bcc, due_on or invoice.due_on, payment_terms, notes)
        shown = Details(*(getattr(invoice, field.name) for field in fields(Details)))
        with attempt("Saved the details") as session:
            service.update_details(
                session,
                actor,
                invoice.id,
                new_details,
                now=utc_now(),
                today=Reader(actor).day_of(invoice.business_id),
                shown=shown,
            )


@st.dialog("Hold reminders", icon=":material/pause_circle:")
def hold(invoice: InvoiceView) -> None:
    actor = signed_in()
    read = Reader(actor)
    st.markdown(f"The customer gets no reminder of {md(invoice.number)} up to and including that day.")
    held_until = invoice.held_until
    # A hold that is over says nothing about the next one.
    usual = (
        held_until
        if held_until is not None and held_until >= read.day_of(invoice.business_id)
        else read.day_of(invoice.business_id) + _HOLD
    )
    until, reason = reminder_hold.fields(
        invoice.id, usual, today=read.day_of(invoice.business_id), reason=invoice.hold_reason
    )
    if st.button("Hold reminders", type="primary", key="do_hold"):
        with attempt("Reminders are held") as session:
            after_sending.hold(
                session,
                actor,
                invoice.id,
                until=until,
                reason=reason,
                now=utc_now(),
                today=read.day_of(invoice.business_id),
            )


def release(invoice: InvoiceView) -> None:
    with attempt("Reminders may go out again") as session:
        after_sending.release(session, signed_in(), invoice.id, now=utc_now())


def remind(read: Reader, actor: Actor, invoice: InvoiceView) -> None:
    """One reminder at once; where none can go out, say why."""
    with context.transaction() as session:
        done = reminders.remind_now(session, actor, [invoice.id], now=utc_now(), today=read.days)
    if done.left_out:
        messages.say(
            f"Nobody was reminded: {invoice.number} {formats.with_days(done.left_out[0].reason)}",
            icon=":material/block:",
        )
    else:
        messages.say(
            mail_words.put_in("The reminder", mails.recipients_of_invoice(invoice).in_words(), recallable=True)
        )
    st.rerun()


@st.dialog("Mark as overdue", icon=":material/schedule:")
def mark_overdue(invoice: InvoiceView) -> None:
    st.markdown(
        f"{md(invoice.number)} is overdue from now on, although its due date has not passed. Moving the due "
        "date undoes that."
    )
    if st.button("Mark as overdue", type="primary", key="do_mark_overdue"):
        with attempt("The invoice is marked as overdue") as session:
            after_sending.mark_overdue(session, signed_in(), invoice.id, now=utc_now())


@st.dialog("The customer's link", icon=":material/link:")
def link(invoice: InvoiceView) -> None:
    st.markdown("Whoever has this link sees the invoice and can download it, without signing in.")
    st.code(letters.invoice_link(invoice.token), language=None, wrap_lines=True)
    st.caption("When the customer opens it for the first time, the invoice is marked as viewed.")

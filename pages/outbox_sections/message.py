"""One message: the mail as its receiver sees it, its attachments, and what can be done with it."""

import streamlit as st
from sqlalchemy.orm import Session

from billing_core.bounces import queries as bounces
from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from billing_core.mailing import dispatch
from billing_core.mailing.mails import MAIL
from billing_core.outbox import queries, receiving, service
from billing_core.outbox.mail import Attachment
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.settings import settings
from pages.outbox_sections import returned
from pages.outbox_sections.wording import history
from pages.ui import context, formats, mail_words, messages, opened
from pages.ui.reads import Reader
from pages.ui.text import mail_frame, md


def draw(read: Reader, actor: Actor, message_id: int, zone: str) -> None:
    message = _fresh(actor, message_id)
    with st.container(border=True):
        opened.heading(md(message.title), "message")
        label, color = mail_words.STATES[message.state]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(label, color=color)
            to = f"To {md(receiving.recipients_of(message).in_words())} · " if message.channel == MAIL else ""
            st.caption(f"{to}{md(history(message, zone))}", width="content")
        if message.last_error and message.state is MessageState.RECALLED:
            st.info(f"It was not sent: {md(formats.with_days(message.last_error))}", icon=":material/block:")
        elif message.last_error:
            st.error(f"The last attempt failed: {md(formats.with_days(message.last_error))}", icon=":material/error:")
        if message.answers:
            have_it = ", ".join(one for one, answer in message.answers.items() if not answer)
            st.info(f"{md(have_it)} got it. Another try is for the others.", icon=":material/mark_email_read:")
        if message.channel == MAIL:
            with context.reading() as session:
                returned.draw(bounces.of_message(session, actor, message.id), zone)
        _actions(actor, message)
        if message.channel == MAIL:
            _mail(message)
            _attachments(read, message)
        if message.subject_kind == "invoice" and st.button(
            "Open the invoice", icon=":material/request_quote:", type="tertiary", key="message_invoice"
        ):
            st.switch_page("invoice_editor.py", query_params={"invoice": message.subject_id})
        if message.subject_kind == "payment_link" and st.button(
            "Open the payment link", icon=":material/add_link:", type="tertiary", key="message_link"
        ):
            st.switch_page("payment_links.py", query_params={"link": message.subject_id})


def _fresh(actor: Actor, message_id: int) -> OutboxMessage:
    """Not from memory: it is delivered without anybody's doing."""
    with context.reading() as session:
        return queries.one(session, actor, message_id)


def _actions(actor: Actor, message: OutboxMessage) -> None:
    with st.container(horizontal=True):
        if message.channel == MAIL:
            st.link_button("Download .eml", f"/downloads/outbox/{message.id}.eml", icon=":material/download:")
        if not actor.may(Permission.INVOICE_SEND):
            return
        tried = message.state is MessageState.WAITING and message.attempts > 0
        if (message.state is MessageState.FAILED or tried) and st.button(
            "Try again now", icon=":material/refresh:", key="message_retry", type="primary"
        ):
            with context.transaction() as session:
                service.retry(session, actor, [message.id], now=utc_now())
            messages.say("It is being retried now.", icon=":material/refresh:")
            st.rerun()
        deliverable = settings().sends_mails or message.channel != MAIL
        if (
            message.state is MessageState.HELD_BACK
            and deliverable
            and st.button("Send it now", icon=":material/send:", key="message_release", help="Nobody has got it")
        ):
            with context.transaction() as session:
                service.release(session, actor, [message.id], now=utc_now())
            messages.say("It is being sent now.", icon=":material/send:")
            st.rerun()
        if message.recallable and st.button(
            "Recall",
            icon=":material/undo:",
            key="message_recall",
            help="It will never be sent. An invoice that was sent with it stays sent and keeps its number.",
        ):
            with context.transaction() as session:
                recalled = service.recall(session, actor, [message.id], now=utc_now())
            messages.say("Recalled: it was not sent." if recalled else "Too late: it has already been sent.")
            st.rerun()


def _mail(message: OutboxMessage) -> None:
    looks = st.segmented_control(
        "Look", ["Mail", "Plain text"], default="Mail", key=f"message_look_{message.id}", label_visibility="collapsed"
    )
    html, text = str(message.content.get("html", "")), str(message.content.get("text", ""))
    if looks == "Mail" and html:
        st.iframe(mail_frame(html), height=460)
    else:
        with st.container(border=True):
            st.text(text)


def _attachments(read: Reader, message: OutboxMessage) -> None:
    references = message.content.get("attachments", [])
    if not references:
        return
    st.caption("Attachments, as they are now")
    with st.container(horizontal=True):
        for place, attachment in enumerate(read.plain(_made, message.id, references)):
            st.download_button(
                f"{md(attachment.name)} ({formats.count(-(-len(attachment.content) // 1000))} kB)",
                attachment.content,
                file_name=attachment.name,
                mime=attachment.media_type,
                icon=":material/attach_file:",
                key=f"attachment_{message.id}_{place}",
                on_click="ignore",
            )


def _made(session: Session, _message_id: int, references: list[list[object]]) -> list[Attachment]:
    return dispatch.attachments(session, references, address=settings().address)

"""Turning an outbox message into a mail: attachments are made when it is sent, and when somebody previews it."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.database import Sessions
from billing_core.dates import Period, utc_now
from billing_core.email_addresses import is_email_address
from billing_core.errors import NotFound
from billing_core.identity import SYSTEM, Actor
from billing_core.invoices import lifecycle
from billing_core.invoices.documents import document
from billing_core.invoices.documents.pdf import invoice_pdf
from billing_core.invoices.documents.pdf_credit_note import credit_note_pdf
from billing_core.invoices.models import EventKind, Invoice, InvoiceState
from billing_core.mailing import unneeded
from billing_core.mailing.mails import MAIL
from billing_core.mailing.models import MailKind
from billing_core.mailing.texts import REMINDERS
from billing_core.outbox import queries, receiving, smtp
from billing_core.outbox.delivery import Adapter, Claimed, InPart, Unwanted
from billing_core.outbox.mail import Attachment, as_bytes, compose
from billing_core.outbox.models import OutboxMessage
from billing_core.receivables.pdf import statement_pdf
from billing_core.receivables.statement import StatementRequest
from billing_core.recipients import in_a_list
from billing_core.settings import Settings

# From then on a reminder counts too few days. The tries of one mail take less.
STALE: Final = timedelta(days=1)
_UNSAFE_IN_NAMES = re.compile(r"[^\w.-]+")


def adapters(sessions: Sessions, configured: Settings) -> dict[str, Adapter]:
    """The adapters for these settings: none without a mail server."""
    to = configured.mail_server
    if to is None:
        return {}
    sender = sender_of(configured)

    def send(message: Claimed) -> None:
        with sessions() as session:
            _refuse_outdated(session, message)
            mail = composed(session, message, sender=sender, address=configured.address)
        going = receiving.left(message)
        answers = smtp.send(to, mail, recipients=going, sender=configured.bounce_address or sender)
        if answers:
            said = {one: answers[one].text if one in answers else "" for one in going}
            raise InPart(said, final=all(answer.final for answer in answers.values()))

    return {MAIL: send}


def sender_of(configured: Settings) -> str:
    """The sender address of mails."""
    if configured.mail_from:
        return configured.mail_from
    if configured.mail_server is not None and is_email_address(configured.mail_server.user):
        return configured.mail_server.user
    return f"billing@{configured.host}"


def eml(session: Session, actor: Actor, message_id: int, configured: Settings) -> tuple[str, bytes]:
    """A mail as a file (name, content) for mail programs, with its attachments, whether it was sent or not.

    NotFound for a message to another system, such as a webhook: it is no mail.
    """
    message = queries.one(session, actor, message_id)
    if message.channel != MAIL:
        raise NotFound(f"There is no mail {message_id}")
    mail = composed(session, message, sender=sender_of(configured), address=configured.address)
    return f"{_UNSAFE_IN_NAMES.sub('-', message.title).strip('-')[:80] or 'mail'}.eml", as_bytes(mail)


def composed(session: Session, message: OutboxMessage | Claimed, *, sender: str, address: str) -> EmailMessage:
    """``address`` is the product's own, for the links in the attached documents."""
    recipients = receiving.recipients_of(message)
    return compose(
        key=message.key,
        to=recipients.to,
        cc=recipients.cc,
        subject=message.title,
        content=message.content,
        sender=sender,
        attachments=attachments(session, message.content.get("attachments", []), address=address),
        written_at=message.created_at,
    )


def attachments(session: Session, references: Sequence[Sequence[Any]], *, address: str) -> list[Attachment]:
    """The documents that a message refers to, such as ``["invoice_pdf", 7]``, as they are now."""
    return [_KINDS[kind](session, address, *identity) for kind, *identity in references]


def delivered(session: Session, message: Claimed, now: datetime, reached: Sequence[str]) -> None:
    """Add to the invoice's timeline that the mail was sent, to whom, and who did not get it."""
    if message.subject_kind != "invoice":
        return
    kind = EventKind.REMINDED if message.topic in REMINDERS else EventKind.MAILED
    who = Actor(message.created_by_id, message.created_by, frozenset())
    recipients = receiving.recipients_of(message)
    lists = {"to": recipients.to, "cc": recipients.cc, "bcc": recipients.bcc}
    told = {name: in_a_list([one for one in listed if one in reached]) for name, listed in lists.items()}
    told["missed"] = in_a_list([one for one in receiving.left(message) if one not in reached])
    data = {name: text for name, text in told.items() if text} | {"topic": message.topic, "message_id": message.id}
    lifecycle.note(session, who, int(message.subject_id), kind, data, now=now)


def _refuse_outdated(session: Session, message: Claimed) -> None:
    """After the mail was added, the invoice may have been paid or held: then no reminder is sent. Nor is one that says
    what is no longer so, such as one that was kept.
    """
    if message.subject_kind != "invoice":
        return
    facts = (Invoice.state, Invoice.business_id, Invoice.due_minor, unneeded.covered_by_credit())
    about = select(*facts, Invoice.held_until, Customer.held_until)
    about = about.join(Customer, Customer.id == Invoice.customer_id)
    state, business_id, due_minor, covered, *held_until = session.execute(
        about.where(Invoice.id == int(message.subject_id))
    ).one()
    old = utc_now() - message.created_at > STALE
    another_due = message.content.get("due_minor", due_minor) != due_minor
    if message.topic in (*REMINDERS, MailKind.CHARGE_FAILED) and state is not InvoiceState.OPEN:
        raise Unwanted(f"The invoice is {'paid' if state is InvoiceState.PAID else 'cancelled'} in the meantime")
    today = businesses.day_at(session, business_id, now=utc_now())
    if message.topic in REMINDERS and any(until is not None and until >= today for until in held_until):
        raise Unwanted("The invoice or its customer is held in the meantime")
    if message.topic in REMINDERS and covered:
        raise Unwanted("The customer’s credit covers the invoice in the meantime")
    # Who has paid since yesterday still gets the invoice.
    if another_due and (old or message.topic in REMINDERS):
        raise Unwanted("Another amount is due in the meantime: a new mail says how much")
    if message.topic in REMINDERS and old:
        raise Unwanted("It is more than a day old, and counts the days until then: a new reminder says how many")
    if message.topic == MailKind.INVOICE and state is InvoiceState.CANCELLED:
        raise Unwanted("The invoice is cancelled in the meantime")


def _invoice(session: Session, address: str, invoice_id: int) -> Attachment:
    invoice = document.of_invoice(session, invoice_id, address=address)
    return _pdf(invoice.number or "draft", invoice_pdf(invoice))


def _credit_note(session: Session, _address: str, credit_note_id: int) -> Attachment:
    note = document.of_credit_note(session, credit_note_id)
    return _pdf(note.number, credit_note_pdf(note))


def _statement(session: Session, _address: str, stored: dict[str, Any]) -> Attachment:
    period = Period(date.fromisoformat(stored["start"]), date.fromisoformat(stored["end"]))
    known_at = datetime.fromisoformat(stored["known_at"])
    whose = customers.standing_for(session, stored["customer_id"])
    request = StatementRequest(whose, stored["currency"], period, stored["business_id"], known_at)
    # The permission to see the statement was checked when the mail was added.
    return _pdf(
        f"statement-{stored['currency']}-{stored['start']}-{stored['end']}", statement_pdf(session, SYSTEM, request)
    )


def _pdf(name: str, content: bytes) -> Attachment:
    return Attachment(f"{_UNSAFE_IN_NAMES.sub('-', name)}.pdf", "application/pdf", content)


_KINDS: Final[Mapping[str, Callable[..., Attachment]]] = {
    "invoice_pdf": _invoice,
    "credit_note_pdf": _credit_note,
    "statement_pdf": _statement,
}

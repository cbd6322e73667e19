"""Mailing documents besides invoices: credit notes and statements of account."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses import queries as businesses
from billing_core.customers import queries as customers
from billing_core.customers.queries import visible_to
from billing_core.errors import Conflict, NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices import issuers
from billing_core.invoices.documents import document
from billing_core.invoices.models import CreditNote, Invoice
from billing_core.mailing import letters, mails
from billing_core.mailing.default_texts import Wording
from billing_core.mailing.letters import Letter
from billing_core.mailing.models import MailKind
from billing_core.outbox import queries as outbox_queries
from billing_core.outbox import service as outbox
from billing_core.receivables import statement
from billing_core.receivables.statement import StatementRequest
from billing_core.recipients import Recipients


@dataclass(frozen=True, slots=True)
class Prepared:
    """A mail as it would be sent, to preview it and to edit ``letter``'s subject and text."""

    recipients: Recipients
    letter: Letter


def prepare_credit_note(session: Session, actor: Actor, credit_note_id: int) -> Prepared:
    """The mail with a credit note; nothing is changed."""
    actor.require(Permission.INVOICE_SEND)
    note, facts = _credit_note(session, actor, credit_note_id)
    wording = letters.wordings(session, [note.business_id]).of(note.business_id, MailKind.CREDIT_NOTE, facts.language)
    values = letters.credit_note_values(facts)
    recipients = mails.recipients_of_invoice(session.get_one(Invoice, note.invoice_id))
    return Prepared(recipients, letters.letter(wording, values, facts.language))


def send_credit_note(
    session: Session,
    actor: Actor,
    credit_note_id: int,
    *,
    now: datetime,
    to: Recipients | None = None,
    subject: str | None = None,
    body: str | None = None,
    delay: timedelta = timedelta(0),
) -> int:
    """Mail a credit note with its PDF to the addresses of its invoice, or to others; returns the message's id."""
    prepared = prepare_credit_note(session, actor, credit_note_id)
    recipients = (to or prepared.recipients).checked()
    note, facts = _credit_note(session, actor, credit_note_id, locked=True)
    if note.withdrawn_at is not None:
        raise Conflict(f"Credit note {note.number} was withdrawn: nothing is credited by it any more")
    before = outbox_queries.earlier(session, "credit_note", [note.id], [MailKind.CREDIT_NOTE]).get(note.id)
    message = mails.mail(
        MailKind.CREDIT_NOTE,
        subject=("credit_note", note.id),
        to=recipients,
        customer_id=note.customer_id,
        letter=_changed(prepared.letter, letters.credit_note_values(facts), subject, body),
        sender=facts.issuer,
        attachments=[["credit_note_pdf", note.id]],
        name=mails.key(before, note.public_id),
    )
    trace = audit.Trace(("credit_note", note.id), note.number, after={"mail_to": recipients.in_words()})
    audit.record_many(session, actor, Permission.INVOICE_SEND, [trace], now=now)
    if before is not None and before.kept_at is not None:
        outbox.replace_kept(session, actor, "credit_note", [note.id], [MailKind.CREDIT_NOTE], now=now)
    return outbox.put(session, actor, message, now=now, not_before=now + delay)


def prepare_statement(session: Session, actor: Actor, request: StatementRequest) -> Prepared:
    """The mail with a customer's statement of account; nothing is changed."""
    actor.require(Permission.INVOICE_SEND)
    customer = customers.one(session, actor, request.customer_id)
    business_id = request.business_id or customer.business_id
    wording = letters.wordings(session, [business_id]).of(business_id, MailKind.STATEMENT, customer.locale)
    values = _statement_values(session, actor, request)
    return Prepared(mails.recipients_of_customer(customer), letters.letter(wording, values, customer.locale))


def send_statement(
    session: Session,
    actor: Actor,
    request: StatementRequest,
    *,
    now: datetime,
    to: Recipients | None = None,
    subject: str | None = None,
    body: str | None = None,
    delay: timedelta = timedelta(0),
) -> int:
    """Mail a customer's statement with its PDF, as known now, whatever is recorded before it is sent."""
    frozen = replace(request, known_at=request.known_at or now)
    prepared = prepare_statement(session, actor, frozen)
    recipients = (to or prepared.recipients).checked()
    customer = customers.for_change(session, actor, request.customer_id)
    business = businesses.one(session, frozen.business_id or customer.business_id)
    before = outbox_queries.earlier(session, "customer", [customer.id], [MailKind.STATEMENT]).get(customer.id)
    values = _statement_values(session, actor, frozen)
    message = mails.mail(
        MailKind.STATEMENT,
        subject=("customer", customer.id),
        to=recipients,
        customer_id=customer.id,
        letter=_changed(prepared.letter, values, subject, body),
        sender=issuers.of_business(business),
        attachments=[["statement_pdf", _stored(frozen)]],
        name=mails.key(before, customer.public_id),
    )
    trace = audit.Trace(("customer", customer.id), customer.name, after={"statement_mail_to": recipients.in_words()})
    audit.record_many(session, actor, Permission.INVOICE_SEND, [trace], now=now)
    return outbox.put(session, actor, message, now=now, not_before=now + delay)


def _credit_note(
    session: Session, actor: Actor, credit_note_id: int, *, locked: bool = False
) -> tuple[CreditNote, document.CreditNoteDocument]:
    visible = select(CreditNote).where(CreditNote.id == credit_note_id, visible_to(actor, CreditNote.customer_id))
    note = session.scalars(visible.with_for_update() if locked else visible).one_or_none()
    if note is None:
        raise NotFound(f"There is no credit note {credit_note_id}")
    return note, document.of_credit_note(session, credit_note_id)


def _statement_values(session: Session, actor: Actor, request: StatementRequest) -> dict[str, Any]:
    customer = customers.one(session, actor, request.customer_id)
    business = businesses.one(session, request.business_id or customer.business_id)
    closing = statement.closing(session, actor, request)
    return letters.statement_values(
        customer.name, business.name, request.period, closing, request.currency, customer.locale
    )


def _changed(letter: Letter, values: dict[str, Any], subject: str | None, body: str | None) -> Letter:
    """The letter with somebody's edits."""
    if subject is None and body is None:
        return letter
    wording = Wording(letter.subject if subject is None else subject, letter.text if body is None else body)
    return letters.changed_letter(wording, values, letter.language)


def _stored(request: StatementRequest) -> dict[str, Any]:
    return {
        "customer_id": request.customer_id,
        "currency": request.currency,
        "start": request.period.start.isoformat(),
        "end": request.period.end.isoformat(),
        "business_id": request.business_id,
        "known_at": request.known_at.isoformat() if request.known_at else None,
    }

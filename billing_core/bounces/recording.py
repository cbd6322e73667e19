"""Writing down what mail servers told: on the mail, on the invoice, and against the address.

A report changes something only where it names one of our mails, by its Message-ID, which its receivers alone know, and
somebody who got that mail. Told again, it changes nothing.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.bounces import addresses, reports
from billing_core.bounces.models import Bounce
from billing_core.bounces.reports import Report
from billing_core.bounces.wording import Told
from billing_core.database import Sessions
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle
from billing_core.invoices.models import CreditNote, EventKind
from billing_core.outbox import receiving
from billing_core.outbox.models import MessageState, OutboxMessage


def take_in(sessions: Sessions, actor: Actor, mail: bytes, *, now: datetime) -> int:
    """Read a mail that may be a report, and write down what is new of it; returns of how many receivers."""
    report = reports.read(mail)
    if report is None:
        return 0
    with sessions.begin() as session:
        return record(session, actor, report, now=now)


def record(session: Session, actor: Actor, report: Report, *, now: datetime) -> int:
    """Write down what is new of it; returns of how many receivers."""
    actor.require(Permission.INVOICE_SEND)
    message = _message(session, report)
    if message is None:
        return 0
    known = {one.address_key: one for one in session.scalars(select(Bounce).where(Bounce.message_id == message.id))}
    reached = {addresses.key_of(one): one for one in _reached(message)}
    new = 0
    for told in report.told:
        key = next((key for key in map(addresses.key_of, told.addresses) if key in reached), None)
        if key is None:
            continue
        before = known.get(key)
        if before is None or (told.final and not before.final):
            known[key] = _write(session, actor, message, before, reached[key], told, now)
            new += 1
    return new


def _message(session: Session, report: Report) -> OutboxMessage | None:
    """The likeliest of those it may be about, locked, so that two reports of it come one after the other."""
    by_name = {
        message.mail_id: message
        for message in session.scalars(
            select(OutboxMessage)
            .where(OutboxMessage.mail_id.in_(report.mail_ids))
            .order_by(OutboxMessage.id)
            .with_for_update()
        )
    }
    return next((by_name[name] for name in report.mail_ids if name in by_name), None)


def _reached(message: OutboxMessage) -> list[str]:
    """Whom the mail server has taken it for, or may have: the report may be there before we know of the answer."""
    answers: dict[str, Any] = message.answers or {}
    return [one for one in receiving.recipients_of(message).everybody if message.attempts and not answers.get(one)]


def _write(
    session: Session,
    actor: Actor,
    message: OutboxMessage,
    before: Bounce | None,
    address: str,
    told: Told,
    now: datetime,
) -> Bounce:
    bounce = before or _added(session, message, address)
    bounce.final, bounce.status, bounce.reason, bounce.told_at = told.final, told.status, told.reason, now
    if told.final:
        message.bounced_at = message.bounced_at or now
        if message.state is MessageState.DELIVERED:
            message.state = MessageState.BOUNCED
    after = {"address": address, "status": told.status, "reason": told.reason}
    action = "outbox.bounce" if told.final else "outbox.delay"
    audit.record(session, actor, action, ("message", message.id), label=message.title, after=after, now=now)
    if bounce.invoice_id is not None:
        kind = EventKind.BOUNCED if told.final else EventKind.DELAYED
        lifecycle.note(session, actor, bounce.invoice_id, kind, _told_of_invoice(message, address, told), now=now)
    session.flush()
    return bounce


def _added(session: Session, message: OutboxMessage, address: str) -> Bounce:
    invoice_id = _invoice_id(session, message)
    bounce = Bounce(
        message_id=message.id,
        invoice_id=invoice_id,
        address=address,
        address_key=addresses.key_of(address),
        on_record=addresses.is_on_record(session, address, customer_id=message.customer_id, invoice_id=invoice_id),
    )
    session.add(bounce)
    return bounce


def _invoice_id(session: Session, message: OutboxMessage) -> int | None:
    if message.subject_kind == "credit_note":
        return session.scalar(select(CreditNote.invoice_id).where(CreditNote.id == int(message.subject_id)))
    return int(message.subject_id) if message.subject_kind == "invoice" else None


def _told_of_invoice(message: OutboxMessage, address: str, told: Told) -> dict[str, Any]:
    """The reason may name the address: of a blind copy neither is for people of the customer."""
    blind = address in receiving.recipients_of(message).bcc
    facts = {"bcc": address, "bcc_reason": told.reason} if blind else {"to": address, "reason": told.reason}
    return facts | {"topic": message.topic, "message_id": message.id}

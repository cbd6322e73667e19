"""Sending invoices: the mail goes into the outbox in the same transaction that sends the draft."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers.queries import visible_to
from billing_core.dates import Day
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices import queries
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.rows import InvoiceView
from billing_core.languages.available import nearest
from billing_core.mailing import letters, mails
from billing_core.mailing.default_texts import Wording
from billing_core.mailing.letters import Letter
from billing_core.mailing.models import MailKind
from billing_core.money import Money
from billing_core.outbox import queries as outbox_queries
from billing_core.outbox import service as outbox
from billing_core.outbox.queries import Earlier
from billing_core.payments import sending
from billing_core.payments.prepaid import using
from billing_core.recipients import Recipients

# How long a bulk sending can be recalled.
RECALLABLE: Final = timedelta(seconds=60)
MOST_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Planned:
    """One mail of a rehearsal. ``reason`` says why it would not be sent; empty where it would. ``is_draft``: sending it
    gives the draft its number; until then the letter has ``{{ number }}``, which may stay in edited texts.
    ``before``: the mails of the invoice that there are already.
    """

    invoice_id: int
    number: str | None
    business_id: int
    customer_id: int
    customer_name: str
    recipients: Recipients
    language: str
    kind: MailKind
    total: Money
    due_on: date
    is_draft: bool
    before: Earlier
    letter: Letter
    reason: str = ""

    @property
    def to(self) -> str:
        """Everybody who gets it, in words."""
        return self.recipients.in_words()

    @property
    def sent_before(self) -> datetime | None:
        """When a mail with the invoice last left. One that is kept, waits or failed is none: nobody has it."""
        return self.before.sent_at


@dataclass(frozen=True, slots=True)
class Sending:
    """``message_ids`` of the queued mails, to recall them by; ``left_out`` with their reasons."""

    message_ids: list[int]
    left_out: list[Planned]


def rehearse(session: Session, actor: Actor, invoice_ids: Sequence[int], *, today: Day) -> list[Planned]:
    """What sending these invoices would do, in the order given; nothing is changed."""
    actor.require(Permission.INVOICE_SEND)
    return _planned(session, views(session, actor, invoice_ids), today)


def send_invoice(
    session: Session,
    actor: Actor,
    invoice_id: int,
    *,
    now: datetime,
    today: Day,
    to: Recipients | None = None,
    subject: str | None = None,
    body: str | None = None,
    delay: timedelta = timedelta(0),
) -> int:
    """Mail an invoice, sending a draft first; an open one is mailed again. Returns the message's id.

    ``subject`` and ``body`` as edited, instead of the business's wording; ``to`` instead of the invoice's addresses.
    Conflict where a mail about it is waiting, so that a double click sends nothing twice.
    """
    actor.require(Permission.INVOICE_SEND)
    using.lock_owners(session, [invoice_id])
    queries.for_change(session, actor, invoice_id)
    (invoice,) = views(session, actor, [invoice_id])
    (plan,) = _planned(session, [invoice], today, to=to)
    if plan.reason:
        raise _refusal(plan)
    own = None
    if subject is not None or body is not None:
        shown = Wording(plan.letter.subject, plan.letter.text)
        own = replace(shown, **{k: v for k, v in (("subject", subject), ("body", body)) if v is not None})
        # Checked before anything is done: a placeholder without a value.
        sender = letters.senders(session, [invoice])[invoice_id]
        letters.changed_letter(own, letters.invoice_values(invoice, sender, today=today), plan.language)
    return _send(session, actor, [plan], own, now=now, today=today, delay=delay)[0]


def send_many(
    session: Session,
    actor: Actor,
    invoice_ids: Sequence[int],
    *,
    now: datetime,
    today: Day,
    delay: timedelta = RECALLABLE,
) -> Sending:
    """Mail all of these that can be mailed; the others are left out with a reason. See ``recall``."""
    actor.require(Permission.INVOICE_SEND)
    using.lock_owners(session, invoice_ids)
    queries.many_for_change(session, actor, invoice_ids)
    plans = _planned(session, views(session, actor, invoice_ids), today)
    going = [plan for plan in plans if not plan.reason]
    sent = _send(session, actor, going, None, now=now, today=today, delay=delay) if going else []
    return Sending(sent, [plan for plan in plans if plan.reason])


def recall(session: Session, actor: Actor, message_ids: Sequence[int], *, now: datetime) -> int:
    """Recall the mails that nobody has tried to deliver yet; returns how many.

    Drafts that were sent with them stay sent, with their numbers: they can be mailed again or cancelled.
    """
    return outbox.recall(session, actor, message_ids, now=now)


def views(session: Session, actor: Actor, invoice_ids: Sequence[int]) -> list[InvoiceView]:
    """These invoices in the order given; NotFound where one does not exist for this actor."""
    if len(invoice_ids) > MOST_AT_ONCE:
        raise Invalid(f"Choose at most {MOST_AT_ONCE:,} invoices at once; these are {len(invoice_ids):,}")
    by_id: dict[int, InvoiceView] = {}
    for start in range(0, len(invoice_ids), 500):
        in_batch = Invoice.id.in_(invoice_ids[start : start + 500])
        rows = session.execute(select(*queries.COLUMNS).where(in_batch, visible_to(actor, Invoice.customer_id)))
        by_id |= {row.id: InvoiceView(*row) for row in rows}
    if missing := [invoice_id for invoice_id in invoice_ids if invoice_id not in by_id]:
        raise NotFound(f"There is no invoice {missing[0]}")
    return [by_id[invoice_id] for invoice_id in dict.fromkeys(invoice_ids)]


def _planned(
    session: Session, chosen: Sequence[InvoiceView], today: Day, *, to: Recipients | None = None
) -> list[Planned]:
    ids = [invoice.id for invoice in chosen]
    known = outbox_queries.earlier(session, "invoice", ids, [MailKind.INVOICE])
    senders = letters.senders(session, chosen)
    wordings = letters.wordings(session, [invoice.business_id for invoice in chosen])
    plans = []
    for invoice in chosen:
        kind, language = MailKind.INVOICE, nearest(invoice.language)
        values = letters.invoice_values(invoice, senders[invoice.id], today=today)
        before = known.get(invoice.id, Earlier())
        recipients = to or mails.recipients_of_invoice(invoice)
        plans.append(
            Planned(
                invoice_id=invoice.id,
                number=invoice.number,
                business_id=invoice.business_id,
                customer_id=invoice.customer_id,
                customer_name=invoice.customer_name,
                recipients=recipients,
                language=language,
                kind=kind,
                total=invoice.total,
                due_on=invoice.due_on,
                is_draft=invoice.state is InvoiceState.DRAFT,
                before=before,
                letter=letters.letter(wordings.of(invoice.business_id, kind, language), values, language),
                reason=_reason(invoice, recipients, before),
            )
        )
    return plans


def _reason(invoice: InvoiceView, recipients: Recipients, before: Earlier) -> str:
    if invoice.state is InvoiceState.CANCELLED:
        return "is cancelled"
    if recipients.reason:
        return recipients.reason
    if before.waiting:
        return "a mail about it waits in the outbox already"
    return ""


def _refusal(plan: Planned) -> Exception:
    name = f"Invoice {plan.number}" if plan.number else f"The draft for {plan.customer_name or 'nobody yet'}"
    if plan.recipients.reason:
        return Invalid(f"{name} cannot be mailed: {plan.reason}", fields=plan.recipients.faults)
    return Conflict(f"{name} cannot be mailed: {plan.reason}")


def _send(
    session: Session,
    actor: Actor,
    plans: Sequence[Planned],
    own: Wording | None,
    *,
    now: datetime,
    today: Day,
    delay: timedelta,
) -> list[int]:
    """The invoices are locked; drafts are sent first, since the letter names their number."""
    if drafts := [plan.invoice_id for plan in plans if plan.is_draft]:
        sending.send_many(session, actor, drafts, now=now)
    ids = [plan.invoice_id for plan in plans]
    # Read before the mails are added, for the keys.
    known = outbox_queries.earlier(session, "invoice", ids, [MailKind.INVOICE])
    sent = views(session, actor, ids)
    senders = letters.senders(session, sent)
    wordings = letters.wordings(session, [invoice.business_id for invoice in sent])
    messages, traces = [], []
    for plan, invoice in zip(plans, sent, strict=True):
        values = letters.invoice_values(invoice, senders[invoice.id], today=today)
        if own is None:
            letter = letters.letter(wordings.of(invoice.business_id, plan.kind, plan.language), values, plan.language)
        else:
            letter = letters.changed_letter(own, values, plan.language)
        messages.append(
            mails.mail(
                plan.kind,
                subject=("invoice", invoice.id),
                to=plan.recipients,
                customer_id=invoice.customer_id,
                letter=letter,
                sender=senders[invoice.id],
                attachments=[["invoice_pdf", invoice.id]],
                name=mails.key(known.get(invoice.id), invoice.public_id),
                facts={"due_minor": invoice.due_minor},
            )
        )
        traces.append(audit.Trace(("invoice", invoice.id), invoice.number or "", after={"mail_to": plan.to}))
    audit.record_many(session, actor, Permission.INVOICE_SEND, traces, now=now)
    outbox.replace_kept(session, actor, "invoice", outbox_queries.with_kept(known), [MailKind.INVOICE], now=now)
    return outbox.put_many(session, actor, messages, now=now, not_before=now + delay)

"""The reminders that would be sent, and why some would not; nothing here changes anything."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.customers.models import Customer
from billing_core.dates import Day, day_in, day_of, usual_day
from billing_core.invoices import queries
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.rows import InvoiceView
from billing_core.mailing import letters, mails, reminder_schedules, schedule, unneeded
from billing_core.mailing.letters import Letter
from billing_core.mailing.models import MailKind, Reminder
from billing_core.mailing.reminder_schedules import Schedule
from billing_core.mailing.texts import REMINDERS
from billing_core.money import Money
from billing_core.outbox import queries as outbox_queries
from billing_core.outbox.queries import Earlier
from billing_core.recipients import Recipients

# The minimum time between two reminders of an invoice, whatever somebody clicks.
PAUSE: Final = timedelta(hours=20)


@dataclass(frozen=True, slots=True)
class PlannedReminder:
    """One line of a rehearsal. ``reason`` says why nothing would be sent; empty where it would. ``step`` (days after
    ``late_after``: the due date, unless it was overdue before) is the one to send, None outside the schedule or where
    none is worth sending; ``skipped`` are those that it replaces.
    """

    invoice_id: int
    number: str
    customer_id: int
    customer_name: str
    recipients: Recipients
    language: str
    kind: MailKind
    due_on: date
    late_after: date
    amount_due: Money
    step: int | None
    skipped: tuple[int, ...]
    letter: Letter
    reason: str = ""

    @property
    def to(self) -> str:
        """Everybody who gets it, in words."""
        return self.recipients.in_words()


@dataclass(frozen=True, slots=True)
class _Candidate:
    invoice: InvoiceView
    held: str
    unsent: tuple[int, ...]


def kind_on(due_on: date, today: date) -> MailKind:
    """The reminder's text by today's date, not by its step, which may be late."""
    if today < due_on:
        return MailKind.REMINDER_BEFORE
    return MailKind.REMINDER_DUE if today == due_on else MailKind.REMINDER_LATE


def by_schedule(
    session: Session,
    business_schedule: Schedule,
    *conditions: ColumnElement[bool],
    today: date,
    limit: int,
) -> list[PlannedReminder]:
    """What a business's schedule sends today for the invoices that fulfil the conditions, longest due first."""
    behind = reminder_schedules.behind(business_schedule.business_id, business_schedule.steps, today)
    return _planned(session, _candidates(session, (*behind, *conditions), business_schedule, today, limit), today)


def of_invoices_now(
    session: Session, invoices: Sequence[InvoiceView], now: datetime, today: Day
) -> list[PlannedReminder]:
    """The reminders that these invoices would get now, in the order given."""
    ids = [invoice.id for invoice in invoices]
    before = outbox_queries.earlier(session, "invoice", ids, REMINDERS)
    chosen = Invoice.id.in_(ids)
    holds = {invoice.id: held for invoice, held in _with_holds(session, [chosen], today, len(ids))}
    steps = {
        business_schedule.business_id: business_schedule.steps
        for business_schedule in reminder_schedules.in_force(session)
    }
    taken = handled(session, ids)
    plans = []
    for invoice, written in zip(invoices, _letters(session, invoices, today), strict=True):
        day = day_of(today, invoice.business_id)
        unsent = _unsent(steps.get(invoice.business_id, ()), invoice, taken, day)
        reason = _not_open(invoice) or holds[invoice.id] or _no_address(invoice) or _lately(before.get(invoice.id), now)
        step = unsent[-1] if unsent else None
        plans.append(_plan(invoice, written, day, step=step, skipped=unsent[:-1], reason=reason))
    return plans


def free(today: date) -> tuple[ColumnElement[bool], ...]:
    """In SQL: neither invoice nor customer is held, nothing else will pay it, and there is an address."""
    return (
        or_(Invoice.held_until.is_(None), Invoice.held_until < today),
        or_(Customer.held_until.is_(None), Customer.held_until < today),
        Invoice.customer_email != "",
        ~unneeded.being_charged(today),
        ~unneeded.covered_by_credit(),
    )


def _candidates(
    session: Session, conditions: Collection[ColumnElement[bool]], business_schedule: Schedule, today: date, limit: int
) -> list[_Candidate]:
    invoices = _with_holds(session, conditions, today, limit)
    taken = handled(session, [invoice.id for invoice, _ in invoices])
    candidates = []
    for invoice, why in invoices:
        held = unneeded.PAID_FIRST if why == unneeded.COVERED and business_schedule.uses_credit else why
        unsent = _unsent(business_schedule.steps, invoice, taken, today)
        # Another process may have sent it since the first of the two queries.
        if unsent:
            candidates.append(_Candidate(invoice, held, unsent))
    return candidates


def _unsent(
    steps: Collection[int], invoice: InvoiceView, taken: Mapping[int, Collection[int]], today: date
) -> tuple[int, ...]:
    """The reached steps, in order, that were not handled; with a step, all before it count as handled."""
    last = max(taken.get(invoice.id, ()), default=schedule.EARLIEST - 1)
    return tuple(step for step in schedule.reached(steps, invoice.late_after, today) if step > last)


def _with_holds(
    session: Session, conditions: Collection[ColumnElement[bool]], today: Day, limit: int
) -> list[tuple[InvoiceView, str]]:
    holds = (Customer.held_until, Customer.hold_reason)
    others = (unneeded.being_charged(usual_day(today)), unneeded.covered_by_credit())
    statement = (
        select(*queries.COLUMNS, *(column.label(f"customer_{column.key}") for column in holds), *others)
        .join(Customer, Customer.id == Invoice.customer_id)
        .where(*conditions)
        .order_by(Invoice.late_after, Invoice.id)
        .limit(limit)
    )
    invoices = []
    for *facts, customer_held_until, customer_hold_reason, being_charged, covered in session.execute(statement):
        invoice = InvoiceView(*facts)
        day = day_of(today, invoice.business_id)
        held = _held("the invoice", invoice.held_until, invoice.hold_reason, day)
        held = held or _held("the customer", customer_held_until, customer_hold_reason, day)
        held = held or (unneeded.UNDER_WAY if being_charged else unneeded.COVERED if covered else "")
        invoices.append((invoice, held))
    return invoices


def _held(what: str, until: date | None, reason: str, today: date) -> str:
    return f"{what} is held until {until}: {reason}" if until is not None and until >= today else ""


def handled(session: Session, invoice_ids: Sequence[int]) -> dict[int, list[int]]:
    """The steps of these invoices that were handled for their present due date, or for a later one."""
    steps: dict[int, list[int]] = {}
    for start in range(0, len(invoice_ids), 500):
        in_batch = Reminder.invoice_id.in_(invoice_ids[start : start + 500])
        statement = select(Reminder.invoice_id, Reminder.days_after_due).join(
            Invoice, Invoice.id == Reminder.invoice_id
        )
        for invoice_id, step in session.execute(statement.where(in_batch, Reminder.due_on >= Invoice.late_after)):
            steps.setdefault(invoice_id, []).append(step)
    return steps


def _planned(session: Session, candidates: Sequence[_Candidate], today: date) -> list[PlannedReminder]:
    zones = dict(businesses.zones(session))
    plans = []
    for candidate, written in zip(
        candidates, _letters(session, [due.invoice for due in candidates], today), strict=True
    ):
        invoice, steps = candidate.invoice, candidate.unsent
        sent_on = day_in(zones[invoice.business_id], invoice.sent_at) if invoice.sent_at else invoice.issued_on
        step = schedule.worth_sending(steps, invoice.late_after, sent_on)
        plans.append(
            _plan(
                invoice,
                written,
                today,
                step=step,
                skipped=tuple(other for other in steps if other != step),
                reason=candidate.held or _no_address(invoice),
            )
        )
    return plans


def _not_open(invoice: InvoiceView) -> str:
    match invoice.state:
        case InvoiceState.OPEN:
            return ""
        case InvoiceState.DRAFT:
            return "has not been sent yet"
        case _:
            return f"is {invoice.state.value}"


def _no_address(invoice: InvoiceView) -> str:
    recipients = mails.recipients_of_invoice(invoice)
    return recipients.reason if recipients.to else "has no e-mail address"


def _lately(before: Earlier | None, now: datetime) -> str:
    if before is None:
        return ""
    if before.waiting:
        return "a reminder waits in the outbox already"
    # One that is kept or failed has reminded nobody.
    told = [at for at in (before.sent_at, before.waiting_at) if at is not None]
    return "was reminded of within the last day" if told and max(told) > now - PAUSE else ""


def _plan(
    invoice: InvoiceView, written: Letter, today: date, *, step: int | None, skipped: tuple[int, ...], reason: str
) -> PlannedReminder:
    return PlannedReminder(
        invoice_id=invoice.id,
        number=invoice.number or "",
        customer_id=invoice.customer_id,
        customer_name=invoice.customer_name,
        recipients=mails.recipients_of_invoice(invoice),
        language=written.language,
        kind=kind_on(invoice.due_on, today),
        due_on=invoice.due_on,
        late_after=invoice.late_after,
        amount_due=invoice.amount_due,
        step=step,
        skipped=skipped,
        letter=written,
        reason=reason,
    )


def _letters(session: Session, invoices: Sequence[InvoiceView], today: Day) -> list[Letter]:
    senders = letters.senders(session, invoices)
    wordings = letters.wordings(session, [invoice.business_id for invoice in invoices])
    written = []
    for invoice in invoices:
        kind = kind_on(invoice.due_on, day_of(today, invoice.business_id))
        wording = wordings.of(invoice.business_id, kind, invoice.language)
        values = letters.invoice_values(invoice, senders[invoice.id], today=today)
        written.append(letters.letter(wording, values, invoice.language))
    return written

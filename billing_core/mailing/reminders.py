"""Reminding customers of open invoices: by the schedule, each step of an invoice once, or now, by choice.

Whatever happens: nobody is reminded of a paid or cancelled invoice (asked again when the mail leaves), nor while the
customer or the invoice is held, nor twice by two processes (a step's row can exist only once).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.dates import day_in
from billing_core.identity import Actor, Permission
from billing_core.invoices import queries
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.rows import InvoiceView
from billing_core.mailing import letters, reminder_schedules, schedule, service
from billing_core.mailing.letters import Letter
from billing_core.mailing.models import MailKind, Reminder, ReminderOutcome
from billing_core.mailing.reminder_schedules import Schedule
from billing_core.mailing.service import RECALLABLE
from billing_core.mailing.texts import REMINDERS
from billing_core.money import Money
from billing_core.outbox import queries as outbox_queries
from billing_core.outbox import service as outbox
from billing_core.outbox.queries import Earlier
from billing_core.outbox.service import Message
from billing_core.text import is_email_address

# Whoever was reminded of an invoice is left alone about it for so long, whatever somebody clicks.
PAUSE: Final = timedelta(hours=20)


@dataclass(frozen=True, slots=True)
class PlannedReminder:
    """One line of a rehearsal. ``reason`` says why nothing would be sent; empty where it would.

    ``step`` (days after the due date) is the one that is sent, None outside of the schedule or where none is worth
    it; ``skipped`` are those that it stands for as well.
    """

    invoice_id: int
    number: str
    customer_id: int
    customer_name: str
    to: str
    language: str
    kind: MailKind
    due_on: date
    amount_due: Money
    step: int | None
    skipped: tuple[int, ...]
    letter: Letter
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reminding:
    """``message_ids`` of what is on its way, to recall it by; ``left_out`` with their reasons."""

    message_ids: list[int]
    left_out: list[PlannedReminder]


@dataclass(frozen=True, slots=True)
class ReminderRow:
    days_after_due: int
    due_on: date
    outcome: ReminderOutcome
    message_id: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class _Candidate:
    invoice: InvoiceView
    held: str
    unsent: tuple[int, ...]


def kind_on(due_on: date, today: date) -> MailKind:
    """What a reminder says today: by the day that it is, not by its step, which may be caught up."""
    if today < due_on:
        return MailKind.REMINDER_BEFORE
    return MailKind.REMINDER_DUE if today == due_on else MailKind.REMINDER_LATE


def due(session: Session, actor: Actor, *, today: date, limit: int = 500) -> list[PlannedReminder]:
    """What the schedules would send today, and whom they would not remind and why; nothing is changed."""
    actor.require(Permission.REMINDER_WRITE)
    found: list[PlannedReminder] = []
    for one in reminder_schedules.in_force(session):
        wanted = (*reminder_schedules.behind(one.business_id, one.steps, today), visible_to(actor, Invoice.customer_id))
        plans = _planned(session, _candidates(session, wanted, one, today, limit - len(found)), today)
        found += [plan for plan in plans if plan.step is not None]
    return found


def run(session: Session, actor: Actor, *, now: datetime, today: date, limit: int = 500) -> int:
    """Put the mails into the outbox that the schedules want today, of ``limit`` invoices at most; of how many
    invoices something was done. Call it until that is 0; called again, or by two at once, nobody is reminded twice."""
    actor.require(Permission.REMINDER_WRITE)
    handled = 0
    for one in reminder_schedules.in_force(session):
        if handled < limit:
            wanted = (*reminder_schedules.behind(one.business_id, one.steps, today), *_free(today))
            plans = _planned(session, _candidates(session, wanted, one, today, limit - handled), today)
            handled += _carry_out(session, actor, [plan for plan in plans if not plan.reason], now=now)
    return handled


def rehearse_now(
    session: Session, actor: Actor, invoice_ids: Sequence[int], *, now: datetime, today: date
) -> list[PlannedReminder]:
    """What reminding of these invoices now would do, in the order given; nothing is changed."""
    actor.require(Permission.REMINDER_WRITE)
    return _planned_now(session, service.views(session, actor, invoice_ids), now, today)


def remind_now(
    session: Session,
    actor: Actor,
    invoice_ids: Sequence[int],
    *,
    now: datetime,
    today: date,
    delay: timedelta = RECALLABLE,
) -> Reminding:
    """Remind of these invoices whatever the schedule says; what cannot be reminded of is left out with its reason.

    The steps that are reached count as done with it. Until ``delay`` has passed the mails can be recalled
    (``service.recall``); recalled steps are not sent again by themselves.
    """
    actor.require(Permission.REMINDER_WRITE)
    queries.many_for_change(session, actor, invoice_ids)
    plans = _planned_now(session, service.views(session, actor, invoice_ids), now, today)
    going = [plan for plan in plans if not plan.reason]
    before = outbox_queries.earlier(session, "invoice", [plan.invoice_id for plan in going], REMINDERS)
    numbers = {plan.invoice_id: f"now:{before.get(plan.invoice_id, Earlier()).count + 1}" for plan in going}
    messages = _messages(session, actor, going, numbers)
    message_ids = outbox.put_many(session, actor, messages, now=now, not_before=now + delay)
    _note_steps(session, going, message_ids, now=now)
    traces = [audit.Trace(("invoice", plan.invoice_id), plan.number, after={"reminded": plan.to}) for plan in going]
    audit.record_many(session, actor, Permission.REMINDER_WRITE, traces, now=now)
    return Reminding(message_ids, [plan for plan in plans if plan.reason])


def of_invoice(session: Session, actor: Actor, invoice_id: int) -> list[ReminderRow]:
    """The steps of an invoice that had their turn, the latest first."""
    queries.one(session, actor, invoice_id)
    columns = (Reminder.days_after_due, Reminder.due_on, Reminder.outcome, Reminder.message_id, Reminder.created_at)
    statement = select(*columns).where(Reminder.invoice_id == invoice_id).order_by(Reminder.days_after_due.desc())
    return [ReminderRow(*row) for row in session.execute(statement)]


def _free(today: date) -> tuple[ColumnElement[bool], ...]:
    """In SQL: nobody holds it, and there is an address."""
    return (
        or_(Invoice.held_until.is_(None), Invoice.held_until < today),
        or_(Customer.held_until.is_(None), Customer.held_until < today),
        Invoice.customer_email != "",
    )


def _candidates(
    session: Session, wanted: Collection[ColumnElement[bool]], one: Schedule, today: date, limit: int
) -> list[_Candidate]:
    found = _with_holds(session, wanted, today, limit)
    handled = _handled(session, [invoice.id for invoice, _ in found])
    candidates = []
    for invoice, held in found:
        # What lies before a step that had its turn had it too.
        last = max(handled.get(invoice.id, ()), default=schedule.EARLIEST - 1)
        reached = schedule.reached(one.steps, invoice.due_on, today)
        candidates.append(_Candidate(invoice, held, tuple(step for step in reached if step > last)))
    return candidates


def _with_holds(
    session: Session, wanted: Collection[ColumnElement[bool]], today: date, limit: int
) -> list[tuple[InvoiceView, str]]:
    holds = (Customer.held_until, Customer.hold_reason)
    statement = (
        select(*queries.COLUMNS, *(column.label(f"customer_{column.key}") for column in holds))
        .join(Customer, Customer.id == Invoice.customer_id)
        .where(*wanted)
        .order_by(Invoice.due_on, Invoice.id)
        .limit(limit)
    )
    found = []
    for *facts, customer_held_until, customer_hold_reason in session.execute(statement):
        invoice = InvoiceView(*facts)
        held = _held("the invoice", invoice.held_until, invoice.hold_reason, today)
        held = held or _held("the customer", customer_held_until, customer_hold_reason, today)
        found.append((invoice, held))
    return found


def _held(what: str, until: date | None, reason: str, today: date) -> str:
    return f"{what} is held until {until}: {reason}" if until is not None and until >= today else ""


def _handled(session: Session, invoice_ids: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for start in range(0, len(invoice_ids), 500):
        some = Reminder.invoice_id.in_(invoice_ids[start : start + 500])
        for invoice_id, step in session.execute(select(Reminder.invoice_id, Reminder.days_after_due).where(some)):
            found.setdefault(invoice_id, []).append(step)
    return found


def _planned(session: Session, candidates: Sequence[_Candidate], today: date) -> list[PlannedReminder]:
    zone = default_business(session).time_zone
    plans = []
    for candidate, written in zip(
        candidates, _letters(session, [one.invoice for one in candidates], today), strict=True
    ):
        invoice, steps = candidate.invoice, candidate.unsent
        sent_on = day_in(zone, invoice.sent_at) if invoice.sent_at else invoice.issued_on
        step = schedule.worth_sending(steps, invoice.due_on, sent_on)
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


def _planned_now(
    session: Session, invoices: Sequence[InvoiceView], now: datetime, today: date
) -> list[PlannedReminder]:
    ids = [invoice.id for invoice in invoices]
    before = outbox_queries.earlier(session, "invoice", ids, REMINDERS)
    chosen = Invoice.id.in_(ids)
    holds = {invoice.id: held for invoice, held in _with_holds(session, [chosen], today, len(ids))}
    steps = {one.business_id: one.steps for one in reminder_schedules.in_force(session)}
    handled = _handled(session, ids)
    plans = []
    for invoice, written in zip(invoices, _letters(session, invoices, today), strict=True):
        reached = schedule.reached(steps.get(invoice.business_id, ()), invoice.due_on, today)
        unsent = [step for step in reached if step not in handled.get(invoice.id, ())]
        reason = _not_open(invoice) or holds[invoice.id] or _no_address(invoice) or _lately(before.get(invoice.id), now)
        step = unsent.pop() if unsent else None
        plans.append(_plan(invoice, written, today, step=step, skipped=tuple(unsent), reason=reason))
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
    if not invoice.customer_email:
        return "has no e-mail address"
    return "" if is_email_address(invoice.customer_email) else f"“{invoice.customer_email}” is not an e-mail address"


def _lately(before: Earlier | None, now: datetime) -> str:
    if before is None or before.last_at is None:
        return ""
    if before.waiting:
        return "a reminder waits in the outbox already"
    return "was reminded of within the last day" if before.last_at > now - PAUSE else ""


def _plan(
    invoice: InvoiceView, written: Letter, today: date, *, step: int | None, skipped: tuple[int, ...], reason: str
) -> PlannedReminder:
    return PlannedReminder(
        invoice_id=invoice.id,
        number=invoice.number or "",
        customer_id=invoice.customer_id,
        customer_name=invoice.customer_name,
        to=invoice.customer_email,
        language=written.language,
        kind=kind_on(invoice.due_on, today),
        due_on=invoice.due_on,
        amount_due=invoice.amount_due,
        step=step,
        skipped=skipped,
        letter=written,
        reason=reason,
    )


def _letters(session: Session, invoices: Sequence[InvoiceView], today: date) -> list[Letter]:
    senders = letters.senders(session, invoices)
    wordings = letters.wordings(session, [invoice.business_id for invoice in invoices])
    written = []
    for invoice in invoices:
        wording = wordings.of(invoice.business_id, kind_on(invoice.due_on, today), invoice.language)
        values = letters.invoice_values(invoice, senders[invoice.id], today=today)
        written.append(letters.letter(wording, values, invoice.language))
    return written


def _carry_out(session: Session, actor: Actor, plans: Sequence[PlannedReminder], *, now: datetime) -> int:
    going = [plan for plan in plans if plan.step is not None]
    numbers = {plan.invoice_id: str(plan.step) for plan in going}
    message_ids = outbox.put_many(session, actor, _messages(session, actor, going, numbers), now=now)
    _note_steps(session, going, message_ids, now=now)
    _note_steps(session, [plan for plan in plans if plan.step is None], None, now=now)
    return len(plans)


def _messages(
    session: Session, actor: Actor, plans: Sequence[PlannedReminder], numbers: dict[int, str]
) -> list[Message]:
    invoices = {invoice.id: invoice for invoice in service.views(session, actor, [plan.invoice_id for plan in plans])}
    senders = letters.senders(session, list(invoices.values()))
    return [
        service.mail(
            plan.kind,
            subject=("invoice", plan.invoice_id),
            to=plan.to,
            customer_id=plan.customer_id,
            letter=plan.letter,
            sender=senders[plan.invoice_id],
            attachments=[["invoice_pdf", plan.invoice_id]],
            # Not the kind: a step is one mail, whatever day it is sent on.
            key=f"reminder:{invoices[plan.invoice_id].public_id}:{numbers[plan.invoice_id]}",
        )
        for plan in plans
    ]


def _note_steps(
    session: Session, plans: Sequence[PlannedReminder], message_ids: Sequence[int] | None, *, now: datetime
) -> None:
    rows: list[dict[str, Any]] = []
    for at, plan in enumerate(plans):
        row = {"invoice_id": plan.invoice_id, "due_on": plan.due_on, "message_id": None, "created_at": now}
        skipped = {**row, "outcome": ReminderOutcome.SKIPPED}
        rows += [{**skipped, "days_after_due": step} for step in plan.skipped]
        if plan.step is not None and message_ids is not None:
            sent = {"outcome": ReminderOutcome.SENT, "message_id": message_ids[at]}
            rows.append({**row, **sent, "days_after_due": plan.step})
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    for start in range(0, len(rows), 500):
        some = dialect.insert(Reminder).values(rows[start : start + 500])
        session.execute(some.on_conflict_do_nothing(index_elements=["invoice_id", "days_after_due"]))

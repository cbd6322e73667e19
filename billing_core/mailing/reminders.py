"""Reminding customers of open invoices: by the schedule, each step of an invoice once, or now, by choice.

In any case, nobody is reminded of a paid or cancelled invoice (checked again when the mail is sent), nor while the
customer or the invoice is held, nor twice by two processes (a step's row is unique).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.database.upserts import insert_into
from billing_core.dates import Day, day_of
from billing_core.identity import Actor, Permission
from billing_core.invoices import queries
from billing_core.mailing import letters, mails, reminder_planning, reminder_schedules, service
from billing_core.mailing.models import Reminder, ReminderOutcome
from billing_core.mailing.reminder_planning import PlannedReminder
from billing_core.mailing.service import RECALLABLE
from billing_core.mailing.texts import REMINDERS
from billing_core.outbox import queries as outbox_queries
from billing_core.outbox import service as outbox
from billing_core.outbox.queries import Earlier
from billing_core.outbox.service import Message


@dataclass(frozen=True, slots=True)
class Reminding:
    """``message_ids`` of the queued mails, to recall them by; ``left_out`` with their reasons."""

    message_ids: list[int]
    left_out: list[PlannedReminder]


def run(
    session: Session,
    actor: Actor,
    *,
    now: datetime,
    today: Day,
    business_ids: Collection[int] | None = None,
    limit: int = 500,
) -> int:
    """Queue the mails that the schedules send today, for ``limit`` invoices at most; returns how many invoices were
    handled. Call it until that is 0; called again, or by two at once, nobody is reminded twice. ``business_ids``: of
    these businesses alone.
    """
    actor.require(Permission.REMINDER_WRITE)
    handled = 0
    for business_schedule in reminder_schedules.in_force(session):
        wanted = business_ids is None or business_schedule.business_id in business_ids
        if wanted and handled < limit:
            day = day_of(today, business_schedule.business_id)
            free = reminder_planning.free(day)
            plans = reminder_planning.by_schedule(session, business_schedule, *free, today=day, limit=limit - handled)
            handled += _carry_out(session, actor, [plan for plan in plans if not plan.reason], now=now)
    return handled


def rehearse_now(
    session: Session, actor: Actor, invoice_ids: Sequence[int], *, now: datetime, today: Day
) -> list[PlannedReminder]:
    """What reminding of these invoices now would do, in the order given; nothing is changed."""
    actor.require(Permission.REMINDER_WRITE)
    return reminder_planning.of_invoices_now(session, service.views(session, actor, invoice_ids), now, today)


def remind_now(
    session: Session,
    actor: Actor,
    invoice_ids: Sequence[int],
    *,
    now: datetime,
    today: Day,
    delay: timedelta = RECALLABLE,
) -> Reminding:
    """Remind of these invoices whatever the schedule says; those that cannot be are left out with a reason.

    Their reached steps count as handled. Until ``delay`` has passed the mails can be recalled (``service.recall``);
    recalled steps are not sent again automatically.
    """
    actor.require(Permission.REMINDER_WRITE)
    queries.many_for_change(session, actor, invoice_ids)
    plans = reminder_planning.of_invoices_now(session, service.views(session, actor, invoice_ids), now, today)
    going = [plan for plan in plans if not plan.reason]
    before = outbox_queries.earlier(session, "invoice", [plan.invoice_id for plan in going], REMINDERS)
    numbers = {plan.invoice_id: f"now:{before.get(plan.invoice_id, Earlier()).count + 1}" for plan in going}
    messages = _messages(session, actor, going, numbers)
    outbox.replace_kept(session, actor, "invoice", outbox_queries.with_kept(before), REMINDERS, now=now)
    message_ids = outbox.put_many(session, actor, messages, now=now, not_before=now + delay)
    _note_steps(session, going, message_ids, now=now)
    traces = [audit.Trace(("invoice", plan.invoice_id), plan.number, after={"reminder_to": plan.to}) for plan in going]
    audit.record_many(session, actor, Permission.REMINDER_WRITE, traces, now=now)
    return Reminding(message_ids, [plan for plan in plans if plan.reason])


def _carry_out(session: Session, actor: Actor, plans: Sequence[PlannedReminder], *, now: datetime) -> int:
    # A manual reminder locks the invoices: a step that it has handled since the planning is not sent again.
    ids = [plan.invoice_id for plan in plans]
    queries.many_for_change(session, actor, ids)
    taken = reminder_planning.handled(session, ids)
    going = [plan for plan in plans if plan.step is not None and plan.step not in taken.get(plan.invoice_id, ())]
    numbers = {plan.invoice_id: f"{plan.late_after:%Y%m%d}:{plan.step}" for plan in going}
    before = outbox_queries.earlier(session, "invoice", [plan.invoice_id for plan in going], REMINDERS)
    outbox.replace_kept(session, actor, "invoice", outbox_queries.with_kept(before), REMINDERS, now=now)
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
        mails.mail(
            plan.kind,
            subject=("invoice", plan.invoice_id),
            to=plan.recipients,
            customer_id=plan.customer_id,
            letter=plan.letter,
            sender=senders[plan.invoice_id],
            attachments=[["invoice_pdf", plan.invoice_id]],
            # Without the kind: a step is one mail, on whatever day it is sent.
            name=f"reminder:{invoices[plan.invoice_id].public_id}:{numbers[plan.invoice_id]}",
            facts={"due_minor": plan.amount_due.minor},
        )
        for plan in plans
    ]


def _note_steps(
    session: Session, plans: Sequence[PlannedReminder], message_ids: Sequence[int] | None, *, now: datetime
) -> None:
    rows: list[dict[str, Any]] = []
    for at, plan in enumerate(plans):
        row = {"invoice_id": plan.invoice_id, "due_on": plan.late_after, "message_id": None, "created_at": now}
        skipped = {**row, "outcome": ReminderOutcome.SKIPPED}
        rows += [{**skipped, "days_after_due": step} for step in plan.skipped]
        if plan.step is not None and message_ids is not None:
            sent = {"outcome": ReminderOutcome.SENT, "message_id": message_ids[at]}
            rows.append({**row, **sent, "days_after_due": plan.step})
    for start in range(0, len(rows), 500):
        statement = insert_into(session, Reminder).values(rows[start : start + 500])
        session.execute(statement.on_conflict_do_nothing(index_elements=["invoice_id", "days_after_due", "due_on"]))

"""When each of our businesses reminds its customers, and enabling that without a flood of old reminders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, insert, literal, select, true
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses.models import Business
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.mailing import schedule
from billing_core.mailing.models import Reminder, ReminderOutcome, ReminderStep


@dataclass(frozen=True, slots=True)
class Schedule:
    """``steps`` are days after the due date, negative before it. ``uses_credit``: before a reminder goes, credit of the
    customer pays what is due.
    """

    business_id: int
    reminds: bool
    steps: tuple[int, ...]
    uses_credit: bool = False


def of_business(session: Session, actor: Actor, business_id: int) -> Schedule:
    """A business's schedule, or the default where it has none of its own; NotFound."""
    actor.require(Permission.INVOICE_READ)
    schedules = _schedules(session, Business.id == business_id)
    if not schedules:
        raise NotFound(f"There is no business {business_id}")
    return schedules[0]


def in_force(session: Session) -> list[Schedule]:
    """The schedules of the businesses that remind; for services."""
    return _schedules(session, Business.reminds == true())


def missed(session: Session, actor: Actor, business_id: int, *, steps: Sequence[int], today: date) -> int:
    """The number of open invoices with a passed step and no reminder: ``change`` decides about them."""
    actor.require(Permission.REMINDER_WRITE)
    passed = behind(business_id, schedule.checked(steps), today - timedelta(days=1))
    return session.scalar(select(func.count()).select_from(Invoice).where(*passed)) or 0


def change(
    session: Session,
    actor: Actor,
    business_id: int,
    *,
    reminds: bool,
    steps: Sequence[int],
    now: datetime,
    today: date,
    send_missed: bool = False,
    uses_credit: bool = False,
) -> Schedule:
    """Set the reminders from today on, or disable them. Steps that have passed already are skipped, unless
    ``send_missed``: then each of those invoices gets the latest of them.
    """
    actor.require(Permission.REMINDER_WRITE)
    checked = schedule.checked(steps)
    # Locked only against other changes of the schedule: its invoices can be sent meanwhile.
    locked = select(Business).where(Business.id == business_id).with_for_update(key_share=True)
    business = session.scalars(locked).one_or_none()
    if business is None:
        raise NotFound(f"There is no business {business_id}")
    (before,) = _schedules(session, Business.id == business_id)
    existing = select(ReminderStep).where(ReminderStep.business_id == business_id)
    stored = {row.days_after_due: row for row in session.scalars(existing)}
    for step, row in stored.items():
        if step not in checked:
            session.delete(row)
    session.add_all(
        ReminderStep(business_id=business_id, days_after_due=step) for step in checked if step not in stored
    )
    changed = Schedule(business_id, reminds, checked, uses_credit)
    if (before.reminds, before.uses_credit) != (reminds, uses_credit):
        business.reminds, business.uses_credit = reminds, uses_credit
    session.flush()
    if reminds and not send_missed:
        _skip_missed(session, business_id, checked, now=now, today=today)
    was, became = audit.changed(_facts(before), _facts(changed))
    if became:
        subject, action = ("business", business_id), "reminders.change"
        audit.record(session, actor, action, subject, label=business.name, before=was, after=became, now=now)
    return changed


def behind(business_id: int, steps: Sequence[int], today: date) -> tuple[ColumnElement[bool], ...]:
    """In SQL: open invoices of the business that reached a step, with no reminder for it or a later one.

    A due date that was moved to a later day begins anew.
    """
    # The latest step that an invoice has reached follows from until when it is in time.
    latest = case(*((Invoice.late_after <= today - timedelta(days=step), step) for step in sorted(steps, reverse=True)))
    handled = exists().where(
        Reminder.invoice_id == Invoice.id, Reminder.days_after_due >= latest, Reminder.due_on >= Invoice.late_after
    )
    return (
        Invoice.business_id == business_id,
        Invoice.state == InvoiceState.OPEN,
        Invoice.due_minor > 0,
        Invoice.late_after <= today - timedelta(days=min(steps)),
        ~handled,
    )


def _skip_missed(session: Session, business_id: int, steps: Sequence[int], *, now: datetime, today: date) -> None:
    """A row each for the latest step that has passed: earlier steps count as handled with it."""
    yesterday = today - timedelta(days=1)
    for step in sorted(steps, reverse=True):
        passed = Invoice.late_after <= yesterday - timedelta(days=step)
        facts: tuple[Any, ...] = (
            Invoice.id,
            literal(step),
            Invoice.late_after,
            literal(ReminderOutcome.SKIPPED, Reminder.outcome.type),
            literal(now, Reminder.created_at.type),
        )
        rows = select(*facts).where(*behind(business_id, steps, yesterday), passed)
        columns = ["invoice_id", "days_after_due", "due_on", "outcome", "created_at"]
        session.execute(insert(Reminder).from_select(columns, rows))


def _schedules(session: Session, which: ColumnElement[bool]) -> list[Schedule]:
    statement = (
        select(Business.id, Business.reminds, Business.uses_credit, ReminderStep.days_after_due)
        .join(ReminderStep, (ReminderStep.business_id == Business.id) & ReminderStep.active, isouter=True)
        .where(which)
        .order_by(Business.id, ReminderStep.days_after_due)
    )
    by_business: dict[int, tuple[bool, bool, list[int]]] = {}
    for business_id, reminds, uses_credit, step in session.execute(statement):
        *_, steps = by_business.setdefault(business_id, (reminds, uses_credit, []))
        if step is not None:
            steps.append(step)
    return [
        Schedule(business_id, reminds, tuple(steps) or schedule.DEFAULT_STEPS, uses_credit)
        for business_id, (reminds, uses_credit, steps) in by_business.items()
    ]


def _facts(of_business: Schedule) -> dict[str, object]:
    """What of it the audit log tells."""
    return {"reminds": of_business.reminds, "steps": list(of_business.steps), "uses_credit": of_business.uses_credit}

"""Where a business wants it, a customer's credit pays what is due before a reminder would go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy.orm import Session

from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.identity import Actor, Permission
from billing_core.invoices import queries as invoices
from billing_core.invoices.content import early_payment
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.mailing import reminder_schedules, unneeded
from billing_core.mailing.reminder_schedules import Schedule
from billing_core.payments import credit

# Of a customer at once; what is left follows in an hour.
_MOST: Final = 500


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """Whose credit it is; of the business that the schedule is of."""

    customer_id: int
    currency: str


def owners(
    session: Session, business_schedule: Schedule, *, today: date, after: Owner | None = None, limit: int = 500
) -> list[Owner]:
    """Who has credit and would be reminded today, or would be if there were an address; in order, from ``after`` on."""
    of_invoice = (Invoice.customer_id, Invoice.currency)
    reminded = reminder_schedules.behind(business_schedule.business_id, business_schedule.steps, today)
    posting = LedgerPosting
    with_credit = (
        select(posting.customer_id, posting.currency)
        .where(posting.account == Account.CUSTOMER_CREDIT, posting.business_id == business_schedule.business_id)
        .group_by(posting.customer_id, posting.currency)
        .having(func.sum(posting.amount_minor) < 0)
    )
    statement = (
        select(*of_invoice)
        .distinct()
        .join(Customer, Customer.id == Invoice.customer_id)
        .where(*reminded, *_payable(today), tuple_(*of_invoice).in_(with_credit))
        .order_by(*of_invoice)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(tuple_(*of_invoice) > (after.customer_id, after.currency))
    return [Owner(*row) for row in session.execute(statement)]


def use(
    session: Session, actor: Actor, business_schedule: Schedule, owner: Owner, *, today: date, now: datetime
) -> int:
    """Use the credit on the invoices that have reached a day of the schedule, the oldest first; on how many."""
    actor.require(Permission.PAYMENT_WRITE)
    # Before they are read: of two processes the second sees what the first has left.
    customers.for_change(session, actor, owner.customer_id)
    due = invoices.many_for_change(session, actor, _due(session, business_schedule, owner, today))
    return sum(_pay(session, actor, invoice, today=today, now=now) > 0 for invoice in due)


def _pay(session: Session, actor: Actor, invoice: Invoice, *, today: date, now: datetime) -> int:
    """What credit has paid of it: all or nothing while a discount for paying early runs, which a part would end."""
    early = early_payment.best_on(invoice, today)
    left = credit.balance(session, invoice.business_id, invoice.customer_id, invoice.currency).minor
    if early is not None and left < early.to_pay_minor:
        return 0
    return credit.spend(session, actor, invoice, today=today, now=now)


def _due(session: Session, business_schedule: Schedule, owner: Owner, today: date) -> Sequence[int]:
    statement = (
        select(Invoice.id)
        .join(Customer, Customer.id == Invoice.customer_id)
        .where(
            Invoice.business_id == business_schedule.business_id,
            Invoice.customer_id == owner.customer_id,
            Invoice.currency == owner.currency,
            Invoice.state == InvoiceState.OPEN,
            Invoice.due_minor > 0,
            Invoice.late_after <= today - timedelta(days=min(business_schedule.steps)),
            *_payable(today),
        )
        .order_by(Invoice.late_after, Invoice.id)
        .limit(_MOST)
    )
    return session.scalars(statement).all()


def _payable(today: date) -> tuple[ColumnElement[bool], ...]:
    """In SQL: owed already, not held (it may be disputed), and nothing else is about to pay it."""
    return (
        Invoice.issued_on <= today,
        or_(Invoice.held_until.is_(None), Invoice.held_until < today),
        or_(Customer.held_until.is_(None), Customer.held_until < today),
        ~unneeded.being_charged(today),
    )

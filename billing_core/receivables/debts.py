"""What is owed on each invoice: now, as stored in the invoices, or at another time from the ledger.

Due dates, and what was marked as overdue, are today's: moving one also moves the invoice in figures about the past.
"""

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, func, select

from billing_core.database.functions import equals
from billing_core.dates import Day, Period
from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.ledger.queries import Counted, counting


def scope(
    actor: Actor,
    *,
    period: Period | None = None,
    currency: str | None = None,
    customer_id: int | None = None,
    known_at: datetime | None = None,
    as_at: date | None = None,
    today: Day | None = None,
) -> Scope:
    """The scope that this actor may read: one bound to a customer reads that customer alone."""
    actor.require(Permission.INVOICE_READ)
    return Scope(period, currency, actor.customer_id or customer_id, known_at, as_at, today)


def at_its_end(scope: Scope) -> Scope:
    """A balance over a period is as at its last day."""
    if scope.period is None or scope.as_at is not None:
        return scope
    return replace(scope, as_at=scope.period.end)


def is_now(scope: Scope) -> bool:
    """Whether the scope is the present, which the invoices themselves store."""
    return scope.as_at is None and scope.known_at is None


def day(scope: Scope) -> Day:
    """The day as of which an invoice counts as overdue."""
    seen_from = scope.as_at or scope.today
    if seen_from is None:
        raise ValueError("what is late depends on a day: the scope names neither as_at nor today")
    return seen_from


def counted(scope: Scope, account: Account) -> Counted:
    """The postings to one account that count in this scope."""
    return Counted(
        account=account,
        customer_id=scope.customer_id,
        currency=scope.currency,
        as_at=scope.as_at,
        known_at=scope.known_at,
    )


def owed(scope: Scope, *, business_id: int | None = None) -> Subquery:
    """(business_id, customer_id, currency, late_after, amount) of each invoice on which something is owed to one
    business, or any.
    """
    if not is_now(scope):
        return by_the_ledger(scope, business_id=business_id)
    return (
        select(
            Invoice.business_id,
            Invoice.customer_id,
            Invoice.currency,
            Invoice.late_after,
            Invoice.due_minor.label("amount"),
        )
        .where(Invoice.state == InvoiceState.OPEN, *of_invoices(scope, business_id=business_id))
        .subquery()
    )


def by_due_date(scope: Scope, *, business_id: int | None = None) -> Subquery:
    """(currency, late_after, business_id, invoices, amount) of ``owed``, added up.

    In the order of the index, so that ageing reads some hundred days, not every invoice.
    """
    debts = owed(scope, business_id=business_id)
    return (
        select(
            debts.c.currency,
            debts.c.late_after,
            debts.c.business_id,
            func.count().label("invoices"),
            func.sum(debts.c.amount).label("amount"),
        )
        .group_by(debts.c.currency, debts.c.late_after, debts.c.business_id)
        .subquery()
    )


def by_the_ledger(scope: Scope, *, business_id: int | None = None) -> Subquery:
    """``owed`` where the postings leave a balance, with invoice_id, number and customer_name."""
    left = _balances(scope).subquery()
    return (
        select(
            Invoice.id.label("invoice_id"),
            Invoice.number,
            Invoice.customer_name,
            Invoice.business_id,
            Invoice.customer_id,
            Invoice.currency,
            Invoice.late_after,
            left.c.amount,
        )
        .join(left, left.c.invoice_id == Invoice.id)
        .where(*of_invoices(scope, business_id=business_id))
        .subquery()
    )


def of_invoices(scope: Scope, *, business_id: int | None = None) -> list[ColumnElement[bool]]:
    """In SQL: the invoices of the scope's customer and currency, of one business or of all."""
    conditions: list[ColumnElement[bool]] = [] if business_id is None else [Invoice.business_id == business_id]
    if scope.currency is not None:
        conditions.append(equals(Invoice.currency, scope.currency))
    if scope.customer_id is not None:
        conditions.append(Invoice.customer_id == scope.customer_id)
    return conditions


def _balances(scope: Scope) -> Select[*tuple[Any, ...]]:
    amount = func.sum(LedgerPosting.amount_minor)
    # The currency is left to the invoices: without it, one index by invoice covers this query.
    receivable = counted(replace(scope, currency=None), Account.RECEIVABLE)
    return (
        select(LedgerPosting.invoice_id, amount.label("amount"))
        .where(LedgerPosting.invoice_id.is_not(None), *counting(receivable))
        .group_by(LedgerPosting.invoice_id)
        .having(amount != 0)
    )

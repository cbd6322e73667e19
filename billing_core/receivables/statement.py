"""A customer's statement: the opening balance, every change, and the closing balance.

The customer's account is what they owe less their credit, so a payment counts in full on the day it was received,
whatever it paid. Everything is read from the ledger, as known now or at an earlier instant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from billing_core.customers import queries as customers
from billing_core.customers.queries import visible_to
from billing_core.dates import Period
from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.invoices.content import early_payment
from billing_core.invoices.content.early_payment import Offer
from billing_core.invoices.models import CreditNote, Invoice, InvoiceState
from billing_core.ledger.models import Account, EntryKind, LedgerEntry, LedgerPosting
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.receivables import ageing

# The limit of pages and PDFs; the CSV has none.
ROWS: Final = 2_000
# Offers of older invoices are over, and nobody reads more than so many.
_LATEST_OFFER: Final = timedelta(days=730)
_OFFERED: Final = 50
_ACCOUNT: Final = (Account.RECEIVABLE, Account.CUSTOMER_CREDIT)


@dataclass(frozen=True, slots=True)
class StatementRequest:
    """``business_id`` None: all our businesses together. ``known_at``: as known at that instant."""

    customer_id: int
    currency: str
    period: Period
    business_id: int | None = None
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One change. ``amount_minor``: positive where more is owed; ``balance_minor``: the balance after it. ``document``
    is the number of the invoice or credit note; ``undone``: it reverses what the kind says. ``prepaid``: prepaid credit
    paid it, or got it back.
    """

    entry_id: int
    on: date
    kind: EntryKind
    undone: bool
    document: str
    reference: str
    method: PaymentMethod | None
    due_on: date | None
    invoice_id: int | None
    amount_minor: int
    balance_minor: int
    prepaid: bool = False

    @property
    def returned(self) -> bool:
        """Whether a bank gave back what it had taken."""
        return self.kind is EntryKind.CHARGEBACK and self.amount_minor < 0

    @property
    def took_prepaid(self) -> bool:
        """Whether prepaid credit paid something; otherwise it got it back."""
        return self.prepaid and (self.amount_minor < 0) != self.undone


@dataclass(frozen=True, slots=True)
class Statement:
    """``complete`` is False where there are more rows than ``rows`` has; the balances count them all. ``aged``: what is
    owed on invoices at the end, in the order of ``ageing.BUCKETS``.
    """

    request: StatementRequest
    customer_name: str
    opening_minor: int
    rows: tuple[StatementRow, ...]
    complete: bool
    closing_minor: int
    aged: tuple[int, ...]

    @property
    def credit_minor(self) -> int:
        """The customer's credit at the end: what is owed on invoices, less it, is the closing balance."""
        return sum(self.aged) - self.closing_minor

    @property
    def charged_minor(self) -> int:
        """What the rows add to the account."""
        return sum(row.amount_minor for row in self.rows if row.amount_minor > 0)

    @property
    def settled_minor(self) -> int:
        """What the rows take off the account, as a positive amount."""
        return -sum(row.amount_minor for row in self.rows if row.amount_minor < 0)


def statement(session: Session, actor: Actor, request: StatementRequest, *, limit: int = ROWS) -> Statement:
    """The whole statement with at most ``limit`` rows; NotFound where this actor may not see the customer."""
    customer = customers.one(session, actor, request.customer_id)
    rows = tuple(each(session, actor, request, most=limit + 1))
    at_end = Scope(
        customer_id=request.customer_id, currency=request.currency, as_at=request.period.end, known_at=request.known_at
    )
    aged = ageing.by_currency(session, actor, at_end, business_id=request.business_id)
    return Statement(
        request,
        customer.name,
        opening(session, actor, request),
        rows[:limit],
        len(rows) <= limit,
        closing(session, actor, request),
        aged[0].amounts if aged else (0,) * len(ageing.BUCKETS),
    )


def early_payments(session: Session, actor: Actor, request: StatementRequest) -> list[tuple[str, list[Offer]]]:
    """(number, offers) of open invoices that cost less on the statement's last day, the first that end first."""
    actor.require(Permission.INVOICE_READ)
    end = request.period.end
    statement = select(Invoice).where(
        Invoice.state == InvoiceState.OPEN,
        Invoice.customer_id == request.customer_id,
        Invoice.currency == request.currency,
        visible_to(actor, Invoice.customer_id),
        Invoice.issued_on.between(end - _LATEST_OFFER, end),
        *([] if request.business_id is None else [Invoice.business_id == request.business_id]),
    )
    newest = statement.order_by(Invoice.issued_on.desc(), Invoice.id.desc()).limit(_OFFERED)
    found = [
        (invoice.number or "", holding)
        for invoice in session.scalars(newest)
        if (holding := [one for one in early_payment.offers(invoice) if one.until >= end])
    ]
    return sorted(found, key=lambda one: (one[1][0].until, one[0]))


def opening(session: Session, actor: Actor, request: StatementRequest) -> int:
    """The balance before the period, in minor units; negative: we owed the customer."""
    return _balance(session, actor, request, LedgerPosting.effective_on < request.period.start)


def closing(session: Session, actor: Actor, request: StatementRequest) -> int:
    """The balance at the end of the period."""
    return _balance(session, actor, request, LedgerPosting.effective_on <= request.period.end)


def each(
    session: Session, actor: Actor, request: StatementRequest, *, most: int | None = None
) -> Iterator[StatementRow]:
    """Every change in the period (of at most so many entries) in order, with the running balance, streamed.

    Must be read to its end: the server keeps a cursor open until then.
    """
    actor.require(Permission.INVOICE_READ)
    balance = opening(session, actor, request)
    for row in session.execute(_changes(actor, request).limit(most).execution_options(yield_per=1_000)):
        for kind, amount, prepaid in _parts(row.kind, int(row.amount), -int(row.cash), -int(row.prepaid)):
            balance += amount
            yield StatementRow(
                row.id,
                row.effective_on,
                kind,
                row.undone,
                row.credit_note if kind is EntryKind.CREDIT_NOTE else row.invoice or "",
                row.reference or "",
                row.method,
                row.due_on if kind is EntryKind.INVOICE else None,
                row.invoice_id,
                amount,
                balance,
                prepaid,
            )


def currencies(session: Session, actor: Actor, customer_id: int) -> list[str]:
    """The currencies in which the customer has any movement."""
    actor.require(Permission.INVOICE_READ)
    statement = (
        select(LedgerPosting.currency)
        .where(
            LedgerPosting.account.in_(_ACCOUNT),
            LedgerPosting.customer_id == customer_id,
            visible_to(actor, LedgerPosting.customer_id),
        )
        .distinct()
    )
    return list(session.scalars(statement.order_by(LedgerPosting.currency)))


def issuers(session: Session, actor: Actor, customer_id: int) -> list[int]:
    """The businesses with which the customer has any movement: each has a statement of its own."""
    actor.require(Permission.INVOICE_READ)
    statement = select(LedgerPosting.business_id).where(
        LedgerPosting.account.in_(_ACCOUNT),
        LedgerPosting.customer_id == customer_id,
        visible_to(actor, LedgerPosting.customer_id),
    )
    return list(session.scalars(statement.distinct().order_by(LedgerPosting.business_id)))


def _parts(kind: EntryKind, amount: int, paid_back: int, to_prepaid: int) -> Iterator[tuple[EntryKind, int, bool]]:
    """A refund is several rows to the customer: a credit note, and what was returned as money or to prepaid credit."""
    if kind is not EntryKind.REFUND:
        yield kind, amount, to_prepaid != 0
        return
    yield EntryKind.CREDIT_NOTE, amount - paid_back - to_prepaid, False
    if paid_back:
        yield EntryKind.REFUND, paid_back, False
    if to_prepaid:
        yield EntryKind.REFUND, to_prepaid, True


def _changes(actor: Actor, request: StatementRequest) -> Select[*tuple[Any, ...]]:
    """One row per entry that changed the account or refunded a payment."""
    first = aliased(LedgerEntry)
    posted = (
        select(
            LedgerPosting.entry_id,
            _posted_to(*_ACCOUNT).label("amount"),
            _posted_to(Account.CASH).label("cash"),
            _posted_to(Account.PREPAID_CREDIT).label("prepaid"),
            func.min(LedgerPosting.invoice_id).label("invoice_id"),
        )
        .where(
            LedgerPosting.account.in_((*_ACCOUNT, Account.CASH, Account.PREPAID_CREDIT)),
            request.period.contains(LedgerPosting.effective_on),
            *_of_account(actor, request),
        )
        .group_by(LedgerPosting.entry_id)
        .subquery()
    )
    kind = func.coalesce(first.kind, LedgerEntry.kind)
    # A credit note of a refund has no posting to the invoice: nothing was due on it.
    invoice_id = func.coalesce(CreditNote.invoice_id, case((kind != EntryKind.PAYMENT, posted.c.invoice_id)))
    return (
        select(
            LedgerEntry.id,
            LedgerEntry.effective_on,
            kind.label("kind"),
            LedgerEntry.reverses_id.is_not(None).label("undone"),
            posted.c.amount,
            posted.c.cash,
            posted.c.prepaid,
            CreditNote.number.label("credit_note"),
            Payment.reference,
            Payment.method,
            invoice_id.label("invoice_id"),
            Invoice.number.label("invoice"),
            Invoice.due_on,
        )
        .join(posted, posted.c.entry_id == LedgerEntry.id)
        .outerjoin(first, first.id == LedgerEntry.reverses_id)
        .outerjoin(Payment, Payment.entry_id == func.coalesce(LedgerEntry.reverses_id, LedgerEntry.id))
        .outerjoin(CreditNote, CreditNote.entry_id == func.coalesce(LedgerEntry.reverses_id, LedgerEntry.id))
        .outerjoin(Invoice, Invoice.id == invoice_id)
        .where(or_(posted.c.amount != 0, kind == EntryKind.REFUND))
        .order_by(LedgerEntry.effective_on, LedgerEntry.id)
    )


def _posted_to(*accounts: Account) -> ColumnElement[int]:
    """In SQL: of an entry's postings, the sum of those to these accounts."""
    return func.sum(case((LedgerPosting.account.in_(accounts), LedgerPosting.amount_minor), else_=0))


def _balance(session: Session, actor: Actor, request: StatementRequest, until: ColumnElement[bool]) -> int:
    actor.require(Permission.INVOICE_READ)
    statement = select(func.sum(LedgerPosting.amount_minor)).where(
        LedgerPosting.account.in_(_ACCOUNT), until, *_of_account(actor, request)
    )
    return int(session.scalar(statement) or 0)


def _of_account(actor: Actor, request: StatementRequest) -> list[ColumnElement[bool]]:
    conditions = [
        LedgerPosting.customer_id == request.customer_id,
        LedgerPosting.currency == request.currency,
        visible_to(actor, LedgerPosting.customer_id),
    ]
    if request.business_id is not None:
        conditions.append(LedgerPosting.business_id == request.business_id)
    if request.known_at is not None:
        conditions.append(LedgerPosting.recorded_at <= request.known_at)
    return conditions

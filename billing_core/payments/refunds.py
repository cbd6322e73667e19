"""Refunding a paid invoice, in full or in part: a credit note documents it, and the money goes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.customers import queries as customers
from billing_core.dates import Period
from billing_core.errors import Conflict, Invalid
from billing_core.identity import Actor, Permission
from billing_core.invoices import credit_notes, lifecycle
from billing_core.invoices import queries as invoices
from billing_core.invoices.content.totals import Share
from billing_core.invoices.models import EventKind, Invoice, InvoiceState
from billing_core.ledger.models import Account, EntryKind
from billing_core.ledger.service import Side
from billing_core.money import Money
from billing_core.payments.models import (
    LONGEST_REFERENCE,
    Allocation,
    PaymentMethod,
    Refund,
    RefundSource,
)
from billing_core.payments.prepaid import returning
from billing_core.text import reference_of


@dataclass(frozen=True, slots=True)
class MoneyBack:
    """``amount_minor`` None: all that was paid. ``method`` None: it is kept as the customer's credit. ``parts``: what
    it credits of the invoice, which adds up to the amount; None: the same share of all. Or so much of the quantity of
    its ``lines``, by their ids, whatever that comes to.
    """

    reason: str
    method: PaymentMethod | None
    refunded_on: date
    amount_minor: int | None = None
    reference: str = ""
    parts: Sequence[Share] | None = None
    lines: Mapping[int, Decimal] | None = None


def refund(session: Session, actor: Actor, invoice_id: int, *, wanted: MoneyBack, today: date, now: datetime) -> Refund:
    """Refund what was paid for an invoice. In full, its status becomes ``refunded``; in part it stays paid.

    What prepaid credit paid is no money: where the refund is kept as credit, it goes back to that first.
    """
    actor.require(Permission.PAYMENT_WRITE)
    reference = reference_of(wanted.reference, LONGEST_REFERENCE)
    shown = invoices.one(session, actor, invoice_id)
    customers.for_change(session, actor, shown.customer_id)
    invoice = invoices.for_change(session, actor, invoice_id)
    if invoice.state is not InvoiceState.PAID:
        raise Conflict("Only a paid invoice can be refunded; take a payment off an open one instead")
    returnable = returning.returnable(session, invoice.id)
    prepaid = sum(one.amount_minor for one in returnable)
    kept_out = prepaid if wanted.method else 0
    left = Money(invoice.paid_minor - invoice.refunded_minor - kept_out, invoice.currency)
    parts, minor = wanted.parts, wanted.amount_minor
    if wanted.lines is not None:
        parts = credit_notes.of_lines(session, invoice, wanted.lines)
        minor = credit_notes.total_of(parts)
        credit_notes.refuse_beyond(minor, left.minor, invoice.currency)
    amount = Money(left.minor if minor is None else minor, invoice.currency)
    if not 0 < amount.minor <= left.minor:
        raise Invalid(f"{left} can be refunded", fields={"amount": f"must be more than 0 and at most {left}"})
    days = possible_days(session, invoice.id, invoice.issued_on, today=today)
    if wanted.refunded_on > days.end:
        raise Invalid("A refund cannot lie in the future", fields={"refunded_on": "lies in the future"})
    if wanted.refunded_on < days.start:
        reason = f"is before {days.start}: the money had not come in"
        raise Invalid("Money cannot be given back before it came in", fields={"refunded_on": reason})

    to_prepaid = 0 if wanted.method else min(amount.minor, prepaid)
    rest = amount.minor - to_prepaid
    money = Side(Account.CASH, -rest, wanted.method) if wanted.method else Side(Account.CUSTOMER_CREDIT, -rest)
    note = credit_notes.write(
        session,
        actor,
        invoice,
        amount_minor=amount.minor,
        parts=parts,
        reason=wanted.reason,
        issued_on=wanted.refunded_on,
        kind=EntryKind.REFUND,
        against=[money, Side(Account.PREPAID_CREDIT, -to_prepaid)],
        refund_minor=amount.minor,
        now=now,
    )
    made = Refund(
        source=RefundSource.INVOICE,
        business_id=invoice.business_id,
        customer_id=invoice.customer_id,
        invoice_id=invoice.id,
        credit_note_id=note.id,
        currency=invoice.currency,
        amount_minor=amount.minor,
        method=wanted.method,
        refunded_on=wanted.refunded_on,
        reference=reference,
        reason=note.reason,
        entry_id=note.entry_id,
        created_at=now,
        created_by_id=actor.user_id,
        created_by=actor.name,
    )
    session.add(made)
    returning.give_back(session, actor, returnable, to_prepaid, entry_id=note.entry_id, on=note.issued_on, now=now)
    lifecycle.settle(
        session,
        actor,
        invoice,
        refunded=amount.minor,
        event=EventKind.REFUNDED,
        data={"amount_minor": amount.minor, "credit_note": note.number, "method": wanted.method}
        | ({"prepaid_minor": to_prepaid} if to_prepaid else {}),
        now=now,
    )
    session.flush()
    return made


def in_money(session: Session, invoice: Invoice) -> int:
    """How much of an invoice can be given back in money, in minor units: not what prepaid credit paid of it."""
    prepaid = sum(one.amount_minor for one in returning.returnable(session, invoice.id))
    return invoice.paid_minor - invoice.refunded_minor - prepaid


def possible_days(session: Session, invoice_id: int, issued_on: date, *, today: date) -> Period:
    """When a paid invoice can be refunded: from the day its last payment came in until today.

    An invoice that is dated ahead: on its own day.
    """
    paid = (Allocation.invoice_id == invoice_id, Allocation.undone_at.is_(None))
    last = session.scalar(select(func.max(Allocation.allocated_on)).where(*paid))
    end = max(today, issued_on)
    return Period(min(max(last or issued_on, issued_on), end), end)

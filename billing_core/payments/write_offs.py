"""Writing off what will not be paid. The revenue stays; the loss is posted to an account of its own."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session, aliased

from billing_core.errors import Conflict, Invalid
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, postings
from billing_core.invoices import queries as invoices
from billing_core.invoices.models import EventKind, Invoice
from billing_core.ledger import service as ledger
from billing_core.ledger.models import Account, EntryKind, LedgerEntry, LedgerPosting
from billing_core.ledger.service import Side
from billing_core.text import reason_of


def write_off(
    session: Session,
    actor: Actor,
    invoice_id: int,
    *,
    reason: str,
    today: date,
    now: datetime,
    amount_minor: int | None = None,
) -> int:
    """Write off what is due on an invoice, or a part of it; the entry's id."""
    actor.require(Permission.PAYMENT_WRITE)
    invoice = invoices.for_change(session, actor, invoice_id)
    if not invoice.due_minor:
        raise Conflict("Nothing is due on this invoice")
    amount = invoice.due_minor if amount_minor is None else amount_minor
    if not 0 < amount <= invoice.due_minor:
        raise Invalid(
            f"{invoice.amount_due} is due", fields={"amount": f"must be more than 0 and at most {invoice.amount_due}"}
        )
    why = reason_of(reason)
    sides = [
        Side(Account.BAD_DEBT, amount, invoice_id=invoice.id),
        Side(Account.RECEIVABLE, -amount, invoice_id=invoice.id),
    ]
    day = max(today, invoice.issued_on)
    entry = postings.entry(invoice, EntryKind.WRITE_OFF, sides, effective_on=day, memo=why)
    entry_id = ledger.post(session, actor, entry, now=now)
    data = {"amount_minor": amount, "reason": why}
    lifecycle.settle(session, actor, invoice, written_off=amount, event=EventKind.WRITTEN_OFF, data=data, now=now)
    return entry_id


def undo_write_off(session: Session, actor: Actor, invoice_id: int, *, reason: str, today: date, now: datetime) -> None:
    """Undo every write-off of the invoice, so that it is due again."""
    actor.require(Permission.PAYMENT_WRITE)
    invoice = invoices.for_change(session, actor, invoice_id)
    if not invoice.written_off_minor:
        raise Conflict("No part of this invoice was written off")
    _undo(session, actor, invoice, session.execute(_standing(invoice.id)).all(), reason_of(reason), today, now)


def undo_one(
    session: Session, actor: Actor, invoice_id: int, entry_id: int, *, reason: str, today: date, now: datetime
) -> None:
    """Undo the write-off of this entry; nothing where it was undone before."""
    actor.require(Permission.PAYMENT_WRITE)
    invoice = invoices.for_change(session, actor, invoice_id)
    found = session.execute(_standing(invoice.id).where(LedgerEntry.id == entry_id)).all()
    if found:
        _undo(session, actor, invoice, found, reason_of(reason), today, now)


def _standing(invoice_id: int) -> Select[int, int]:
    """(entry id, minor units) of each write-off that stands."""
    reversal = aliased(LedgerEntry)
    return (
        select(LedgerEntry.id, LedgerPosting.amount_minor)
        .join(LedgerPosting, LedgerPosting.entry_id == LedgerEntry.id)
        .outerjoin(reversal, reversal.reverses_id == LedgerEntry.id)
        .where(
            LedgerPosting.invoice_id == invoice_id,
            LedgerPosting.account == Account.BAD_DEBT,
            LedgerEntry.kind == EntryKind.WRITE_OFF,
            reversal.id.is_(None),
        )
    )


def _undo(
    session: Session,
    actor: Actor,
    invoice: Invoice,
    standing: Sequence[Row[int, int]],
    why: str,
    today: date,
    now: datetime,
) -> None:
    for entry_id, _ in standing:
        ledger.reverse(session, actor, entry_id, effective_on=today, memo=why, now=now)
    amount = sum(minor for _, minor in standing)
    data = {"amount_minor": amount, "reason": why}
    lifecycle.settle(session, actor, invoice, written_off=-amount, event=EventKind.WRITE_OFF_UNDONE, data=data, now=now)

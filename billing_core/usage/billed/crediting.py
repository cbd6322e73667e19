"""Crediting usage that was billed and does not count any more: credit notes to the invoices that billed it.

What is due on such an invoice is lowered; what was paid for it becomes the customer's credit, which pays later ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.identity.permissions import Actor
from billing_core.invoices import credit_notes
from billing_core.invoices import queries as invoices
from billing_core.invoices.models import CreditNote, Invoice, InvoiceLineItem, InvoiceState
from billing_core.metering.models import UsagePeriod
from billing_core.money import nearest
from billing_core.payments import refunds
from billing_core.payments.refunds import MoneyBack
from billing_core.usage.models import Outcome, UsageSettlement


@dataclass(frozen=True, slots=True)
class _Credit:
    """Minor units, tax included, to take off what is due on an invoice, and off what was paid for it."""

    invoice: Invoice
    off_due: int
    off_paid: int


def credit(
    session: Session, actor: Actor, period: UsagePeriod, net_minor: int, *, reason: str, today: date, now: datetime
) -> list[str] | None:
    """Credit so much of what was billed for the period, before tax and discounts; the numbers of the credit notes.

    None where its invoices do not have so much left to credit, as while they are drafts. The customer is locked.
    """
    ids = _invoices_of(session, period)
    planned = _planned(session, invoices.many_for_change(session, actor, ids) if ids else [], net_minor, {})
    if planned is None:
        return None
    numbers = []
    for one in planned:
        if one.off_due:
            note = credit_notes.issue(
                session,
                actor,
                one.invoice.id,
                amount_minor=one.off_due,
                reason=reason,
                issued_on=max(today, one.invoice.issued_on),
                today=today,
                now=now,
            )
            numbers.append(note.number)
        if one.off_paid:
            days = refunds.possible_days(session, one.invoice.id, one.invoice.issued_on, today=today)
            wanted = MoneyBack(reason, None, days.end, one.off_paid)
            refund = refunds.refund(session, actor, one.invoice.id, wanted=wanted, today=today, now=now)
            numbers.append(session.get_one(CreditNote, refund.credit_note_id).number)
    return numbers


def is_possible(session: Session, period: UsagePeriod, net_minor: int, taken: dict[int, int]) -> bool:
    """Whether ``credit`` would, which changes nothing. ``taken``: what was found possible before takes so much off each
    invoice, tax included; this is added.
    """
    ids = _invoices_of(session, period)
    found = {invoice.id: invoice for invoice in session.scalars(select(Invoice).where(Invoice.id.in_(ids)))}
    planned = _planned(session, [found[id_] for id_ in dict.fromkeys(ids)], net_minor, taken)
    if planned is None:
        return False
    for one in planned:
        taken[one.invoice.id] = taken.get(one.invoice.id, 0) + one.off_due + one.off_paid
    return True


def _invoices_of(session: Session, period: UsagePeriod) -> list[int]:
    """Those that bill the period, and what came late for it."""
    later = select(UsageSettlement.invoice_id).where(
        UsageSettlement.period_id == period.id, UsageSettlement.outcome == Outcome.INVOICED
    )
    return [one for one in (period.invoice_id, *session.scalars(later.order_by(UsageSettlement.id))) if one]


def _planned(
    session: Session, billed: Sequence[Invoice], net_minor: int, taken: Mapping[int, int]
) -> Sequence[_Credit] | None:
    left, planned = net_minor, []
    for invoice in billed:
        if not left:
            break
        before = taken.get(invoice.id, 0)
        possible = invoice.due_minor + invoice.paid_minor - invoice.refunded_minor - before
        # One that was credited whole is cancelled by that.
        if invoice.state not in (InvoiceState.OPEN, InvoiceState.PAID) or (before and not possible):
            continue
        lines = select(func.sum(InvoiceLineItem.amount_minor)).where(InvoiceLineItem.invoice_id == invoice.id)
        listed = int(session.scalar(lines) or 0)
        # The share of the invoice that it is of its lines: with its tax, and without its discount.
        wanted = nearest(left * invoice.total_minor, listed)
        given = min(wanted, possible)
        left = 0 if given == wanted else left - nearest(given * listed, invoice.total_minor)
        off_due = min(given, invoice.due_minor - min(before, invoice.due_minor))
        planned.append(_Credit(invoice, off_due, given - off_due))
    return None if left > 0 else planned

"""Crediting parts of an invoice that is sent: first what is due on it, and what is left of that was paid."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.invoices import credit_notes
from billing_core.invoices.content.totals import Share
from billing_core.invoices.models import CreditNote, Invoice
from billing_core.payments import refunds
from billing_core.payments.refunds import MoneyBack


def credit(
    session: Session,
    actor: Actor,
    invoice: Invoice,
    parts: Sequence[Share],
    *,
    reason: str,
    today: date,
    now: datetime,
) -> list[str]:
    """Credit these parts, which are left of a locked invoice and are due on it or were paid; the numbers of the credit
    notes. What was paid becomes the customer's credit.
    """
    actor.require(Permission.PAYMENT_WRITE)
    numbers = []
    total = sum(part.net_minor + part.tax_minor for part in parts)
    off_due = min(total, invoice.due_minor)
    of_due = credit_notes.parts_of(parts, off_due, invoice.currency) if off_due else []
    if of_due:
        note = credit_notes.issue(
            session,
            actor,
            invoice.id,
            amount_minor=off_due,
            parts=of_due,
            reason=reason,
            issued_on=max(today, invoice.issued_on),
            today=today,
            now=now,
        )
        numbers.append(note.number)
    if of_paid := tuple(_without(parts, of_due)):
        days = refunds.possible_days(session, invoice.id, invoice.issued_on, today=today)
        wanted = MoneyBack(reason, None, days.end, total - off_due, parts=of_paid)
        refund = refunds.refund(session, actor, invoice.id, wanted=wanted, today=today, now=now)
        numbers.append(session.get_one(CreditNote, refund.credit_note_id).number)
    return numbers


def _without(parts: Sequence[Share], taken: Sequence[Share]) -> Iterator[Share]:
    found = {(one.type, one.rate): one for one in taken}
    for part in parts:
        other = found.get((part.type, part.rate), Share(part.type, part.rate, 0, 0))
        if part != other:
            yield Share(part.type, part.rate, part.net_minor - other.net_minor, part.tax_minor - other.tax_minor)

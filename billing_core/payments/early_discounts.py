"""What early payment takes off: a credit note over it settles the invoice, as long as the payment stands."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers.queries import visible_to
from billing_core.identity import Actor, Permission
from billing_core.invoices import credit_notes
from billing_core.invoices.content.early_payment import Offer
from billing_core.invoices.models import CreditNote, Invoice
from billing_core.languages.formats import writing
from billing_core.ledger import service as ledger


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A discount that is due again, in minor units, and its credit note; 0 and "" where none had been taken."""

    minor: int = 0
    credit_note: str = ""

    @property
    def facts(self) -> dict[str, object]:
        """For the timeline."""
        return {"discount_minor": self.minor, "credit_note": self.credit_note} if self.minor else {}


def credit(session: Session, actor: Actor, invoice: Invoice, taken: Offer, paid_on: date, *, now: datetime) -> None:
    """Base and tax of the invoice shrink by what was taken off, at each rate. The caller has locked the invoice."""
    actor.require(Permission.PAYMENT_WRITE)
    words = writing(invoice.language)
    issued_on = max(paid_on, invoice.issued_on)
    credit_notes.issue(
        session,
        actor,
        invoice.id,
        amount_minor=taken.discount_minor,
        reason=words.gettext("Early-payment discount of {percent}").format(percent=words.percent(taken.percent)),
        issued_on=issued_on,
        today=issued_on,
        early_payment=True,
        now=now,
    )


def withdraw(session: Session, actor: Actor, invoice: Invoice, *, reason: str, on: date, now: datetime) -> Withdrawn:
    """What paid the invoice early is undone or taken back, whole or in part: so is the discount that it took. From this
    day on, but no earlier than its own, its credit note credits nothing: revenue and tax are as without it.

    The caller has locked the invoice, and settles it with what is returned.
    """
    actor.require(Permission.PAYMENT_WRITE)
    note = session.scalars(_of(actor, invoice).where(CreditNote.withdrawn_at.is_(None))).one_or_none()
    if note is None:
        return Withdrawn()
    note.withdrawn_entry_id = ledger.reverse(session, actor, note.entry_id, effective_on=on, memo=reason, now=now)
    note.withdrawn_on, note.withdrawn_at = max(on, note.issued_on), now
    session.flush()
    audit.record(
        session,
        actor,
        "credit_note.withdraw",
        ("invoice", invoice.id),
        label=f"{note.number} for {invoice.number}",
        after={"number": note.number, "total_minor": note.total_minor, "currency": note.currency, "reason": reason},
        now=now,
    )
    return Withdrawn(note.total_minor, note.number)


def grant_again(session: Session, actor: Actor, invoice: Invoice, *, on: date, now: datetime) -> None:
    """What had paid the invoice early has come back. Where only the discount is left due, it is credited anew: the
    customer paid in time. The caller has locked the invoice.
    """
    actor.require(Permission.PAYMENT_WRITE)
    note = session.scalars(_of(actor, invoice).order_by(CreditNote.id.desc())).first()
    if note is None or note.withdrawn_at is None or note.total_minor != invoice.due_minor:
        return
    credit_notes.issue(
        session,
        actor,
        invoice.id,
        amount_minor=note.total_minor,
        reason=note.reason,
        issued_on=on,
        today=on,
        early_payment=True,
        now=now,
    )


def _of(actor: Actor, invoice: Invoice) -> Select[CreditNote]:
    there = visible_to(actor, CreditNote.customer_id)
    return select(CreditNote).where(CreditNote.invoice_id == invoice.id, CreditNote.early_payment.is_(True), there)

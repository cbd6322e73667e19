"""What early payment takes off: a credit note over it settles the invoice."""

from datetime import date, datetime

from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.invoices import credit_notes
from billing_core.invoices.content.early_payment import Offer
from billing_core.invoices.models import Invoice
from billing_core.languages.formats import writing


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

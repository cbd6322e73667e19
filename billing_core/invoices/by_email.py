"""Invoices by programs that know a customer only by e-mail address."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.customers import by_email
from billing_core.dates import day_in
from billing_core.errors import Invalid
from billing_core.identity import Actor, Permission
from billing_core.invoices import service
from billing_core.invoices.content.content import Content, DraftLine, blank_for, checked, due_by
from billing_core.invoices.models import Invoice
from billing_core.recipients import LISTS

_UNTIL_KNOWN: Final = "Due on receipt"
_DEFAULT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Addressed:
    """``business_id`` is the public id. ``number`` None: the next one; ``issued_on`` None: today; ``due_on`` None: by
    the payment terms. ``payment_terms`` empty: the customer's own, else the business's, unless the due date says
    another day; with none at all it is the 30 days that the published document promises.
    """

    business_id: str
    customer_email: str
    currency: str
    lines: tuple[DraftLine, ...]
    customer_name: str = ""
    number: str | None = None
    issued_on: date | None = None
    due_on: date | None = None
    payment_terms: str = ""
    notes: str = ""
    discount_percent: Decimal | None = None
    discount_minor: int | None = None
    prices_include_tax: bool = False


def create(session: Session, actor: Actor, addressed: Addressed, *, now: datetime) -> Invoice:
    """A numbered draft for the customer with this address, who is created where there is none.

    The customer's known data (who else gets its mails, postal address, tax id, reason for 0 % tax, language) is filled
    in. NotFound where there is no such business, Conflict where the number is used.
    """
    actor.require(Permission.INVOICE_WRITE)
    business = businesses.by_public_id(session, addressed.business_id)
    if not business.active:
        reason = "issues no documents any more"
        raise Invalid(f"The business {business.name} {reason}", fields={"business_id": reason})
    if not addressed.customer_email.strip():
        raise Invalid("An e-mail address is needed", fields={"customer_email": "is needed"})
    # Before a customer is created for an invoice that is refused; its own terms are not known yet.
    content = checked(
        Content(
            business_id=business.id,
            customer_id=0,
            currency=addressed.currency,
            issued_on=addressed.issued_on or day_in(business.time_zone, now),
            due_on=addressed.due_on,
            customer_name=addressed.customer_name,
            customer_email=addressed.customer_email,
            payment_terms=addressed.payment_terms.strip() or _UNTIL_KNOWN,
            notes=addressed.notes,
            discount_percent=addressed.discount_percent,
            discount_minor=addressed.discount_minor,
            prices_include_tax=addressed.prices_include_tax,
            lines=addressed.lines,
        )
    )
    customer = by_email.find_or_add(
        session,
        actor,
        business,
        email=content.customer_email,
        name=content.customer_name,
        currency=content.currency,
        now=now,
    )
    known = blank_for(customer, business, content.issued_on)
    content = replace(
        content,
        customer_id=customer.id,
        customer_name=content.customer_name or known.customer_name,
        customer_address=known.customer_address,
        customer_tax_id=known.customer_tax_id,
        zero_tax_reason=known.zero_tax_reason,
        **{name: getattr(known, name) for name in LISTS},
        language=known.language,
    )
    if not addressed.payment_terms.strip():
        content = _on_own_terms(content, known, addressed.due_on)
    return service.create(session, actor, content, now=now, numbered=True, number=addressed.number)


def _on_own_terms(content: Content, known: Content, due_on: date | None) -> Content:
    if due_on is None and not known.payment_terms:
        due_on = content.issued_on + _DEFAULT
    own = due_by(known, due_on)
    return replace(content, payment_terms=own.payment_terms, due_on=own.due_on)

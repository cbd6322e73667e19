"""Invoices that are open as soon as they are made, as programs ask for them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.customers import queries as customers
from billing_core.dates import day_in
from billing_core.errors import Invalid
from billing_core.identity import Actor, Permission
from billing_core.invoices import service
from billing_core.invoices.content.content import DraftLine, blank_for, due_by
from billing_core.invoices.models import Invoice
from billing_core.money import decimal_places
from billing_core.payments import sending


@dataclass(frozen=True, slots=True)
class Item:
    """``amount_minor`` is that of one unit, in minor units of the customer's currency."""

    description: str
    amount_minor: int
    quantity: int = 1


def create(
    session: Session,
    actor: Actor,
    customer_id: str,
    items: Sequence[Item],
    *,
    due_on: date | None = None,
    notes: str = "",
    now: datetime,
) -> Invoice:
    """An open invoice in the customer's currency, with the next number, without tax; nobody is written to.

    ``customer_id`` is the public id; NotFound. ``due_on`` None: by the payment terms. What was due before today was
    issued on that day. One of 0 is paid.
    """
    actor.require(Permission.INVOICE_WRITE)
    actor.require(Permission.INVOICE_SEND)
    customer = customers.by_public_id(session, actor, customer_id)
    business = session.get_one(Business, customer.business_id)
    if not business.active:
        raise Invalid(f"The business {business.name}, which bills this customer, issues no documents any more")
    blank = blank_for(customer, business, day_in(business.time_zone, now))
    content = replace(
        due_by(blank, due_on),
        issued_on=min(blank.issued_on, due_on or blank.issued_on),
        notes=notes,
        lines=tuple(
            DraftLine(
                item.description,
                Decimal(item.quantity),
                Decimal(item.amount_minor).scaleb(-decimal_places(customer.currency)),
            )
            for item in items
        ),
    )
    invoice = service.create(session, actor, content, now=now)
    return sending.send(session, actor, invoice.id, now=now)

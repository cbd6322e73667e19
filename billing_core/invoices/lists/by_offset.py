"""Invoices of all businesses for programs that page by an offset, newest first, with their lines."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.functions import among
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import LISTED, Invoice, InvoiceLineItem, InvoiceState


class Billed(NamedTuple):
    """Amounts are minor units of ``currency``; ``customer_id`` is the customer's public id."""

    id: int
    public_id: str
    customer_id: str
    number: str | None
    state: InvoiceState
    currency: str
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    due_minor: int
    due_on: date
    notes: str
    created_at: datetime


class Item(NamedTuple):
    """A line. ``amount_minor`` is the whole line after its own discount, ``unit_price`` in major units."""

    invoice_id: int
    description: str
    quantity: Decimal
    unit_price: Decimal
    amount_minor: int


_BILLED = select(
    *(Customer.public_id if name == "customer_id" else getattr(Invoice, name) for name in Billed._fields)
).join(Customer, Customer.id == Invoice.customer_id)


def page(
    session: Session,
    actor: Actor,
    *,
    customer_id: str | None = None,
    state: InvoiceState | None = None,
    limit: int,
    offset: int = 0,
) -> list[Billed]:
    """Those of the customer with this public id, or of all; discarded drafts are left out.

    The page's ids are read first, along an index: skipped rows are not read column by column.
    """
    actor.require(Permission.INVOICE_READ)
    ids = select(Invoice.id).where(text(f"({LISTED})"), visible_to(actor, Invoice.customer_id))
    if customer_id is not None:
        named = select(Customer.id).where(Customer.public_id == customer_id)
        ids = ids.where(Invoice.customer_id == named.scalar_subquery())
    if state is not None:
        ids = ids.where(Invoice.state == state)
    chosen = ids.order_by(Invoice.id.desc()).limit(limit).offset(offset)
    statement = _BILLED.where(Invoice.id.in_(chosen)).order_by(Invoice.id.desc())
    return [Billed._make(row) for row in session.execute(statement)]


def one(session: Session, actor: Actor, public_id: str) -> Billed:
    """The invoice with this public id; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.INVOICE_READ)
    named = _BILLED.where(Invoice.public_id == public_id, visible_to(actor, Invoice.customer_id))
    row = session.execute(named).one_or_none()
    if row is None:
        raise NotFound(f"There is no invoice {public_id}")
    return Billed._make(row)


def items(session: Session, invoices: Sequence[Billed]) -> dict[int, list[Item]]:
    """The lines of these invoices in their order, by the invoice's id."""
    found: dict[int, list[Item]] = {invoice.id: [] for invoice in invoices}
    columns = (getattr(InvoiceLineItem, name) for name in Item._fields)
    statement = (
        select(*columns)
        .where(among(InvoiceLineItem.invoice_id, list(found)))
        .order_by(InvoiceLineItem.invoice_id, InvoiceLineItem.position)
    )
    for row in session.execute(statement):
        found[row.invoice_id].append(Item._make(row))
    return found

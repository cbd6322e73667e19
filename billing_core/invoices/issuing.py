"""Who issues invoices: our businesses, as far as somebody may know of them."""

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from billing_core.businesses import queries
from billing_core.businesses.models import Business
from billing_core.businesses.queries import Place
from billing_core.customers.models import Customer
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice


def businesses(session: Session, actor: Actor) -> list[Business]:
    """All of them, the first one first; for somebody of one customer those alone that bill this customer."""
    actor.require(Permission.INVOICE_READ)
    if actor.customer_id is None:
        return queries.every(session)
    bills = or_(
        exists().where(Customer.id == actor.customer_id, Customer.business_id == Business.id),
        exists().where(Invoice.customer_id == actor.customer_id, Invoice.business_id == Business.id),
    )
    return list(session.scalars(select(Business).where(bills).order_by(Business.id)))


def business(session: Session, actor: Actor, public_id: str) -> Place:
    """One of them by the id that programs know; NotFound where there is none or this actor may not know of it."""
    found = queries.place_of(session, public_id)
    if actor.customer_id is not None and found.id not in {one.id for one in businesses(session, actor)}:
        raise NotFound(f"There is no business {public_id}")
    return found

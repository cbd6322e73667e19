"""Giving a draft a number of the user's choice, before it is sent."""

from datetime import datetime

from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.businesses.number_series import SeriesKind
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, numbering, queries
from billing_core.invoices.lifecycle import DRAFT, Change, named
from billing_core.invoices.models import Invoice


def give(session: Session, actor: Actor, invoice_id: int, number: str, *, now: datetime) -> Invoice:
    """Assign this number to the draft for good; Conflict where it is used, or the draft has one already."""
    actor.require(Permission.INVOICE_SEND)
    invoice = queries.for_change(session, actor, invoice_id)
    if invoice.state is not DRAFT or invoice.number:
        raise Conflict(f"{named(invoice)} cannot be given another number")
    business = session.get_one(Business, invoice.business_id)
    drawn = numbering.claim(session, business, SeriesKind.INVOICE, number, invoice.issued_on)
    facts = {"number": drawn.number, "number_key": drawn.key, "series": drawn.series, "sequence": drawn.sequence}
    lifecycle.change(session, actor, [Change(invoice, facts)], event=None, now=now)
    return invoice

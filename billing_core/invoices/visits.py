"""Customers' use of an invoice's link, without signing in: they open it and download the document."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, queries
from billing_core.invoices.models import EventKind, InvoiceEvent
from billing_core.invoices.rows import InvoiceView

# Downloads within this time of one another belong to one visit.
VISIT: Final = timedelta(minutes=30)


def customer_of(invoice: InvoiceView) -> Actor:
    """The actor of whoever has the link: sees this customer's invoices and changes nothing."""
    name = invoice.customer_name or "The customer"
    return Actor(None, name, frozenset({Permission.INVOICE_READ}), invoice.customer_id)


def mark_downloaded(session: Session, token: str, *, now: datetime) -> bool:
    """The customer has downloaded the document; returns whether it was the first time in this visit."""
    seen = queries.by_token(session, token)
    customer = customer_of(seen)
    # The lock lets the second of two downloads at once see the first.
    invoice = queries.for_change(session, customer, seen.id)
    lately = exists().where(
        InvoiceEvent.invoice_id == invoice.id,
        InvoiceEvent.kind == EventKind.DOWNLOADED,
        InvoiceEvent.at > now - VISIT,
    )
    if session.scalar(select(lately)):
        return False
    lifecycle.note(session, customer, invoice.id, EventKind.DOWNLOADED, now=now)
    trace = audit.Trace(("invoice", invoice.id), invoice.number or "")
    audit.record_many(session, customer, "invoice.download", [trace], now=now)
    return True

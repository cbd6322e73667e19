"""Which texts of a document have characters that no font of PDFs has, so that somebody can write them differently.

They are named where they are typed and before people send; what programs and runs send says so on its timeline.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.customers.queries import visible_to
from billing_core.database.functions import among
from billing_core.identity import Actor, Permission
from billing_core.invoices import issuers
from billing_core.invoices.content.content import DraftLine
from billing_core.invoices.documents.document import InvoiceDocument
from billing_core.invoices.issuers import Issuer
from billing_core.invoices.models import Invoice, InvoiceLineItem, InvoiceState
from billing_core.pdf_layout.text import unprintable

Unprintable = Mapping[str, Sequence[str]]
# So many lines of drafts are looked at together.
MOST_LINES: Final = 20_000

_OF_ISSUER: Final = {
    "name": "Our name",
    "address": "Our address",
    "email": "Our e-mail",
    "phone": "Our phone",
    "tax_id": "Our tax number",
    "register_number": "Our register number",
    "bank_details": "Bank details",
    "footer": "Footer",
}


_OF_DRAFT: Final = {
    "customer_name": "Bill to",
    "customer_address": "Address",
    "customer_tax_id": "Customer's tax number",
    "reference": "Reference",
    "payment_terms": "Payment terms",
    "zero_tax_reason": "Reason for 0 % tax",
    "notes": "Notes",
}


def of_invoice(document: InvoiceDocument) -> Unprintable:
    """The characters that its PDF cannot show, by the field in which they are; lines are counted from 1."""
    customer = document.customer
    texts = {
        **of_issuer(document.issuer),
        "Bill to": customer.known_as,
        "Address": customer.address,
        "Customer's tax number": customer.tax_id,
        "Number": document.number or "",
        "Reference": document.reference,
        "Payment terms": document.payment_terms,
        "Reason for 0 % tax": document.zero_tax_reason,
        "Notes": document.notes,
        **{f"Line {place}": line.description for place, line in enumerate(document.lines, 1)},
    }
    return found_in(texts)


def of_sending(invoice: Invoice, issuer: Mapping[str, Any], lines: Sequence[DraftLine]) -> Unprintable:
    """The same of an invoice that is about to be sent, whoever sends it."""
    ours = {label: issuer[field] for field, label in _OF_ISSUER.items()}
    theirs = {label: getattr(invoice, field) for field, label in _OF_DRAFT.items()}
    return found_in({**ours, **theirs, **{f"Line {place}": line.description for place, line in enumerate(lines, 1)}})


def of_drafts(session: Session, actor: Actor, invoice_ids: Sequence[int]) -> Mapping[int, Unprintable]:
    """The same of those among these invoices that are still drafts, by their ids, before many are sent at once.

    Of their lines the first ``MOST_LINES``.
    """
    actor.require(Permission.INVOICE_READ)
    drafts = (
        among(Invoice.id, invoice_ids),
        Invoice.state == InvoiceState.DRAFT,
        visible_to(actor, Invoice.customer_id),
    )
    columns = [getattr(Invoice, field) for field in _OF_DRAFT]
    rows = session.execute(select(Invoice.id, Invoice.business_id, *columns).where(*drafts).order_by(Invoice.id)).all()
    ours = session.scalars(select(Business).where(Business.id.in_({row.business_id for row in rows})))
    of_business = {business.id: of_issuer(issuers.of_business(business)) for business in ours}
    texts = {
        row.id: {**of_business[row.business_id], **{label: getattr(row, field) for field, label in _OF_DRAFT.items()}}
        for row in rows
    }
    lines = (
        select(InvoiceLineItem.invoice_id, InvoiceLineItem.position, InvoiceLineItem.description)
        .join(Invoice, Invoice.id == InvoiceLineItem.invoice_id)
        .where(*drafts)
        .order_by(InvoiceLineItem.invoice_id, InvoiceLineItem.position)
        .limit(MOST_LINES)
    )
    for invoice_id, position, description in session.execute(lines):
        texts[invoice_id][f"Line {position}"] = description
    return {invoice_id: found for invoice_id, of_one in texts.items() if (found := found_in(of_one))}


def found_in(texts: Mapping[str, str]) -> Unprintable:
    """The characters that a PDF cannot show of each of these texts that have any."""
    return {field: found for field, text in texts.items() if (found := unprintable(text))}


def of_issuer(issuer: Issuer) -> dict[str, str]:
    """What a business says of itself on its documents, by the words for its fields."""
    return {label: getattr(issuer, field) for field, label in _OF_ISSUER.items()}

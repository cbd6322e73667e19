"""Which texts of a document have characters that no font of PDFs has, so that somebody can write them differently."""

from collections.abc import Mapping, Sequence
from typing import Final

from billing_core.invoices.documents.document import InvoiceDocument
from billing_core.invoices.issuers import Issuer
from billing_core.pdf_layout.text import unprintable

_OF_ISSUER: Final = {
    "name": "Our name",
    "address": "Our address",
    "email": "Our e-mail",
    "phone": "Our phone",
    "tax_id": "Our tax number",
    "bank_details": "Bank details",
    "footer": "Footer",
}


def of_invoice(document: InvoiceDocument) -> Mapping[str, Sequence[str]]:
    """The characters that its PDF cannot show, by the field in which they are; lines are counted from 1."""
    customer = document.customer
    texts = {
        **_of_issuer(document.issuer),
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
    return {field: found for field, text in texts.items() if (found := unprintable(text))}


def _of_issuer(issuer: Issuer) -> dict[str, str]:
    return {label: getattr(issuer, field) for field, label in _OF_ISSUER.items()}

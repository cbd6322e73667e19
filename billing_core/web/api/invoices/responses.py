"""What the invoices API answers, for its published description: every body with its example, and every refusal."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, WithJsonSchema

from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import LineType

Amount = Annotated[Decimal, WithJsonSchema({"type": "number"})]

_LINE: dict[str, Any] = {
    "line_item_id": "li_001",
    "invoice_id": "inv_xyz789",
    "description": "Website Development",
    "quantity": 1,
    "unit_price": 5000,
    "type": "service",
    "tax_rate": 10,
    "created_at": "2024-02-15T10:00:00Z",
}
_LISTED: dict[str, Any] = {
    "invoice_id": "inv_xyz789",
    "business_id": "biz_abc123",
    "invoice_number": "INV-2024-001",
    "customer_email": "client@example.com",
    "status": "sent",
    "amount": 5000,
    "tax_amount": 500,
    "total_amount": 5500,
    "currency": "USD",
    "issued_date": "2024-02-15T00:00:00Z",
    "due_date": "2024-03-15T00:00:00Z",
    "created_at": "2024-02-15T10:00:00Z",
    "updated_at": "2024-02-15T10:00:00Z",
}
_INVOICE: dict[str, Any] = _LISTED | {
    "customer_name": "John Smith",
    "notes": "Thank you for your business!",
    "payment_terms": "Net 30",
    "stripe_payment_link": "https://buy.stripe.com/test_abc123",
    "stripe_invoice_id": "in_stripe_id_123",
    "paid_at": None,
    "viewed_at": None,
    "line_items": [_LINE],
}
_BUSINESS: dict[str, Any] = {
    "business_id": "biz_abc123",
    "name": "Clawprint Inc.",
    "email": "billing@clawprint.example",
    "phone": "",
    "address": "1 Main Street",
    "tax_id": "12-3456789",
    "currency": "USD",
    "time_zone": "America/New_York",
    "payment_terms": "Net 30",
    "active": True,
}
_LINK: dict[str, Any] = {
    "payment_link_url": "https://buy.stripe.com/test_abc123xyz",
    "stripe_invoice_id": "in_stripe_invoice_id_123",
    "expires_at": "2024-05-15T10:00:00Z",
}


def _with_example(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": example})


class InvoiceLineItem(BaseModel):
    """``unit_price`` in the currency's major unit, ``tax_rate`` in percent."""

    model_config = _with_example(_LINE)

    line_item_id: str
    invoice_id: str
    description: str
    quantity: Amount
    unit_price: Amount
    type: LineType
    tax_rate: Amount
    created_at: datetime


class ListedInvoice(BaseModel):
    """Amounts in the currency's major unit: ``amount`` before tax, ``total_amount`` with it."""

    model_config = _with_example(_LISTED)

    invoice_id: str
    business_id: str
    # Null in a draft that was written on the pages and not sent yet.
    invoice_number: str | None
    customer_email: str
    status: InvoiceStatus
    amount: Amount
    tax_amount: Amount
    total_amount: Amount
    currency: str
    issued_date: datetime
    due_date: datetime
    created_at: datetime
    updated_at: datetime


class Invoice(ListedInvoice):
    """An invoice with its lines. ``stripe_invoice_id`` is null until Stripe reports one."""

    model_config = _with_example(_INVOICE)

    customer_name: str | None
    notes: str | None
    payment_terms: str | None
    stripe_payment_link: str | None
    stripe_invoice_id: str | None
    paid_at: datetime | None
    viewed_at: datetime | None
    line_items: list[InvoiceLineItem]


class InvoiceListFilter(BaseModel):
    status: InvoiceStatus | None
    limit: int


class InvoiceList(BaseModel):
    """``count`` invoices of one business, the newest first; the ``Link`` header leads to the next page."""

    model_config = _with_example(
        {"invoices": [_LISTED], "count": 1, "business_id": "biz_abc123", "filter": {"status": "sent", "limit": 20}}
    )

    invoices: list[ListedInvoice]
    count: int
    business_id: str
    filter: InvoiceListFilter


class InvoiceCancelled(BaseModel):
    model_config = _with_example({"message": "Invoice cancelled successfully", "invoice_id": "inv_xyz789"})

    message: str
    invoice_id: str


class PaymentLinkShown(BaseModel):
    """Where the customer pays. ``stripe_invoice_id`` is null until Stripe reports one."""

    model_config = _with_example(_LINK)

    payment_link_url: str
    stripe_invoice_id: str | None
    expires_at: datetime


class BusinessShown(BaseModel):
    """One of our legal entities, which issue invoices."""

    model_config = _with_example(_BUSINESS)

    business_id: str
    name: str
    email: str
    phone: str
    address: str
    tax_id: str
    currency: str
    time_zone: str
    payment_terms: str
    active: bool


class BusinessList(BaseModel):
    model_config = _with_example({"businesses": [_BUSINESS], "count": 1})

    businesses: list[BusinessShown]
    count: int


class Refusal(BaseModel):
    """``error`` is one of the document's words, ``message`` says it in a sentence, ``fields`` what is wrong where.

    ``reference`` is there where our log knows more.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "error": "Invalid quantity",
                "message": "line_items.0.quantity: must be more than 0",
                "fields": {"line_items.0.quantity": "must be more than 0"},
            }
        }
    )

    error: str
    message: str
    fields: dict[str, str] | None = None
    reference: str | None = None


_SAID = {
    400: "Missing required fields or invalid data",
    401: "Missing/invalid authentication",
    403: "The caller's role does not allow this",
    404: "Invoice/business doesn't exist",
    409: "The invoice is in a state that does not allow this, or a number is used already",
    412: "The invoice is not any more as `If-Match` says",
    413: "The body is larger than 1 MiB",
    422: "The `Idempotency-Key` came with another body before",
    429: "Too many requests",
    500: "Server error, or Stripe API error or configuration issue",
    503: "The database is busy",
}
_ALWAYS = (400, 401, 403, 429, 500, 503)
_ETAG = {"ETag": {"description": "For `If-Match` and `If-None-Match`", "schema": {"type": "string"}}}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer beside success: what any may, and these."""
    return {status: {"model": Refusal, "description": _SAID[status]} for status in sorted({*_ALWAYS, *statuses})}


READ = refusals(404) | {200: {"headers": _ETAG}, 304: {"description": "It is still as `If-None-Match` says"}}
LISTED = refusals(404) | {
    200: {
        "headers": {
            "Link": {"description": 'The next page, where there is one: rel="next"', "schema": {"type": "string"}}
        }
    }
}
CREATED = refusals(404, 409, 413, 422) | {
    201: {"headers": _ETAG | {"Location": {"description": "The invoice's own address", "schema": {"type": "string"}}}}
}
CHANGED = refusals(404, 409, 412, 413) | {200: {"headers": _ETAG}}
ENDED = refusals(404, 409, 412)
ISSUED = refusals(404, 409, 422)

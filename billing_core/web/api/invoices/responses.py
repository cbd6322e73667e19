"""What the invoices API answers: every body with its example and how it is made, and every refusal.

A body's definition is both: the published description is generated from it, and the type checker holds what is sent
against it, so that no answer is checked while somebody waits for it.
"""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any, NotRequired, cast

from pydantic import WithJsonSchema, with_config
from typing_extensions import TypedDict

from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.lists.keyset import Listed
from billing_core.invoices.models import LineType
from billing_core.invoices.rows import InvoiceView, LineRow
from billing_core.web.api import lacking
from billing_core.web.api.exact_json import WrittenNumber, money, number
from billing_core.web.api.invoices import repeated_payments
from billing_core.web.api.problem_bodies import Refusal

# Faster than calling the class, which a list does for every invoice.
_STATUSES = {status.value: status for status in InvoiceStatus}
# A day as the document writes it: ``2024-02-15T00:00:00Z``.
Midnight = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]

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
_LIST: dict[str, Any] = {
    "invoices": [_LISTED],
    "count": 1,
    "business_id": "biz_abc123",
    "filter": {"status": "sent", "limit": 20},
}


@with_config(json_schema_extra={"example": _LINE})
class InvoiceLineItem(TypedDict):
    """``unit_price`` in the currency's major unit, ``tax_rate`` in percent. Its discount is there where it has one, in
    percent or in the major unit.
    """

    line_item_id: str
    invoice_id: str
    description: str
    quantity: WrittenNumber
    unit_price: WrittenNumber
    type: LineType
    tax_rate: WrittenNumber
    created_at: datetime
    discount_percent: NotRequired[WrittenNumber]
    discount_amount: NotRequired[WrittenNumber]


@with_config(json_schema_extra={"example": _LISTED})
class ListedInvoice(TypedDict):
    """Amounts in the currency's major unit: ``amount`` before tax, ``total_amount`` with it."""

    invoice_id: str
    business_id: str
    # Null in a draft that was written on the pages and not sent yet.
    invoice_number: str | None
    customer_email: str
    status: InvoiceStatus
    amount: WrittenNumber
    tax_amount: WrittenNumber
    total_amount: WrittenNumber
    currency: str
    issued_date: Midnight
    due_date: Midnight
    created_at: datetime
    updated_at: datetime


@with_config(json_schema_extra={"example": _INVOICE})
class Invoice(TypedDict):
    """An invoice with its lines. ``stripe_invoice_id`` is null until Stripe reports one. Where the whole invoice has a
    discount, it is in percent or in the currency's major unit.
    """

    invoice_id: str
    business_id: str
    invoice_number: str | None
    customer_email: str
    customer_name: str | None
    status: InvoiceStatus
    amount: WrittenNumber
    tax_amount: WrittenNumber
    total_amount: WrittenNumber
    currency: str
    issued_date: Midnight
    due_date: Midnight
    notes: str | None
    payment_terms: str | None
    stripe_payment_link: str | None
    stripe_invoice_id: str | None
    paid_at: datetime | None
    viewed_at: datetime | None
    line_items: list[InvoiceLineItem]
    created_at: datetime
    updated_at: datetime
    # True, or left out.
    prices_include_tax: NotRequired[bool]
    discount_percent: NotRequired[WrittenNumber]
    discount_amount: NotRequired[WrittenNumber]


class InvoiceListFilter(TypedDict):
    status: InvoiceStatus | None
    limit: int


@with_config(json_schema_extra={"example": _LIST})
class InvoiceList(TypedDict):
    """``count`` invoices of one business, the newest first; the ``Link`` header leads to the next page."""

    invoices: list[ListedInvoice]
    count: int
    business_id: str
    filter: InvoiceListFilter


@with_config(json_schema_extra={"example": {"message": "Invoice cancelled successfully", "invoice_id": "inv_xyz789"}})
class InvoiceCancelled(TypedDict):
    message: str
    invoice_id: str


def invoice(view: InvoiceView, lines: Sequence[LineRow], business_id: str, today: date) -> Invoice:
    """One invoice with its lines. ``business_id`` is the public one, ``today`` the business's day."""
    return {
        "invoice_id": view.public_id,
        "business_id": business_id,
        "invoice_number": view.number,
        "customer_email": view.customer_email,
        "customer_name": view.customer_name or None,
        "status": view.status(today),
        "amount": money(view.subtotal_minor, view.currency),
        "tax_amount": money(view.tax_minor, view.currency),
        "total_amount": money(view.total_minor, view.currency),
        "currency": view.currency,
        "issued_date": midnight(view.issued_on),
        "due_date": midnight(view.due_on),
        "notes": view.notes or None,
        "payment_terms": view.payment_terms or None,
        "stripe_payment_link": view.payment_url,
        "stripe_invoice_id": view.stripe_invoice_id,
        "paid_at": view.paid_at,
        "viewed_at": view.viewed_at,
        "line_items": [_line(line, view) for line in lines],
        "created_at": view.created_at,
        "updated_at": view.updated_at,
        **_added(view),
    }


class _Discount(TypedDict):
    discount_percent: NotRequired[WrittenNumber]
    discount_amount: NotRequired[WrittenNumber]


def _discount(one: InvoiceView | LineRow, currency: str) -> _Discount:
    if one.discount_percent is not None:
        return {"discount_percent": number(one.discount_percent)}
    return {} if one.discount_minor is None else {"discount_amount": money(one.discount_minor, currency)}


class _Added(_Discount):
    prices_include_tax: NotRequired[bool]


def _added(view: InvoiceView) -> _Added:
    """What is beyond the document, where there is any."""
    added = cast("_Added", _discount(view, view.currency))
    if view.prices_include_tax:
        added["prices_include_tax"] = True
    return added


def _line(line: LineRow, view: InvoiceView) -> InvoiceLineItem:
    return {
        "line_item_id": line.public_id,
        "invoice_id": view.public_id,
        "description": line.description,
        "quantity": number(line.quantity),
        "unit_price": number(line.unit_price),
        "type": line.type,
        "tax_rate": number(line.tax_rate),
        "created_at": line.created_at,
        **_discount(line, view.currency),
    }


def listed(row: Listed, business_id: str) -> ListedInvoice:
    """One invoice as the list shows it."""
    return {
        "invoice_id": row.public_id,
        "business_id": business_id,
        "invoice_number": row.number,
        "customer_email": row.customer_email,
        "status": _STATUSES[row.status],
        "amount": money(row.subtotal_minor, row.currency),
        "tax_amount": money(row.tax_minor, row.currency),
        "total_amount": money(row.total_minor, row.currency),
        "currency": row.currency,
        "issued_date": midnight(row.issued_on),
        "due_date": midnight(row.due_on),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


@lru_cache(maxsize=1024)
def midnight(day: date) -> Midnight:
    """Cached: a list names the same few days again and again."""
    return f"{day.isoformat()}T00:00:00Z"


_MEANINGS = {
    400: "Missing required fields or invalid data",
    401: "Missing/invalid authentication",
    403: "The caller's role does not allow this",
    404: "Invoice/business doesn't exist",
    409: "The invoice is in a state that does not allow this, or the number is already in use",
    412: "The invoice has changed since the `ETag` in `If-Match`",
    413: "The body is larger than 1 MiB",
    422: "The `Idempotency-Key` was used with another body before",
    429: "Too many requests",
    500: "Server error, or Stripe API error or configuration issue",
    503: "The database is busy",
}
_ALWAYS = (400, 401, 403, 429, 500, 503)
_ETAG = {
    "ETag": {"description": "For `If-Match` and `If-None-Match`", "schema": {"type": "string"}}
} | lacking.DESCRIBED


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer besides success: what every route may, and these."""
    return {status: {"model": Refusal, "description": _MEANINGS[status]} for status in sorted({*_ALWAYS, *statuses})}


READ = refusals(404) | {200: {"headers": _ETAG}, 304: {"description": "Unchanged since the `ETag` in `If-None-Match`"}}
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
CHANGED = refusals(404, 409, 412, 413) | {200: {"headers": _ETAG | repeated_payments.DESCRIBED}}
ENDED = refusals(404, 409, 412)
LINK_CREATED = refusals(404, 409, 422)

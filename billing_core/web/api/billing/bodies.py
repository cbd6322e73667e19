"""What the billing API v1 takes and answers, in its document's words: amounts are integers in cents, or in the minor
units of a currency that has no cents.
"""

import enum
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema, with_config
from typing_extensions import TypedDict

from billing_core.invoices.content.content import MOST_LINES
from billing_core.invoices.content.field_checks import LARGEST
from billing_core.invoices.lists.by_offset import Billed
from billing_core.invoices.lists.by_offset import Item as BilledItem
from billing_core.invoices.models import InvoiceState
from billing_core.money import LARGEST_MINOR, decimal_places
from billing_core.payments.opening import Item
from billing_core.web.api.exact_json import Body, WholeNumber
from billing_core.web.api.invoices.requests import Day, without_most

LONGEST_MEMO = 1_000
LONGEST_DESCRIPTION = 500
# In minor units: the service says more precisely what is too much.
_Amount = Annotated[
    WholeNumber,
    Field(ge=0, le=LARGEST_MINOR),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": LARGEST_MINOR}),
]
_Quantity = Annotated[
    WholeNumber, Field(ge=1, le=LARGEST), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": LARGEST})
]

_LINE: dict[str, Any] = {"description": "Pro Plan - Monthly", "amount": 2999, "quantity": 1}
_NEW: dict[str, Any] = {"customer_id": "cus_1234567890", "line_items": [_LINE], "due_date": "2024-02-15"}
_INVOICE: dict[str, Any] = {
    "id": "inv_1234567890",
    "customer_id": "cus_1234567890",
    "subscription_id": None,
    "number": "INV-2024-001",
    "status": "open",
    "currency": "USD",
    "subtotal": 2999,
    "tax": 0,
    "total": 2999,
    "amount_due": 2999,
    "line_items": [_LINE],
    "due_date": "2024-02-15",
    "memo": None,
    "created_at": "2024-01-15T10:30:00Z",
}
_LIST: dict[str, Any] = {"invoices": [_INVOICE], "count": 1, "limit": 20, "offset": 0, "has_more": False}


class Status(enum.StrEnum):
    """A state in the document's words. What was refunded is ``paid``, and ``open`` whatever else is due."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"


_STATES = {
    Status.DRAFT: InvoiceState.DRAFT,
    Status.OPEN: InvoiceState.OPEN,
    Status.PAID: InvoiceState.PAID,
    Status.VOID: InvoiceState.CANCELLED,
}
_STATUSES = {state: status for status, state in _STATES.items()}


class NewLineItem(Body):
    description: str = Field(min_length=1, max_length=LONGEST_DESCRIPTION, examples=["Pro Plan - Monthly"])
    amount: _Amount = Field(description="Of one unit, in cents", examples=[2999])
    quantity: _Quantity = 1


class NewInvoice(Body):
    model_config = ConfigDict(json_schema_extra={"example": _NEW}, title="NewOpenInvoice")

    customer_id: str = Field(min_length=1, description="The customer's `cus_…` id", examples=["cus_1234567890"])
    subscription_id: str | None = Field(
        None, min_length=1, description="The customer's subscription that it belongs to"
    )
    line_items: list[NewLineItem] = Field(min_length=1, max_length=MOST_LINES, json_schema_extra=without_most)
    due_date: Day | None = Field(None, description="As the customer's payment terms say where it is left out")
    memo: str | None = Field(None, max_length=LONGEST_MEMO, description="Stands on the invoice")

    def items(self) -> list[Item]:
        return [Item(line.description, line.amount, line.quantity) for line in self.line_items]


class OpenInvoiceLineItem(TypedDict):
    """``amount`` is that of one unit, in cents. Where a line has no such amount (a part of a unit, a fraction of a
    cent, a discount) or takes something off by its quantity, it is shown as one unit of what it comes to.
    """

    description: str
    amount: int
    quantity: int


@with_config(json_schema_extra={"example": _INVOICE})
class OpenInvoice(TypedDict):
    """``subtotal`` is that of the lines less the invoice's own discount, ``total`` the same with ``tax``, and
    ``amount_due`` what is still to be paid; all in cents.
    """

    id: str
    customer_id: str
    subscription_id: str | None
    number: str | None
    status: Status
    currency: str
    subtotal: int
    tax: int
    total: int
    amount_due: int
    line_items: list[OpenInvoiceLineItem]
    due_date: str
    memo: str | None
    created_at: datetime


@with_config(json_schema_extra={"example": _LIST})
class OpenInvoiceList(TypedDict):
    """``count`` invoices, the newest first, after the first ``offset``; ``has_more``: others follow."""

    invoices: list[OpenInvoice]
    count: int
    limit: int
    offset: int
    has_more: bool


def state(status: Status | None) -> InvoiceState | None:
    return None if status is None else _STATES[status]


def invoice(billed: Billed, items: Sequence[BilledItem], subscription_id: str | None) -> OpenInvoice:
    return {
        "id": billed.public_id,
        "customer_id": billed.customer_id,
        "subscription_id": subscription_id,
        "number": billed.number,
        "status": _STATUSES[billed.state],
        "currency": billed.currency,
        "subtotal": billed.subtotal_minor,
        "tax": billed.tax_minor,
        "total": billed.total_minor,
        "amount_due": billed.due_minor,
        "line_items": [_line_item(item, billed.currency) for item in items],
        "due_date": f"{billed.due_on}",
        "memo": billed.notes or None,
        "created_at": billed.created_at,
    }


def _line_item(item: BilledItem, currency: str) -> OpenInvoiceLineItem:
    unit = item.unit_price.scaleb(decimal_places(currency))
    is_whole = unit == int(unit) and item.quantity == int(item.quantity) and item.quantity > 0
    if is_whole and unit * item.quantity == item.amount_minor:
        return {"description": item.description, "amount": int(unit), "quantity": int(item.quantity)}
    return {"description": item.description, "amount": item.amount_minor, "quantity": 1}


def documented_field(name: str) -> str:
    """As the document names a field of an invoice; its lines are counted from 0."""
    match name.split("."):
        case ["lines", position, "unit_price"]:
            return f"line_items.{int(position) - 1}.amount"
        case ["lines", position, part]:
            return f"line_items.{int(position) - 1}.{part}"
        case ["lines"]:
            return "line_items"
        case _:
            # The day of issue is not given: it follows from the day on which the invoice is due.
            return {"due_on": "due_date", "issued_on": "due_date", "notes": "memo"}.get(name, name)

"""What the invoices API takes and answers, in its document's words."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from billing_core.errors import Invalid
from billing_core.invoices.by_email import Addressed
from billing_core.invoices.content.content import LONGEST, LONGEST_DESCRIPTION, MOST_LINES, DraftLine
from billing_core.invoices.content.field_checks import LARGEST
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.lists.keyset import Listed
from billing_core.invoices.models import LineType
from billing_core.invoices.rows import InvoiceView, LineRow
from billing_core.invoices.service import Details
from billing_core.text import is_email_address
from billing_core.web.api.exact_json import Body, Number, money, number

# The document's fields that are called otherwise on an invoice.
_COLUMNS = {"issued_date": "issued_on", "due_date": "due_on"}
_FIELDS = {column: name for name, column in _COLUMNS.items()}

Currency = Literal["USD", "EUR", "GBP", "CAD", "AUD"]
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T[0-9:.]{5,15}(?:Z|[+-][0-9]{2}:[0-9]{2})?)?")


def _day(value: Any) -> date:
    """A day, or the day of an instant as it is written there: what we answer can be sent back."""
    found = _DAY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a day such as 2024-02-15")
    try:
        # The time of day is not kept, but must be one.
        datetime.fromisoformat(found[0])
        return date.fromisoformat(found[1])
    except ValueError:
        raise ValueError("there is no such day") from None


def _address(value: str) -> str:
    if not is_email_address(value.strip()):
        raise ValueError("is not an e-mail address such as ana@example.com")
    return value.strip()


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError("must be more than 0")
    return value


Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2024-02-15"]}),
]
EmailAddress = Annotated[
    str, AfterValidator(_address), WithJsonSchema({"type": "string", "format": "email", "maxLength": 254})
]
Quantity = Annotated[
    Number, AfterValidator(_positive), WithJsonSchema({"type": "number", "minimum": 0.000001, "maximum": LARGEST})
]
Price = Annotated[Number, WithJsonSchema({"type": "number", "minimum": 0, "maximum": LARGEST})]
Percentage = Annotated[Number, WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100})]
Name = Annotated[str, Field(max_length=LONGEST["customer_name"])]
Terms = Annotated[str, Field(max_length=LONGEST["payment_terms"], examples=["Net 30"])]
Notes = Annotated[str, Field(max_length=LONGEST["notes"])]


def _without_most(schema: dict[str, Any]) -> None:
    """A body of so many lines may be too large, which is another answer than to too many."""
    del schema["maxItems"]


# The document's own requests.
_NEW: dict[str, Any] = {
    "business_id": "biz_abc123",
    "customer_email": "client@example.com",
    "customer_name": "John Smith",
    "invoice_number": "INV-2024-001",
    "issued_date": "2024-02-15",
    "due_date": "2024-03-15",
    "currency": "USD",
    "notes": "Thank you for your business!",
    "payment_terms": "Net 30",
    "line_items": [
        {
            "description": "Website Development",
            "quantity": 1,
            "unit_price": 5000,
            "type": "service",
            "tax_rate": 10,
        },
        {"description": "Hosting Setup", "quantity": 1, "unit_price": 500, "type": "fee", "tax_rate": 0},
    ],
}
_CHANGES: dict[str, Any] = {
    "customer_email": "newemail@example.com",
    "customer_name": "Jane Smith",
    "due_date": "2024-04-15",
    "notes": "Updated notes",
    "payment_terms": "Net 45",
}


class NewLine(Body):
    description: str = Field(min_length=1, max_length=LONGEST_DESCRIPTION, examples=["Website Development"])
    quantity: Quantity = Field(description="More than 0, at most 6 decimals", examples=[1])
    unit_price: Price = Field(description="In the currency's major unit, at most 6 decimals", examples=[5000])
    type: LineType | None = Field(None, description="`service` where it is left out")
    tax_rate: Percentage | None = Field(None, description="Percent; 0 where it is left out", examples=[10])


class NewInvoice(Body):
    model_config = ConfigDict(json_schema_extra={"example": _NEW})

    business_id: str = Field(description="From `GET /api/businesses`", examples=["biz_abc123"])
    customer_email: EmailAddress = Field(
        description="Finds the customer; an unknown address makes a new one", examples=["client@example.com"]
    )
    customer_name: Name | None = Field(None, description="Stands on the invoice", examples=["John Smith"])
    invoice_number: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="Letters, digits, blanks and `. / # -`; the next one of the series where it is left out",
        examples=["INV-2024-001"],
    )
    issued_date: Day | None = Field(None, description="Today where it is left out")
    due_date: Day | None = Field(
        None, description="As `payment_terms` say where it is left out, 30 days where they name none"
    )
    currency: Currency | None = Field(None, description="USD where it is left out")
    notes: Notes | None = Field(None, examples=["Thank you for your business!"])
    payment_terms: Terms | None = None
    line_items: list[NewLine] = Field(min_length=1, max_length=MOST_LINES, json_schema_extra=_without_most)

    def addressed(self) -> Addressed:
        return Addressed(
            business_id=self.business_id,
            customer_email=self.customer_email,
            customer_name=self.customer_name or "",
            number=self.invoice_number,
            issued_on=self.issued_date,
            due_on=self.due_date,
            currency=self.currency or "USD",
            notes=self.notes or "",
            payment_terms=self.payment_terms or "",
            lines=tuple(
                DraftLine(
                    line.description,
                    line.quantity,
                    line.unit_price,
                    line.type or LineType.SERVICE,
                    Decimal(0) if line.tax_rate is None else line.tax_rate,
                )
                for line in self.line_items
            ),
        )


class InvoiceChanges(Body):
    """What is left out stays. Null empties what may be empty."""

    model_config = ConfigDict(json_schema_extra={"example": _CHANGES})

    # Defaults that are made, not written down, so that the description offers none to send.
    status: InvoiceStatus = Field(default_factory=lambda: InvoiceStatus.DRAFT)
    customer_email: EmailAddress = Field(default_factory=str, examples=["newemail@example.com"])
    customer_name: Name | None = Field(None, examples=["Jane Smith"])
    due_date: Day = Field(default_factory=lambda: date.min)
    notes: Notes | None = None
    payment_terms: Terms | None = None

    def details(self) -> Details:
        given: dict[str, Any] = {
            _COLUMNS.get(name, name): "" if (value := getattr(self, name)) is None else value
            for name in self.model_fields_set - {"status"}
        }
        return Details(**given)

    def wanted_status(self) -> InvoiceStatus | None:
        return self.status if "status" in self.model_fields_set else None


def in_words_of_the_document(refused: Invalid) -> Invalid:
    """The same refusal with the fields as the document names them; its lines are counted from 0."""
    fields = {_field(name): reason for name, reason in refused.fields.items()}
    said = "; ".join(f"{name}: {reason}" for name, reason in fields.items())
    return Invalid(said or str(refused), fields=fields)


def _field(name: str) -> str:
    match name.split("."):
        case ["lines", at, part]:
            return f"line_items.{int(at) - 1}.{part}"
        # They are there; what they come to is too much.
        case ["lines"]:
            return "total_amount"
        case _:
            return _FIELDS.get(name, name)


def invoice(found: InvoiceView, lines: Sequence[LineRow], business_id: str, today: date) -> dict[str, Any]:
    """One invoice with its lines. ``business_id`` is the public one, ``today`` the business's day."""
    return {
        "invoice_id": found.public_id,
        "business_id": business_id,
        "invoice_number": found.number,
        "customer_email": found.customer_email,
        "customer_name": found.customer_name or None,
        "status": found.status(today),
        "amount": money(found.subtotal_minor, found.currency),
        "tax_amount": money(found.tax_minor, found.currency),
        "total_amount": money(found.total_minor, found.currency),
        "currency": found.currency,
        "issued_date": midnight(found.issued_on),
        "due_date": midnight(found.due_on),
        "notes": found.notes or None,
        "payment_terms": found.payment_terms or None,
        "stripe_payment_link": found.payment_url,
        "stripe_invoice_id": found.stripe_invoice_id,
        "paid_at": found.paid_at,
        "viewed_at": found.viewed_at,
        "line_items": [_line(line, found.public_id) for line in lines],
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


def _line(line: LineRow, invoice_id: str) -> dict[str, Any]:
    return {
        "line_item_id": line.public_id,
        "invoice_id": invoice_id,
        "description": line.description,
        "quantity": number(line.quantity),
        "unit_price": number(line.unit_price),
        "type": line.type,
        "tax_rate": number(line.tax_rate),
        "created_at": line.created_at,
    }


def listed(row: Listed, business_id: str) -> dict[str, Any]:
    """One invoice as the list shows it."""
    return {
        "invoice_id": row.public_id,
        "business_id": business_id,
        "invoice_number": row.number,
        "customer_email": row.customer_email,
        "status": row.status,
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
def midnight(day: date) -> str:
    """A day as the document writes it: ``2024-02-15T00:00:00Z``. A list says the same few days again and again."""
    return f"{day.isoformat()}T00:00:00Z"

"""What the invoices API takes, in its document's words."""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from billing_core.email_addresses import address_fault
from billing_core.errors import Invalid
from billing_core.invoices.by_email import Addressed
from billing_core.invoices.content.content import LONGEST, LONGEST_DESCRIPTION, MOST_LINES, DraftLine
from billing_core.invoices.content.field_checks import LARGEST
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import LineType
from billing_core.invoices.service import Details
from billing_core.money import LARGEST_PRICE, decimal_places, scaled
from billing_core.web.api.exact_json import Body, Number

# The document's fields that have another name on an invoice.
_COLUMNS = {"issued_date": "issued_on", "due_date": "due_on", "discount_amount": "discount_minor"}
_FIELDS = {column: name for name, column in _COLUMNS.items()}

Currency = Literal["USD", "EUR", "GBP", "CAD", "AUD"]
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T[0-9:.]{5,15}(?:Z|[+-][0-9]{2}:[0-9]{2})?)?")


def _day(value: Any) -> date:
    """A day, or the day part of an instant, so that the values of an answer can be sent back."""
    written = _DAY.fullmatch(value) if isinstance(value, str) else None
    if written is None:
        raise ValueError("must be a day such as 2024-02-15")
    try:
        # The time of day is not stored, but it must be valid.
        datetime.fromisoformat(written[0])
        return date.fromisoformat(written[1])
    except ValueError:
        raise ValueError("there is no such day") from None


def _address(value: str) -> str:
    if fault := address_fault(value.strip()):
        raise ValueError(fault)
    return value.strip()


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError("must be more than 0")
    return value


def _minor(amount: Decimal | None, currency: str, field: str) -> int | None:
    """In minor units; Invalid, under our own name of the field, where the currency has no such parts."""
    if amount is None:
        return None
    if abs(amount) > LARGEST:
        reason = f"must be at most {LARGEST:,}"
    else:
        try:
            return scaled(amount, decimal_places(currency))
        except ValueError:
            reason = f"may have at most {decimal_places(currency)} decimals in {currency}"
    raise Invalid(f"The discount {reason}", fields={field: reason})


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
Price = Annotated[
    Number, WithJsonSchema({"type": "number", "minimum": -int(LARGEST_PRICE), "maximum": int(LARGEST_PRICE)})
]
Percentage = Annotated[Number, WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100})]
# Beyond the document, of a line and of the whole invoice.
DiscountPercent = Annotated[
    Percentage | None, Field(description="Taken off before tax, in percent; beside no `discount_amount`", examples=[4])
]
DiscountAmount = Annotated[
    Annotated[Number, WithJsonSchema({"type": "number", "minimum": 0, "maximum": LARGEST})] | None,
    Field(
        description="Taken off before tax, in the currency's major unit; beside no `discount_percent`", examples=[20]
    ),
]
Name = Annotated[str, Field(max_length=LONGEST["customer_name"])]
Terms = Annotated[str, Field(max_length=LONGEST["payment_terms"], examples=["Net 30"])]
Notes = Annotated[str, Field(max_length=LONGEST["notes"])]


def without_most(schema: dict[str, Any]) -> None:
    """Without the limit: a body of that many lines may be too large first, which is refused with another status."""
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
    unit_price: Price = Field(
        description="In the currency's major unit, at most 6 decimals; negative for what is taken off, as long as the "
        "invoice's total is not below 0",
        examples=[5000],
    )
    type: LineType | None = Field(None, description="`service` where it is left out")
    tax_rate: Percentage | None = Field(None, description="Percent; 0 where it is left out", examples=[10])
    discount_percent: DiscountPercent = None
    discount_amount: DiscountAmount = None

    def drafted(self, place: int, currency: str) -> DraftLine:
        """``place``: which line it is, from 1."""
        return DraftLine(
            self.description,
            self.quantity,
            self.unit_price,
            self.type or LineType.SERVICE,
            Decimal(0) if self.tax_rate is None else self.tax_rate,
            self.discount_percent,
            _minor(self.discount_amount, currency, f"lines.{place}.discount_minor"),
        )


class NewInvoice(Body):
    model_config = ConfigDict(json_schema_extra={"example": _NEW})

    business_id: str = Field(min_length=1, description="From `GET /api/businesses`", examples=["biz_abc123"])
    customer_email: EmailAddress = Field(
        description="Finds the customer; a new one is added for an unknown address", examples=["client@example.com"]
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
        None,
        description="As the payment terms say where it is left out; needed where they are not understood. "
        "30 days where there are none at all",
    )
    currency: Currency | None = Field(None, description="USD where it is left out")
    notes: Notes | None = Field(None, examples=["Thank you for your business!"])
    payment_terms: Terms | None = Field(
        None, description="The customer's own where they are left out, else those of the business"
    )
    line_items: list[NewLine] = Field(min_length=1, max_length=MOST_LINES, json_schema_extra=without_most)
    discount_percent: DiscountPercent = None
    discount_amount: DiscountAmount = None
    prices_include_tax: bool | None = Field(
        None, description="Whether prices and discounts include tax, so that `total_amount` is what the lines come to"
    )

    def addressed(self) -> Addressed:
        currency = self.currency or "USD"
        return Addressed(
            business_id=self.business_id,
            customer_email=self.customer_email,
            customer_name=self.customer_name or "",
            number=self.invoice_number,
            issued_on=self.issued_date,
            due_on=self.due_date,
            currency=currency,
            notes=self.notes or "",
            payment_terms=self.payment_terms or "",
            prices_include_tax=bool(self.prices_include_tax),
            discount_percent=self.discount_percent,
            discount_minor=_minor(self.discount_amount, currency, "discount_minor"),
            lines=tuple(line.drafted(place, currency) for place, line in enumerate(self.line_items, start=1)),
        )


class InvoiceChanges(Body):
    """A field that is left out stays as it is. Null empties a field that may be empty."""

    model_config = ConfigDict(json_schema_extra={"example": _CHANGES})

    # Default factories instead of values, so that the description offers no default to send.
    status: InvoiceStatus = Field(default_factory=lambda: InvoiceStatus.DRAFT)
    customer_email: EmailAddress = Field(default_factory=str, examples=["newemail@example.com"])
    customer_name: Name | None = Field(None, examples=["Jane Smith"])
    due_date: Day = Field(default_factory=lambda: date.min)
    notes: Notes | None = None
    payment_terms: Terms | None = None

    def details(self) -> Details:
        changes: dict[str, Any] = {
            _COLUMNS.get(name, name): "" if (value := getattr(self, name)) is None else value
            for name in self.model_fields_set - {"status"}
        }
        return Details(**changes)

    def new_status(self) -> InvoiceStatus | None:
        return self.status if "status" in self.model_fields_set else None


def with_documented_fields(refusal: Invalid, name_of: Callable[[str], str]) -> Invalid:
    """The same refusal with the fields as a document names them: ``name_of`` ours."""
    fields = {name_of(name): reason for name, reason in refusal.fields.items()}
    message = "; ".join(f"{name}: {reason}" for name, reason in fields.items())
    return Invalid(message or str(refusal), fields=fields)


def documented_field(name: str) -> str:
    """As the document names a field of an invoice; its lines are counted from 0."""
    match name.split("."):
        case ["lines", position, part]:
            return f"line_items.{int(position) - 1}.{_FIELDS.get(part, part)}"
        # The lines are there; their total is too large.
        case ["lines"]:
            return "total_amount"
        case _:
            return _FIELDS.get(name, name)

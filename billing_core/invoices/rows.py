"""What reads of invoices return: the rows of the list, one invoice, its lines and its timeline."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from billing_core.dates import Day, day_of
from billing_core.invoices import lifecycle
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import EventKind, InvoiceState, LineType
from billing_core.money import Money


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """One row of the list. Amounts are minor units of ``currency``."""

    id: int
    public_id: str
    number: str | None
    business_id: int
    customer_id: int
    customer_name: str
    customer_email: str
    state: InvoiceState
    currency: str
    issued_on: date
    due_on: date
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    paid_minor: int
    written_off_minor: int
    refunded_minor: int
    due_minor: int
    reference: str
    sent_at: datetime | None
    viewed_at: datetime | None
    late_after: date
    held_until: date | None
    created_at: datetime
    updated_at: datetime
    version: int

    def status(self, today: Day) -> InvoiceStatus:
        return lifecycle.status(self, today)

    def days_late(self, today: Day) -> int | None:
        """For how many days it has been overdue; None where it is not."""
        late = (day_of(today, self.business_id) - self.late_after).days
        return late if self.state is InvoiceState.OPEN and late > 0 else None


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    """The sums of a list's invoices in one currency, in minor units."""

    currency: str
    invoices: int
    total_minor: int
    due_minor: int


@dataclass(frozen=True, slots=True)
class StatusTotal:
    """The sums of the invoices of one status and currency, in minor units."""

    status: InvoiceStatus
    currency: str
    invoices: int
    total_minor: int
    due_minor: int


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """A whole invoice without its lines. Amounts are minor units of ``currency``; ``issuer`` is None in a draft."""

    id: int
    public_id: str
    token: str
    business_id: int
    customer_id: int
    state: InvoiceState
    number: str | None
    series: str | None
    sequence: int | None
    currency: str
    issued_on: date
    due_on: date
    payment_terms: str
    notes: str
    reference: str
    customer_name: str
    customer_email: str
    further_emails: str
    cc_emails: str
    bcc_emails: str
    customer_address: str
    customer_tax_id: str
    zero_tax_reason: str
    language: str
    issuer: dict[str, Any] | None
    discount_percent: Decimal | None
    discount_minor: int | None
    prices_include_tax: bool
    lines_rounded: bool
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    paid_minor: int
    credited_minor: int
    written_off_minor: int
    refunded_minor: int
    due_minor: int
    sent_at: datetime | None
    viewed_at: datetime | None
    paid_at: datetime | None
    cancelled_at: datetime | None
    payment_failed_at: datetime | None
    payment_failure: str
    late_after: date
    payment_url: str | None
    stripe_invoice_id: str | None
    held_until: date | None
    hold_reason: str
    created_at: datetime
    created_by_id: int | None
    created_by: str
    updated_at: datetime
    version: int

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)

    @property
    def amount_due(self) -> Money:
        return Money(self.due_minor, self.currency)

    def status(self, today: Day) -> InvoiceStatus:
        return lifecycle.status(self, today)


@dataclass(frozen=True, slots=True)
class LineRow:
    """``amount_minor`` is the line after its own discount, rounded."""

    id: int
    public_id: str
    position: int
    description: str
    quantity: Decimal
    unit_price: Decimal
    type: LineType
    tax_rate: Decimal
    discount_percent: Decimal | None
    discount_minor: int | None
    amount_minor: int
    service_id: int | None
    report_id: int | None
    order_id: int | None
    usage_line_id: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EventRow:
    id: int
    at: datetime
    kind: EventKind
    actor_name: str
    data: dict[str, Any] | None

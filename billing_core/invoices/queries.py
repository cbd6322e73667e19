"""Reads of one invoice, its lines and its timeline, and locking it for a change. The list is in ``listing``."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from billing_core.customers.queries import visible_to
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle
from billing_core.invoices.content import Content, DraftLine
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import EventKind, Invoice, InvoiceEvent, InvoiceLineItem, InvoiceState, LineType
from billing_core.invoices.totals import Totals
from billing_core.money import Money


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """A whole invoice but its lines. Amounts are minor units of ``currency``; ``issuer`` is None in a draft."""

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
    customer_address: str
    customer_tax_id: str
    language: str
    issuer: dict[str, Any] | None
    discount_percent: Decimal | None
    discount_minor: int | None
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
    marked_overdue_at: datetime | None
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

    def status(self, today: date) -> InvoiceStatus:
        return lifecycle.status(self, today)


@dataclass(frozen=True, slots=True)
class LineRow:
    """``amount_minor`` is the line after its own discount, rounded for showing."""

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
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EventRow:
    id: int
    at: datetime
    kind: EventKind
    actor_name: str
    data: dict[str, Any] | None


COLUMNS = tuple(getattr(Invoice, field.name) for field in fields(InvoiceView))
LINES = tuple(getattr(InvoiceLineItem, field.name) for field in fields(LineRow))
EVENTS = tuple(getattr(InvoiceEvent, field.name) for field in fields(EventRow))
_DRAFT_LINE = tuple(getattr(InvoiceLineItem, field.name) for field in fields(DraftLine))
_HEADER = tuple(field.name for field in fields(Content) if field.name != "lines")


def one(session: Session, actor: Actor, invoice_id: int | str) -> InvoiceView:
    """An invoice by its id or public id; NotFound where there is none or this actor may not know of it."""
    actor.require(Permission.INVOICE_READ)
    named: ColumnElement[bool]
    if isinstance(invoice_id, int):
        named = Invoice.id == invoice_id
    elif invoice_id.isascii() and invoice_id.isdigit() and len(invoice_id) <= 9:
        named = Invoice.id == int(invoice_id)
    else:
        named = Invoice.public_id == invoice_id.replace("\0", "")
    row = session.execute(select(*COLUMNS).where(named, visible_to(actor, Invoice.customer_id))).one_or_none()
    if row is None:
        raise NotFound(f"There is no invoice {invoice_id}")
    return InvoiceView(*row)


def by_token(session: Session, token: str) -> InvoiceView:
    """The invoice that a customer has the link to; no sign-in. NotFound also while it is a draft."""
    found = Invoice.token == token.replace("\0", "")
    row = session.execute(select(*COLUMNS).where(found, Invoice.sent_at.is_not(None))).one_or_none()
    if row is None:
        raise NotFound("There is no such invoice")
    return InvoiceView(*row)


def lines(session: Session, invoice_id: int) -> list[LineRow]:
    """The lines in their order, of an invoice that ``one`` has let the actor see."""
    statement = select(*LINES).where(InvoiceLineItem.invoice_id == invoice_id).order_by(InvoiceLineItem.position)
    return [LineRow(*row) for row in session.execute(statement)]


def events(session: Session, invoice_id: int, *, limit: int = 200) -> list[EventRow]:
    """What happened, the newest first, of an invoice that ``one`` has let the actor see."""
    statement = select(*EVENTS).where(InvoiceEvent.invoice_id == invoice_id).order_by(InvoiceEvent.id.desc())
    return [EventRow(*row) for row in session.execute(statement.limit(limit))]


def content(session: Session, invoice: Invoice | InvoiceView) -> Content:
    """What the invoice says, as the editor takes it."""
    header = {name: getattr(invoice, name) for name in _HEADER}
    return Content(**header, lines=lines_of(session, [invoice.id])[invoice.id])


def totals_of(session: Session, invoice: Invoice | InvoiceView) -> Totals:
    """What its lines come to, a type and tax rate; the sums stand on the invoice too."""
    return content(session, invoice).totals()


def lines_of(session: Session, invoice_ids: Sequence[int]) -> dict[int, tuple[DraftLine, ...]]:
    """The lines of several invoices, each in their order."""
    found: dict[int, list[DraftLine]] = {invoice_id: [] for invoice_id in invoice_ids}
    for start in range(0, len(invoice_ids), 500):
        statement = (
            select(InvoiceLineItem.invoice_id, *_DRAFT_LINE)
            .where(InvoiceLineItem.invoice_id.in_(invoice_ids[start : start + 500]))
            .order_by(InvoiceLineItem.invoice_id, InvoiceLineItem.position)
        )
        for invoice_id, *line in session.execute(statement):
            found[invoice_id].append(DraftLine(*line))
    return {invoice_id: tuple(of_one) for invoice_id, of_one in found.items()}


def for_change(session: Session, actor: Actor, invoice_id: int) -> Invoice:
    """The invoice with its row locked until the transaction ends; NotFound as in ``one``."""
    return many_for_change(session, actor, [invoice_id])[0]


def many_for_change(session: Session, actor: Actor, invoice_ids: Collection[int]) -> list[Invoice]:
    """Several invoices, locked in the order of their ids so that nobody waits in a circle; in the order asked for."""
    wanted = sorted(set(invoice_ids))
    found: dict[int, Invoice] = {}
    for start in range(0, len(wanted), 500):
        statement = (
            select(Invoice)
            .where(Invoice.id.in_(wanted[start : start + 500]), visible_to(actor, Invoice.customer_id))
            .order_by(Invoice.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        found |= {invoice.id: invoice for invoice in session.scalars(statement)}
    if missing := [invoice_id for invoice_id in wanted if invoice_id not in found]:
        raise NotFound(f"There is no invoice {missing[0]}")
    return [found[invoice_id] for invoice_id in dict.fromkeys(invoice_ids)]

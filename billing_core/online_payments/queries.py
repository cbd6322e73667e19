"""Reads of received events and of what needs a person: events, cases, disputes."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.functions import equals, mentions
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice
from billing_core.online_payments.models import (
    CaseKind,
    Dispute,
    DisputeState,
    PaymentCase,
    WebhookEvent,
    WebhookRefusal,
    WebhookState,
)
from billing_core.payments.models import Allocation, Payment


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Empty fields do not limit. ``text`` is an event's id, or occurs in its outcome; an id in the payload, such as a
    charge's, is searched in the newest ``SEARCHED_PAYLOADS`` of the events that match otherwise.
    """

    state: tuple[WebhookState, ...] = ()
    type: str = ""
    text: str = ""
    invoice_id: int | None = None


@dataclass(frozen=True, slots=True)
class EventRow:
    """``not_before``: the instant of the next try of one that waits. ``created_at`` is the sender's instant."""

    id: int
    event_id: str
    type: str
    livemode: bool
    api_version: str
    created_at: datetime
    received_at: datetime
    state: WebhookState
    attempts: int
    not_before: datetime
    last_error: str
    outcome: str
    handled_at: datetime | None
    invoice_id: int | None
    invoice_number: str | None


@dataclass(frozen=True, slots=True)
class CaseRow:
    id: int
    kind: CaseKind
    customer_id: int
    customer_name: str
    invoice_id: int | None
    invoice_number: str | None
    invoice_due_minor: int | None
    invoice_currency: str | None
    business_id: int | None
    payment_id: int | None
    currency: str
    amount_minor: int
    expected_minor: int | None
    said: str
    opened_at: datetime
    settled_at: datetime | None
    settled_by: str
    settlement: str


@dataclass(frozen=True, slots=True)
class DisputeRow:
    id: int
    gateway_id: str
    payment_id: int
    customer_id: int
    customer_name: str
    currency: str
    amount_minor: int
    fee_minor: int
    reason: str
    state: DisputeState
    opened_at: datetime
    closed_at: datetime | None


# Searching payloads reads them whole, so only this many of the newest are searched.
SEARCHED_PAYLOADS: Final = 5_000
# Counting stops here: a million rows take longer than anybody waits.
COUNTED: Final = 10_000

_OF_EVENT = tuple(getattr(WebhookEvent, field.name) for field in fields(EventRow)[:-1])
_OF_CASE: tuple[Any, ...] = (
    PaymentCase.id,
    PaymentCase.kind,
    PaymentCase.customer_id,
    Customer.name,
    PaymentCase.invoice_id,
    Invoice.number,
    Invoice.due_minor,
    Invoice.currency,
    func.coalesce(Payment.business_id, Invoice.business_id),
    PaymentCase.payment_id,
    PaymentCase.currency,
    PaymentCase.amount_minor,
    PaymentCase.expected_minor,
    PaymentCase.said,
    PaymentCase.opened_at,
    PaymentCase.settled_at,
    PaymentCase.settled_by,
    PaymentCase.settlement,
)


def events(session: Session, actor: Actor, filters: EventFilter, *, limit: int = 50, offset: int = 0) -> list[EventRow]:
    """One page of the log, newest first."""
    actor.require(Permission.WEBHOOK_READ)
    statement: Select[*tuple[Any, ...]] = (
        select(*_OF_EVENT, Invoice.number)
        .outerjoin(Invoice, Invoice.id == WebhookEvent.invoice_id)
        .where(*_conditions(filters))
        .order_by(WebhookEvent.id.desc())
    )
    return [EventRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def event_count(session: Session, actor: Actor, filters: EventFilter) -> int:
    """How many match; ``COUNTED`` where there are that many or more."""
    actor.require(Permission.WEBHOOK_READ)
    limited = select(WebhookEvent.id).where(*_conditions(filters)).limit(COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(limited)) or 0


def event_counts(session: Session, actor: Actor) -> dict[WebhookState, int]:
    """How many events are in each state; ``COUNTED`` where there are that many or more."""
    return {state: event_count(session, actor, EventFilter(state=(state,))) for state in WebhookState}


def event(session: Session, actor: Actor, event_id: int) -> tuple[EventRow, str]:
    """An event and its payload exactly as received; NotFound where there is none."""
    actor.require(Permission.WEBHOOK_READ)
    statement: Select[*tuple[Any, ...]] = (
        select(*_OF_EVENT, Invoice.number, WebhookEvent.payload)
        .outerjoin(Invoice, Invoice.id == WebhookEvent.invoice_id)
        .where(WebhookEvent.id == event_id)
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        raise NotFound(f"There is no event {event_id}")
    *columns, payload = row
    return EventRow(*columns), payload


def last_received_at(session: Session, actor: Actor) -> datetime | None:
    """When the last event was received."""
    actor.require(Permission.WEBHOOK_READ)
    return session.scalar(select(WebhookEvent.received_at).order_by(WebhookEvent.id.desc()).limit(1))


def refused(session: Session, actor: Actor, *, since: date) -> list[tuple[date, str, int]]:
    """(day in UTC, reason, count) of the refused requests, newest day first."""
    actor.require(Permission.WEBHOOK_READ)
    statement = (
        select(WebhookRefusal.day, WebhookRefusal.reason, WebhookRefusal.requests)
        .where(WebhookRefusal.day >= since)
        .order_by(WebhookRefusal.day.desc(), WebhookRefusal.reason)
        .limit(500)
    )
    return [(row.day, row.reason, row.requests) for row in session.execute(statement)]


def cases(session: Session, actor: Actor, *, settled: bool = False, limit: int = 50, offset: int = 0) -> list[CaseRow]:
    """Open cases, oldest first; or settled ones, newest first."""
    actor.require(Permission.PAYMENT_READ)
    order = (PaymentCase.settled_at.desc(), PaymentCase.id.desc()) if settled else (PaymentCase.id,)
    statement = _cases(actor).where(_settled(settled)).order_by(*order).limit(limit).offset(offset)
    return [CaseRow(*row) for row in session.execute(statement)]


def case_count(session: Session, actor: Actor, *, settled: bool = False) -> int:
    actor.require(Permission.PAYMENT_READ)
    statement = select(func.count()).select_from(PaymentCase)
    return session.scalar(statement.where(_settled(settled), visible_to(actor, PaymentCase.customer_id))) or 0


def cases_of_invoice(session: Session, actor: Actor, invoice_id: int, *, limit: int = 50) -> list[CaseRow]:
    """The cases about one invoice, newest first, settled or not."""
    actor.require(Permission.PAYMENT_READ)
    statement = _cases(actor).where(PaymentCase.invoice_id == invoice_id)
    return [CaseRow(*row) for row in session.execute(statement.order_by(PaymentCase.id.desc()).limit(limit))]


def disputes(
    session: Session,
    actor: Actor,
    *,
    invoice_id: int | None = None,
    payment_id: int | None = None,
    state: DisputeState | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[DisputeRow]:
    """Disputes, newest first: of the payments of one invoice, of one payment, in one state."""
    actor.require(Permission.PAYMENT_READ)
    statement: Select[*tuple[Any, ...]] = (
        select(
            Dispute.id,
            Dispute.gateway_id,
            Dispute.payment_id,
            Payment.customer_id,
            Customer.name,
            Dispute.currency,
            Dispute.amount_minor,
            Dispute.fee_minor,
            Dispute.reason,
            Dispute.state,
            Dispute.opened_at,
            Dispute.closed_at,
        )
        .join(Payment, Payment.id == Dispute.payment_id)
        .join(Customer, Customer.id == Payment.customer_id)
        .where(visible_to(actor, Payment.customer_id))
        .order_by(Dispute.id.desc())
        .limit(limit)
        .offset(offset)
    )
    if invoice_id is not None:
        paid = select(Allocation.payment_id).where(Allocation.invoice_id == invoice_id)
        meant = select(PaymentCase.payment_id).where(PaymentCase.invoice_id == invoice_id)
        statement = statement.where(Dispute.payment_id.in_(paid.union(meant)))
    if payment_id is not None:
        statement = statement.where(Dispute.payment_id == payment_id)
    if state is not None:
        statement = statement.where(Dispute.state == state)
    return [DisputeRow(*row) for row in session.execute(statement)]


def _cases(actor: Actor) -> Select[*tuple[Any, ...]]:
    return (
        select(*_OF_CASE)
        .join(Customer, Customer.id == PaymentCase.customer_id)
        .outerjoin(Invoice, Invoice.id == PaymentCase.invoice_id)
        .outerjoin(Payment, Payment.id == PaymentCase.payment_id)
        .where(visible_to(actor, PaymentCase.customer_id))
    )


def _settled(settled: bool) -> ColumnElement[bool]:
    return PaymentCase.settled_at.is_not(None) if settled else PaymentCase.settled_at.is_(None)


def _conditions(filters: EventFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.state:
        conditions.append(WebhookEvent.state.in_(filters.state))
    if filters.type:
        conditions.append(equals(WebhookEvent.type, filters.type))
    if filters.invoice_id is not None:
        conditions.append(WebhookEvent.invoice_id == filters.invoice_id)
    if text := filters.text.strip():
        newest = select(WebhookEvent.id).where(*conditions).order_by(WebhookEvent.id.desc()).limit(SEARCHED_PAYLOADS)
        columns = (WebhookEvent.outcome, WebhookEvent.last_error, WebhookEvent.payload)
        conditions = [equals(WebhookEvent.event_id, text) | (WebhookEvent.id.in_(newest) & mentions(text, *columns))]
    return conditions

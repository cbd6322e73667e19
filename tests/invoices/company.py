"""A customer to invoice, and content whose amounts can be worked out in one's head: 2 × 100.00 at 19 % is 238.00."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import queries, service
from billing_core.invoices.content.content import Content, DraftLine
from billing_core.invoices.models import Invoice

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
TODAY = date(2026, 3, 2)
GRACE = actor_with(Role.ADMIN, user_id=None, name="Grace Hopper")
READER = actor_with(Role.FINANCE, user_id=None, name="Rita Reader")


def a_customer(session: Session, ref: str = "ACME", **facts) -> int:
    """The id of a customer that is billed in USD."""
    known = {"name": "Acme Corp", "email": "ap@acme.example", "currency": "USD", "created_at": NOW}
    customer = Customer(business_id=default_business(session).id, ref=ref, **known | facts)
    session.add(customer)
    session.flush()
    return customer.id


def a_line(description: str = "Consulting", quantity="2", unit_price="100", tax_rate="19", **facts) -> DraftLine:
    return DraftLine(description, Decimal(quantity), Decimal(unit_price), tax_rate=Decimal(tax_rate), **facts)


def content(session: Session, customer_id: int, *lines: DraftLine, **facts) -> Content:
    known = {"currency": "USD", "issued_on": TODAY, "customer_name": "Acme Corp", "customer_email": "ap@acme.example"}
    known |= {"payment_terms": "Net 30", "business_id": default_business(session).id}
    return Content(customer_id=customer_id, lines=lines or (a_line(),), **known | facts)


def a_draft(session: Session, customer_id: int, *lines: DraftLine, **facts) -> Invoice:
    return service.create(session, SYSTEM, content(session, customer_id, *lines, **facts), now=NOW)


def an_invoice(session: Session, customer_id: int, *lines: DraftLine, **facts) -> Invoice:
    """One that was sent."""
    return service.send(session, SYSTEM, a_draft(session, customer_id, *lines, **facts).id, now=NOW)


def kinds(session: Session, invoice_id: int) -> list[str]:
    """What its timeline says, the oldest first."""
    return [event.kind.value for event in reversed(queries.events(session, invoice_id))]

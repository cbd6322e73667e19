"""The billed periods of a customer, each with its invoice."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from billing_core.customers.queries import visible_to
from billing_core.identity.permissions import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.metering.models import UsagePeriod


@dataclass(frozen=True, slots=True)
class Bill:
    """A period, both days included. Without an invoice it came to nothing. ``total_minor`` is the invoice's, in minor
    units, with whatever else stands on it.
    """

    period_id: int
    first_day: date
    last_day: date
    billed_at: datetime
    billed_by: str
    invoice_id: int | None
    number: str | None
    state: InvoiceState | None
    total_minor: int | None
    currency: str | None


def of_customer(session: Session, actor: Actor, customer_id: int, *, limit: int = 24, offset: int = 0) -> list[Bill]:
    """Those that stand, the latest first."""
    actor.require(Permission.USAGE_READ)
    actor.require(Permission.INVOICE_READ)
    columns = (
        UsagePeriod.id,
        UsagePeriod.first_day,
        UsagePeriod.last_day,
        UsagePeriod.billed_at,
        UsagePeriod.billed_by,
    )
    statement: Select[*tuple[Any, ...]] = (
        select(*columns, Invoice.id, Invoice.number, Invoice.state, Invoice.total_minor, Invoice.currency)
        .outerjoin(Invoice, Invoice.id == UsagePeriod.invoice_id)
        .where(
            UsagePeriod.customer_id == customer_id,
            UsagePeriod.replaced_at.is_(None),
            visible_to(actor, UsagePeriod.customer_id),
        )
        .order_by(UsagePeriod.first_day.desc(), UsagePeriod.id.desc())
    )
    return [Bill(*row) for row in session.execute(statement.limit(limit).offset(offset))]

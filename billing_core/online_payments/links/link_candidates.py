"""Invoices that can be given a payment link, and whether a link has changed since it was shown."""

from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from sqlalchemy import case, exists, select
from sqlalchemy.orm import Session

from billing_core.customers.queries import visible_to
from billing_core.database.amounts import has_amount
from billing_core.database.functions import mentions
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import LIVING, PaymentLink
from billing_core.online_payments.models import AttemptState, ChargeAttempt


@dataclass(frozen=True, slots=True)
class PayableRow:
    """An invoice or a draft; ``due_minor`` in minor units of ``currency``."""

    id: int
    number: str | None
    customer_name: str
    state: InvoiceState
    currency: str
    due_minor: int
    due_on: date


def search(session: Session, actor: Actor, text: str, *, limit: int = 50) -> list[PayableRow]:
    """Drafts and open invoices with an amount due and no current link nor charge, newest first.

    ``text`` occurs in the number, in the customer's name or in the reference, or is the amount due.
    """
    actor.require(Permission.LINK_WRITE)
    # A draft has nothing due yet; once sent, its whole total is.
    due = case((Invoice.state == InvoiceState.DRAFT, Invoice.total_minor), else_=Invoice.due_minor)
    living = exists().where(PaymentLink.invoice_id == Invoice.id, PaymentLink.state.in_(LIVING))
    running = ChargeAttempt.state == AttemptState.STARTED
    charged = exists().where(ChargeAttempt.invoice_id == Invoice.id, running)
    columns = (due if field.name == "due_minor" else getattr(Invoice, field.name) for field in fields(PayableRow))
    statement = select(*columns).where(
        visible_to(actor, Invoice.customer_id),
        Invoice.state.in_((InvoiceState.DRAFT, InvoiceState.OPEN)),
        due > 0,
        ~living,
        ~charged,
    )
    if sought := text.strip():
        named = mentions(sought, Invoice.number, Invoice.customer_name, Invoice.reference)
        statement = statement.where(named | has_amount(sought, Invoice.currency, due))
    return [PayableRow(*row) for row in session.execute(statement.order_by(Invoice.id.desc()).limit(limit))]


def glance(session: Session, link_id: int) -> tuple[Any, ...] | None:
    """What changes when a payment succeeds or fails: invoice version, link state, last failure.

    A cheap query by which a page knows whether to refresh a link. Clicks are left out: a refresh would close an open
    dialog.
    """
    row = session.execute(
        select(Invoice.version, PaymentLink.state, PaymentLink.last_failed_at)
        .join(PaymentLink, PaymentLink.invoice_id == Invoice.id)
        .where(PaymentLink.id == link_id)
    ).one_or_none()
    return None if row is None else tuple(row)

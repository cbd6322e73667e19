"""Reads of prepaid credit: what there is, and what became of it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from billing_core.customers.queries import visible_to
from billing_core.database.ordering import no_such_start
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice
from billing_core.money import Money
from billing_core.payments.models import Allocation
from billing_core.payments.prepaid.models import MovementKind, Origin, PrepaidGrant, PrepaidMovement, PrepaidPurchase
from billing_core.payments.prepaid.using import usable_on


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A grant, in minor units of its currency. ``invoice_id``: by which it was bought."""

    id: int
    business_id: int
    customer_id: int
    currency: str
    origin: Origin
    amount_minor: int
    remaining_minor: int
    expires_on: date | None
    reason: str
    invoice_id: int | None
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class MovementRow:
    """``amount_minor`` negative: it was taken from the grant. ``invoice_id``: what it paid, or no longer pays."""

    id: int
    kind: MovementKind
    amount_minor: int
    currency: str
    invoice_id: int | None
    number: str | None
    moved_on: date
    created_by: str


def available(session: Session, actor: Actor, customer_id: int, *, today: date) -> list[Money]:
    """What the customer's invoices of usage can be paid with, by currency; ``today`` where its usage is billed."""
    actor.require(Permission.PAYMENT_READ)
    statement = (
        select(PrepaidGrant.currency, func.sum(PrepaidGrant.remaining_minor))
        .where(PrepaidGrant.customer_id == customer_id, usable_on(today), visible_to(actor, PrepaidGrant.customer_id))
        .group_by(PrepaidGrant.currency)
        .order_by(PrepaidGrant.currency)
    )
    return [Money(int(minor), currency) for currency, minor in session.execute(statement)]


def grants(
    session: Session, actor: Actor, customer_id: int, *, after: int | None = None, limit: int = 200
) -> list[GrantRow]:
    """The customer's grants, the latest first. ``after``: those that follow this one in that order; Invalid."""
    actor.require(Permission.PAYMENT_READ)
    statement = _shown(actor).where(PrepaidGrant.customer_id == customer_id)
    if after is not None:
        if session.scalar(statement.with_only_columns(PrepaidGrant.id).where(PrepaidGrant.id == after)) is None:
            raise no_such_start()
        statement = statement.where(PrepaidGrant.id < after)
    return [GrantRow(*row) for row in session.execute(statement.order_by(PrepaidGrant.id.desc()).limit(limit))]


def grant(session: Session, actor: Actor, grant_id: int) -> GrantRow:
    """One that there is, for whoever has just given it."""
    actor.require(Permission.PAYMENT_READ)
    return GrantRow(*session.execute(_shown(actor).where(PrepaidGrant.id == grant_id)).one())


def _shown(actor: Actor) -> Select[*tuple[Any, ...]]:
    return (
        select(
            PrepaidGrant.id,
            PrepaidGrant.business_id,
            PrepaidGrant.customer_id,
            PrepaidGrant.currency,
            PrepaidGrant.origin,
            PrepaidGrant.amount_minor,
            PrepaidGrant.remaining_minor,
            PrepaidGrant.expires_on,
            PrepaidGrant.reason,
            PrepaidPurchase.invoice_id,
            PrepaidGrant.created_at,
            PrepaidGrant.created_by,
        )
        .join(PrepaidPurchase, PrepaidPurchase.id == PrepaidGrant.purchase_id, isouter=True)
        .where(visible_to(actor, PrepaidGrant.customer_id))
    )


def movements(session: Session, actor: Actor, grant_id: int, *, limit: int = 200) -> list[MovementRow]:
    """What became of a grant, the latest first."""
    actor.require(Permission.PAYMENT_READ)
    statement: Select[*tuple[Any, ...]] = (
        select(
            PrepaidMovement.id,
            PrepaidMovement.kind,
            PrepaidMovement.amount_minor,
            PrepaidGrant.currency,
            Allocation.invoice_id,
            Invoice.number,
            PrepaidMovement.moved_on,
            PrepaidMovement.created_by,
        )
        .join(PrepaidGrant, PrepaidGrant.id == PrepaidMovement.grant_id)
        .join(Allocation, Allocation.id == PrepaidMovement.allocation_id, isouter=True)
        .join(Invoice, Invoice.id == Allocation.invoice_id, isouter=True)
        .where(PrepaidMovement.grant_id == grant_id, visible_to(actor, PrepaidGrant.customer_id))
        .order_by(PrepaidMovement.id.desc())
        .limit(limit)
    )
    return [MovementRow(*row) for row in session.execute(statement)]

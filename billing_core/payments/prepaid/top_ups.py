"""Topping prepaid credit up by itself: once too little is left, the whole gap is sold by one invoice."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses.models import Business
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.dates import day_in
from billing_core.errors import BillingError, Invalid
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.money import LARGEST_MINOR
from billing_core.payments.prepaid import granting
from billing_core.payments.prepaid.models import PrepaidGrant, PrepaidMovement, PrepaidPurchase, PrepaidTopUp

# What was refused, by terms that nobody understands for instance, is not mended within seconds.
_AGAIN_AFTER: Final = timedelta(hours=1)
_LONGEST_REFUSAL: Final = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Below ``below_minor`` it is topped up to ``up_to_minor``, both minor units of the customer's currency.
    ``valid_days`` as in ``granting.sell``; ``sends``: the invoice is mailed, otherwise it stays a draft.
    """

    below_minor: int
    up_to_minor: int
    valid_days: int | None = None
    sends: bool = False


def of_customer(session: Session, actor: Actor, customer_id: int) -> Wanted | None:
    """How the customer's credit is topped up; None: not at all."""
    actor.require(Permission.PAYMENT_READ)
    columns = (PrepaidTopUp.below_minor, PrepaidTopUp.up_to_minor, PrepaidTopUp.valid_days, PrepaidTopUp.sends)
    own = (PrepaidTopUp.customer_id == customer_id, visible_to(actor, PrepaidTopUp.customer_id))
    row = session.execute(select(*columns).where(*own)).one_or_none()
    return None if row is None else Wanted(*row)


def change(session: Session, actor: Actor, customer_id: int, wanted: Wanted | None, *, now: datetime) -> None:
    """Top up like this from now on; None: no longer."""
    actor.require(Permission.INVOICE_WRITE)
    actor.require(Permission.PAYMENT_WRITE)
    customer = customers.for_change(session, actor, customer_id)
    if wanted is not None:
        _check(wanted)
    kept = session.get(PrepaidTopUp, customer_id)
    before = of_customer(session, actor, customer_id)
    if wanted == before:
        raise Invalid("Nothing would change")
    if wanted is None:
        session.delete(kept)
    else:
        if kept is None:
            kept = PrepaidTopUp(customer_id=customer_id)
            session.add(kept)
        for name, value in asdict(wanted).items():
            setattr(kept, name, value)
        kept.set_at = now
        _note(kept, None, "")
    session.flush()
    audit.record(
        session,
        actor,
        "prepaid.top_up",
        ("customer", customer_id),
        label=customer.name,
        before=None if before is None else asdict(before),
        after=None if wanted is None else asdict(wanted),
        now=now,
    )


def due(session: Session, *, now: datetime) -> bool:
    """Whether somebody's credit is to be topped up."""
    return session.scalar(_to_top_up(now).limit(1)) is not None


def count_due(session: Session, *, now: datetime) -> int:
    """Whose credit is to be topped up."""
    return session.scalar(select(func.count()).select_from(_to_top_up(now).subquery())) or 0


def refusal_of(session: Session, actor: Actor, customer_id: int) -> str:
    """Why the customer's credit could not be topped up the last time; empty where it could."""
    actor.require(Permission.PAYMENT_READ)
    own = (PrepaidTopUp.customer_id == customer_id, visible_to(actor, PrepaidTopUp.customer_id))
    return session.scalar(select(PrepaidTopUp.refusal).where(*own)) or ""


def ask(session: Session, actor: Actor, *, now: datetime, limit: int) -> list[int]:
    """Draft an invoice of the whole gap for some of those whose credit is to be topped up; returns the ids of those
    that are to be mailed. What has expired is ended before. Whoever cannot be invoiced keeps nobody else waiting.
    """
    actor.require(Permission.INVOICE_WRITE)
    actor.require(Permission.PAYMENT_WRITE)
    chosen = session.scalars(_to_top_up(now).order_by(PrepaidTopUp.customer_id).limit(limit)).all()
    to_mail = []
    for customer in _locked(session, chosen, now):
        top_up = session.get_one(PrepaidTopUp, customer.id, populate_existing=True)
        try:
            with session.begin_nested():
                purchase = _sell(session, actor, customer, top_up, now)
        except BillingError as refusal:
            _note(top_up, now, str(refusal))
            continue
        _note(top_up, None, "")
        if top_up.sends:
            to_mail.append(purchase.invoice_id)
    session.flush()
    return to_mail


def _sell(session: Session, actor: Actor, customer: Customer, top_up: PrepaidTopUp, now: datetime) -> PrepaidPurchase:
    left = session.scalar(select(_left()).select_from(Customer).where(Customer.id == customer.id))
    zone = session.get_one(Business, customer.business_id).time_zone
    return granting.sell(
        session,
        actor,
        customer.id,
        amount_minor=top_up.up_to_minor - int(left or 0),
        valid_days=top_up.valid_days,
        today=day_in(zone, now),
        now=now,
        automatic=True,
    )


def _note(top_up: PrepaidTopUp, refused_at: datetime | None, refusal: str) -> None:
    top_up.refused_at, top_up.refusal = refused_at, refusal[:_LONGEST_REFUSAL]


def _locked(session: Session, customer_ids: Sequence[int], now: datetime) -> list[Customer]:
    """Those whose credit is still to be topped up once they are locked."""
    locked = select(Customer.id).where(Customer.id.in_(customer_ids)).order_by(Customer.id)
    session.execute(locked.with_for_update(key_share=True)).all()
    still = (
        select(Customer).where(Customer.id.in_(customer_ids), Customer.id.in_(_to_top_up(now))).order_by(Customer.id)
    )
    return list(session.scalars(still))


def _to_top_up(now: datetime) -> Select[int]:
    """Customers with too little left, no top-up that is still to be paid, and something that has happened since the
    last one was asked for: whoever has refused it is not asked again at once. Nor is who could not be invoiced.
    """
    asked = and_(PrepaidPurchase.customer_id == PrepaidTopUp.customer_id, PrepaidPurchase.automatic)
    granted = select(PrepaidGrant.id).where(PrepaidGrant.purchase_id == PrepaidPurchase.id).exists()
    unpaid = Invoice.state.in_([InvoiceState.DRAFT, InvoiceState.OPEN])
    arriving = (Invoice.state == InvoiceState.PAID) & (Invoice.paid_minor == Invoice.total_minor) & ~granted
    waiting = (
        select(PrepaidPurchase.id)
        .join(Invoice, Invoice.id == PrepaidPurchase.invoice_id)
        .where(asked, or_(unpaid, arriving))
        .exists()
    )
    last_asked = select(func.max(PrepaidPurchase.created_at)).where(asked).scalar_subquery()
    moved_since = (
        select(PrepaidMovement.id)
        .join(PrepaidGrant, PrepaidGrant.id == PrepaidMovement.grant_id)
        .where(PrepaidGrant.customer_id == PrepaidTopUp.customer_id, PrepaidMovement.created_at > last_asked)
        .exists()
    )
    happened = or_(last_asked.is_(None), PrepaidTopUp.set_at > last_asked, moved_since)
    rested = or_(PrepaidTopUp.refused_at.is_(None), PrepaidTopUp.refused_at <= now - _AGAIN_AFTER)
    return (
        select(PrepaidTopUp.customer_id)
        .join(Customer, Customer.id == PrepaidTopUp.customer_id)
        .where(rested, _left() < PrepaidTopUp.below_minor, ~waiting, happened)
    )


def _left() -> ColumnElement[int]:
    """In SQL, of a customer: what is left of its credit with its own business and in its own currency."""
    own = (
        PrepaidGrant.customer_id == Customer.id,
        PrepaidGrant.business_id == Customer.business_id,
        PrepaidGrant.currency == Customer.currency,
    )
    total = select(func.coalesce(func.sum(PrepaidGrant.remaining_minor), 0)).where(*own)
    return total.correlate(Customer).scalar_subquery()


def _check(wanted: Wanted) -> None:
    if not 0 < wanted.below_minor <= wanted.up_to_minor <= LARGEST_MINOR:
        raise Invalid(
            "It has to be topped up to at least the amount below which it is too little, and that is more than 0",
            fields={"up_to": "is less than the amount below which it is too little, or too large"},
        )
    granting.check_days(wanted.valid_days)

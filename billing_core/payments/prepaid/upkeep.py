"""What happens to prepaid credit by itself: it is credited once its invoice is paid, withdrawn where that is no longer
so, and expires after its last day. Each of these verbs takes some, and is called until nothing is left to do.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, and_, false, func, or_, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database.functions import among
from billing_core.dates import day_in
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.metering.rollups import billing_zone
from billing_core.payments.models import Allocation
from billing_core.payments.prepaid import bookkeeping
from billing_core.payments.prepaid.bookkeeping import Move
from billing_core.payments.prepaid.models import MovementKind, Origin, PrepaidGrant, PrepaidPurchase

# Nothing of it was written off, credited or refunded.
_PAID: Final = and_(
    Invoice.state == InvoiceState.PAID,
    Invoice.paid_minor == Invoice.total_minor,
    Invoice.refunded_minor == 0,
    Invoice.subtotal_minor > 0,
)


def due(session: Session, *, now: datetime) -> bool:
    """Whether there is anything to do."""
    kinds = (_to_credit(), _to_withdraw(), _to_restore(), _to_expire(session, now))
    return session.scalar(select(or_(*(statement.exists() for statement in kinds)))) or False


def count_due(session: Session, *, now: datetime) -> int:
    """How many purchases and grants there is something to do about."""
    kinds = (_to_credit(), _to_withdraw(), _to_restore(), _to_expire(session, now))
    return sum(session.scalar(select(func.count()).select_from(one.subquery())) or 0 for one in kinds)


def run(session: Session, actor: Actor, *, now: datetime, limit: int) -> int:
    """Do some of what there is to do, at most ``limit`` of each kind; returns how many."""
    actor.require(Permission.PAYMENT_WRITE)
    done = _credit(session, actor, now=now, limit=limit)
    done += _withdraw(session, actor, now=now, limit=limit)
    done += _restore(session, actor, now=now, limit=limit)
    return done + expire(session, actor, now=now, limit=limit)


def expire(session: Session, actor: Actor, *, now: datetime, limit: int) -> int:
    """End what is left of grants whose last day is over."""
    actor.require(Permission.PAYMENT_WRITE)
    grants = _locked(session, _to_expire(session, now), limit)
    moves = [Move(grant, -grant.remaining_minor, bookkeeping.day_of(session, grant, now)) for grant in grants]
    return _move(session, actor, MovementKind.EXPIRED, moves, "prepaid credit expired", now)


def _credit(session: Session, actor: Actor, *, now: datetime, limit: int) -> int:
    """Credit what was bought and is paid now, from the day on which the last payment came in, or that of the invoice
    where the money was there before it.
    """
    chosen = session.scalars(_to_credit().order_by(PrepaidPurchase.id).limit(limit)).all()
    _lock_customers(session, select(PrepaidPurchase.customer_id).where(among(PrepaidPurchase.id, chosen)))
    last_paid = (
        select(func.max(Allocation.allocated_on))
        .where(Allocation.invoice_id == Invoice.id, Allocation.undone_at.is_(None))
        .scalar_subquery()
    )
    rows: Select[*tuple[Any, ...]] = (
        select(PrepaidPurchase, Invoice, last_paid)
        .join(Invoice, Invoice.id == PrepaidPurchase.invoice_id)
        .where(among(PrepaidPurchase.id, chosen), PrepaidPurchase.id.in_(_to_credit()))
        .order_by(PrepaidPurchase.id)
    )
    grants = []
    for purchase, invoice, last_came_in in session.execute(rows):
        days, paid_on = purchase.valid_days, max(last_came_in, invoice.issued_on)
        grant = PrepaidGrant(
            business_id=invoice.business_id,
            customer_id=invoice.customer_id,
            currency=invoice.currency,
            origin=Origin.BOUGHT,
            purchase_id=purchase.id,
            amount_minor=invoice.subtotal_minor,
            expires_on=None if days is None else paid_on + timedelta(days=days - 1),
            reason=invoice.number or "",
            created_at=now,
            created_by=actor.name,
        )
        bookkeeping.begin(session, actor, grant, on=paid_on, now=now)
        grants.append(grant)
    traces = [
        audit.Trace(
            ("customer", grant.customer_id),
            grant.reason,
            after={"amount_minor": grant.amount_minor, "currency": grant.currency, "expires_on": grant.expires_on},
        )
        for grant in grants
    ]
    audit.record_many(session, actor, "prepaid.credit", traces, now=now)
    return len(grants)


def _withdraw(session: Session, actor: Actor, *, now: datetime, limit: int) -> int:
    """Take back what is left of credit whose invoice is not paid any more. What was used stays used."""
    grants = _locked(session, _to_withdraw(), limit)
    moves = [Move(grant, -grant.remaining_minor, bookkeeping.day_of(session, grant, now)) for grant in grants]
    return _move(session, actor, MovementKind.WITHDRAWN, moves, "prepaid credit is not paid any more", now)


def _restore(session: Session, actor: Actor, *, now: datetime, limit: int) -> int:
    """Give it back once the invoice is paid again; where its last day is over, for as many days as were sold."""
    grants = _locked(session, _to_restore(), limit)
    sold = (
        select(PrepaidGrant.id, PrepaidPurchase.valid_days)
        .join(PrepaidPurchase, PrepaidPurchase.id == PrepaidGrant.purchase_id)
        .where(among(PrepaidGrant.id, [grant.id for grant in grants]))
    )
    days = dict(session.execute(sold).all())
    for grant in grants:
        today, valid_days = bookkeeping.billing_day(session, grant, now), days[grant.id]
        if grant.expires_on is not None and grant.expires_on < today and valid_days is not None:
            grant.expires_on = today + timedelta(days=valid_days - 1)
    moves = [Move(grant, grant.withdrawn_minor, bookkeeping.day_of(session, grant, now)) for grant in grants]
    return _move(session, actor, MovementKind.RESTORED, moves, "prepaid credit is paid again", now)


def _move(session: Session, actor: Actor, kind: MovementKind, moves: Sequence[Move], memo: str, now: datetime) -> int:
    bookkeeping.move(session, actor, kind, moves, memo=memo, now=now)
    traces = [
        audit.Trace(
            ("customer", one.grant.customer_id),
            memo,
            after={"grant": one.grant.id, "amount_minor": one.amount_minor, "currency": one.grant.currency},
        )
        for one in moves
    ]
    audit.record_many(session, actor, f"prepaid.{kind.value}", traces, now=now)
    return len(moves)


def _locked(session: Session, grant_ids: Select[int], limit: int) -> list[PrepaidGrant]:
    """Some of these grants, once their customers are locked: as they are then."""
    chosen = session.scalars(grant_ids.order_by(PrepaidGrant.id).limit(limit)).all()
    _lock_customers(session, select(PrepaidGrant.customer_id).where(among(PrepaidGrant.id, chosen)))
    statement = (
        select(PrepaidGrant)
        .where(among(PrepaidGrant.id, chosen), PrepaidGrant.id.in_(grant_ids))
        .order_by(PrepaidGrant.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(statement))


def _lock_customers(session: Session, customer_ids: Select[int]) -> None:
    locked = select(Customer.id).where(Customer.id.in_(customer_ids)).order_by(Customer.id)
    session.execute(locked.with_for_update(key_share=True)).all()


def _to_credit() -> Select[int]:
    granted = select(PrepaidGrant.id).where(PrepaidGrant.purchase_id == PrepaidPurchase.id)
    return (
        select(PrepaidPurchase.id)
        .join(Invoice, Invoice.id == PrepaidPurchase.invoice_id)
        .where(_PAID, ~granted.exists())
    )


def _to_withdraw() -> Select[int]:
    return _bought().where(~_PAID, PrepaidGrant.remaining_minor > 0)


def _to_restore() -> Select[int]:
    return _bought().where(_PAID, PrepaidGrant.withdrawn_minor > 0)


def _bought() -> Select[int]:
    return (
        select(PrepaidGrant.id)
        .join(PrepaidPurchase, PrepaidPurchase.id == PrepaidGrant.purchase_id)
        .join(Invoice, Invoice.id == PrepaidPurchase.invoice_id)
    )


def _to_expire(session: Session, now: datetime) -> Select[int]:
    """In the zone in whose days each customer's usage is billed; of those whose last day may be over, there are few."""
    zone = billing_zone()
    # No zone is further ahead of UTC than 14 hours.
    ending = (PrepaidGrant.remaining_minor > 0, PrepaidGrant.expires_on < (now + timedelta(hours=14)).date())
    business = (Business, Business.id == PrepaidGrant.business_id)
    zones = select(zone).select_from(PrepaidGrant).join(Customer, Customer.id == PrepaidGrant.customer_id)
    over = [
        and_(zone == name, PrepaidGrant.expires_on < day_in(name, now))
        for name in session.scalars(zones.join(*business).where(*ending).distinct())
    ]
    grants = select(PrepaidGrant.id).join(Customer, Customer.id == PrepaidGrant.customer_id).join(*business)
    return grants.where(*ending, or_(false(), *over))

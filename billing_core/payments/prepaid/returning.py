"""What prepaid credit paid comes back to it: where the payment is reversed, or the invoice is credited.

Where the credit's last day is over by then, it can be used again for as many days as it had left when it was used:
nobody loses it by an invoice that was wrong. Somebody paid for what was bought, so that has some time in any case.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.errors import Conflict
from billing_core.identity import Actor
from billing_core.payments.models import Allocation, AllocationKind
from billing_core.payments.prepaid import bookkeeping
from billing_core.payments.prepaid.bookkeeping import Move
from billing_core.payments.prepaid.models import MovementKind, Origin, PrepaidGrant, PrepaidMovement

# For which bought credit that comes back after its last day can be used at least, the day included on which it does.
LEAST_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Returnable:
    """What a grant gave to an allocation on a day and has not got back, in minor units."""

    allocation_id: int
    grant_id: int
    amount_minor: int
    used_on: date


def returnable(session: Session, invoice_id: int) -> list[Returnable]:
    """What prepaid credit has paid of the invoice: what was used last comes first."""
    left = -func.sum(PrepaidMovement.amount_minor)
    statement = (
        select(Allocation.id, PrepaidMovement.grant_id, left, func.min(PrepaidMovement.moved_on))
        .join(PrepaidMovement, PrepaidMovement.allocation_id == Allocation.id)
        .where(
            Allocation.invoice_id == invoice_id,
            Allocation.kind == AllocationKind.PREPAID,
            Allocation.undone_at.is_(None),
        )
        .group_by(Allocation.id, PrepaidMovement.grant_id)
        .having(left > 0)
        .order_by(func.min(PrepaidMovement.id).desc())
    )
    return [Returnable(row[0], row[1], int(row[2]), row[3]) for row in session.execute(statement)]


def give_back(
    session: Session,
    actor: Actor,
    returnable_parts: Sequence[Returnable],
    amount_minor: int,
    *,
    entry_id: int,
    on: date,
    now: datetime,
) -> None:
    """Return so much, which an entry has posted, because the invoice was credited. The customer is locked."""
    grants = _locked(session, [one.grant_id for one in returnable_parts])
    for one in returnable_parts:
        minor = min(amount_minor, one.amount_minor)
        if minor:
            _renew(session, actor, [(grants[one.grant_id], one.used_on)], now=now)
            move = Move(grants[one.grant_id], minor, on)
            bookkeeping.keep(
                session,
                actor,
                MovementKind.REFUNDED,
                [move],
                entry_id=entry_id,
                allocation_id=one.allocation_id,
                now=now,
            )
            amount_minor -= minor


def refuse_release(session: Session, allocation_id: int) -> None:
    """Conflict where some of what it paid came back already, with a credit note to its invoice."""
    back = (PrepaidMovement.allocation_id == allocation_id, PrepaidMovement.kind == MovementKind.REFUNDED)
    if session.scalar(select(PrepaidMovement.id).where(*back).limit(1)) is not None:
        raise Conflict("A credit note to this invoice has given back some of this prepaid credit already")


def release(session: Session, actor: Actor, allocation: Allocation, *, entry_id: int, on: date, now: datetime) -> None:
    """Return to each grant what it gave to this allocation, which the entry has undone. The customer is locked."""
    moved = select(PrepaidMovement.grant_id, PrepaidMovement.amount_minor, PrepaidMovement.moved_on)
    rows = session.execute(moved.where(PrepaidMovement.allocation_id == allocation.id)).all()
    grants = _locked(session, [row.grant_id for row in rows])
    _renew(session, actor, [(grants[row.grant_id], row.moved_on) for row in rows], now=now)
    moves = [Move(grants[row.grant_id], -row.amount_minor, on) for row in rows]
    bookkeeping.keep(
        session, actor, MovementKind.RELEASED, moves, entry_id=entry_id, allocation_id=allocation.id, now=now
    )


def _renew(session: Session, actor: Actor, used: Iterable[tuple[PrepaidGrant, date]], *, now: datetime) -> None:
    """Give those of these grants another last day whose own is over; each with the day on which it was used. What is
    left of one has expired, and does so before.
    """
    for grant, used_on in used:
        last, today = grant.expires_on, bookkeeping.billing_day(session, grant, now)
        if last is None or last >= today:
            continue
        if grant.remaining_minor:
            over = Move(grant, -grant.remaining_minor, bookkeeping.day_of(session, grant, now))
            bookkeeping.move(session, actor, MovementKind.EXPIRED, [over], memo="prepaid credit expired", now=now)
        days = max((last - used_on).days + 1, LEAST_DAYS if grant.origin is Origin.BOUGHT else 1)
        grant.expires_on = today + timedelta(days=days - 1)


def _locked(session: Session, grant_ids: Sequence[int]) -> dict[int, PrepaidGrant]:
    statement = (
        select(PrepaidGrant)
        .where(among(PrepaidGrant.id, grant_ids))
        .order_by(PrepaidGrant.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {grant.id: grant for grant in session.scalars(statement)}

"""What happens to grants: in their rows, as movements, and in the ledger, together.

The ledger keeps prepaid credit in an account of its own. What is given costs us, as a promotion; what is bought was
revenue of its invoice and is so no longer, until the credit pays for usage, or expires. Whoever changes a grant has
locked its customer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.dates import day_in
from billing_core.identity import Actor
from billing_core.ledger import service as ledger
from billing_core.ledger.models import Account, EntryKind
from billing_core.ledger.service import Entry, Side
from billing_core.metering import rollups
from billing_core.payments.prepaid.models import MovementKind, Origin, PrepaidGrant, PrepaidMovement

# The other side of credit that comes or goes otherwise than by paying an invoice.
_AGAINST: Final = {Origin.GIVEN: (Account.PROMOTION, ""), Origin.BOUGHT: (Account.REVENUE, "prepaid")}
_TAKEN_BACK: Final = (MovementKind.WITHDRAWN, MovementKind.RESTORED)


@dataclass(frozen=True, slots=True)
class Move:
    """``amount_minor`` negative: it is taken from the grant on the day ``on``."""

    grant: PrepaidGrant
    amount_minor: int
    on: date


def begin(session: Session, actor: Actor, grant: PrepaidGrant, *, on: date, now: datetime) -> None:
    """Post a new grant and keep it."""
    grant.remaining_minor = grant.amount_minor
    grant.withdrawn_minor = 0
    entry = _entry(Move(grant, grant.amount_minor, on), grant.reason)
    grant.entry_id = ledger.post(session, actor, entry, now=now)
    session.add(grant)
    session.flush()


def move(
    session: Session, actor: Actor, kind: MovementKind, moves: Sequence[Move], *, memo: str, now: datetime
) -> None:
    """Expire, withdraw or restore: each with an entry of its own."""
    entry_ids = ledger.post_many(session, actor, [_entry(one, memo) for one in moves], now=now)
    for one, entry_id in zip(moves, entry_ids, strict=True):
        keep(session, actor, kind, [one], entry_id=entry_id, allocation_id=None, now=now)


def keep(
    session: Session,
    actor: Actor,
    kind: MovementKind,
    moves: Sequence[Move],
    *,
    entry_id: int,
    allocation_id: int | None,
    now: datetime,
) -> None:
    """Write the movements of one entry, and what is left of the grants."""
    for one in moves:
        one.grant.remaining_minor += one.amount_minor
        if kind in _TAKEN_BACK:
            one.grant.withdrawn_minor -= one.amount_minor
        session.add(
            PrepaidMovement(
                grant_id=one.grant.id,
                kind=kind,
                amount_minor=one.amount_minor,
                allocation_id=allocation_id,
                entry_id=entry_id,
                moved_on=one.on,
                created_at=now,
                created_by=actor.name,
            )
        )
    session.flush()


def day_of(session: Session, grant: PrepaidGrant, now: datetime) -> date:
    """Today, as its postings are dated: in the zone of our business."""
    return day_in(session.get_one(Business, grant.business_id).time_zone, now)


def billing_day(session: Session, grant: PrepaidGrant, now: datetime) -> date:
    """Today, as the grant's last day is told: in the zone in whose days its customer's usage is billed."""
    (zone,) = rollups.billing_zones(session, [grant.customer_id])
    return day_in(zone, now)


def _entry(one: Move, memo: str) -> Entry:
    grant, minor = one.grant, one.amount_minor
    account, detail = _AGAINST[grant.origin]
    return Entry(
        business_id=grant.business_id,
        customer_id=grant.customer_id,
        currency=grant.currency,
        kind=EntryKind.PREPAID_GRANTED if minor > 0 else EntryKind.PREPAID_ENDED,
        document=f"customer:{grant.customer_id}",
        effective_on=one.on,
        sides=[Side(account, minor, detail), Side(Account.PREPAID_CREDIT, -minor)],
        memo=memo,
    )

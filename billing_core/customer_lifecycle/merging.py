"""Merging a customer into another one: all that is open or may be asked for again moves, documents stay as they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, not_, select, true, update
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customer_lifecycle import conflicts
from billing_core.customer_lifecycle.belongings import BELONGINGS, Belonging, Fate, on_no_report
from billing_core.customers import queries
from billing_core.customers.models import Customer
from billing_core.database import turns
from billing_core.database.functions import among
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.identity.api_keys import ApiKey
from billing_core.identity.models import User
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.orders.models import Order
from billing_core.reports import coverage, outdated

_NEEDED: Final = (Permission.CUSTOMER_WRITE, Permission.PAYMENT_WRITE, Permission.USER_MANAGE)
# What an agreement with a customer consists of, besides rates: that of the one that stays holds.
_TERMS: Final = (
    *("name", "email", "further_emails", "cc_emails", "bcc_emails", "tax_id", "country", "language"),
    *("payment_terms", "time_zone", "zero_tax_reason"),
)
# People and keys who are named; the others are counted.
_NAMED: Final = 20


# Debits are positive in the books; credit is told as what the customer has.
BALANCES: Final = {
    Account.RECEIVABLE: ("Owed on invoices", 1),
    Account.CUSTOMER_CREDIT: ("Credit", -1),
    Account.PREPAID_CREDIT: ("Prepaid credit", -1),
}


@dataclass(frozen=True, slots=True)
class Moving:
    """So many of one kind: they move, or they stay with the former customer. ``noun`` in the singular."""

    noun: str
    count: int


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account comes to in minor units, debits positive: of the former, and of the one that stays."""

    account: Account
    currency: str
    former_minor: int
    into_minor: int

    @property
    def together_minor(self) -> int:
        return self.former_minor + self.into_minor


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What merging comes to. ``sees_both``: people and keys for one of them alone. ``given_up``: what differs, and what
    the former has of it, whose terms hold no more. Where there are ``conflicts`` it is refused.
    """

    former: str
    into: str
    moves: tuple[Moving, ...]
    stays: tuple[Moving, ...]
    balances: tuple[Balance, ...]
    sees_both: tuple[str, ...]
    given_up: tuple[tuple[str, str, str], ...]
    conflicts: tuple[str, ...]


def may(actor: Actor) -> bool:
    """Whether somebody may merge customers."""
    return actor.customer_id is None and all(actor.may(permission) for permission in _NEEDED)


def rehearse(session: Session, actor: Actor, customer_id: int, into_id: int) -> Rehearsal:
    """What merging this customer into the other one would do; nothing is changed."""
    _require(actor)
    former, into = queries.one(session, actor, customer_id), queries.one(session, actor, into_id)
    return _rehearsed(session, former, into)


def merge(session: Session, actor: Actor, customer_id: int, into_id: int, *, now: datetime) -> Rehearsal:
    """Merge this customer into the other one, for good. Conflict with every reason against it."""
    _require(actor)
    turns.keep_imports_out(session.connection())
    # In one order, so that two who merge do not wait for each other.
    locked = {one: queries.for_change(session, actor, one, alone=True) for one in sorted({customer_id, into_id})}
    former, into = locked[customer_id], locked[into_id]
    rehearsed = _rehearsed(session, former, into)
    if rehearsed.conflicts:
        raise Conflict("; ".join(rehearsed.conflicts))
    former.active, former.merged_into_id = False, into.id
    session.flush()
    orders = session.scalars(select(Order.id).where(Order.customer_id == former.id, on_no_report(into.id))).all()
    for one in BELONGINGS:
        if one.fate is Fate.MOVES:
            _move(session, one, former.id, into.id)
    outdated.note(session, select(Order.id).where(among(Order.id, orders)))
    coverage.refresh(session, [former.id, into.id])
    _record(session, actor, former, into, rehearsed, now)
    return rehearsed


def _require(actor: Actor) -> None:
    for permission in _NEEDED:
        actor.require(permission)


def _rehearsed(session: Session, former: Customer, into: Customer) -> Rehearsal:
    moves, stays = [], []
    for one in BELONGINGS:
        if not one.noun or one.fate is Fate.REFUSES:
            continue
        chosen = one.which(into.id)
        moves.append(Moving(one.noun, _count(session, one, former.id, chosen) if one.fate is Fate.MOVES else 0))
        left = true() if one.fate is Fate.STAYS else not_(chosen)
        stays.append(Moving(one.noun, _count(session, one, former.id, left)))
    return Rehearsal(
        former.name,
        into.name,
        tuple(one for one in moves if one.count),
        tuple(one for one in stays if one.count),
        tuple(_balances(session, former, into)),
        tuple(_bound(session, former, into)),
        tuple(_given_up(former, into)),
        tuple(conflicts.found(session, former, into)),
    )


def _count(session: Session, one: Belonging, former_id: int, which: ColumnElement[bool]) -> int:
    statement = select(func.count()).select_from(one.column.class_).where(one.column == former_id, which)
    return session.scalar(statement) or 0


def _balances(session: Session, former: Customer, into: Customer) -> Iterable[Balance]:
    """Of every account and currency in which either of them has one."""
    key = (LedgerPosting.account, LedgerPosting.currency)

    def posted(customer: Customer) -> ColumnElement[Any]:
        return func.sum(LedgerPosting.amount_minor).filter(LedgerPosting.customer_id == customer.id)

    statement = (
        select(*key, func.coalesce(posted(former), 0), func.coalesce(posted(into), 0))
        .where(LedgerPosting.account.in_(BALANCES), LedgerPosting.customer_id.in_((former.id, into.id)))
        .group_by(*key)
        .order_by(*key)
    )
    for account, currency, former_minor, into_minor in session.execute(statement):
        if former_minor or into_minor:
            yield Balance(account, currency, int(former_minor), int(into_minor))


def _bound(session: Session, former: Customer, into: Customer) -> Iterable[str]:
    for column in (User.email, ApiKey.name):
        entity = column.class_
        statement = select(column).where(entity.customer_id.in_((former.id, into.id))).order_by(column).limit(_NAMED)
        yield from session.scalars(statement)


def _given_up(former: Customer, into: Customer) -> Iterable[tuple[str, str, str]]:
    """(field, the former's, that of the one that stays)."""
    for name in _TERMS:
        theirs, kept = getattr(former, name), getattr(into, name)
        if theirs and theirs != kept:
            yield name, theirs, kept


def _move(session: Session, one: Belonging, former_id: int, into_id: int) -> None:
    entity = one.column.class_
    moved = update(entity).where(one.column == former_id, one.which(into_id)).values({one.column: into_id})
    session.execute(moved.execution_options(synchronize_session=False))


def _record(
    session: Session, actor: Actor, former: Customer, into: Customer, rehearsed: Rehearsal, now: datetime
) -> None:
    moved = {one.noun: one.count for one in rehearsed.moves}
    subjects = ((former, {"into": into.id, "name": into.name}), (into, {"merged": former.id, "name": former.name}))
    for one, told in subjects:
        after = told | {"moved": moved}
        audit.record(session, actor, "customer.merge", ("customer", one.id), label=one.name, after=after, now=now)

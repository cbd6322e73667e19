"""Reads of mails that came back."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.orm import Session

from billing_core.bounces import addresses
from billing_core.bounces.models import Bounce
from billing_core.customers.models import Customer
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice
from billing_core.outbox.models import OutboxMessage


@dataclass(frozen=True, slots=True)
class BounceRow:
    """One receiver whom a mail did not reach; the fields as in ``Bounce``."""

    id: int
    message_id: int
    address: str
    address_key: str
    final: bool
    status: str
    reason: str
    told_at: datetime
    dismissed_at: datetime | None
    dismissed_by: str


@dataclass(frozen=True, slots=True)
class Unreached:
    """An address of a customer that needs attention, from which ``mails`` came back; the other fields are of the last.
    ``customer_id``: None where the mail was to no customer.
    """

    address: str
    mails: int
    reason: str
    told_at: datetime
    message_id: int
    customer_id: int | None
    customer_name: str | None


_COLUMNS: Final = tuple(getattr(Bounce, field.name) for field in fields(BounceRow))
_MOST: Final = 100


def of_message(session: Session, actor: Actor, message_id: int) -> list[BounceRow]:
    """Whom this mail did not reach, in the order in which that was told."""
    actor.require(Permission.OUTBOX_READ)
    return _rows(session, actor, Bounce.message_id == message_id)


def of_customer(session: Session, actor: Actor, customer_id: int) -> list[BounceRow]:
    """What needs attention of this customer's, the newest of each address."""
    actor.require(Permission.OUTBOX_READ)
    return _newest(_rows(session, actor, OutboxMessage.customer_id == customer_id, addresses.needs_attention()))


def of_customers(session: Session, actor: Actor, which: ColumnElement[bool]) -> list[BounceRow]:
    """The same of those customers of whom this holds in SQL, before each of them is mailed something: the newest."""
    actor.require(Permission.OUTBOX_READ)
    return _newest(_rows(session, actor, which, addresses.needs_attention()))


def of_addresses(session: Session, actor: Actor, named: Collection[str]) -> list[BounceRow]:
    """The newest of each of these addresses that nobody has dismissed, before something else is sent there."""
    actor.require(Permission.OUTBOX_READ)
    keys = {addresses.key_of(address) for address in named}
    found: list[BounceRow] = []
    for batch in _batches(sorted(keys)):
        found += _rows(session, actor, Bounce.address_key.in_(batch), addresses.UNDISMISSED, limit=None)
    return _newest(found)


def unreached(session: Session, actor: Actor, *, limit: int) -> list[Unreached]:
    """The addresses that need attention, those of the newest mails first."""
    actor.require(Permission.OUTBOX_READ)
    each = joined(select(func.max(Bounce.id).label("id"), func.count().label("mails")))
    each = each.where(_visible_to(actor), addresses.needs_attention())
    last = each.group_by(OutboxMessage.customer_id, Bounce.address_key).subquery()
    told = (Bounce.reason, Bounce.told_at, Bounce.message_id, OutboxMessage.customer_id, Customer.name)
    statement = joined(select(Bounce.address, last.c.mails, *told)).join(last, last.c.id == Bounce.id)
    return [Unreached(*row) for row in session.execute(statement.order_by(Bounce.id.desc()).limit(limit))]


def joined(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Bounces with their mails, and the customer and the invoice of each, if any."""
    statement = statement.select_from(Bounce).join(OutboxMessage, OutboxMessage.id == Bounce.message_id)
    statement = statement.outerjoin(Customer, Customer.id == OutboxMessage.customer_id)
    return statement.outerjoin(Invoice, Invoice.id == Bounce.invoice_id)


def _rows(session: Session, actor: Actor, *which: ColumnElement[bool], limit: int | None = _MOST) -> list[BounceRow]:
    """In the order in which they were told; of too many the last."""
    newest_first = Bounce.told_at.desc(), Bounce.id.desc()
    statement = joined(select(*_COLUMNS)).where(_visible_to(actor), *which).order_by(*newest_first).limit(limit)
    return [BounceRow(*row) for row in session.execute(statement)][::-1]


def _visible_to(actor: Actor) -> ColumnElement[bool]:
    return true() if actor.customer_id is None else OutboxMessage.customer_id == actor.customer_id


def _newest(rows: list[BounceRow]) -> list[BounceRow]:
    return list({row.address_key: row for row in rows}.values())


def _batches(keys: list[str], size: int = 500) -> list[list[str]]:
    return [keys[start : start + size] for start in range(0, len(keys), size)]

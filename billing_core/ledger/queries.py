"""Which postings count: as at any day, and as known at any instant. Debits are positive, credits negative."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, aliased

from billing_core.database.functions import among
from billing_core.identity.permissions import Actor, Permission
from billing_core.ledger.models import Account, EntryKind, LedgerEntry, LedgerPosting

PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Counted:
    """The postings to count. Empty fields do not limit. ``as_at``: effective on that day or before; ``known_at``:
    recorded by that instant.
    """

    account: Account | None = None
    customer_id: int | None = None
    invoice_id: int | None = None
    currency: str | None = None
    as_at: date | None = None
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """One posting with its entry. ``about``: the entry's kind, or that of the entry it reverses. ``prepaid``: the entry
    took it from prepaid credit, or gave it back there.
    """

    entry_id: int
    kind: EntryKind
    about: EntryKind
    effective_on: date
    recorded_by: str
    memo: str
    account: Account
    currency: str
    amount_minor: int
    prepaid: bool


def counting(counted: Counted) -> list[ColumnElement[bool]]:
    """In SQL: the postings that count."""
    facts = (
        (LedgerPosting.account, counted.account),
        (LedgerPosting.customer_id, counted.customer_id),
        (LedgerPosting.invoice_id, counted.invoice_id),
        (LedgerPosting.currency, counted.currency),
    )
    conditions = [column == fact for column, fact in facts if fact is not None]
    if counted.as_at is not None:
        conditions.append(LedgerPosting.effective_on <= counted.as_at)
    if counted.known_at is not None:
        conditions.append(LedgerPosting.recorded_at <= counted.known_at)
    return conditions


def movements(session: Session, actor: Actor, counted: Counted, *, limit: int = PAGE) -> list[Movement]:
    """The postings that count, each with its entry, in the order of posting."""
    actor.require(Permission.INVOICE_READ)
    # The customers package has a function for this, but depends on the ledger.
    own = [] if actor.customer_id is None else [LedgerPosting.customer_id == actor.customer_id]
    reversed_entry, beside = aliased(LedgerEntry), aliased(LedgerPosting)
    prepaid = select(beside.id).where(beside.entry_id == LedgerEntry.id, beside.account == Account.PREPAID_CREDIT)
    statement: Select[*tuple[Any, ...]] = (
        select(
            LedgerEntry.id,
            LedgerEntry.kind,
            func.coalesce(reversed_entry.kind, LedgerEntry.kind),
            LedgerEntry.effective_on,
            LedgerEntry.recorded_by,
            LedgerEntry.memo,
            LedgerPosting.account,
            LedgerPosting.currency,
            LedgerPosting.amount_minor,
            prepaid.exists(),
        )
        .join(LedgerPosting, LedgerPosting.entry_id == LedgerEntry.id)
        .outerjoin(reversed_entry, reversed_entry.id == LedgerEntry.reverses_id)
        .where(*counting(counted), *own)
        .order_by(LedgerPosting.id)
    )
    return [Movement(*row) for row in session.execute(statement.limit(limit))]


def owed_by_day() -> Select[*tuple[Any, ...]]:
    """(invoice_id, effective_on, posted_minor, owed_minor) of each day on which something was posted to what an invoice
    owes: so much on that day, and what was owed at its end.
    """
    posted = func.sum(LedgerPosting.amount_minor)
    so_far = func.sum(posted).over(partition_by=LedgerPosting.invoice_id, order_by=LedgerPosting.effective_on)
    key = (LedgerPosting.invoice_id, LedgerPosting.effective_on)
    return (
        select(*key, posted.label("posted_minor"), so_far.label("owed_minor"))
        .where(LedgerPosting.account == Account.RECEIVABLE)
        .group_by(*key)
    )


def owing_from(session: Session, amounts: Mapping[int, int]) -> dict[int, date]:
    """The first day from which on each of these invoices (invoice id → minor units) owes so much on every later day;
    none of an invoice that does not. The calling verb has checked the actor's permission.
    """
    found: dict[int, date] = {}
    if not amounts:
        return found
    of_them = owed_by_day().where(among(LedgerPosting.invoice_id, amounts))
    for invoice_id, day, _, owed in session.execute(of_them.order_by(*of_them.selected_columns[:2])):
        if owed < amounts[invoice_id]:
            found.pop(invoice_id, None)
        else:
            found.setdefault(invoice_id, day)
    return found

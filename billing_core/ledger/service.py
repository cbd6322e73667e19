"""Posting to the ledger, append-only. The calling verb has checked the actor's permission."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import Table, insert, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from billing_core.errors import Conflict, NotFound
from billing_core.identity.permissions import Actor
from billing_core.ledger.models import Account, EntryKind, LedgerEntry, LedgerPosting, UnsealedEntry

# Tables, not entities: an invoice is a handful of rows, and the unit of work costs more than writing them.
_ENTRIES = cast("Table", LedgerEntry.__table__)
_POSTINGS = cast("Table", LedgerPosting.__table__)
_UNSEALED = cast("Table", UnsealedEntry.__table__)

# Built once: building a statement takes as long as running it.
_INSERT_ENTRIES = insert(_ENTRIES).returning(_ENTRIES.c.id, sort_by_parameter_order=True)
_INSERT_POSTINGS = insert(_POSTINGS)
_INSERT_UNSEALED = insert(_UNSEALED)

_MEMO_LENGTH = _ENTRIES.c.memo.type.length  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an entry in minor units: positive is a debit, negative a credit. ``detail``: the line type of
    revenue, the tax rate ("19", "7.5"), the payment method.
    """

    account: Account
    amount_minor: int
    detail: str = ""
    invoice_id: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry to post. ``document`` names its cause, such as "invoice:7"; the sides add up to 0."""

    business_id: int
    customer_id: int
    currency: str
    kind: EntryKind
    document: str
    effective_on: date
    sides: Sequence[Side]
    memo: str = ""
    reverses_id: int | None = None


def post(session: Session, actor: Actor, entry: Entry, *, now: datetime) -> int:
    """Append one entry and return its id; sides of 0 are left out. ValueError where the sides do not add up to 0."""
    return post_many(session, actor, [entry], now=now)[0]


def post_many(session: Session, actor: Actor, entries: Sequence[Entry], *, now: datetime) -> list[int]:
    """``post`` for many entries in the same few statements; the ids are in the order of the entries."""
    if not entries:
        return []
    for entry in entries:
        _refuse_imbalance(entry)
    connection = session.connection()
    rows = [_row(actor, entry, now) for entry in entries]
    entry_ids = list(connection.execute(_INSERT_ENTRIES, rows).scalars())
    _write_sides(connection, zip(entry_ids, entries, strict=True), now)
    return entry_ids


def reverse(session: Session, actor: Actor, entry_id: int, *, effective_on: date, memo: str = "", now: datetime) -> int:
    """Append the exact opposite of an entry, effective no earlier than it; returns the new entry's id.

    Conflict where the entry was reversed before, or is itself a reversal.
    """
    # With the lock, the second of two concurrent reversals sees the first.
    original = session.execute(select(_ENTRIES).where(_ENTRIES.c.id == entry_id).with_for_update()).one_or_none()
    if original is None:
        raise NotFound(f"There is no ledger entry {entry_id}")
    if original.kind is EntryKind.REVERSAL:
        raise Conflict("A reversal cannot be reversed: record it again instead")
    if session.scalar(select(_ENTRIES.c.id).where(_ENTRIES.c.reverses_id == entry_id)) is not None:
        raise Conflict("This was reversed already")
    sides = session.execute(
        select(
            _POSTINGS.c.account,
            _POSTINGS.c.amount_minor,
            _POSTINGS.c.detail,
            _POSTINGS.c.invoice_id,
            _POSTINGS.c.customer_id,
        )
        .where(_POSTINGS.c.entry_id == entry_id)
        .order_by(_POSTINGS.c.id)
    ).all()
    opposite = Entry(
        business_id=original.business_id,
        # Whose it is now, if its customer was merged into another one.
        customer_id=sides[0].customer_id if sides else original.customer_id,
        currency=original.currency,
        kind=EntryKind.REVERSAL,
        document=original.document,
        effective_on=max(effective_on, original.effective_on),
        sides=[Side(one.account, -one.amount_minor, one.detail, one.invoice_id) for one in sides],
        memo=memo,
        reverses_id=entry_id,
    )
    return post(session, actor, opposite, now=now)


def _refuse_imbalance(entry: Entry) -> None:
    if total := sum(side.amount_minor for side in entry.sides):
        raise ValueError(f"the sides of {entry.document} ({entry.kind}) add up to {total}, not to 0")


def _row(actor: Actor, entry: Entry, now: datetime) -> dict[str, Any]:
    return {
        "business_id": entry.business_id,
        "customer_id": entry.customer_id,
        "currency": entry.currency,
        "kind": entry.kind,
        "document": entry.document,
        "memo": entry.memo[:_MEMO_LENGTH],
        "effective_on": entry.effective_on,
        "recorded_at": now,
        "recorded_by_id": actor.user_id,
        "recorded_by": actor.name,
        "reverses_id": entry.reverses_id,
    }


def _write_sides(connection: Connection, posted: Iterable[tuple[int, Entry]], now: datetime) -> None:
    sides, unsealed = [], []
    for entry_id, entry in posted:
        unsealed.append({"entry_id": entry_id})
        sides += [
            {
                "entry_id": entry_id,
                "account": side.account,
                "detail": side.detail,
                "business_id": entry.business_id,
                "customer_id": entry.customer_id,
                "invoice_id": side.invoice_id,
                "currency": entry.currency,
                "amount_minor": side.amount_minor,
                "effective_on": entry.effective_on,
                "recorded_at": now,
            }
            for side in entry.sides
            if side.amount_minor
        ]
    if sides:
        connection.execute(_INSERT_POSTINGS, sides)
    connection.execute(_INSERT_UNSEALED, unsealed)

"""The chain: each entry is sealed by a digest of its content and of the previous digest.

Changing, removing or inserting an entry afterwards breaks every digest from there on. Writers leave their entries in
``ledger_unsealed`` and the sealing job chains them later. The chain's order is that of sealing: an id is drawn before
its transaction commits, so a lower id may appear after a higher one was sealed.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row, Select, Table, delete, func, insert, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.ledger import days
from billing_core.ledger.models import LedgerEntry, LedgerPosting, LedgerSeal, UnsealedEntry

# The digest that precedes the first one.
BEGINNING = "0" * 64
_SEALING = 7_236_116
_SEALS = cast("Table", LedgerSeal.__table__)
_TEXT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=lambda moment: moment.isoformat())

ENTRY_COLUMNS = (
    LedgerEntry.id,
    LedgerEntry.business_id,
    LedgerEntry.customer_id,
    LedgerEntry.currency,
    LedgerEntry.kind,
    LedgerEntry.document,
    LedgerEntry.memo,
    LedgerEntry.effective_on,
    LedgerEntry.recorded_at,
    LedgerEntry.recorded_by_id,
    LedgerEntry.recorded_by,
    LedgerEntry.reverses_id,
)
# Columns that a posting repeats of its entry are digested once, with the entry; ``verify`` proves that they agree.
SIDE_COLUMNS = (
    LedgerPosting.entry_id,
    LedgerPosting.id,
    LedgerPosting.account,
    LedgerPosting.detail,
    LedgerPosting.invoice_id,
    LedgerPosting.amount_minor,
)


def seal(session: Session, *, now: datetime, limit: int = 5_000) -> int:
    """Chain the next committed entries, at most ``limit``, add them to their days, and return how many.

    Concurrent sealing is serialized; on PostgreSQL, writers of entries wait for neither.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_SEALING)))
    entries = connection.execute(_waiting(limit)).all()
    if not entries:
        return 0
    entry_ids = [entry.id for entry in entries]
    posted = select(*SIDE_COLUMNS).where(among(LedgerPosting.entry_id, entry_ids)).order_by(LedgerPosting.id)
    sides = sides_of(connection.execute(posted))
    sequence, digest = _end(connection)
    seals = []
    for entry in entries:
        sequence, digest = sequence + 1, digest_of(entry, sides.get(entry.id, ()), digest)
        seals.append({"sequence": sequence, "entry_id": entry.id, "digest": digest, "sealed_at": now})
    connection.execute(insert(_SEALS), seals)
    days.add(connection, entry_ids)
    connection.execute(delete(UnsealedEntry).where(among(UnsealedEntry.entry_id, entry_ids)))
    return len(seals)


def waiting(session: Session) -> bool:
    """Whether any entry is without its seal."""
    return session.scalar(select(UnsealedEntry.entry_id).limit(1)) is not None


def digest_of(entry: Sequence[Any], sides: Sequence[tuple[Any, ...]], before: str) -> str:
    """SHA-256 (hex) of a text that is the same on every database: the previous digest, the entry, its sides.

    ``entry`` has the values of ``ENTRY_COLUMNS``, each side those of ``SIDE_COLUMNS``; days and instants (in UTC) are
    in ISO 8601.
    """
    return hashlib.sha256(_TEXT.encode([before, *entry, sides]).encode()).hexdigest()


def sides_of(postings: Iterable[Row[Any]]) -> dict[int, list[tuple[Any, ...]]]:
    """Rows of ``SIDE_COLUMNS`` by entry."""
    sides: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for posting in postings:
        sides[posting[0]].append(tuple(posting))
    return sides


def _waiting(limit: int) -> Select[*tuple[Any, ...]]:
    return (
        select(*ENTRY_COLUMNS)
        .join(UnsealedEntry, UnsealedEntry.entry_id == LedgerEntry.id)
        .order_by(LedgerEntry.id)
        .limit(limit)
    )


def _end(connection: Connection) -> tuple[int, str]:
    """The last link's number and digest."""
    last = select(LedgerSeal.sequence, LedgerSeal.digest).order_by(LedgerSeal.sequence.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    return (row.sequence, row.digest) if row else (0, BEGINNING)

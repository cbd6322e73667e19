"""What stays of archived events: their totals, which are proven to be those with which the archive was made."""

import json
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import BigInteger, Row, select, type_coerce
from sqlalchemy.orm import Session

from billing_core.metering import rollups
from billing_core.metering.models import UsageArchive, UsageArchivedUser, UsageDay

# Rows that are held in memory at once.
_ROWS: Final = 5_000


def seal(session: Session, archive: UsageArchive) -> None:
    """Write down what its totals are, once all of them are there: from then on they stay."""
    session.flush()
    archive.totals = digest(session, archive.id)


def digest(session: Session, archive_id: int) -> str:
    """The sum of the SHA-256 of each row that this archive has left, in hexadecimal digits: no order changes it."""
    total = sum(int.from_bytes(sha256(_written(row)).digest()) for row in _rows(session, archive_id))
    return f"{total % 2**256:064x}"


def _rows(session: Session, archive_id: int) -> Iterator[Row[*tuple[Any, ...]]]:
    sums = (type_coerce(getattr(UsageDay, name), BigInteger) for name in rollups.SUMS)
    days = select(*(getattr(UsageDay, name) for name in rollups.DAY_KEY), *sums).where(
        UsageDay.archive_id == archive_id
    )
    users = select(UsageArchivedUser.customer_id, UsageArchivedUser.user, UsageArchivedUser.first_seen_at).where(
        UsageArchivedUser.archive_id == archive_id
    )
    for rows in (days, users):
        yield from session.execute(rows, execution_options={"yield_per": _ROWS})


def _written(row: Row[*tuple[Any, ...]]) -> bytes:
    """The row as JSON; its archive's own id is in it."""
    return json.dumps([value.isoformat() if isinstance(value, datetime) else str(value) for value in row]).encode()

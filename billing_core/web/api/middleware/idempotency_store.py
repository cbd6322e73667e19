"""What is stored of requests with an ``Idempotency-Key``: short transactions around the one that does the work."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from billing_core.database.upserts import inserts
from billing_core.identity.idempotent import IdempotentRequest

RETENTION = timedelta(hours=24)
# No request takes longer: after this time its process is considered dead.
ABANDONED = timedelta(minutes=15)
# An answer is complete within this time of its change.
ANSWERED_WITHIN = timedelta(seconds=30)

_BEGIN = {
    name: new.on_conflict_do_nothing(index_elements=["caller", "key"]).returning(IdempotentRequest.id)
    for name, new in inserts(IdempotentRequest).items()
}


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    status: int
    message: str


ANOTHER: Final = Refused(422, "This Idempotency-Key belongs to another request. Use a new one for each.")


def begin(session: Session, caller: str, key: str, fingerprint: str, *, now: datetime) -> int | StoredAnswer | Refused:
    """The row id of this request, its stored answer, or why it gets neither."""
    session.execute(delete(IdempotentRequest).where(IdempotentRequest.started_at <= now - RETENTION))
    values = {"caller": caller, "key": key, "fingerprint": fingerprint, "started_at": now}
    begun: int | None = session.scalar(_BEGIN[session.get_bind().dialect.name], values)
    if begun is not None:
        return begun
    row = session.scalars(
        select(IdempotentRequest)
        .where(IdempotentRequest.caller == caller, IdempotentRequest.key == key)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return Refused(409, "A request with this Idempotency-Key has just ended. Send it again.")
    if row.fingerprint != fingerprint:
        return ANOTHER
    if row.status is not None:
        return _stored_answer(row)
    if row.changed_at is not None and row.changed_at <= now - ANSWERED_WITHIN:
        return Refused(409, "This request has been carried out, but its answer was lost. Look up what it has made.")
    if row.changed_at is not None or row.started_at > now - ABANDONED:
        return Refused(409, "A request with this Idempotency-Key is still being carried out.")
    row.started_at = now
    return row.id


def finish(session: Session, request_id: int, answer: StoredAnswer | None, *, status: int) -> None:
    """Store the answer; None where it was too large."""
    session.execute(
        update(IdempotentRequest)
        .where(IdempotentRequest.id == request_id)
        .values(
            status=status,
            headers=dict(answer.headers) if answer else None,
            body=answer.body if answer else None,
        )
        .execution_options(synchronize_session=False)
    )


def forget(session: Session, request_id: int) -> bool:
    """Nothing was done: the request may be sent again. Returns whether that is so."""
    gone: CursorResult[tuple[()]] = session.connection().execute(
        delete(IdempotentRequest).where(IdempotentRequest.id == request_id, IdempotentRequest.changed_at.is_(None))
    )
    return gone.rowcount > 0


def _stored_answer(row: IdempotentRequest) -> StoredAnswer | Refused:
    if row.status is None or row.body is None:
        return Refused(409, "This request has been carried out, but its answer was too large to keep.")
    return StoredAnswer(row.status, row.headers or {}, zlib.decompress(row.body))

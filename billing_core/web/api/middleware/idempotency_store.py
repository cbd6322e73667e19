"""What is stored of requests with an ``Idempotency-Key``: short transactions around the one that does the work."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import CursorResult, delete, exists, select, update
from sqlalchemy.orm import Session

from billing_core.database.upserts import inserts
from billing_core.identity.idempotent import Claim, IdempotentRequest, new_token
from billing_core.processes import current
from billing_core.processes.models import Process
from billing_core.processes.queries import unsettled

RETENTION = timedelta(hours=24)
# No request takes longer: after this time its process is considered dead, unless others miss it before.
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


def begin(
    session: Session, caller: str, key: str, fingerprint: str, *, now: datetime
) -> Claim | StoredAnswer | Refused:
    """The claim to carry out this request, its stored answer, or why it gets neither."""
    session.execute(delete(IdempotentRequest).where(IdempotentRequest.started_at <= now - RETENTION))
    token, process_id = new_token(), current.process_id()
    values = {"caller": caller, "key": key, "fingerprint": fingerprint, "started_at": now}
    values |= {"claim": token, "process_id": process_id}
    begun: int | None = session.scalar(_BEGIN[session.get_bind().dialect.name], values)
    if begun is not None:
        return Claim(begun, token)
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
    if row.changed_at is not None or not _is_abandoned(session, row, now):
        return Refused(409, "A request with this Idempotency-Key is still being carried out.")
    row.claim, row.process_id, row.started_at = token, process_id, now
    return Claim(row.id, token)


def finish(session: Session, claim: Claim, answer: StoredAnswer | None, *, status: int) -> None:
    """Store the answer; None where it was too large. Nothing happens where somebody else has taken the request over."""
    session.execute(
        update(IdempotentRequest)
        .where(claim.holds())
        .values(
            status=status,
            headers=dict(answer.headers) if answer else None,
            body=answer.body if answer else None,
        )
        .execution_options(synchronize_session=False)
    )


def forget(session: Session, claim: Claim) -> bool:
    """Nothing was done: the request may be sent again. Returns whether that is so."""
    gone: CursorResult[tuple[()]] = session.connection().execute(
        delete(IdempotentRequest).where(claim.holds(), IdempotentRequest.changed_at.is_(None))
    )
    return gone.rowcount > 0


def _is_abandoned(session: Session, row: IdempotentRequest, now: datetime) -> bool:
    """Nobody carries it out any more. Asked once the row is locked: whoever has claimed it had registered before."""
    if row.started_at <= now - ABANDONED:
        return True
    alive = exists().where(Process.id == row.process_id, unsettled())
    return row.process_id is not None and not session.scalar(select(alive))


def _stored_answer(row: IdempotentRequest) -> StoredAnswer | Refused:
    if row.status is None or row.body is None:
        return Refused(409, "This request has been carried out, but its answer was too large to keep.")
    return StoredAnswer(row.status, row.headers or {}, zlib.decompress(row.body))

"""How the last time went of what is due by the clock: only a failure is kept, until a later time succeeds."""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from billing_core.database.upserts import insert_into
from billing_core.processes.models import FailedSchedule, Queue


def failed(session: Session, queue: Queue, reason: str, *, now: datetime) -> None:
    """``reason`` is shown to people."""
    facts = {"failed_at": now, "reason": reason[:500]}
    added = insert_into(session, FailedSchedule).values(queue=queue, **facts)
    session.execute(added.on_conflict_do_update(index_elements=["queue"], set_=facts))


def succeeded(session: Session, queue: Queue) -> None:
    """What failed before needs no attention any more."""
    session.execute(delete(FailedSchedule).where(FailedSchedule.queue == queue))

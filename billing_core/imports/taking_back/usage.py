"""Events of usage that an import brought: they go by their batch."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.imports.models import ImportRun
from billing_core.imports.taking_back.obstacles import Obstacles
from billing_core.metering import batches


def take_back(session: Session, run: ImportRun, *, now: datetime) -> tuple[Obstacles, int]:
    """What stands in the way, and how many events go: none of them where anything does."""
    events = batches.chosen(session, run.batch or 0)
    connection, found = session.connection(), Obstacles()
    found.add(connection, batches.archived(events), lambda ref, event: f"event {event} of {ref} is archived")
    if not found.count:
        billed = batches.billed(session, events)
        found.add(connection, billed, lambda ref, event: f"event {event} of {ref} is on a bill of usage")
    count = session.scalar(select(func.count()).select_from(events)) or 0
    if not found.count:
        batches.remove(session, events, now=now)
    return found, count

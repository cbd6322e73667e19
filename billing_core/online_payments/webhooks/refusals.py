"""Requests to the webhook address that were refused. Nothing is kept of them but how many there were."""

import threading
from collections import Counter
from datetime import UTC, date, datetime

from sqlalchemy.exc import SQLAlchemyError

from billing_core.database import Sessions
from billing_core.database.upserts import insert_into
from billing_core.online_payments.models import WebhookRefusal


class Refusals:
    """Counts what was refused, in memory: rubbish must not cause a database write each time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[date, str]] = Counter()

    def note(self, reason: str, *, now: datetime) -> None:
        with self._lock:
            self._counts[now.astimezone(UTC).date(), reason[:32]] += 1

    def write(self, sessions: Sessions) -> None:
        """Add what was counted since the last time to the table."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        rows = [{"day": day, "reason": reason, "requests": times} for (day, reason), times in counts.items()]
        try:
            with sessions.begin() as session:
                adding = insert_into(session, WebhookRefusal).values(rows)
                more = {"requests": WebhookRefusal.requests + adding.excluded.requests}
                session.execute(adding.on_conflict_do_update(index_elements=["day", "reason"], set_=more))
        except SQLAlchemyError:
            with self._lock:
                self._counts += counts
            raise


# This process's own.
refusals = Refusals()

"""Refused requests to the webhook address. Only their number is stored."""

import threading
from collections import Counter
from datetime import UTC, date, datetime

from sqlalchemy.exc import SQLAlchemyError

from billing_core.database import Sessions
from billing_core.database.upserts import insert_into
from billing_core.online_payments.models import WebhookRefusal


class Refusals:
    """Counts refusals in memory, so that junk requests do not each cause a database write."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[date, str]] = Counter()

    def note(self, reason: str, *, now: datetime) -> None:
        with self._lock:
            self._counts[now.astimezone(UTC).date(), reason[:32]] += 1

    def write(self, sessions: Sessions) -> None:
        """Add the counts since the last time to the table."""
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

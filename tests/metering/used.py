"""Customers, events as programs tell them, and what they come to."""

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, queries, verification
from billing_core.metering.ingestion import Recorded
from billing_core.metering.queries import Usage

NOW = datetime(2026, 3, 20, 12, 0, tzinfo=UTC)
TOLD = "2026-03-10T10:00:00Z"


def an_event(name: str = "1", **facts: object) -> dict[str, object]:
    """Of the customer ACME, in March 2026."""
    return {"id": name, "customer_ref": "ACME", "time": TOLD, **facts}


def record(sessions: Sessions, *events: dict[str, object], atomic: bool = False) -> Recorded:
    """In a transaction of its own."""
    with sessions.begin() as session:
        return ingestion.record(session, SYSTEM, events, now=NOW, atomic=atomic)


def used(
    sessions: Sessions,
    customer_id: int,
    start: datetime = datetime(2026, 3, 1, tzinfo=UTC),
    end: datetime = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC),
) -> Usage:
    with sessions() as session:
        return queries.usage_of(session, SYSTEM, customer_id, start=start, end=end)


def calls(number: int, users: int = 0) -> Usage:
    """What so many events come to that tell neither quantity nor response time."""
    return Usage(users, users, number, Decimal(number), Decimal(0), 0)


def wrong_in(session: Session) -> list[str]:
    """What ``verify`` finds wrong about usage."""
    return [wrong for check in verification.checks(session) for wrong in check.wrong]

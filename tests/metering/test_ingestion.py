"""Batches of events: kept once, counted once, refused with index and field."""

from datetime import UTC, datetime
from decimal import Decimal

from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, queries
from tests.invoices.company import a_customer

NOW = datetime(2026, 3, 20, 12, 0, tzinfo=UTC)


def an_event(name: str, **facts: object) -> dict[str, object]:
    return {"id": name, "customer_ref": "ACME", "time": "2026-03-10T10:00:00Z", **facts}


def test_a_batch_is_counted_once(sessions):
    batch = [
        an_event("1", user="ana", response_time=Decimal("0.4")),
        an_event("2", user="ben"),
        an_event("2", user="ben"),
    ]
    with sessions.begin() as session:
        customer_id = a_customer(session)
        first = ingestion.record(session, SYSTEM, batch, now=NOW)
    with sessions.begin() as session:
        second = ingestion.record(session, SYSTEM, batch, now=NOW)
    assert first == ingestion.Recorded(2, 1, 0, ())
    assert second == ingestion.Recorded(0, 3, 0, ())
    with sessions() as session:
        used = queries.usage_of(
            session,
            SYSTEM,
            customer_id,
            start=datetime(2026, 3, 1, tzinfo=UTC),
            end=datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC),
        )
    assert used == queries.Usage(2, 2, 2, Decimal(2), Decimal("0.4"), 1)

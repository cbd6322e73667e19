"""Alerts on the usage of ACME, which is on the plan ``basic`` (10,000 calls, 0.001 USD for each beyond), in March."""

from datetime import UTC, date, datetime

from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion
from billing_core.metering.alerts import AlertMeasure
from billing_core.plans import service as plans
from billing_core.plans.terms import Terms
from billing_core.usage import alerts, threshold_checks
from billing_core.usage.alerts import ReachedRow, Threshold, Told
from tests.invoices.company import a_customer
from tests.metering.used import an_event
from tests.plans.agreed import a_plan, terms

SET = datetime(2026, 3, 1, 9, tzinfo=UTC)
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
NOBODY = Told()


def a_subscriber(session: Session, ref: str = "ACME", agreed: Terms | None = None, **facts) -> int:
    """A customer on a plan of its own since long ago."""
    customer_id = a_customer(session, ref, **facts)
    plans.put_on(
        session, SYSTEM, customer_id, a_plan(session, f"plan {ref}", agreed), valid_from=date(2024, 1, 1), now=SET
    )
    return customer_id


def ten_calls(session: Session, ref: str = "ACME", **facts) -> int:
    """A customer with ten included calls, of whom each further one costs 1.00 USD."""
    return a_subscriber(session, ref, terms(included_calls=10, price_per_call="1"), **facts)


def watch(
    session: Session,
    customer_id: int | None,
    value: int,
    measure: AlertMeasure = AlertMeasure.CALLS,
    told: Told = NOBODY,
    *,
    currency: str = "",
    now: datetime = SET,
) -> int:
    return alerts.create(session, SYSTEM, customer_id, Threshold(measure, value, currency), told, now=now).id


def call(
    sessions: Sessions,
    first: int,
    last: int,
    ref: str = "ACME",
    *,
    at: str = "2026-03-10T10:00:00Z",
    now: datetime = NOW,
) -> None:
    """The calls of these numbers, both included, in one batch."""
    events = [an_event(str(number), customer_ref=ref, time=at) for number in range(first, last + 1)]
    with sessions.begin() as session:
        assert ingestion.record(session, SYSTEM, events, now=now).accepted == len(events)


def check(sessions: Sessions, *, now: datetime = NOW, limit: int = 200) -> list[ReachedRow]:
    """What is reached for the first time, in a transaction of its own."""
    with sessions.begin() as session:
        return threshold_checks.check(session, SYSTEM, now=now, limit=limit).reached


def reached(sessions: Sessions) -> list[tuple[str, int, str, int]]:
    """The whole list, the latest first: customer, threshold, first day, calls."""
    with sessions() as session:
        rows = alerts.reached(session, SYSTEM)
        return [(row.customer_ref, row.threshold, row.first_day.isoformat(), row.calls) for row in rows]

"""Customers who used something in March of 2026, on a plan that includes 3 calls and takes 1.00 for each beyond."""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy.orm import Session

from billing_core.bill_runs.models import RunGoal, RunSource
from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion
from billing_core.plans import service as plans
from tests.bill_runs.company import planned
from tests.plans.agreed import a_plan, terms
from tests.reports.company import NOW, a_customer

INCLUDED = 3


def metered_plan(session: Session) -> str:
    return a_plan(session, "metered", terms(INCLUDED, "1"))


def uses(session: Session, customer_id: int, calls: int, *, on: date = date(2026, 3, 10), planned: bool = True) -> None:
    """So many calls on that day."""
    if planned:
        plans.put_on(session, SYSTEM, customer_id, "metered", valid_from=on.replace(day=1), now=NOW)
    ref = session.get_one(Customer, customer_id).ref
    begin = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    events = [
        {"id": f"{on}-{number}", "customer_ref": ref, "time": (begin + timedelta(seconds=number)).isoformat()}
        for number in range(calls)
    ]
    if events:
        recorded = ingestion.record(session, SYSTEM, events, now=NOW, atomic=True)
        assert recorded.accepted == calls


def users(session: Session, calls: dict[str, int]) -> list[int]:
    """A customer of each name with so many calls."""
    ids = []
    for name, count in calls.items():
        customer_id = a_customer(session, name.upper(), name=name, email=f"ap@{name.lower()}.example", priced=False)
        uses(session, customer_id, count)
        ids.append(customer_id)
    return ids


def over_usage(sessions, customer_ids=None, goal=RunGoal.DRAFTS, **options) -> int:
    return planned(sessions, customer_ids, source=RunSource.USAGE, goal=goal, **options)

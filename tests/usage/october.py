"""Example Corp's October of 2023, as the published document shows it: 12,500 calls by 18 of its 25 users."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion
from billing_core.plans import service as plans
from billing_core.usage.document import ID
from tests.plans.agreed import NOW, a_plan
from tests.reports.company import a_customer

GENERATED = datetime(2023, 11, 1, 10, tzinfo=UTC)
FIRST = datetime(2023, 10, 1, tzinfo=UTC)
LAST = datetime(2023, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC)
CALLS, ACTIVE, KNOWN = 12_500, 18, 25


def an_organization(session: Session, *, uuid: str = ID, ref: str = "EXAMPLE", name: str = "Example Corp") -> int:
    customer_id = a_customer(session, ref, name=name, priced=False)
    session.get_one(Customer, customer_id).uuid = uuid
    session.flush()
    return customer_id


def called(session: Session, uuid: str, times: list[datetime], *, user: str = "ana", name: str = "call") -> None:
    """A call at each of the times, which took 0.42 seconds."""
    events = [
        {"id": f"{name}-{number}", "organization_id": uuid, "time": time.isoformat(), "user": user}
        | {"response_time": Decimal("0.42")}
        for number, time in enumerate(times)
    ]
    recorded = ingestion.record(session, SYSTEM, events, now=GENERATED, atomic=True)
    assert recorded.accepted == len(times)


def october(session: Session) -> int:
    """The organization on ``basic`` with its events: the others of its users have called before."""
    customer_id = an_organization(session)
    plans.put_on(session, SYSTEM, customer_id, a_plan(session), valid_from=FIRST.date(), now=NOW)
    step = (LAST - FIRST) / (CALLS - 1)
    for user in range(ACTIVE):
        mine = [FIRST + number * step for number in range(user, CALLS - 1, ACTIVE)]
        called(session, ID, mine, user=f"user-{user}", name=f"october-{user}")
    called(session, ID, [LAST], user="user-0", name="last")
    for user in range(ACTIVE, KNOWN):
        called(session, ID, [FIRST - timedelta(microseconds=1)], user=f"user-{user}", name=f"september-{user}")
    called(session, ID, [LAST + timedelta(microseconds=1)], user="user-new", name="november")
    return customer_id

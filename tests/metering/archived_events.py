"""A customer's events of a month that are archived, and everything that is said of them."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.metering import digests, meters, queries, withdrawal
from billing_core.metering.archives import service
from billing_core.metering.models import UsageEvent, UsageUser, ZoneKind
from tests.invoices.company import a_customer
from tests.metering.used import NOW, an_event, record, wrong_in

JANUARY = date(2026, 1, 1)


@pytest.fixture
def acme(sessions) -> int:
    """Billed in Berlin: its last two events of January in UTC are of 1 February there."""
    with sessions.begin() as session:
        customer_id = a_customer(session, time_zone="Europe/Berlin")
        meters.add_bucket(session, SYSTEM, "api_calls", code="eu", name="EU", filters={"region": ["eu"]}, now=NOW)
    record(
        sessions,
        an_event("1", time="2025-12-31T23:30:00Z", user="ana"),
        an_event("2", time="2026-01-01T00:00:00Z", user="ana", quantity=Decimal("2.5"), response_time=Decimal("0.25")),
        an_event("3", time="2026-01-15T10:00:00Z", user="ben", endpoint="/v1/é", properties={"region": "eu"}),
        an_event("4", time="2026-01-31T23:30:00Z", user="cy", response_time=1),
        an_event("5", time="2026-01-31T23:59:59.999999Z", user="ana"),
        an_event("6", time="2026-02-01T00:00:00Z", user="cy"),
        an_event("7", time="2026-01-20T10:00:00Z", user="dan"),
    )
    with sessions.begin() as session:
        withdrawal.withdraw(session, SYSTEM, customer_id, "7", reason="A test", now=NOW)
    return customer_id


@pytest.fixture
def folder(tmp_path):
    """For archives alone."""
    made = tmp_path / "archives"
    made.mkdir()
    return made


def archived(sessions, folder, month=JANUARY, actor=SYSTEM) -> service.Archived:
    return service.archive(sessions, actor, month, folder, now=NOW)


def figures(sessions, customer_id) -> dict[str, object]:
    """Everything that is said of its usage by whole days, in both zones."""
    with sessions() as session:
        days = Period(date(2025, 12, 1), date(2026, 3, 31))
        seen = select(UsageUser.user, UsageUser.first_seen_at).order_by(UsageUser.user)
        return {
            "utc": queries.daily(session, SYSTEM, customer_id, days),
            "billing": queries.daily(session, SYSTEM, customer_id, days, zone_kind=ZoneKind.BILLING),
            "users": session.execute(seen).all(),
            "digests": digests.of_days(session, SYSTEM, customer_id, days),
            "january": queries.usage_of(
                session,
                SYSTEM,
                customer_id,
                start=NOW.replace(month=1, day=1, hour=0),
                end=NOW.replace(month=1, day=31, hour=23, minute=59, second=59),
            ),
        }


def here(sessions) -> list[str]:
    with sessions() as session:
        return list(session.scalars(select(UsageEvent.event_id).order_by(UsageEvent.event_id)))


def wrong(sessions) -> list[str]:
    with sessions() as session:
        return wrong_in(session)

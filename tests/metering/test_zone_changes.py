"""When the billing zone changes, the days that are billed change with it, in the same transaction."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.businesses import service as businesses
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Invalid
from billing_core.identity import SYSTEM
from billing_core.metering import zone_changes
from billing_core.metering.models import UsageDay, UsagePeriod, ZoneKind
from tests.invoices.company import a_customer
from tests.metering.used import NOW, an_event, record, wrong_in


@pytest.fixture
def told(sessions) -> tuple[int, int]:
    """ACME is billed in the business's days, which are UTC's, OWN in Berlin's; each was told of 22:30 and 23:30 UTC."""
    with sessions.begin() as session:
        ids = a_customer(session), a_customer(session, "OWN", time_zone="Europe/Berlin")
    for ref in ("ACME", "OWN"):
        times = ("2026-03-10T22:30:00Z", "2026-03-10T23:30:00Z")
        record(sessions, *(an_event(time, customer_ref=ref, time=time) for time in times))
    return ids


def billed(session) -> dict[str, list[tuple[int, int]]]:
    """The days in March with their calls, by the customer's key."""
    rows = session.execute(
        select(Customer.ref, UsageDay.day, UsageDay.calls)
        .join(UsageDay, UsageDay.customer_id == Customer.id)
        .where(UsageDay.zone_kind == ZoneKind.BILLING)
        .order_by(UsageDay.day)
    )
    found: dict[str, list[tuple[int, int]]] = {}
    for ref, day, calls in rows:
        assert day.replace(day=1) == date(2026, 3, 1)
        found.setdefault(ref, []).append((day.day, calls))
    return found


def move(session, customer_id: int, zone: str) -> None:
    version = session.get_one(Customer, customer_id).version
    zone_changes.change_customer(session, SYSTEM, customer_id, version=version, facts={"time_zone": zone}, now=NOW)


def test_a_customers_days_follow_its_zone(sessions, told):
    acme, own = told
    with sessions.begin() as session:
        assert billed(session) == {"ACME": [(10, 2)], "OWN": [(10, 1), (11, 1)]}
        move(session, acme, "Asia/Tokyo")
        move(session, own, "Europe/Helsinki")
        assert billed(session) == {"ACME": [(11, 2)], "OWN": [(11, 2)]}
        assert wrong_in(session) == []
        move(session, acme, "")
        assert billed(session)["ACME"] == [(10, 2)]
        assert wrong_in(session) == []


def test_a_businesss_customers_follow_it_unless_they_have_a_zone_of_their_own(sessions, told):
    with sessions.begin() as session:
        business = default_business(session)
        wanted = replace(businesses.details(business), name="Ours", currency="USD", time_zone="Asia/Tokyo")
        known = {"drawn_from": business.version, "now": NOW}
        zone_changes.change_business(session, SYSTEM, business.id, wanted=wanted, **known)
        assert billed(session) == {"ACME": [(11, 2)], "OWN": [(10, 1), (11, 1)]}
        assert wrong_in(session) == []


def test_a_zone_that_there_is_not_changes_nothing(sessions, told):
    acme, _ = told
    for zone, facts in (("Mars/Olympus", ["time_zone"]), ("utc+1", ["time_zone"])):
        with pytest.raises(Invalid) as refused, sessions.begin() as session:
            move(session, acme, zone)
        assert list(refused.value.fields) == facts
    with pytest.raises(Conflict), sessions.begin() as session:
        zone_changes.change_customer(session, SYSTEM, acme, version=99, facts={"time_zone": "UTC"}, now=NOW)
    with sessions() as session:
        assert billed(session)["ACME"] == [(10, 2)]


def bill(session, customer_id: int, last_day: date = date(2026, 3, 10)) -> None:
    period = UsagePeriod(customer_id=customer_id, first_day=date(2026, 3, 1), last_day=last_day, billed_at=NOW)
    session.add(period)
    session.flush()


def test_a_customer_keeps_the_zone_in_which_usage_of_it_was_billed(sessions, told):
    acme, own = told
    with sessions.begin() as session:
        bill(session, acme)
    for zone in ("Asia/Tokyo", "Europe/Berlin"):
        refused = pytest.raises(Conflict, match="keeps its time zone: its usage is billed in the days of UTC")
        with refused, sessions.begin() as session:
            move(session, acme, zone)
    with sessions.begin() as session:
        # The same zone, as its own.
        move(session, acme, "UTC")
        move(session, own, "Asia/Tokyo")
        assert billed(session) == {"ACME": [(10, 2)], "OWN": [(11, 2)]}


def test_when_the_business_moves_customers_that_were_billed_keep_the_former_zone(sessions, told):
    acme, _ = told
    with sessions.begin() as session:
        beta = a_customer(session, "BETA")
        bill(session, acme)
        version = session.get_one(Customer, acme).version
    with sessions.begin() as session:
        business = default_business(session)
        wanted = replace(businesses.details(business), time_zone="Asia/Tokyo")
        facts = {"wanted": wanted, "drawn_from": business.version, "now": NOW}
        zone_changes.change_business(session, SYSTEM, business.id, **facts)
    with sessions() as session:
        kept = session.get_one(Customer, acme)
        assert (kept.time_zone, kept.version) == ("UTC", version + 1)
        assert session.get_one(Customer, beta).time_zone == ""
        assert billed(session)["ACME"] == [(10, 2)]
        assert wrong_in(session) == []
        entry = session.scalars(
            select(AuditEntry).where(AuditEntry.subject_kind == "customer").order_by(AuditEntry.id)
        ).all()[-1]
        assert (entry.subject_id, entry.before, entry.after) == (str(acme), {"time_zone": ""}, {"time_zone": "UTC"})

"""Who is watched for a cost is checked once a day, whether anything was used or not."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.errors import Forbidden
from billing_core.identity import SYSTEM
from billing_core.metering import meters
from billing_core.metering.alerts import AlertMeasure, UsageCheck
from billing_core.metering.models import Aggregation
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import alerts, threshold_checks
from tests.invoices.company import READER, a_customer
from tests.plans.agreed import terms
from tests.usage.watching import SET, check, watch

CALLS, COST = AlertMeasure.CALLS, AlertMeasure.COST
APRIL = datetime(2026, 4, 2, 12, tzinfo=UTC)


def a_fee(session, ref="ACME", valid_from=date(2024, 1, 1), **facts) -> int:
    """A customer who owes 50.00 USD a month for gigabytes, however many it uses."""
    if ref == "ACME":
        meters.create(session, SYSTEM, code="gb", name="GB", aggregation=Aggregation.SUM, unit="GB", now=SET)
        fee = Price("USD", Scheme.PER_UNIT, (Tier(None, Decimal(1), Decimal(50)),))
        charged = {Metered("gb"): fee}
        plans.create(session, SYSTEM, code="fee", name="Fee", agreed=terms(), charged=charged, now=SET)
    customer_id = a_customer(session, ref, **facts)
    plans.put_on(session, SYSTEM, customer_id, "fee", valid_from=valid_from, now=SET)
    return customer_id


def a_day_begins(sessions, now: datetime) -> list[tuple[str, int, int]]:
    """What is reached then that was not before: whose, in which month, and the cost."""
    assert check(sessions, now=now) == []
    with sessions.begin() as session:
        threshold_checks.ask_where_a_day_began(session, SYSTEM, now=now)
    return [(row.customer_ref, row.first_day.month, row.cost_minor) for row in check(sessions, now=now)]


def test_a_cost_is_reached_by_the_fee_with_which_a_month_begins(sessions):
    with sessions.begin() as session:
        watch(session, a_fee(session), 5_000, COST)
    # The first check is of the month before too, whose end was seen by whoever watches since then.
    march = {(row.first_day.month, row.cost_minor) for row in check(sessions)}
    assert (3, 5_000) in march
    assert a_day_begins(sessions, APRIL) == [("ACME", 4, 5_000)]
    assert a_day_begins(sessions, APRIL.replace(day=3)) == []
    assert a_day_begins(sessions, APRIL.replace(month=5)) == [("ACME", 5, 5_000)]


def test_a_cost_is_reached_by_the_fee_of_a_plan_on_the_day_on_which_that_begins(sessions):
    with sessions.begin() as session:
        watch(session, a_fee(session, valid_from=date(2026, 4, 16)), 2_500, COST)
    assert check(sessions) == []
    assert a_day_begins(sessions, datetime(2026, 4, 14, 12, tzinfo=UTC)) == []
    # Half of April.
    assert a_day_begins(sessions, datetime(2026, 4, 16, tzinfo=UTC)) == [("ACME", 4, 2_500)]


def test_a_month_begins_in_the_zone_in_which_its_usage_is_billed(sessions):
    with sessions.begin() as session:
        a_fee(session)
        session.get_one(Customer, a_fee(session, "TOKYO")).time_zone = "Asia/Tokyo"
        watch(session, None, 5_000, COST, currency="USD")
    check(sessions)
    assert a_day_begins(sessions, datetime(2026, 3, 31, 14, 59, tzinfo=UTC)) == []
    assert a_day_begins(sessions, datetime(2026, 3, 31, 15, 0, tzinfo=UTC)) == [("TOKYO", 4, 5_000)]
    assert a_day_begins(sessions, datetime(2026, 3, 31, 23, 59, tzinfo=UTC)) == []
    assert a_day_begins(sessions, datetime(2026, 4, 1, tzinfo=UTC)) == [("ACME", 4, 5_000)]


def test_only_whose_costs_are_watched_for_and_who_are_on_a_plan_are_checked_daily_and_once(sessions):
    def asked(now):
        with sessions.begin() as session:
            threshold_checks.ask_where_a_day_began(session, SYSTEM, now=now)
            waiting = select(UsageCheck.customer_id).where(UsageCheck.asked_at.is_not(None))
            return session.scalars(waiting.order_by(UsageCheck.customer_id)).all()

    with sessions.begin() as session:
        acme, other = a_fee(session), a_fee(session, "OTHER")
        a_customer(session, "NONE")
        watch(session, other, 100, CALLS)
    check(sessions)
    assert asked(APRIL) == []
    with sessions.begin() as session:
        alert_id = watch(session, None, 5_000, COST, currency="USD")
    check(sessions, now=APRIL)
    assert asked(APRIL) == []
    assert asked(APRIL.replace(day=3)) == [acme, other]
    check(sessions, now=APRIL.replace(day=3))
    with sessions.begin() as session:
        alerts.remove(session, SYSTEM, alert_id, now=APRIL)
    assert asked(APRIL.replace(day=4)) == []
    with sessions.begin() as session, pytest.raises(Forbidden):
        threshold_checks.ask_where_a_day_began(session, READER, now=APRIL)

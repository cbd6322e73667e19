"""The months that are proposed: the newest that have something, found along an index."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.dialects.sqlite import dialect

from billing_core.database import Sessions, connect
from billing_core.database.functions import newest_months
from billing_core.dates import Period
from billing_core.errors import Forbidden
from billing_core.identity import SYSTEM, Actor, Role, actor_with
from billing_core.metering import queries as metering
from billing_core.metering.models import Meter, UsageDay, ZoneKind
from billing_core.orders import queries as orders
from billing_core.orders.models import Order, OrderStatus
from billing_core.reports import queries as reports
from tests.reports.company import MARCH, a_customer, an_order, billed

TODAY = date(2026, 6, 15)
NOBODY = Actor(1, "Nobody", frozenset())


def ordered(session, actor=SYSTEM, *, until=TODAY, limit=6):
    return orders.newest_months(session, actor, until=until, limit=limit)


@pytest.fixture
def months(session):
    """Orders of Acme in March, January and last October; of Bolt in February."""
    acme, bolt = a_customer(session), a_customer(session, "BOLT")
    for number, day in enumerate((date(2026, 3, 1), date(2026, 3, 31), date(2026, 1, 31), date(2025, 10, 2))):
        an_order(session, acme, f"A-{number}", on=day)
    an_order(session, bolt, "B", on=date(2026, 2, 28))
    return acme, bolt


def test_months_with_orders_come_newest_first_each_once(session, months):
    assert ordered(session) == [date(2026, 3, 1), date(2026, 2, 1), date(2026, 1, 1), date(2025, 10, 1)]
    assert ordered(session, limit=2) == [date(2026, 3, 1), date(2026, 2, 1)]


def test_neither_what_is_not_billed_nor_what_is_to_come_counts(session, months):
    acme, _ = months
    an_order(session, acme, "DRAFT", on=date(2026, 5, 2), status=OrderStatus.DRAFT)
    an_order(session, acme, "GONE", on=date(2026, 5, 3), status=OrderStatus.CANCELLED)
    an_order(session, acme, "LATER", on=date(2026, 6, 16))
    assert ordered(session)[0] == date(2026, 3, 1)
    assert ordered(session, until=date(2026, 6, 16))[0] == date(2026, 6, 1)


def test_who_is_bound_to_a_customer_is_told_of_its_months_alone(session, months):
    _, bolt = months
    bound = actor_with(Role.MANAGER, user_id=1, name="Max", customer_id=bolt)
    assert ordered(session, bound) == [date(2026, 2, 1)]
    with pytest.raises(Forbidden):
        ordered(session, NOBODY)


def test_a_company_without_orders_has_no_months(session):
    assert ordered(session) == []
    assert reports.newest_months(session, SYSTEM, limit=6) == []


def test_months_of_reports_are_those_in_which_a_current_one_lies(session, months):
    acme, bolt = months
    for customer, period in (
        (acme, MARCH),
        (acme, Period(date(2026, 1, 1), date(2026, 1, 31))),
        (bolt, Period(date(2026, 2, 1), date(2026, 2, 28))),
        # A quarter is of no month.
        (acme, Period(date(2025, 10, 1), date(2025, 12, 31))),
    ):
        billed(session, customer, period)
    assert reports.newest_months(session, SYSTEM, limit=6) == [date(2026, 3, 1), date(2026, 2, 1), date(2026, 1, 1)]
    bound = actor_with(Role.MANAGER, user_id=1, name="Max", customer_id=bolt)
    assert reports.newest_months(session, bound, limit=6) == [date(2026, 2, 1)]
    with pytest.raises(Forbidden):
        reports.newest_months(session, NOBODY, limit=6)


def test_orders_are_looked_up_along_the_index_of_their_days(sqlite_url):
    """However many orders there are; SQLite says how it would go about it, and PostgreSQL goes by its statistics."""
    statement = newest_months(Order.order_date, Order.billable, Order.order_date <= TODAY, limit=6)
    compiled = statement.compile(dialect=dialect(), compile_kwargs={"literal_binds": True})
    opened = Sessions(connect(sqlite_url))
    with opened() as session:
        plan = [row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))]
    opened.engine.dispose()
    looked_up = [step for step in plan if "orders" in step]
    assert looked_up, plan
    assert all("ix_orders_order_date" in step and "SEARCH" in step for step in looked_up), plan


def used(session, customer_id, day, *, kind=ZoneKind.BILLING):
    session.add(
        UsageDay(
            customer_id=customer_id,
            zone_kind=kind,
            day=day,
            meter_id=session.scalars(select(Meter.id).order_by(Meter.id)).first(),
            bucket_id=0,
            user="",
            calls=1,
            whole=1,
            millionths=0,
            response_time=Decimal(0),
            timed_calls=0,
        )
    )
    session.flush()


def test_the_newest_day_of_usage_is_anybodys_or_ones_own(session):
    acme, bolt = a_customer(session), a_customer(session, "BOLT")
    assert metering.newest_day(session, SYSTEM, until=TODAY) is None
    used(session, acme, date(2026, 3, 31))
    used(session, acme, date(2026, 1, 2))
    used(session, bolt, date(2026, 2, 3))
    used(session, bolt, date(2026, 5, 1), kind=ZoneKind.UTC)
    used(session, bolt, date(2026, 6, 16))

    assert metering.newest_day(session, SYSTEM, until=TODAY) == date(2026, 3, 31)
    assert metering.newest_day(session, SYSTEM, until=date(2026, 2, 28)) == date(2026, 2, 3)
    bound = actor_with(Role.MANAGER, user_id=1, name="Max", customer_id=bolt)
    assert metering.newest_day(session, bound, until=TODAY) == date(2026, 2, 3)
    with pytest.raises(Forbidden):
        metering.newest_day(session, NOBODY, until=TODAY)

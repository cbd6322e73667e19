"""What was billed or agreed since keeps an import from being taken back; what was before does not."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.imports import service
from billing_core.imports.models import ImportRun
from billing_core.imports.taking_back import service as taking_back
from billing_core.invoices import from_reports
from billing_core.metering import verification, withdrawal
from billing_core.metering.models import UsageEvent, UsageEventKey, UsagePeriod
from billing_core.orders.models import Order
from billing_core.plans.models import Plan, PlanVersion
from billing_core.rating.models import Rate
from tests.imports.files import counts, incoming, row_count
from tests.promotions.codes import redeem
from tests.reports.company import LATER, MARCH, NOW, a_customer, an_order, billed

ORDERS = "order_number,customer_ref,order_date,status\n"
EVENTS = "event_id,customer_ref,time,user\ne1,ACME,2026-03-10T10:00Z,ana\ne2,ACME,2026-03-11T10:00Z,ben\n"


def take_in(sessions, kind, content, *, now=NOW, **how):
    assert service.apply(sessions, SYSTEM, incoming(kind, content, **how), now=now).applied


def newest(sessions):
    with sessions() as session:
        return session.scalars(select(ImportRun.id).order_by(ImportRun.id.desc()).limit(1)).one()


def in_the_way(sessions):
    return taking_back.rehearse(sessions, SYSTEM, newest(sessions), now=utc_now()).in_the_way


def take_back(sessions):
    return taking_back.take_back(sessions, SYSTEM, newest(sessions), now=utc_now())


@pytest.fixture
def acme(sessions):
    """M-1 of 10 March has 4 of A-1."""
    with sessions.begin() as session:
        acme = a_customer(session)
        an_order(session, acme, "M-1")
        return acme


def bill(sessions, acme, *, now):
    with sessions.begin() as session:
        report = billed(session, acme, MARCH, now=now)
        return from_reports.draft_from_report(session, SYSTEM, report.id, now=now, today=now.date()).id


def test_orders_that_were_billed_since_stay_as_they_are(sessions, acme):
    take_in(sessions, "orders", f"{ORDERS}M-1,ACME,2026-03-11,shipped\nM-2,ACME,2026-03-12,shipped\n")
    draft = bill(sessions, acme, now=LATER)
    assert in_the_way(sessions) == [
        "M-2 is billed on an invoice",
        "M-2 is on a report",
        f"M-1 is billed on a draft (no. {draft})",
    ]
    with pytest.raises(Conflict, match="cannot be taken back"):
        take_back(sessions)


def test_lines_that_were_billed_since_stay_too(sessions, acme):
    take_in(sessions, "order-items", "order_number,sku,quantity\nM-1,B,1\n", lines="add")
    draft = bill(sessions, acme, now=LATER)
    assert in_the_way(sessions) == [f"M-1 is billed on a draft (no. {draft})"]


def test_what_was_billed_before_an_import_does_not_keep_it(sessions, acme):
    bill(sessions, acme, now=NOW)
    take_in(sessions, "orders", f"{ORDERS}M-1,ACME,2026-03-11,cancelled\n", now=LATER)
    take_back(sessions)
    with sessions() as session:
        order = session.scalars(select(Order)).one()
        assert (order.order_date, order.status) == (date(2026, 3, 10), "shipped")


def test_a_corrected_rate_is_in_force_again_unless_the_correction_was_used(sessions, acme):
    """The report has priced handling at 2.00 before."""
    with sessions.begin() as session:
        billed(session, acme, MARCH)
    rates = "customer_ref,service_code,unit_price,valid_from\nACME,HANDLING,3,2026-01-01\n"
    take_in(sessions, "rates", rates, now=LATER)
    assert row_count(sessions, Rate) == 3
    take_back(sessions)
    with sessions() as session:
        assert [rate.withdrawn_at for rate in session.scalars(select(Rate))] == [None, None]
    take_in(sessions, "rates", rates, now=LATER)
    with sessions.begin() as session:
        billed(session, acme, MARCH, now=LATER)
    assert in_the_way(sessions) == ["ACME · HANDLING · 2026-01-01 has priced orders of a report"]


def test_a_rate_does_not_return_over_one_that_came_since(sessions, acme):
    """Handling ends in May by the file, and another price holds from June."""
    take_in(
        sessions,
        "rates",
        "customer_ref,service_code,unit_price,valid_from,valid_to\nACME,HANDLING,2,2026-01-01,2026-05-31\n",
    )
    with sessions.begin() as session:
        old = session.scalars(select(Rate).where(Rate.service_id == 1)).one()
        facts = {"customer_id": acme, "service_id": 1, "currency": "USD", "created_at": NOW}
        session.add(Rate(unit_price=old.unit_price, valid_from=date(2026, 6, 1), **facts))
    (said,) = in_the_way(sessions)
    assert said.startswith("ACME · HANDLING · 2026-01-01: valid_from “2026-01-01” the rate of ACME for HANDLING from")


def test_a_currency_that_is_in_use_stays(sessions):
    with sessions.begin() as session:
        acme = a_customer(session, priced=False)
    take_in(sessions, "customers", "customer_ref,name,currency\nACME,Acme Corp,EUR\n")
    rates = {"customer_id": acme, "service_id": 1, "currency": "EUR", "created_at": NOW, "valid_from": MARCH.start}
    with sessions.begin() as session:
        session.add(Rate(unit_price=1, **rates))
    (said,) = in_the_way(sessions)
    assert "the customer is billed in EUR, and has rates, reports or a plan in it" in said


def test_a_redeemed_code_and_a_plan_with_a_later_version_stay(sessions, acme):
    take_in(sessions, "plans", "plan_code,name,price,included_calls,price_per_call\nP,Pro,10,0,1\n")
    take_in(sessions, "promo-codes", "code,percent,duration\nTEN,10,once\n")
    with sessions.begin() as session:
        redeem(session, "TEN", acme, session.scalars(select(Plan.id)).one())
    assert in_the_way(sessions) == ["TEN has been redeemed"]
    take_in(sessions, "plans", "plan_code,name,price,included_calls,price_per_call\nP,Pro,20,0,1\n", now=LATER)
    with sessions.begin() as session:
        version = session.scalars(select(PlanVersion).where(PlanVersion.number == 2)).one()
        facts = {name: getattr(version, name) for name in ("plan_id", "currency", "interval", "included_calls")}
        session.add(PlanVersion(number=3, price_minor=1, price_per_call=1, created_at=LATER, **facts))
    assert in_the_way(sessions) == ["P has a version after version 2"]


def test_usage_that_was_billed_stays_and_what_was_withdrawn_stays_withdrawn(sessions, acme):
    take_in(sessions, "usage", EVENTS)
    with sessions.begin() as session:
        days = {"first_day": date(2026, 3, 1), "last_day": date(2026, 3, 31)}
        period = UsagePeriod(customer_id=acme, billed_at=LATER, **days)
        session.add(period)
    assert in_the_way(sessions) == [f"event {one} of ACME is on a bill of usage" for one in ("e1", "e2")]
    with sessions.begin() as session:
        session.delete(session.get(UsagePeriod, 1))
        withdrawal.withdraw(session, SYSTEM, acme, "e1", reason="Sent twice", now=datetime(2026, 4, 1, tzinfo=UTC))
    assert take_back(sessions).made == 1
    with sessions() as session:
        assert session.scalars(select(UsageEventKey.event_id)).all() == ["e1"]
        assert session.scalars(select(UsageEvent.event_id)).all() == ["e1"]
        assert [wrong for check in verification.checks(session) for wrong in check.wrong] == []
    assert counts(service.apply(sessions, SYSTEM, incoming("usage", EVENTS), now=LATER)) == (1, 0, 1, 0)


def test_many_orders_go_where_reports_have_others(sessions, acme):
    """More than the database could look up one by one in tables that have no index for it."""
    with sessions.begin() as session:
        billed(session, acme, MARCH)
    rows = "".join(f"N-{number},ACME,2026-04-01,shipped\n" for number in range(150))
    take_in(sessions, "orders", ORDERS + rows)
    assert take_back(sessions).made == 150
    assert row_count(sessions, Order) == 1

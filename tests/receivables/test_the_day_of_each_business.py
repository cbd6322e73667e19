"""What is overdue goes by the day of the invoice's own business, wherever it is asked.

Noon of 31 March in UTC is 1 April in Auckland, and 31 March where the first business is. Both sent an invoice that is
due on 31 March.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from sqlalchemy import Date, literal, select, update

from billing_core import figures
from billing_core.businesses import queries as businesses
from billing_core.businesses.models import Business
from billing_core.dates import Today, day_of, passed
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.invoices import lifecycle, outgoing_events, queries
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.lists.csv import as_csv
from billing_core.invoices.models import Invoice
from billing_core.invoices.queries import InvoiceFilter
from billing_core.mailing import reminder_planning, reminder_schedules, reminders
from billing_core.outgoing_webhooks import service as webhooks
from billing_core.outgoing_webhooks.service import EndpointDetails
from billing_core.receivables import ageing, attention
from billing_core.receivables import figures as money
from tests.receivables.history import History

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
MARCH_31, APRIL_1 = date(2026, 3, 31), date(2026, 4, 1)


@pytest.fixture
def books(session) -> History:
    """70.00 are due to the first business and 30.00 to the one in Auckland."""
    far = Business(name="Far", currency="USD", time_zone="Pacific/Auckland")
    session.add(far)
    session.flush()
    history = History(session)
    customer = history.a_customer("C1")
    for amount, business_id in ((70_00, 1), (30_00, far.id)):
        assert history.send(customer, amount, terms=89, business_id=business_id).due_on == MARCH_31
    session.execute(update(Invoice).values(customer_email="c1@example.com"))
    return history


def test_the_present_day_is_that_of_each_business(session, books):
    near, far = books.invoices
    today = businesses.days(session, now=NOON)
    assert today == Today(MARCH_31, ((far.business_id, APRIL_1),))
    assert [day_of(today, one.business_id) for one in books.invoices] == [MARCH_31, APRIL_1]
    assert businesses.day_at(session, far.business_id, now=NOON) == APRIL_1
    assert businesses.days(session, now=NOON + timedelta(hours=13)) == APRIL_1
    assert near.business_id == 1


def test_lists_and_their_files_show_what_is_overdue_where_its_business_is(session, books):
    near, far = books.invoices
    today = businesses.days(session, now=NOON)

    late = InvoiceFilter(status=(InvoiceStatus.OVERDUE,))
    (listed,) = queries.page(session, SYSTEM, late, today=today)
    assert (listed.id, listed.status(today), listed.days_late(today)) == (far.id, InvoiceStatus.OVERDUE, 1)
    (other,) = queries.page(session, SYSTEM, InvoiceFilter(status=(InvoiceStatus.SENT,)), today=today)
    assert (other.id, other.status(today), other.days_late(today)) == (near.id, InvoiceStatus.SENT, None)
    by_status = queries.totals_by_status(session, SYSTEM, InvoiceFilter(), today=today)
    assert {(one.status, one.due_minor) for one in by_status} == {("sent", 70_00), ("overdue", 30_00)}
    assert lifecycle.status(near, today) == "sent"
    lines = b"".join(as_csv(session, SYSTEM, InvoiceFilter(), today=today).chunks).decode().splitlines()
    assert sorted(line.split(",")[2] for line in lines[1:]) == ["overdue", "sent"]


def test_figures_and_ageing_count_what_is_overdue_where_its_business_is(session, books):
    asked = Scope(today=businesses.days(session, now=NOON))

    assert figures.value(session, SYSTEM, money.OVERDUE, asked) == {"USD": 30_00}
    assert figures.proven(session, SYSTEM, money.OVERDUE, asked) == {"USD": 30_00}
    assert figures.count(session, SYSTEM, attention.OVERDUE_INVOICES, asked) == 1
    for rows in (ageing.by_currency(session, SYSTEM, asked), ageing.by_customer(session, SYSTEM, asked)):
        assert [(row.amounts, row.invoices) for row in rows] == [((70_00, 30_00, 0, 0, 0), 2)]
    thirty_on = Scope(today=businesses.days(session, now=NOON + timedelta(days=30)))
    (row,) = ageing.by_currency(session, SYSTEM, thirty_on)
    assert row.amounts == (0, 70_00, 30_00, 0, 0)


def test_reminders_go_by_the_day_of_the_business(session, books):
    near, far = books.invoices
    for one in books.invoices:
        facts = {"reminds": True, "steps": [1], "now": books.now, "today": books.day}
        reminder_schedules.change(session, SYSTEM, one.business_id, **facts)
    today = businesses.days(session, now=NOON)

    (plan_near, plan_far) = reminders.rehearse_now(session, SYSTEM, [near.id, far.id], now=NOON, today=today)
    assert (plan_near.step, plan_far.step) == (None, 1)
    assert (plan_near.kind, plan_far.kind) == ("reminder_due", "reminder_late")
    assert reminders.run(session, SYSTEM, now=NOON, today=today, business_ids=[near.business_id]) == 0
    assert reminders.run(session, SYSTEM, now=NOON, today=today) == 1
    assert reminder_planning.handled(session, [near.id, far.id]) == {far.id: [1]}


def test_programs_are_told_once_it_is_overdue_where_its_business_is(session, books):
    details = EndpointDetails("https://hooks.example.com/", ())
    webhooks.register(session, SYSTEM, details, private_allowed=True, now=books.now)
    told = [
        outgoing_events.overdue(session, SYSTEM, today=businesses.days(session, now=now), now=now)
        for now in (NOON - timedelta(hours=2), NOON, NOON, NOON + timedelta(hours=13))
    ]
    assert told[0] == 0
    assert told[1] > 0


def test_sql_and_python_agree_on_what_has_passed_in_each_of_three_businesses(session):
    """It is a day earlier, the same day and a day later; 0 and 30 days ago."""
    today = Today(MARCH_31, ((2, APRIL_1), (3, MARCH_31 - timedelta(days=1))))
    cases = [
        (business_id, MARCH_31 + timedelta(days=days - ago), ago)
        for business_id, days, ago in product((1, 2, 3, 4), range(-3, 4), (0, 30))
    ]
    asked = [
        passed(literal(day, Date), literal(business_id), today, days_ago=ago).label(f"case_{at}")
        for at, (business_id, day, ago) in enumerate(cases)
    ]
    expected = [day < day_of(today, business_id) - timedelta(days=ago) for business_id, day, ago in cases]
    assert [bool(one) for one in session.execute(select(*asked)).one()] == expected

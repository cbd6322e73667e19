"""Reminders go out by themselves: from the morning on, once, also by two processes."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from billing_core import runtime
from billing_core.businesses.queries import default_business
from billing_core.dates import utc_now
from billing_core.jobs import engine
from billing_core.jobs.schedules import daily
from billing_core.mailing import reminder_schedules
from billing_core.mailing.models import Reminder
from billing_core.outbox.models import OutboxMessage
from billing_core.settings import settings
from tests.at_once import at_once
from tests.invoices.company import GRACE, NOW, TODAY, a_customer, an_invoice
from tests.outbox.post_office import MailServer, PostOffice

pytestmark = pytest.mark.slow

DUE = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def due(sessions, monkeypatch) -> None:
    """Twenty invoices, due on April 1, of a business that reminds then."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    with sessions.begin() as session:
        customer = a_customer(session)
        for _ in range(20):
            an_invoice(session, customer)
        business_id = default_business(session).id
        reminder_schedules.change(session, GRACE, business_id, reminds=True, steps=[0], now=NOW, today=TODAY)


def put_in(sessions) -> int:
    with sessions() as session:
        numbers = [session.scalar(select(func.count()).select_from(table)) for table in (OutboxMessage, Reminder)]
    assert numbers[0] == numbers[1]
    return numbers[0]


def test_reminders_wait_for_the_morning_where_the_business_is(sessions, due):
    assert daily.remind_due(DUE + timedelta(hours=7, minutes=59)) == 0
    assert daily.remind_due(DUE + timedelta(hours=8)) == 20
    assert daily.remind_due(DUE + timedelta(hours=9)) == 0
    assert put_in(sessions) == 20


def test_two_processes_at_once_remind_once(sessions, due):
    counts = at_once(*[lambda: daily.remind_due(DUE + timedelta(hours=8))] * 2)
    assert list(map(type, counts)) == [int, int]
    assert put_in(sessions) == 20


def test_a_process_that_starts_catches_up_by_itself(sessions, due, monkeypatch):
    office = PostOffice()
    monkeypatch.setattr(daily, "REMIND_FROM_HOUR", 0)
    with MailServer(office) as url:
        monkeypatch.setenv("BILLING_SMTP_URL", url)
        settings.cache_clear()
        engine.start()
        try:
            office.wait_for(20)
        finally:
            engine.stop()
            settings.cache_clear()
    assert put_in(sessions) == 20
    assert {str(mail["Subject"])[:8] for mail in office.mails} == {"Reminder"}
    assert utc_now() > DUE

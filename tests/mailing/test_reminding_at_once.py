"""The schedule and a person remind of the same invoice in the same moment: the customer gets one mail."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import select, text

from billing_core.identity import SYSTEM
from billing_core.mailing import reminder_schedules, reminders
from billing_core.outbox.models import OutboxMessage
from tests.invoices.company import GRACE, NOW, TODAY, a_customer, an_invoice

LATE = TODAY + timedelta(days=38)
NOW_THEN = NOW + timedelta(days=38)


def wait_until_somebody_waits(sessions) -> None:
    """On PostgreSQL: until the other one stands before a lock. On SQLite it has not even begun."""
    if sessions.engine.dialect.name == "sqlite":
        return
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    end = time.monotonic() + 300
    while time.monotonic() < end:
        with sessions() as session:
            if session.scalar(waiting):
                return
    raise AssertionError("nobody waits for the invoice")


def test_who_is_reminded_by_hand_is_not_reminded_by_the_schedule_at_the_same_time(sessions):
    with sessions.begin() as session:
        invoice = an_invoice(session, a_customer(session))
        facts = {"reminds": True, "steps": (-3, 0, 7), "now": NOW, "today": TODAY}
        reminder_schedules.change(session, GRACE, invoice.business_id, **facts)

    def scheduled() -> None:
        with sessions.begin() as session:
            reminders.run(session, SYSTEM, now=NOW_THEN, today=LATE)

    with ThreadPoolExecutor(1) as pool:
        with sessions.begin() as session:
            by_hand = reminders.remind_now(session, GRACE, [invoice.id], now=NOW_THEN, today=LATE)
            running = pool.submit(scheduled)
            wait_until_somebody_waits(sessions)
        running.result(timeout=300)

    with sessions() as session:
        assert list(session.scalars(select(OutboxMessage.id))) == by_hand.message_ids

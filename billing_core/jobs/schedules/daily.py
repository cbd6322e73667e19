"""What is due once a day: reminders. Checked every hour, so that a process that was down catches up."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from dbos import DBOS

from billing_core import runtime
from billing_core.businesses import queries as businesses
from billing_core.dates import Day, day_of, today_in, utc_now
from billing_core.errors import BillingError
from billing_core.identity import SYSTEM
from billing_core.invoices import outgoing_events
from billing_core.jobs import outbox_delivery, pauses
from billing_core.jobs.schedules import outcomes
from billing_core.mailing import credit_first, reminder_schedules, reminders
from billing_core.processes.models import Queue

log = structlog.get_logger()

# Nobody wants to be reminded in the middle of the night, and by then yesterday's payments should be recorded.
REMIND_FROM_HOUR: Final = 8


@DBOS.workflow(name="remind")
def remind(_due_at: datetime, _context: Any) -> None:
    if not pauses.is_paused(Queue.REMINDERS):
        with outcomes.recorded(Queue.REMINDERS):
            _remind_step()
            _announce_step()


def remind_due(now: datetime | None = None) -> int:
    """Send every reminder due today where it is not too early in the day; returns for how many invoices."""
    now = now or utc_now()
    sessions = runtime.sessions()
    with sessions() as session:
        zones = businesses.zones(session)
    today, handled = today_in(zones, now), 0
    awake = [business_id for business_id, zone in zones if now.astimezone(ZoneInfo(zone)).hour >= REMIND_FROM_HOUR]
    _use_credit(today, awake, now)
    while True:
        with sessions.begin() as session:
            some = reminders.run(session, SYSTEM, now=now, today=today, business_ids=awake)
        if not some:
            break
        handled += some
        outbox_delivery.nudge()
    if handled:
        log.info("reminders_put_in", invoices=handled)
    return handled


def _use_credit(today: Day, business_ids: Collection[int], now: datetime) -> None:
    """Where a business wants it, before its reminders: a customer's credit in one transaction."""
    sessions = runtime.sessions()
    with sessions() as session:
        schedules = [one for one in reminder_schedules.in_force(session) if one.business_id in business_ids]
    for schedule in (one for one in schedules if one.uses_credit):
        day, owner = day_of(today, schedule.business_id), None
        while True:
            with sessions() as session:
                owners = credit_first.owners(session, schedule, today=day, after=owner)
            for owner in owners:
                try:
                    with sessions.begin() as session:
                        credit_first.use(session, SYSTEM, schedule, owner, today=day, now=now)
                except BillingError as refusal:
                    log.warning("credit_not_used", customer_id=owner.customer_id, because=str(refusal))
            if not owners:
                break


def announce_overdue(now: datetime | None = None) -> int:
    """Send webhooks about invoices whose due date has passed: one event each, however often this runs."""
    now = now or utc_now()
    sessions = runtime.sessions()
    with sessions() as session:
        today = businesses.days(session, now=now)
    with sessions.begin() as session:
        return outgoing_events.overdue(session, SYSTEM, today=today, now=now)


@DBOS.step(name="announce_overdue")
def _announce_step() -> int:
    return announce_overdue()


@DBOS.step(name="remind_due")
def _remind_step() -> int:
    return remind_due()

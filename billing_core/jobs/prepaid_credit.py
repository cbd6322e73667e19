"""Prepaid credit that was bought is there soon after it was paid, and what has expired is gone."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.businesses import queries as businesses
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import SYSTEM
from billing_core.jobs import outbox_delivery
from billing_core.jobs.periodic import Periodic
from billing_core.mailing import service as mailing
from billing_core.payments.prepaid import top_ups, upkeep
from billing_core.processes.models import Queue

log = structlog.get_logger()

# Of each kind of work, in one transaction.
_BATCH: Final = 100
# Payments come in by many ways, of which only the gateway's events tell of themselves.
_EVERY_SECONDS: Final = 30


def keep_up(ending: Callable[[], bool] = lambda: False) -> int:
    """Do all that is due, one transaction per batch; returns with how many purchases and grants."""
    done = 0
    while not ending():
        now = utc_now()
        # Read first: on SQLite an idle turn must not take the write lock.
        with runtime.sessions()() as session:
            changes, gaps = upkeep.due(session, now=now), top_ups.due(session, now=now)
        if not changes and not gaps:
            break
        with runtime.sessions().begin() as session:
            if changes:
                done += upkeep.run(session, SYSTEM, now=now, limit=_BATCH)
            else:
                _top_up(session, now)
        outbox_delivery.nudge()
    if done:
        log.info("prepaid_credit_kept_up", changes=done)
    return done


def _top_up(session: Session, now: datetime) -> None:
    """What has expired has ended by now, and what was bought and is paid is there."""
    today = businesses.days(session, now=now)
    to_mail = top_ups.ask(session, SYSTEM, now=now, limit=_BATCH)
    for invoice_id in to_mail:
        # One that cannot be mailed stays a draft, for a person to send, and keeps no other back.
        try:
            with session.begin_nested():
                mailing.send_many(session, SYSTEM, [invoice_id], now=now, today=today)
        except BillingError as refusal:
            log.warning("prepaid_top_up_not_mailed", invoice_id=invoice_id, reason=str(refusal))


job = Periodic("prepaid credit", keep_up, every_seconds=_EVERY_SECONDS, queue=Queue.PREPAID_CREDIT)

"""``renewals run``: what is due of subscriptions: trials that end, periods that begin, charges."""

from argparse import Namespace
from datetime import datetime
from typing import Any

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments import configured
from billing_core.settings import settings
from billing_core.subscriptions import clock, reporting
from billing_core.subscriptions.reporting import Told


def run(arguments: Namespace) -> Answer:
    now: datetime = arguments.now or utc_now()
    if arguments.now is not None and configured.mode(settings()) is Mode.LIVE:
        raise Invalid("Another instant than the present one cannot be chosen where real money is collected")
    sessions = runtime.sessions()
    gateway = configured.gateway(sessions, settings())
    done = list(clock.run(sessions, SYSTEM, gateway, now=now))
    with sessions() as session:
        told = reporting.tell(session, done)
    return Answer([_facts(one) for one in told], "\n".join([*map(_words, told), f"{len(told)} steps were due"]))


def _facts(one: Told) -> dict[str, Any]:
    return {
        "subscription": one.subscription,
        "period": one.period,
        "invoice": one.invoice,
        "attempt": one.attempt,
        "status": one.status,
        "step": one.step,
    }


def _words(one: Told) -> str:
    parts = (one.subscription, one.step, one.period, one.invoice, one.attempt, one.status)
    return ", ".join(part for part in parts if part)

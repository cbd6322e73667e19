"""Subscriptions to *pro*, 30.00 USD a month, whose second version is 40.00; moved after notice until 3 March."""

from datetime import date, datetime

from sqlalchemy import select

from billing_core.identity import SYSTEM
from billing_core.plans import service as plans
from billing_core.plans.terms import Terms
from billing_core.subscriptions.models import ChangeState, SubscriptionChange
from billing_core.subscriptions.moving import rehearsing, service
from billing_core.subscriptions.moving.asked import Asked
from billing_core.subscriptions.moving.rehearsing import Rehearsal
from tests.subscriptions.signed_up import D, at

TODAY = date(2026, 2, 1)
NOW = at(2, 1)
NOTICE = 30


def a_version(session, code: str = "pro", price: str = "40", **facts) -> None:
    agreed = Terms(facts.pop("currency", "USD"), D(price), 0, D(facts.pop("price_per_call", 0)), **facts)
    plans.add_version(session, SYSTEM, code, agreed, now=NOW)


def asked(**facts) -> Asked:
    return Asked(**({"plan_code": "pro", "version": 2, "first_day": date(2026, 3, 3)} | facts))


def rehearsed(session, **facts) -> Rehearsal:
    return rehearsing.rehearse(session, SYSTEM, asked(**facts), today=TODAY, notice_days=NOTICE)


def moved(sessions, now: datetime = NOW, token: str | None = None, **facts) -> int:
    with sessions.begin() as session:
        shown = token or rehearsed(session, **facts).token
        return service.move(session, SYSTEM, asked(**facts), shown, today=TODAY, notice_days=NOTICE, now=now)


def states(sessions) -> list[ChangeState]:
    """Of all changes, in the order in which they were asked for."""
    with sessions() as session:
        return list(session.scalars(select(SubscriptionChange.state).order_by(SubscriptionChange.id)))

"""Subscriptions to *pro*, 30.00 USD a month, whose second version is 40.00; moved after notice until 3 March."""

from datetime import date, datetime

import pytest
from sqlalchemy import select

from billing_core.identity import SYSTEM
from billing_core.plans import service as plans
from billing_core.plans.terms import Terms
from billing_core.subscriptions import verification
from billing_core.subscriptions.models import ChangeState, SubscriptionChange
from billing_core.subscriptions.moving import rehearsing, service
from billing_core.subscriptions.moving.asked import Asked
from billing_core.subscriptions.moving.rehearsing import Rehearsal
from tests.subscriptions.signed_up import D, a_plan, a_subscription, at, billed, state
from tests.subscriptions.test_collecting import gateway

__all__ = ["gateway"]


@pytest.fixture
def pro(sessions) -> int:
    """Signed up on 31 January, so that its periods begin on 28 February, 31 March, 30 April."""
    with sessions.begin() as session:
        a_plan(session)
        a_plan(session, "team", "60")
        made = a_subscription(session)
        a_version(session)
    return made


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


def public_id(sessions, subscription_id: int) -> str:
    with sessions() as session:
        return state(session, subscription_id).public_id


def totals(sessions, subscription_id: int) -> list[int]:
    """Of its invoices, in cents, the oldest first."""
    with sessions() as session:
        assert [check.wrong for check in verification.checks(session) if check.wrong] == []
        return [total for _, total in billed(session, subscription_id)]

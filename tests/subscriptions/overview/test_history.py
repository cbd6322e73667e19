"""One subscription with its periods, invoices, charges and usage, for those who may see it."""

from datetime import date
from functools import partial

import pytest

from billing_core.dates import Period
from billing_core.errors import Forbidden, NotFound
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from billing_core.invoices.models import InvoiceState
from billing_core.subscriptions.models import InvoiceKind
from billing_core.subscriptions.overview import charging, forecast, history
from tests.subscriptions.signed_up import a_plan, a_subscription, at, renewed, state

DAYS = Period(date(2026, 2, 1), date(2026, 2, 28))
READS = [
    history.one,
    partial(history.periods, limit=5),
    history.period_count,
    partial(history.billed, limit=5),
    history.billed_count,
    partial(charging.of_subscription, limit=5),
    partial(history.used, days=DAYS),
    partial(forecast.bills, count=1),
]


@pytest.fixture
def renewed_once(sessions) -> int:
    with sessions.begin() as session:
        a_plan(session)
        subscription_id = a_subscription(session)
    renewed(sessions, subscription_id, at(3, 1))
    return subscription_id


def test_periods_stand_with_what_was_billed_for_them(sessions, renewed_once):
    with sessions() as session:
        rows = history.periods(session, SYSTEM, renewed_once, limit=5)
        assert [(row.days.start, row.days.end, row.total_minor, row.due_minor) for row in rows] == [
            (date(2026, 2, 28), date(2026, 3, 30), 3_000, 3_000),
            (date(2026, 1, 31), date(2026, 2, 27), 3_000, 3_000),
        ]
        assert history.period_count(session, SYSTEM, renewed_once) == 2
        assert [row.number for row in history.periods(session, SYSTEM, renewed_once, limit=5, offset=1)] == [0]


def test_invoices_stand_with_how_they_are_collected(sessions, renewed_once):
    with sessions() as session:
        newest, _ = history.billed(session, SYSTEM, renewed_once, limit=5)
        assert (newest.kind, newest.state, newest.failures) == (InvoiceKind.PERIOD, InvoiceState.OPEN, 0)
        assert (newest.issued_on, newest.collect_at) == (date(2026, 2, 28), at(3, 1))
        assert history.billed_count(session, SYSTEM, renewed_once) == 2
        assert charging.of_subscription(session, SYSTEM, renewed_once, limit=5) == []


@pytest.mark.parametrize("read", READS)
def test_another_customers_is_not_there(sessions, renewed_once, read):
    with sessions() as session:
        theirs = state(session, renewed_once).customer_id
        read(session, actor_with(Role.MANAGER, user_id=None, name="Theirs", customer_id=theirs), renewed_once)
        other = actor_with(Role.MANAGER, user_id=None, name="Other", customer_id=theirs + 1)
        with pytest.raises(NotFound):
            read(session, other, renewed_once)
        with pytest.raises(NotFound):
            read(session, SYSTEM, renewed_once + 1)


@pytest.mark.parametrize("read", READS)
def test_who_may_not_see_subscriptions_sees_nothing_of_one(sessions, renewed_once, read):
    without = Actor(None, "Nobody", frozenset(Permission) - {Permission.SUBSCRIPTION_READ})
    with sessions() as session, pytest.raises(Forbidden):
        read(session, without, renewed_once)

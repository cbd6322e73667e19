"""One subscription with its periods, invoices, charges and usage, for those who may see it."""

from datetime import date
from functools import partial

import pytest

from billing_core.dates import Period
from billing_core.errors import Forbidden, NotFound
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from billing_core.invoices.models import InvoiceState
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.settings import settings
from billing_core.subscriptions import clock
from billing_core.subscriptions.changes import cancelling, pausing
from billing_core.subscriptions.changes.closing import Ending, OpenInvoices
from billing_core.subscriptions.changes.wanted import When
from billing_core.subscriptions.models import InvoiceKind
from billing_core.subscriptions.overview import charging, forecast, history
from tests.subscriptions.changed import HALF, changed, found, subscribed
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
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, settings())


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


def told(sessions, public_id) -> list[tuple]:
    """(days, plan, invoices, total, given back, due, state) of each period, the first one first."""
    with sessions() as session:
        rows = history.periods(session, SYSTEM, found(session, public_id).id, limit=9)
        return [
            (
                *(row.days, row.plan_name, row.invoices, row.total_minor, row.given_back_minor, row.due_minor),
                row.invoice_state,
            )
            for row in reversed(rows)
        ]


def test_a_period_that_got_another_length_on_its_first_day_has_both_invoices(sessions, gateway):
    """30.00, which is credited, and 360.00 for the year."""
    public_id = subscribed(sessions, gateway)
    changed(sessions, gateway, public_id, at(1, 31, 12), plan_code="year")
    year = Period(date(2026, 1, 31), date(2027, 1, 30))
    assert told(sessions, public_id) == [(year, "Year", 2, 39_000, 3_000, 0, InvoiceState.PAID)]


def test_a_change_within_a_period_stands_with_it(sessions, gateway):
    """15.00 of 30.00 are credited, and 30.00 are charged for the other half of the period."""
    public_id = subscribed(sessions, gateway)
    changed(sessions, gateway, public_id, HALF, plan_code="team")
    days = Period(date(2026, 1, 31), date(2026, 2, 27))
    assert told(sessions, public_id) == [(days, "Team", 2, 6_000, 1_500, 0, InvoiceState.PAID)]


def test_a_change_to_another_length_ends_a_period_and_begins_one(sessions, gateway):
    public_id = subscribed(sessions, gateway, card=None)
    changed(sessions, gateway, public_id, HALF, plan_code="year")
    assert told(sessions, public_id) == [
        (Period(date(2026, 1, 31), date(2026, 2, 13)), "Pro", 1, 3_000, 1_500, 1_500, InvoiceState.OPEN),
        (Period(date(2026, 2, 14), date(2027, 2, 13)), "Year", 1, 36_000, 0, 36_000, InvoiceState.OPEN),
    ]


def test_more_seats_are_billed_in_their_period_and_what_is_scheduled_comes_with_the_next(sessions, gateway):
    """Two seats for half of the period are 5.00; less than that begins with the next one, as the plan does."""
    public_id = subscribed(sessions, gateway, "seats")
    changed(sessions, gateway, public_id, HALF, seats=3)
    changed(sessions, gateway, public_id, HALF, plan_code="pro", seats=1, when=When.PERIOD_END)
    first = (Period(date(2026, 1, 31), date(2026, 2, 27)), "Seats", 2, 1_500, 0, 0, InvoiceState.PAID)
    assert told(sessions, public_id) == [first]
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28)))
    second = (Period(date(2026, 2, 28), date(2026, 3, 30)), "Pro", 1, 3_000, 0, 0, InvoiceState.PAID)
    assert told(sessions, public_id) == [first, second]


def test_what_was_cancelled_asks_for_nothing_and_a_paused_period_has_no_invoice(sessions, gateway):
    public_id = subscribed(sessions, gateway, card=None)
    with sessions.begin() as session:
        pausing.pause(session, SYSTEM, public_id, now=HALF)
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28)))
    ending = Ending(open_invoices=OpenInvoices.VOID)
    cancelling.cancel(sessions, SYSTEM, gateway, public_id, ending, now=at(3, 1))
    assert told(sessions, public_id) == [
        (Period(date(2026, 1, 31), date(2026, 2, 27)), "Pro", 1, 0, 0, 0, InvoiceState.CANCELLED),
        (Period(date(2026, 2, 28), date(2026, 3, 30)), "Pro", 0, None, None, None, None),
    ]


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

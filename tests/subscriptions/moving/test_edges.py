"""Moves at the edges: of seats, numbers of periods, anchors, days, and of several moves of one plan."""

from datetime import date

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.dates import LATEST_DAY
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.plans.models import PlanInterval
from billing_core.plans.terms import AddOn
from billing_core.subscriptions.changes import changing
from billing_core.subscriptions.changes.wanted import Wanted, When
from billing_core.subscriptions.moving import asked as asking
from billing_core.subscriptions.moving import letters, listing, rehearsing, service
from billing_core.subscriptions.moving.candidates import LeftOut
from billing_core.subscriptions.moving.service import Outdated
from tests.subscriptions.moving.moves import (
    NOTICE,
    NOW,
    TODAY,
    a_version,
    asked,
    gateway,
    moved,
    pro,
    rehearsed,
    totals,
)
from tests.subscriptions.signed_up import D, a_plan, a_subscription, at, renewed, state
from tests.subscriptions.test_telling import mails

__all__ = ["gateway", "pro"]
SUPPORT = AddOn("support", "Support", {"USD": D(7)})


@pytest.fixture
def database_url(sqlite_url) -> str:
    """Both kinds of databases are asked the same elsewhere."""
    return sqlite_url


@pytest.mark.parametrize(("seats", "before", "after"), [(1, 3_000, 4_000), (2, 3_000, 4_000), (3, 3_500, 4_600)])
def test_seats_below_at_and_above_those_that_are_included(sessions, seats, before, after):
    with sessions.begin() as session:
        a_plan(session, seat_price=D(5), included_seats=2)
        a_subscription(session, seats=seats)
        a_version(session, seat_price=D(6), included_seats=2)
        assert [tuple(one) for one in rehearsed(session).sums] == [("USD", 1, before, after)]


@pytest.mark.parametrize(("seats", "stays"), [(2, True), (1, False)])
def test_seats_that_are_to_come_keep_from_a_version_without(sessions, gateway, seats, stays):
    with sessions.begin() as session:
        a_plan(session, seat_price=D(5), included_seats=1, add_ons=(SUPPORT,))
        public_id = state(session, a_subscription(session)).public_id
        a_version(session, add_ons=(SUPPORT,))
    wanted = Wanted(seats=seats, add_ons={"support": 1}, when=When.PERIOD_END)
    changing.change(sessions, SYSTEM, gateway, public_id, wanted, now=NOW)
    with sessions() as session:
        found = rehearsed(session)
        assert (found.moved, found.left_out) == ((0, {LeftOut.SEATS: 1}) if stays else (1, {}))


def test_periods_have_great_numbers(sessions):
    """The ninetieth day."""
    with sessions.begin() as session:
        a_plan(session, interval=PlanInterval.DAY)
        a_subscription(session)
        a_version(session, interval=PlanInterval.DAY)
        assert [one.moved for one in rehearsed(session, first_day=date(2026, 5, 1)).sums] == [1]


@pytest.mark.parametrize(("ends_after", "moves"), [(2, False), (3, True)])
def test_a_version_that_ends_before_its_first_period_is_nobodys(sessions, pro, ends_after, moves):
    """The period from 31 March is the third one, of number 2."""
    with sessions.begin() as session:
        a_version(session, ends_after=ends_after)
        found = rehearsed(session, version=3, older=(1,))
        assert (found.moved, found.left_out) == ((1, {}) if moves else (0, {LeftOut.ENDED: 1}))


def test_the_day_is_counted_from_an_anchor_that_has_moved(sessions, gateway):
    """After a week that ends on 7 February: 7 March is the first day of a month after the notice."""
    with sessions.begin() as session:
        a_plan(session)
        a_plan(session, "week", "10", interval=PlanInterval.WEEK)
        made = a_subscription(session, "week")
        public_id = state(session, made).public_id
    changing.change(sessions, SYSTEM, gateway, public_id, Wanted("pro", when=When.PERIOD_END), now=NOW)
    renewed(sessions, made, at(2, 7))
    with sessions.begin() as session:
        assert state(session, made).anchor_number == 1
        a_version(session)
        shown = rehearsing.page(session, SYSTEM, asked(), limit=2)
    move_id = moved(sessions, now=at(2, 8))
    with sessions.begin() as session:
        kept = listing.page(session, SYSTEM, move_id, limit=2)
        assert [one.begins_on for one in (*shown, *kept)] == [date(2026, 3, 7)] * 2
        letters.tell(session, SYSTEM, limit=2, now=at(2, 8))
    (mail,) = mails(sessions)
    assert mail.title == "Pro: new terms from March 7, 2026"
    assert "Acme Corp" in mail.content["text"]
    renewed(sessions, made, at(3, 7))
    assert totals(sessions, made)[-1] == 4_000


def test_the_last_day_that_there_is_can_be_asked_for(sessions):
    asking.check_notice(asked(first_day=LATEST_DAY), today=TODAY, notice_days=NOTICE)


def test_a_version_is_not_left_for_itself(sessions, pro):
    with sessions() as session, pytest.raises(Invalid, match="not older than version 2"):
        rehearsed(session, older=(2,))


def test_each_withdrawal_makes_another_rehearsal(sessions, pro):
    tokens = []
    for _ in range(2):
        with sessions() as session:
            tokens.append(rehearsed(session).token)
        move_id = moved(sessions, token=tokens[-1])
        with sessions.begin() as session:
            service.withdraw(session, SYSTEM, move_id, now=NOW)
    with pytest.raises(Outdated):
        moved(sessions, token=tokens[-1])
    with sessions() as session:
        assert [one.id for one in listing.moves(session, SYSTEM, "pro", limit=9)] == [2, 1]
        assert len({*tokens, rehearsed(session).token}) == 3


def test_who_was_let_stay_before_has_not_been_withdrawn_with_the_others(sessions, pro):
    with sessions.begin() as session:
        other = a_subscription(session, ref="OTHER")
        state(session, other).plan_version_id = state(session, pro).plan_version_id
        public_id = state(session, pro).public_id
    move_id = moved(sessions)
    with sessions.begin() as session:
        changes = listing.page(session, SYSTEM, move_id, limit=9)
        assert [one.subscription_id for one in changes] == [pro, other]
        changing.withdraw(session, SYSTEM, public_id, changes[0].change_id, now=at(2, 2))
    with sessions.begin() as session:
        assert service.withdraw(session, SYSTEM, move_id, now=at(2, 3)) == 1
        recorded = select(AuditEntry.subject_id).where(AuditEntry.action == "subscription.withdraw_change")
        assert session.scalars(recorded.order_by(AuditEntry.id)).all() == [f"{pro}", f"{other}"]

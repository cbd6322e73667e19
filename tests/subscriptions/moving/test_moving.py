"""Subscriptions go on with another version of their plan, each with its first period after notice."""

from datetime import date, datetime

import pytest
from sqlalchemy import select

from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import SYSTEM
from billing_core.plans.models import BillingTiming, TrialEnd
from billing_core.plans.terms import AddOn, Phase
from billing_core.promotions import service as promotions
from billing_core.promotions.models import PromoDuration
from billing_core.promotions.new_codes import NewCode
from billing_core.subscriptions.changes import cancelling, changing
from billing_core.subscriptions.changes import listing as changes
from billing_core.subscriptions.changes.cancelling import Ending
from billing_core.subscriptions.changes.wanted import Wanted, When
from billing_core.subscriptions.models import ChangeState, SubscriptionChange
from billing_core.subscriptions.moving import listing, service
from billing_core.subscriptions.overview import forecast
from tests.subscriptions.moving.moves import (
    NOW,
    a_version,
    gateway,
    moved,
    pro,
    public_id,
    rehearsed,
    states,
    totals,
)
from tests.subscriptions.signed_up import D, a_plan, a_subscription, at, renewed, state
from tests.subscriptions.test_metered import called

__all__ = ["gateway", "pro"]
SCHEDULED, APPLIED, WITHDRAWN = ChangeState.SCHEDULED, ChangeState.APPLIED, ChangeState.WITHDRAWN
SUPPORT = AddOn("support", "Support", {"USD": D(7)})


@pytest.fixture
def database_url(sqlite_url) -> str:
    """What begins with which period is not said in SQL."""
    return sqlite_url


def test_the_first_period_after_notice_takes_the_new_price(sessions, pro):
    """The period of 28 February begins before 3 March."""
    moved(sessions)
    for now in (at(2, 28), at(3, 31), at(4, 30)):
        renewed(sessions, pro, now)
    assert totals(sessions, pro) == [3_000, 3_000, 4_000, 4_000]
    with sessions() as session:
        (change,) = session.scalars(select(SubscriptionChange))
        assert (change.state, change.period_number, change.effective_at) == (APPLIED, 2, at(3, 31))


def test_the_day_of_a_period_counts_and_not_that_of_the_run(sessions, pro):
    """Nothing ran until 30 April."""
    moved(sessions)
    renewed(sessions, pro, at(4, 30))
    assert totals(sessions, pro) == [3_000, 3_000, 4_000, 4_000]


@pytest.mark.parametrize(("day", "second"), [(date(2026, 3, 31), 4_000), (date(2026, 4, 1), 3_000)])
def test_a_period_that_begins_on_the_day_itself_counts(sessions, pro, day, second):
    moved(sessions, first_day=day)
    renewed(sessions, pro, at(4, 30))
    assert totals(sessions, pro) == [3_000, 3_000, second, 4_000]


def test_a_trial_that_ends_after_notice_begins_with_the_new_price(sessions):
    with sessions.begin() as session:
        a_plan(session, trial_end=TrialEnd.INVOICE)
        early = a_subscription(session, ref="EARLY", trial_days=14)
        late = a_subscription(session, ref="LATE", trial_days=45)
        a_version(session, trial_end=TrialEnd.INVOICE)
    moved(sessions)
    for one in (early, late):
        renewed(sessions, one, at(3, 17))
    assert (totals(sessions, early), totals(sessions, late)) == ([3_000, 4_000], [4_000])
    renewed(sessions, late, at(4, 17))
    assert totals(sessions, late) == [4_000, 4_000]


def test_seats_add_ons_and_a_promo_code_go_on(sessions):
    """(30 + 2 seats × 5 + 2 × 7), then (40 + 2 × 6 + 2 × 8), half of the plan's price off each time."""
    with sessions.begin() as session:
        promotions.create(session, SYSTEM, NewCode("HALF", percent=D(50), duration=PromoDuration.FOREVER), now=at(1, 1))
        a_plan(session, seat_price=D(5), included_seats=1, add_ons=(SUPPORT,))
        made = a_subscription(session, seats=3, add_ons={"support": 2}, promo_code="HALF")
        a_version(session, seat_price=D(6), included_seats=1, add_ons=(AddOn("support", "Support", {"USD": D(8)}),))
        found = rehearsed(session)
        assert [tuple(one) for one in found.sums] == [("USD", 1, 3_000 + 1_000 + 1_400, 4_000 + 1_200 + 1_600)]
    moved(sessions)
    renewed(sessions, made, at(3, 31))
    assert totals(sessions, made) == [3_900, 3_900, 4_800]


def test_usage_is_priced_by_the_version_of_its_period(sessions):
    """A call of March at 1 cent is billed with 31 March, one of April at 5 cents with 30 April."""
    with sessions.begin() as session:
        a_plan(session, price_per_call="0.01")
        made = a_subscription(session)
        a_version(session, price_per_call="0.05")
    moved(sessions)
    renewed(sessions, made, at(2, 28))
    called(sessions, made, at(3, 10))
    renewed(sessions, made, at(3, 31))
    called(sessions, made, at(4, 10))
    renewed(sessions, made, at(4, 30))
    assert totals(sessions, made) == [3_000, 3_000, 4_001, 4_005]


def test_a_version_in_arrears_bills_its_periods_afterwards(sessions):
    """March is 30.00 in advance, April 40.00 once it is over: nothing is billed as it begins."""
    with sessions.begin() as session:
        a_plan(session)
        made = a_subscription(session)
        a_version(session, timing=BillingTiming.ARREARS)
    moved(sessions)
    for now in (at(2, 28), at(3, 31), at(4, 30)):
        renewed(sessions, made, now)
    assert totals(sessions, made) == [3_000, 3_000, 4_000]


def test_phases_are_those_of_the_period_that_begins(sessions):
    """Period 2, from 31 March, is the last of three at half price by the new version."""
    with sessions.begin() as session:
        a_plan(session)
        made = a_subscription(session)
        a_version(session, phases=(Phase(3, D(50)),))
        assert [tuple(one) for one in rehearsed(session).sums] == [("USD", 1, 3_000, 2_000)]
    moved(sessions)
    renewed(sessions, made, at(4, 30))
    assert totals(sessions, made) == [3_000, 3_000, 2_000, 4_000]


def test_a_change_of_seats_keeps_the_move_and_one_of_the_plan_drops_it(sessions, gateway):
    with sessions.begin() as session:
        a_plan(session, seat_price=D(5), included_seats=1)
        a_plan(session, "team", "60")
        more, other = a_subscription(session, ref="MORE"), a_subscription(session, ref="OTHER")
        a_version(session, seat_price=D(5), included_seats=1)
    moved(sessions)
    for one, wanted in ((more, Wanted(seats=2)), (other, Wanted("team"))):
        changing.change(sessions, SYSTEM, gateway, public_id(sessions, one), wanted, now=NOW)
    assert states(sessions) == [SCHEDULED, WITHDRAWN, APPLIED, APPLIED]
    renewed(sessions, more, at(3, 31))
    renewed(sessions, other, at(3, 31))
    assert totals(sessions, more)[-2:] == [3_500, 4_500]
    assert totals(sessions, other)[-2:] == [6_000, 6_000]


def test_another_plan_at_the_end_of_the_same_period_comes_before_the_move(sessions, gateway):
    with sessions.begin() as session:
        a_plan(session)
        a_plan(session, "small", "10")
        made = a_subscription(session)
        a_version(session)
    moved(sessions)
    renewed(sessions, made, at(2, 28))
    name = public_id(sessions, made)
    with sessions() as session:
        shown = changing.preview(session, SYSTEM, name, Wanted("small"), now=at(3, 5))
        assert (shown.when, shown.next_invoice.sums.total_minor) == (When.PERIOD_END, 1_000)
    changing.change(sessions, SYSTEM, gateway, name, Wanted("small"), now=at(3, 5))
    with sessions() as session:
        assert [one.total_minor for one in forecast.bills(session, SYSTEM, made, count=2)] == [1_000, 1_000]
    renewed(sessions, made, at(3, 31))
    assert totals(sessions, made) == [3_000, 3_000, 1_000]
    assert states(sessions) == [WITHDRAWN, APPLIED]


@pytest.mark.parametrize(("asked_at", "expected"), [(NOW, [3_000, 3_000, 4_000]), (at(3, 5), [3_000, 3_000, 4_000])])
def test_who_was_to_go_to_another_plan_and_comes_back_is_moved_as_the_others(sessions, gateway, asked_at, expected):
    """Asked for in the period before the move's, and in the one that ends with it: 31 March is 40.00 either way."""
    with sessions.begin() as session:
        a_plan(session)
        a_plan(session, "small", "10")
        made = a_subscription(session)
        a_version(session)
    moved(sessions)
    if asked_at != NOW:
        renewed(sessions, made, at(2, 28))
    name = public_id(sessions, made)
    for plan in ("small", "pro"):
        changing.change(sessions, SYSTEM, gateway, name, Wanted(plan, when=When.PERIOD_END), now=asked_at)
    with sessions() as session:
        coming = [one.total_minor for one in forecast.bills(session, SYSTEM, made, count=2)]
        assert coming == ([3_000, 4_000] if asked_at == NOW else [4_000, 4_000])
    renewed(sessions, made, at(3, 31))
    assert totals(sessions, made) == expected
    assert states(sessions) == [APPLIED, APPLIED, APPLIED]


def test_the_preview_of_coming_back_shows_the_price_after_the_move(sessions, gateway):
    with sessions.begin() as session:
        a_plan(session)
        a_plan(session, "small", "10")
        made = a_subscription(session)
        a_version(session)
    moved(sessions)
    renewed(sessions, made, at(2, 28))
    name = public_id(sessions, made)
    changing.change(sessions, SYSTEM, gateway, name, Wanted("small"), now=at(3, 5))
    with sessions() as session:
        shown = changing.preview(session, SYSTEM, name, Wanted("pro", when=When.PERIOD_END), now=at(3, 6))
        assert shown.next_invoice.sums.total_minor == 4_000


def test_terms_that_the_new_version_lacks_are_refused_while_it_waits(sessions, gateway):
    with sessions.begin() as session:
        a_plan(session, add_ons=(SUPPORT,))
        made = a_subscription(session)
        a_version(session)
    moved(sessions)
    with sessions() as session, pytest.raises(Invalid, match=r"moves to version 2 .*has no add-on “support”"):
        changing.preview(session, SYSTEM, public_id(sessions, made), Wanted(add_ons={"support": 1}), now=NOW)


def test_coming_bills_and_previews_show_the_new_price(sessions, gateway):
    with sessions.begin() as session:
        a_plan(session, seat_price=D(5), included_seats=1)
        made = a_subscription(session)
        a_version(session, seat_price=D(5), included_seats=1)
    moved(sessions)
    with sessions() as session:
        coming = forecast.bills(session, SYSTEM, made, count=3)
        assert [(one.issued_on, one.total_minor) for one in coming] == [
            (date(2026, 2, 28), 3_000),
            (date(2026, 3, 31), 4_000),
            (date(2026, 4, 30), 4_000),
        ]
    renewed(sessions, made, at(2, 28))
    with sessions() as session:
        shown = changing.preview(session, SYSTEM, public_id(sessions, made), Wanted(seats=2), now=at(3, 31, 9))
        assert shown.next_invoice.sums.total_minor == 4_500


def test_who_is_cancelled_is_not_moved(sessions, gateway):
    with sessions.begin() as session:
        a_plan(session)
        at_once, at_end = a_subscription(session), a_subscription(session, ref="AT END")
        a_version(session)
    moved(sessions)
    cancelling.cancel(sessions, SYSTEM, gateway, public_id(sessions, at_once), Ending(), now=NOW)
    cancelling.cancel(sessions, SYSTEM, gateway, public_id(sessions, at_end), Ending(at_period_end=True), now=NOW)
    assert states(sessions) == [WITHDRAWN, SCHEDULED]
    renewed(sessions, at_end, at(3, 31))
    assert states(sessions) == [WITHDRAWN, WITHDRAWN]
    assert totals(sessions, at_end) == [3_000]


def test_only_the_versions_that_are_named_are_left(sessions, pro):
    with sessions.begin() as session:
        second = a_subscription(session, ref="SECOND")
        a_version(session, price="50")
    moved(sessions, version=3, older=(2,))
    renewed(sessions, pro, at(3, 31))
    renewed(sessions, second, at(3, 31))
    assert (totals(sessions, pro)[-1], totals(sessions, second)[-1]) == (3_000, 5_000)


def test_a_move_can_be_withdrawn_and_asked_for_again(sessions, pro):
    move_id = moved(sessions)
    with sessions.begin() as session:
        assert service.withdraw(session, SYSTEM, move_id, now=at(2, 2)) == 1
    with sessions.begin() as session, pytest.raises(Conflict, match="nothing to withdraw"):
        service.withdraw(session, SYSTEM, move_id, now=at(2, 2))
    with sessions.begin() as session, pytest.raises(NotFound):
        service.withdraw(session, SYSTEM, 99, now=at(2, 2))
    renewed(sessions, pro, at(3, 31))
    assert totals(sessions, pro) == [3_000, 3_000, 3_000]
    assert moved(sessions, first_day=date(2026, 4, 30)) != move_id
    renewed(sessions, pro, at(4, 30))
    assert totals(sessions, pro)[-1] == 4_000


def test_one_of_many_can_be_withdrawn(sessions, pro):
    with sessions.begin() as session:
        other = a_subscription(session, ref="OTHER")
        a_version(session, price="50")
    move_id = moved(sessions, version=3)
    with sessions.begin() as session:
        changing.withdraw(session, SYSTEM, state(session, pro).public_id, 1, now=at(2, 2))
        (row,) = listing.moves(session, SYSTEM, "pro", limit=10)
        assert (row.id, row.scheduled, row.applied, row.withdrawn) == (move_id, 1, 0, 1)
    renewed(sessions, pro, at(3, 31))
    renewed(sessions, other, at(3, 31))
    assert (totals(sessions, pro)[-1], totals(sessions, other)[-1]) == (3_000, 5_000)


def begins_at(sessions, subscription_id: int) -> list[datetime | None]:
    """Of its changes, the newest first."""
    known = public_id(sessions, subscription_id)
    with sessions() as session:
        return [row.begins_at for row in changes.page(session, SYSTEM, known, limit=9)]


def test_it_is_told_when_it_begins_as_things_stand(sessions, pro):
    """The first period that begins on 3 March or later is that of 31 March; a change of its own comes with the next."""
    moved(sessions)
    assert begins_at(sessions, pro) == [at(3, 31)]
    renewed(sessions, pro, at(2, 28))
    assert begins_at(sessions, pro) == [at(3, 31)]
    renewed(sessions, pro, at(3, 31))
    assert begins_at(sessions, pro) == [None]


def test_what_ends_before_does_not_tell_when_it_would_be_moved(sessions, pro):
    moved(sessions)
    with sessions.begin() as session:
        state(session, pro).cancel_at_period_end = True
    assert begins_at(sessions, pro) == [None]

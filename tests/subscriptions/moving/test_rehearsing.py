"""What a move comes to, who stays where they are, and that it is done as it was shown."""

from datetime import date

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.errors import Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.plans.models import PlanInterval
from billing_core.plans.terms import AddOn, Amounts
from billing_core.subscriptions.changes import cancelling, changing, pausing
from billing_core.subscriptions.changes.cancelling import Ending
from billing_core.subscriptions.changes.wanted import Wanted, When
from billing_core.subscriptions.lifecycle import CANCELED, PAST_DUE, UNPAID
from billing_core.subscriptions.models import ChangeState, PlanMove
from billing_core.subscriptions.moving import exports, letters, listing, rehearsing, service
from billing_core.subscriptions.moving.candidates import LeftOut
from billing_core.subscriptions.moving.service import Outdated
from tests.at_once import at_once
from tests.invoices.company import a_customer
from tests.subscriptions.moving.moves import (
    NOTICE,
    NOW,
    TODAY,
    a_version,
    asked,
    gateway,
    moved,
    pro,
    public_id,
    rehearsed,
    states,
    totals,
)
from tests.subscriptions.signed_up import D, a_plan, a_subscription, at, renewed, state

__all__ = ["gateway", "pro"]
SCHEDULED, APPLIED, WITHDRAWN = ChangeState.SCHEDULED, ChangeState.APPLIED, ChangeState.WITHDRAWN
SUPPORT = AddOn("support", "Support", {"USD": D(7)})


def left_out(session, **facts) -> dict[LeftOut, int]:
    return dict(rehearsed(session, **facts).left_out)


def test_each_reason_to_be_left_out_is_named(sessions, gateway):
    with sessions.begin() as session:
        a_plan(session, seat_price=D(5), included_seats=1, add_ons=(SUPPORT,))
        a_plan(session, "small", "10")
        paused, ending, small, _, _, fine = (
            a_subscription(session, ref=ref, **facts)
            for ref, facts in (
                ("PAUSED", {}),
                ("ENDING", {}),
                ("SMALL", {}),
                ("SEATS", {"seats": 2}),
                ("ADD-ONS", {"add_ons": {"support": 1}}),
                ("FINE", {}),
            )
        )
        a_version(session)
        pausing.pause(session, SYSTEM, state(session, paused).public_id, now=NOW)
    cancelling.cancel(sessions, SYSTEM, gateway, public_id(sessions, ending), Ending(at_period_end=True), now=NOW)
    changing.change(sessions, SYSTEM, gateway, public_id(sessions, small), Wanted("small"), now=NOW)
    with sessions() as session:
        assert rehearsed(session).moved == 1
        each = {LeftOut.PAUSED, LeftOut.ENDING, LeftOut.OTHER_PLAN, LeftOut.SEATS, LeftOut.ADD_ONS}
        assert left_out(session) == dict.fromkeys(each, 1)
        rows = rehearsing.page(session, SYSTEM, asked(), left_out=True, limit=10)
        assert [(row.customer_name, row.mail) for row in rows] == [("Acme Corp", "")] * 5
        assert {row.left_out for row in rows} == each
    moved(sessions)
    with sessions() as session:
        assert left_out(session)[LeftOut.MOVING] == 1
        assert [row.subscription_id for row in listing.page(session, SYSTEM, 1, limit=10)] == [fine]


def test_who_was_to_go_and_comes_back_can_be_moved_and_is_told_of_it(sessions, gateway):
    with sessions.begin() as session:
        a_plan(session)
        a_plan(session, "small", "10")
        made = a_subscription(session)
        a_version(session)
    name = public_id(sessions, made)
    found = []
    for plan in ("small", "pro"):
        changing.change(sessions, SYSTEM, gateway, name, Wanted(plan, when=When.PERIOD_END), now=NOW)
        with sessions() as session:
            found.append(left_out(session))
    assert found == [{LeftOut.OTHER_PLAN: 1}, {}]
    moved(sessions)
    with sessions.begin() as session:
        assert letters.tell(session, SYSTEM, limit=2, now=NOW) == 1
    renewed(sessions, made, at(3, 31))
    assert totals(sessions, made) == [3_000, 3_000, 4_000]


@pytest.mark.parametrize(("standing", "moves"), [(PAST_DUE, 1), (UNPAID, 0), (CANCELED, 0)])
def test_who_owes_is_moved_and_who_has_given_up_paying_is_not(sessions, pro, standing, moves):
    canceled_at = NOW if standing is CANCELED else None
    with sessions.begin() as session:
        one = state(session, pro)
        one.state, one.canceled_at = standing, canceled_at
        session.flush()
        assert rehearsed(session).moved == moves
        assert left_out(session) == ({LeftOut.UNPAID: 1} if standing is UNPAID else {})


def test_a_period_that_has_begun_already_goes_on_as_it_began(sessions):
    """In Auckland it is 1 February, while the business is still in January, and moves from 1 February on."""
    with sessions.begin() as session:
        a_plan(session)
        a_customer(session, "KIWI", time_zone="Pacific/Auckland")
        made = a_subscription(session, ref="KIWI", now=at(1, 31, 20))
        a_version(session)
    here, first_day = {"today": date(2026, 1, 31), "notice_days": 1}, date(2026, 2, 1)
    with sessions.begin() as session:
        shown = rehearsing.rehearse(session, SYSTEM, asked(first_day=first_day), **here)
        (row,) = rehearsing.page(session, SYSTEM, asked(first_day=first_day), limit=9)
        assert row.begins_on == date(2026, 3, 1)
        service.move(session, SYSTEM, asked(first_day=first_day), shown.token, now=at(1, 31, 21), **here)
    renewed(sessions, made, at(3, 1))
    assert totals(sessions, made) == [3_000, 4_000]


def test_who_ends_before_or_by_the_other_version_is_left_out(sessions):
    """After two periods, on 31 March, which would be the third one."""
    with sessions.begin() as session:
        a_plan(session, ends_after=2)
        a_subscription(session)
        a_version(session)
        a_version(session, price="50", ends_after=3)
        assert left_out(session) == {LeftOut.ENDED: 1}
        a_subscription(session, ref="SECOND", now=at(3, 1))
    with sessions.begin() as session:
        assert rehearsed(session, older=(1,), version=3).moved == 0


def test_a_currency_that_the_version_lacks_and_sums_of_each(sessions):
    with sessions.begin() as session:
        further = {"EUR": Amounts(D(28)), "CHF": Amounts(D(29))}
        a_plan(session, further=further)
        for ref, currency in (("EURO", "EUR"), ("SWISS", "CHF"), ("DOLLAR", "USD"), ("SECOND", "USD")):
            a_customer(session, ref, currency=currency)
            a_subscription(session, ref=ref)
        a_version(session, further={"EUR": Amounts(D(35))})
        found = rehearsed(session)
        assert [tuple(one) for one in found.sums] == [("EUR", 1, 2_800, 3_500), ("USD", 2, 6_000, 8_000)]
        assert [tuple(one) for one in found.differences] == [("USD", 1_000, 2), ("EUR", 700, 1)]
        assert found.left_out == {LeftOut.CURRENCY: 1}


def test_usage_that_another_subscription_bills_keeps_out(sessions):
    with sessions.begin() as session:
        a_plan(session)
        a_plan(session, "calls", price_per_call="0.01")
        a_subscription(session)
        a_subscription(session, "calls")
        alone = a_subscription(session, ref="ALONE")
        a_subscription(session, ref="ALONE")
        a_version(session, price_per_call="0.01")
        assert left_out(session) == {LeftOut.USAGE: 2}
        assert [row.id for row in rehearsing.page(session, SYSTEM, asked(), limit=9)] == [alone]


def test_other_periods_or_another_currency_are_refused(sessions, pro):
    with sessions.begin() as session:
        a_version(session, price="360", interval=PlanInterval.YEAR)
        a_version(session, price="45", currency="EUR")
        for facts, reason in (
            ({"version": 3, "older": (1,)}, "whose periods have another length than those of version 3"),
            ({"version": 4, "older": (2,)}, "which is in USD, while version 4 is in EUR"),
            ({"version": 1}, "is the oldest of the plan"),
            ({"version": 2, "older": (3,)}, "not older than version 2"),
            ({"first_day": date(2026, 3, 2)}, "must be 2026-03-03 or later: 30 days of notice"),
            ({"first_day": date(9999, 1, 1)}, "must be 2026-03-03 or later"),
        ):
            with pytest.raises(Invalid, match=reason):
                rehearsed(session, **facts)
        for unknown in ({"version": 9}, {"plan_code": "other"}, {"plan_code": "p\0"}, {"older": (7,)}):
            with pytest.raises(NotFound):
                rehearsed(session, **unknown)


def test_a_move_is_done_as_it_was_shown_and_once(sessions, pro):
    with sessions() as session:
        token = rehearsed(session).token
    assert moved(sessions, token=token) == moved(sessions, token=token)
    with sessions() as session:
        assert len(session.scalars(select(PlanMove)).all()) == 1
        recorded = select(AuditEntry.action, AuditEntry.subject_kind, AuditEntry.subject_id)
        newest = session.execute(recorded.order_by(AuditEntry.id.desc()).limit(2)).all()
        assert [tuple(row) for row in newest] == [
            ("subscription.ask_change", "subscription", f"{pro}"),
            ("subscription.move", "plan", "1"),
        ]


def test_what_was_withdrawn_is_shown_anew(sessions, pro):
    """Whoever still sees what was shown before is not told that it is done."""
    with sessions() as session:
        token = rehearsed(session).token
    move_id = moved(sessions, token=token)
    with sessions.begin() as session:
        service.withdraw(session, SYSTEM, move_id, now=NOW)
    with pytest.raises(Outdated) as refusal:
        moved(sessions, token=token)
    assert states(sessions) == [WITHDRAWN]
    moved(sessions, token=refusal.value.rehearsal.token)
    assert states(sessions) == [WITHDRAWN, SCHEDULED]


def test_two_who_move_in_the_same_moment_move_once(sessions, pro):
    with sessions() as session:
        token = rehearsed(session).token
    assert at_once(*[lambda: moved(sessions, token=token)] * 2) == [1, 1]
    assert states(sessions) == [SCHEDULED]


def test_a_period_that_begins_while_the_move_is_withdrawn_takes_one_price(sessions, pro):
    """Whoever comes first: either it has begun, or it is withdrawn."""
    move_id = moved(sessions)
    renewed(sessions, pro, at(2, 28))

    def withdraws():
        with sessions.begin() as session:
            return service.withdraw(session, SYSTEM, move_id, now=at(3, 31))

    _, withdrawn = at_once(lambda: renewed(sessions, pro, at(3, 31)), withdraws)
    expected = (WITHDRAWN, 3_000) if withdrawn == 1 else (APPLIED, 4_000)
    assert (states(sessions)[0], totals(sessions, pro)[-1]) == expected


def test_who_begins_with_a_move_does_not_wait_for_whoever_withdraws_it(sessions, pro):
    """Who withdraws waits for them: both would wait for each other."""
    move_id = moved(sessions)
    its_key = select(PlanMove.id).where(PlanMove.id == move_id).with_for_update(read=True, key_share=True, nowait=True)
    with sessions.begin() as session:
        service.withdraw(session, SYSTEM, move_id, now=NOW)
        with sessions.engine.connect() as other:
            assert other.scalar(its_key) == move_id


def test_what_has_changed_meanwhile_is_shown_anew(sessions, pro):
    with sessions() as session:
        shown = rehearsed(session)
        public_id = state(session, pro).public_id
    with sessions.begin() as session:
        pausing.pause(session, SYSTEM, public_id, now=NOW)
    with pytest.raises(Outdated) as refusal:
        moved(sessions, token=shown.token)
    assert (shown.moved, refusal.value.rehearsal.moved) == (1, 0)
    assert states(sessions) == []


def test_who_can_be_moved_a_moment_later_is_shown_anew(sessions, pro, monkeypatch):
    with sessions.begin() as session:
        late = state(session, a_subscription(session, ref="LATE"))
        late.plan_version_id, late.paused_at = state(session, pro).plan_version_id, NOW
        shown, late_id = rehearsed(session), late.public_id
    whole = rehearsing.of_course

    def then_resumed(session, *given):
        found = whole(session, *given)
        pausing.resume(session, SYSTEM, late_id, now=NOW)
        return found

    monkeypatch.setattr(rehearsing, "of_course", then_resumed)
    with pytest.raises(Outdated):
        moved(sessions, token=shown.token)
    assert states(sessions) == []


def test_renewals_and_cards_do_not_outdate_what_was_shown(sessions, pro):
    with sessions() as session:
        shown = rehearsed(session)
    renewed(sessions, pro, at(2, 28))
    moved(sessions, token=shown.token)
    assert states(sessions) == [SCHEDULED]


def test_nobody_to_move_is_refused(sessions):
    with sessions.begin() as session:
        a_plan(session)
        a_version(session)
    with pytest.raises(Invalid, match="no subscription to move"):
        moved(sessions)


@pytest.mark.parametrize("role", [Role.FINANCE, Role.MANAGER])
def test_only_who_may_change_subscriptions_may_move_them(sessions, pro, role):
    actor = actor_with(role, user_id=1, name="Mo")
    move_id = moved(sessions)
    limits = {"today": TODAY, "notice_days": NOTICE}
    with sessions.begin() as session:
        for verb in (
            lambda: rehearsing.rehearse(session, actor, asked(), **limits),
            lambda: rehearsing.page(session, actor, asked(), limit=10),
            lambda: exports.rehearsed(session, actor, asked()),
            lambda: service.move(session, actor, asked(), "x", now=NOW, **limits),
            lambda: service.withdraw(session, actor, move_id, now=NOW),
        ):
            with pytest.raises(Forbidden):
                verb()
        assert [row.id for row in listing.moves(session, actor, "pro", limit=10)] == [move_id]


def test_whoever_is_bound_to_a_customer_sees_no_other(sessions, pro):
    with sessions.begin() as session:
        a_subscription(session, ref="OTHER")
        theirs = state(session, pro).customer_id
    move_id = moved(sessions)
    other = actor_with(Role.MANAGER, user_id=1, name="Mo", customer_id=theirs + 1)
    with sessions() as session:
        assert listing.moves(session, other, "pro", limit=10) == []
        assert listing.page(session, other, move_id, limit=10) == []

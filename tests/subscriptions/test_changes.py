"""Other terms: what is charged and credited for the rest of a period, by whole days; amounts by hand."""

from datetime import date

import pytest
from sqlalchemy import func, select

from billing_core.errors import Conflict, Invalid, NotFound, UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.online_payments.gateway import Declined
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.settings import settings
from billing_core.subscriptions import clock
from billing_core.subscriptions.changes import changing, listing
from billing_core.subscriptions.changes.changing import Outdated
from billing_core.subscriptions.changes.wanted import When
from billing_core.subscriptions.models import ChangeState, SubscriptionChange
from tests.subscriptions.changed import (
    balance,
    changed,
    charged,
    credited,
    found,
    plans,
    previewed,
    subscribed,
)
from tests.subscriptions.signed_up import D, a_plan, at, billed, lines, renewed
from tests.subscriptions.test_collecting import FAILS, other_card


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, settings())


def state_of(sessions, change_id) -> ChangeState:
    with sessions() as session:
        return session.get_one(SubscriptionChange, change_id).state


def test_a_dearer_plan_begins_now_and_the_difference_is_charged(sessions, gateway):
    """Half of 60.00 is charged, half of 30.00 credited: 15.00."""
    public_id = subscribed(sessions, gateway)
    shown = previewed(sessions, public_id, plan_code="team")
    assert (shown.when, shown.day) == (When.NOW, date(2026, 2, 14))
    assert [(line.description, line.amount_minor) for line in shown.lines] == [
        ("Team, Feb 14 – 27, 2026: 14/28 × 60.00 USD", 3_000),
        ("Not used: Feb 14 – 27, 2026", -1_500),
    ]
    assert (shown.sums.total_minor, shown.credited_minor, shown.credit_used_minor) == (3_000, 1_500, 1_500)
    assert shown.to_pay_minor == 1_500
    assert (shown.next_invoice.day, shown.next_invoice.sums.total_minor) == (date(2026, 2, 28), 6_000)

    change_id = changed(sessions, gateway, public_id, plan_code="team", token=shown.token)
    assert state_of(sessions, change_id) is ChangeState.APPLIED
    with sessions() as session:
        subscription = found(session, public_id)
        assert charged(session) == [3_000, 1_500]
        assert (credited(session), balance(session)) == (1_500, 0)
        assert billed(session, subscription.id) == [(date(2026, 1, 31), 3_000), (date(2026, 2, 14), 3_000)]
        assert {one.state for one in session.scalars(select(Invoice))} == {InvoiceState.PAID}
    renewed(sessions, subscription.id, at(2, 28))
    with sessions() as session:
        assert billed(session, subscription.id)[-1] == (date(2026, 2, 28), 6_000)


def test_a_cheaper_plan_begins_with_the_next_period(sessions, gateway):
    public_id = subscribed(sessions, gateway, "team")
    shown = previewed(sessions, public_id, plan_code="pro")
    assert (shown.when, shown.day, shown.to_pay_minor, shown.lines) == (When.PERIOD_END, None, 0, ())
    assert shown.first_day == date(2026, 2, 28)
    assert (shown.next_invoice.day, shown.next_invoice.sums.total_minor) == (date(2026, 2, 28), 3_000)
    change_id = changed(sessions, gateway, public_id, plan_code="pro")
    assert state_of(sessions, change_id) is ChangeState.SCHEDULED
    with sessions() as session:
        subscription_id = found(session, public_id).id
    renewed(sessions, subscription_id, at(2, 28))
    assert state_of(sessions, change_id) is ChangeState.APPLIED
    with sessions() as session:
        assert lines(session, subscription_id) == [("Pro, Feb 28 – Mar 30, 2026", 3_000)]
        assert charged(session) == [6_000]


def test_less_money_at_once_where_asked_becomes_credit_that_pays_what_follows(sessions, gateway):
    """Half of 60.00 is credited and half of 30.00 paid by that: 15.00 of credit, which pays of the next 30.00."""
    public_id = subscribed(sessions, gateway, "team")
    shown = previewed(sessions, public_id, plan_code="pro", when=When.NOW)
    assert (shown.sums.total_minor, shown.credited_minor, shown.to_pay_minor) == (1_500, 3_000, 0)
    changed(sessions, gateway, public_id, plan_code="pro", when=When.NOW)
    with sessions() as session:
        assert (charged(session), balance(session)) == ([6_000], 1_500)
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28)))
    with sessions() as session:
        assert (charged(session), balance(session)) == ([6_000, 1_500], 0)


def test_more_seats_at_the_same_price_cost_only_the_difference(sessions, gateway):
    """10.00 + 2 × 5.00 of 3 seats; two more for half a period: 5.00."""
    public_id = subscribed(sessions, gateway, "seats", seats=3)
    shown = previewed(sessions, public_id, seats=5)
    assert [line.amount_minor for line in shown.lines] == [500]
    changed(sessions, gateway, public_id, seats=5)
    with sessions() as session:
        assert (charged(session), credited(session)) == ([2_000, 500], 0)
        assert found(session, public_id).seats == 5


def test_fewer_seats_now_credit_every_seat_and_charge_those_that_stay(sessions, gateway):
    """After the two more: half of 2 × 5.00, and 2 × 2.50 for the rest; of 2 seats one is paid for, 2.50."""
    public_id = subscribed(sessions, gateway, "seats", seats=3)
    changed(sessions, gateway, public_id, seats=5)
    shown = previewed(sessions, public_id, seats=2, when=When.NOW)
    assert [line.amount_minor for line in shown.lines] == [250, -500, -500]
    changed(sessions, gateway, public_id, seats=2, when=When.NOW)
    with sessions() as session:
        assert (credited(session), balance(session)) == (1_000, 750)


def test_add_ons_are_left_alone_where_they_stay(sessions, gateway):
    """One of 7.00 for half a period: 3.50; then a seat: 2.50."""
    public_id = subscribed(sessions, gateway, "seats")
    changed(sessions, gateway, public_id, add_ons={"support": 1})
    changed(sessions, gateway, public_id, seats=2)
    with sessions() as session:
        assert (charged(session), credited(session)) == ([1_000, 350, 250], 0)
        subscription = found(session, public_id)
        assert (subscription.add_ons, subscription.seats) == ({"support": 1}, 2)


def test_two_changes_on_one_day_both_count(sessions, gateway):
    """To team, and back at once: what was charged for the rest of the period by team is credited whole."""
    public_id = subscribed(sessions, gateway)
    changed(sessions, gateway, public_id, plan_code="team")
    changed(sessions, gateway, public_id, at(2, 14, 12), plan_code="pro", when=When.NOW)
    with sessions() as session:
        assert charged(session) == [3_000, 1_500]
        assert (credited(session), balance(session)) == (4_500, 1_500)


def test_the_same_token_twice_counts_once(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    token = previewed(sessions, public_id, plan_code="team").token
    first, again = (changed(sessions, gateway, public_id, plan_code="team", token=token) for _ in range(2))
    assert first == again
    with sessions() as session:
        assert charged(session) == [3_000, 1_500]


@pytest.mark.parametrize("now", [at(2, 15), at(2, 20)])
def test_another_day_is_another_amount_and_is_refused_with_it(sessions, gateway, now):
    public_id = subscribed(sessions, gateway)
    token = previewed(sessions, public_id, plan_code="team").token
    with pytest.raises(Outdated) as refused:
        changed(sessions, gateway, public_id, now, plan_code="team", token=token)
    assert refused.value.proposal.token == previewed(sessions, public_id, now, plan_code="team").token
    with sessions() as session:
        assert charged(session) == [3_000]


def test_a_token_of_other_terms_is_refused(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    token = previewed(sessions, public_id, plan_code="team").token
    with pytest.raises(Outdated):
        changed(sessions, gateway, public_id, plan_code="year", token=token)


def test_a_change_after_the_preview_is_another_proposal(sessions, gateway):
    public_id = subscribed(sessions, gateway, "seats")
    token = previewed(sessions, public_id, seats=3).token
    changed(sessions, gateway, public_id, add_ons={"support": 1})
    with pytest.raises(Outdated):
        changed(sessions, gateway, public_id, seats=3, token=token)


def test_where_the_charge_fails_nothing_has_changed(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    with sessions() as session:
        subscription_id = found(session, public_id).id
    other_card(sessions, gateway, subscription_id, FAILS)
    before = previewed(sessions, public_id, plan_code="team")
    for _ in range(2):
        with pytest.raises(Declined):
            changed(sessions, gateway, public_id, plan_code="team", token=before.token)
    with sessions() as session:
        assert (charged(session), credited(session), balance(session)) == ([3_000], 0, 0)
        assert billed(session, subscription_id) == [(date(2026, 1, 31), 3_000)]
        assert session.scalars(select(SubscriptionChange.state)).all() == [ChangeState.FAILED]
        assert session.scalar(select(func.count()).where(Invoice.number.is_not(None))) == 1
    after = previewed(sessions, public_id, plan_code="team")
    assert (after.to_pay_minor, after.lines) == (before.to_pay_minor, before.lines)


def test_while_it_is_charged_nothing_else_happens_and_it_is_completed(sessions, gateway, monkeypatch):
    """The process dies with the charge; the period ends meanwhile, and waits."""
    public_id = subscribed(sessions, gateway)

    def away(*_given, **_facts):
        raise UpstreamFailed("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "charge_off_session", away)
        with pytest.raises(UpstreamFailed):
            changed(sessions, gateway, public_id, plan_code="team")
        with pytest.raises(Conflict, match="being charged"):
            changed(sessions, gateway, public_id, plan_code="year")
        assert list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28))) == []
    done = list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28, 11)))
    assert len(done) == 2
    with sessions() as session:
        assert billed(session, found(session, public_id).id) == [
            (date(2026, 1, 31), 3_000),
            (date(2026, 2, 14), 3_000),
            (date(2026, 2, 28), 6_000),
        ]
        assert (charged(session), balance(session)) == ([3_000, 1_500, 6_000], 0)


def test_without_a_card_the_invoice_is_sent_and_the_change_holds(sessions, gateway):
    """The first invoice is not paid: half of it is taken off what is due."""
    public_id = subscribed(sessions, gateway, card=None)
    changed(sessions, gateway, public_id, plan_code="team")
    with sessions() as session:
        due = session.scalars(select(Invoice.due_minor).order_by(Invoice.id)).all()
        assert due == [1_500, 3_000]
        assert found(session, public_id).plan_version_id != 0
        assert balance(session) == 0


def test_with_tax_the_tax_of_then_is_credited(sessions, gateway):
    """19 % of 30.00 is 5.70, of which half is 2.85; half of 60.00 with it is 35.70."""
    public_id = subscribed(sessions, gateway, tax_rate=D(19))
    shown = previewed(sessions, public_id, plan_code="team")
    assert (shown.sums.tax_minor, shown.sums.total_minor, shown.credited_minor) == (570, 3_570, 1_785)
    assert shown.to_pay_minor == 1_785
    changed(sessions, gateway, public_id, plan_code="team", token=shown.token)
    with sessions() as session:
        assert (charged(session), credited(session)) == ([3_570, 1_785], 1_785)


def test_another_length_ends_the_period_and_begins_one_at_its_whole_price(sessions, gateway):
    """360.00 from 14 February on, less 15.00."""
    public_id = subscribed(sessions, gateway)
    shown = previewed(sessions, public_id, plan_code="year")
    assert (shown.when, shown.to_pay_minor) == (When.NOW, 34_500)
    assert [line.description for line in shown.lines] == [
        "Year, Feb 14, 2026 – Feb 13, 2027",
        "Not used: Feb 14 – 27, 2026",
    ]
    assert shown.next_invoice.day == date(2027, 2, 14)
    changed(sessions, gateway, public_id, plan_code="year", token=shown.token)
    with sessions() as session:
        subscription = found(session, public_id)
        assert (subscription.period_number, subscription.next_at) == (1, at(2, 14, year=2027))
        assert charged(session) == [3_000, 34_500]
    renewed(sessions, subscription.id, at(2, 14, year=2027))
    with sessions() as session:
        assert billed(session, subscription.id)[-1] == (date(2027, 2, 14), 36_000)


def test_on_the_first_day_a_period_gets_another_length_from_its_beginning(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    changed(sessions, gateway, public_id, at(1, 31, 18), plan_code="year")
    with sessions() as session:
        subscription = found(session, public_id)
        assert (subscription.period_number, subscription.next_at) == (0, at(1, 31, year=2027))
        assert (charged(session), credited(session)) == ([3_000, 33_000], 3_000)


def test_another_length_at_the_end_moves_the_anchor_there(sessions, gateway):
    public_id = subscribed(sessions, gateway, "year")
    change_id = changed(sessions, gateway, public_id, plan_code="pro")
    assert state_of(sessions, change_id) is ChangeState.SCHEDULED
    with sessions() as session:
        subscription_id = found(session, public_id).id
    renewed(sessions, subscription_id, at(3, 31, year=2027))
    with sessions() as session:
        assert billed(session, subscription_id)[1:] == [
            (date(2027, 1, 31), 3_000),
            (date(2027, 2, 28), 3_000),
            (date(2027, 3, 31), 3_000),
        ]


def test_in_a_trial_it_costs_nothing_and_leaves_its_end(sessions, gateway):
    public_id = subscribed(sessions, gateway, trial_days=30)
    shown = previewed(sessions, public_id, plan_code="team")
    assert (shown.to_pay_minor, shown.lines) == (0, ())
    assert (shown.next_invoice.day, shown.next_invoice.sums.total_minor) == (date(2026, 3, 2), 6_000)
    changed(sessions, gateway, public_id, plan_code="team")
    changed(sessions, gateway, public_id, plan_code="seats")
    with sessions() as session:
        assert found(session, public_id).next_at == at(3, 2)
        assert charged(session) == []
    list(clock.run(sessions, SYSTEM, gateway, now=at(3, 2)))
    with sessions() as session:
        assert charged(session) == [1_000]


def test_a_scheduled_change_survives_others_and_can_be_withdrawn(sessions, gateway):
    """Fewer seats at the end; an add-on now; both hold."""
    public_id = subscribed(sessions, gateway, "seats", seats=4)
    later = changed(sessions, gateway, public_id, seats=2)
    shown = previewed(sessions, public_id, add_ons={"support": 1})
    assert shown.next_invoice.sums.total_minor == 1_000 + 500 + 700
    changed(sessions, gateway, public_id, add_ons={"support": 1}, token=shown.token)
    assert state_of(sessions, later) is ChangeState.SCHEDULED
    with sessions() as session:
        assert listing.one(session, SYSTEM, public_id, later).begins_at == at(2, 28)
        subscription_id = found(session, public_id).id
    renewed(sessions, subscription_id, at(2, 28))
    with sessions() as session:
        assert billed(session, subscription_id)[-1] == (date(2026, 2, 28), 2_200)
    withdrawn = changed(sessions, gateway, public_id, at(3, 1), add_ons={})
    with sessions.begin() as session:
        changing.withdraw(session, SYSTEM, public_id, withdrawn, now=at(3, 2))
    with sessions.begin() as session, pytest.raises(Conflict):
        changing.withdraw(session, SYSTEM, public_id, later, now=at(3, 2))
    renewed(sessions, subscription_id, at(3, 31))
    with sessions() as session:
        assert billed(session, subscription_id)[-1] == (date(2026, 3, 31), 2_200)


def test_whoever_asks_for_the_present_plan_again_stays_on_it(sessions, gateway):
    """Two seats instead were to begin with the next period; then Pro from its end on, by name, and it is Pro."""
    public_id = subscribed(sessions, gateway)
    changed(sessions, gateway, public_id, plan_code="seats", seats=2, when=When.PERIOD_END)
    shown = previewed(sessions, public_id, plan_code="pro", seats=1, when=When.PERIOD_END)
    assert shown.next_invoice.sums.total_minor == 3_000
    changed(sessions, gateway, public_id, plan_code="pro", seats=1, when=When.PERIOD_END, token=shown.token)
    with sessions() as session:
        subscription_id = found(session, public_id).id
    renewed(sessions, subscription_id, at(2, 28))
    with sessions() as session:
        assert billed(session, subscription_id)[-1] == (date(2026, 2, 28), 3_000)


def test_what_is_scheduled_does_not_begin_where_the_plan_ends_before(sessions, gateway):
    """It lasts for one period, or for two."""
    with sessions.begin() as session:
        plans(session)
        a_plan(session, "once", ends_after=1)
        a_plan(session, "twice", ends_after=2)
    for code, begins_at in (("once", None), ("twice", at(2, 28))):
        public_id = subscribed(sessions, gateway, code)
        change_id = changed(sessions, gateway, public_id, plan_code="pro", when=When.PERIOD_END)
        with sessions() as session:
            assert listing.one(session, SYSTEM, public_id, change_id).begins_at == begins_at
        shown = previewed(sessions, public_id, seats=2, plan_code="seats", when=When.PERIOD_END)
        assert shown.first_day == (begins_at and begins_at.date())


def test_on_the_day_of_the_boundary_nothing_is_left_of_the_period(sessions, gateway):
    """The next one begins at 10:00, by the new terms."""
    public_id = subscribed(sessions, gateway)
    shown = previewed(sessions, public_id, at(2, 28, 8), plan_code="team")
    assert (shown.to_pay_minor, shown.lines) == (0, ())
    assert shown.next_invoice.sums.total_minor == 6_000
    changed(sessions, gateway, public_id, at(2, 28, 8), plan_code="team")
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28)))
    with sessions() as session:
        assert charged(session) == [3_000, 6_000]


@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        ({"plan_code": "none"}, NotFound),
        ({"plan_code": "pro"}, Invalid),
        ({"seats": 0}, Invalid),
        ({"seats": 2}, Invalid),
        ({"seats": 1}, Invalid),
        ({"add_ons": {"support": 1}}, Invalid),
        ({}, Invalid),
    ],
)
def test_what_does_not_go_together_is_refused(sessions, gateway, wanted, refusal):
    public_id = subscribed(sessions, gateway)
    with pytest.raises(refusal):
        previewed(sessions, public_id, **wanted)


def test_a_period_that_is_not_billed_yet_comes_first(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    with pytest.raises(Conflict, match="not billed yet"):
        previewed(sessions, public_id, at(2, 28), plan_code="team")

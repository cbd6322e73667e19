"""Customers are told of a move once, by a mail with both prices and the day, and that it does not come."""

import pytest
from sqlalchemy import select, text

from billing_core.identity import SYSTEM
from billing_core.outbox.models import MessageState
from billing_core.plans.terms import AddOn, Phase
from billing_core.subscriptions import clock
from billing_core.subscriptions.changes import cancelling, changing, pausing
from billing_core.subscriptions.changes.cancelling import Ending
from billing_core.subscriptions.changes.wanted import When
from billing_core.subscriptions.models import ChangeState, MovedSubscription, MoveMail, PlanMove, SubscriptionChange
from billing_core.subscriptions.moving import letters, listing, service
from tests.invoices.company import a_customer
from tests.subscriptions.changed import changed
from tests.subscriptions.moving.moves import NOW, a_version, gateway, moved
from tests.subscriptions.signed_up import D, a_plan, a_subscription, at, state
from tests.subscriptions.test_telling import mails

__all__ = ["gateway"]


@pytest.fixture
def three(sessions) -> list[int]:
    """One in English, one in German, and one without an address."""
    with sessions.begin() as session:
        a_plan(session)
        for ref, facts in (("ONE", {}), ("ZWEI", {"language": "de"}), ("NOBODY", {"email": ""})):
            a_customer(session, ref, **facts)
        found = [a_subscription(session, ref=ref) for ref in ("ONE", "ZWEI", "NOBODY")]
        a_version(session)
    return found


def told(sessions, now=NOW) -> int:
    with sessions.begin() as session:
        return letters.tell(session, SYSTEM, limit=100, now=now)


def states(sessions) -> list[MoveMail]:
    with sessions() as session:
        return list(session.scalars(select(MovedSubscription.mail).order_by(MovedSubscription.subscription_id)))


def test_each_customer_is_told_once_in_their_language(sessions, three):
    moved(sessions)
    assert clock.remind(sessions, SYSTEM, now=NOW) == 2
    english, german = mails(sessions)
    assert english.title == "Pro: new terms from March 31, 2026"
    assert "so far: $30.00" in english.content["text"]
    assert "by the new terms: $40.00" in english.content["text"]
    assert "usage" not in english.content["text"]
    assert german.title == "Pro: neue Bedingungen ab 31. März 2026"
    assert states(sessions) == [MoveMail.TOLD, MoveMail.TOLD, MoveMail.NONE]
    assert clock.remind(sessions, SYSTEM, now=NOW) == 0
    assert len(mails(sessions)) == 2


def test_whose_mail_is_kept_was_not_told_as_far_as_the_list_says(sessions, three):
    """There is no mail server; the third customer has no address."""
    moved(sessions)
    told(sessions)
    kept = MessageState.HELD_BACK
    with sessions() as session:
        (move_id,) = session.scalars(select(PlanMove.id))
        shown = [(row.mail, row.message) for row in listing.page(session, SYSTEM, move_id, limit=9)]
    assert shown == [(MoveMail.TOLD, kept), (MoveMail.TOLD, kept), (MoveMail.NONE, None)]


def test_usage_is_named_where_it_has_a_price(sessions):
    with sessions.begin() as session:
        a_plan(session, price_per_call="0.01")
        a_subscription(session)
        a_version(session, price_per_call="0.05")
    moved(sessions)
    told(sessions)
    (mail,) = mails(sessions)
    assert "usage is charged by the new terms" in mail.content["text"]


def test_prices_that_change_from_phase_to_phase_are_told_of_the_period_that_begins(sessions):
    """The period from 31 March is the third one: the last at half of 40.00, after two at a third of 30.00."""
    with sessions.begin() as session:
        a_plan(session, phases=(Phase(2, D("33.33")),))
        a_subscription(session)
        a_version(session, phases=(Phase(3, D(50)),))
    moved(sessions)
    told(sessions)
    (mail,) = mails(sessions)
    assert "Price of that billing period by the terms so far: $30.00" in mail.content["text"]
    assert "Price of that billing period by the new terms: $20.00" in mail.content["text"]


def test_nobody_is_told_where_no_mail_is_wanted(sessions, three):
    moved(sessions, tells=False)
    assert told(sessions) == 0
    assert states(sessions) == [MoveMail.NONE] * 3


def test_who_was_told_is_told_that_it_does_not_come(sessions, three):
    move_id = moved(sessions)
    told(sessions)
    with sessions.begin() as session:
        changing.withdraw(session, SYSTEM, state(session, three[0]).public_id, 1, now=at(2, 2))
    with sessions.begin() as session:
        service.withdraw(session, SYSTEM, move_id, now=at(2, 3))
    assert (told(sessions), told(sessions)) == (2, 0)
    english, german = mails(sessions, "plan_move_withdrawn")
    assert english.title == "Pro: no new terms from March 31, 2026"
    assert "the billing period that begins then costs $30.00" in english.content["text"]
    assert german.recipient == "ap@acme.example"
    # Without a mail server all are kept: of each the newest.
    kept = [(mail.topic, mail.state) for mail in mails(sessions)]
    assert kept == [("plan_move", MessageState.RECALLED)] * 2 + [("plan_move_withdrawn", MessageState.HELD_BACK)] * 2


def test_who_was_not_told_yet_is_told_nothing(sessions, three):
    move_id = moved(sessions)
    with sessions.begin() as session:
        service.withdraw(session, SYSTEM, move_id, now=NOW)
    assert told(sessions) == 0
    assert states(sessions) == [MoveMail.NONE] * 3


def test_who_ends_with_the_period_is_told_of_no_other_terms_unless_that_is_taken_back(sessions, three, gateway):
    first, second, _ = three
    move_id = moved(sessions)
    ends(sessions, gateway, first)
    assert (told(sessions), [mail.title for mail in mails(sessions)]) == (1, ["Pro: neue Bedingungen ab 31. März 2026"])
    ends(sessions, gateway, second)
    with sessions.begin() as session:
        pausing.resume(session, SYSTEM, state(session, first).public_id, now=at(2, 2))
    assert (told(sessions), states(sessions)) == (1, [MoveMail.TOLD, MoveMail.TOLD, MoveMail.NONE])
    with sessions.begin() as session:
        service.withdraw(session, SYSTEM, move_id, now=at(2, 3))
    assert told(sessions) == 1
    assert [mail.title for mail in mails(sessions, "plan_move_withdrawn")] == ["Pro: no new terms from March 31, 2026"]


def ends(sessions, gateway, subscription_id: int) -> None:
    with sessions() as session:
        public_id = state(session, subscription_id).public_id
    cancelling.cancel(sessions, SYSTEM, gateway, public_id, Ending(at_period_end=True), now=at(2, 2))


def test_who_cancels_is_told_of_that_alone(sessions, three, gateway):
    moved(sessions)
    told(sessions)
    with sessions() as session:
        public_id = state(session, three[0]).public_id
    cancelling.cancel(sessions, SYSTEM, gateway, public_id, Ending(), now=at(2, 2))
    assert told(sessions) == 0
    assert [mail.topic for mail in mails(sessions)] == ["plan_move", "plan_move", "subscription_ended"]


def test_so_many_at_once_as_one_transaction_holds(sessions, three):
    moved(sessions)
    with sessions.begin() as session:
        assert letters.tell(session, SYSTEM, limit=1, now=NOW) == 1
    assert states(sessions)[:2] == [MoveMail.TOLD, MoveMail.DUE]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_whoever_tells_does_not_wait_for_another_who_does(sessions, three):
    moved(sessions)
    with sessions.begin() as first:
        assert letters.tell(first, SYSTEM, limit=100, now=NOW) == 2
        with sessions.begin() as second:
            second.execute(text("SET LOCAL lock_timeout = '5s'"))
            assert letters.tell(second, SYSTEM, limit=100, now=NOW) == 0
    assert len(mails(sessions)) == 2


@pytest.fixture
def with_seats(sessions) -> str:
    """Three seats at 5.00 beside the 30.00, of which one is included; the other version has them at 6.00."""
    facts = {"included_seats": 1, "add_ons": (AddOn("sms", "Texts", {"USD": D(7)}),)}
    with sessions.begin() as session:
        a_plan(session, seat_price=D(5), **facts)
        a_plan(session, "team", "60")
        made = a_subscription(session, seats=3)
        a_version(session, seat_price=D(6), **facts)
        return state(session, made).public_id


@pytest.mark.parametrize(
    ("asked", "before", "after"),
    [
        # At once: five seats of which four are charged. Less, with the next period: only the one that is included.
        ({"seats": 5}, "$50.00", "$64.00"),
        ({"seats": 1}, "$30.00", "$40.00"),
        ({"add_ons": {"sms": 2}}, "$54.00", "$66.00"),
    ],
)
def test_the_price_is_that_of_what_the_customer_will_have_by_then(sessions, with_seats, gateway, asked, before, after):
    moved(sessions)
    changed(sessions, gateway, with_seats, NOW, **asked)
    assert told(sessions) == 1
    (mail,) = mails(sessions)
    assert f"by the terms so far: {before}" in mail.content["text"]
    assert f"by the new terms: {after}" in mail.content["text"]


def test_several_changes_that_wait_count_in_their_order(sessions, with_seats, gateway):
    moved(sessions)
    for asked in ({"seats": 2}, {"seats": 1}):
        changed(sessions, gateway, with_seats, NOW, when=When.PERIOD_END, **asked)
    changed(sessions, gateway, with_seats, NOW, when=When.PERIOD_END, add_ons={"sms": 1})
    told(sessions)
    (mail,) = mails(sessions)
    assert "by the terms so far: $37.00" in mail.content["text"]
    assert "by the new terms: $47.00" in mail.content["text"]


def test_who_goes_to_another_plan_is_told_of_nothing_unless_that_is_taken_back(sessions, with_seats, gateway):
    moved(sessions)
    change_id = changed(sessions, gateway, with_seats, NOW, seats=1, plan_code="team", when=When.PERIOD_END)
    assert (told(sessions), states(sessions)) == (0, [MoveMail.DUE])
    with sessions.begin() as session:
        changing.withdraw(session, SYSTEM, with_seats, change_id, now=NOW)
    assert (told(sessions), states(sessions)) == (1, [MoveMail.TOLD])


def test_while_a_change_is_being_charged_the_price_is_not_known(sessions, with_seats):
    moved(sessions)
    with sessions.begin() as session:
        change = SubscriptionChange(subscription_id=1, wanted={"seats": 4}, state=ChangeState.CHARGING)
        change.period_number, change.asked_at, change.asked_by = 0, NOW, "Ada"
        session.add(change)
    assert (told(sessions), states(sessions)) == (0, [MoveMail.DUE])


@pytest.mark.parametrize("how", ["ends", "goes to another plan"])
def test_who_is_gone_is_not_told_that_it_does_not_come(sessions, with_seats, gateway, how):
    move_id = moved(sessions)
    told(sessions)
    with sessions.begin() as session:
        service.withdraw(session, SYSTEM, move_id, now=at(2, 2))
        a_subscription(session, ref="STAYS")
    assert states(sessions) == [MoveMail.RECALL_DUE]
    if how == "ends":
        cancelling.cancel(sessions, SYSTEM, gateway, with_seats, Ending(), now=at(2, 2))
    else:
        changed(sessions, gateway, with_seats, at(2, 2), plan_code="team", seats=1, when=When.NOW)
    assert (told(sessions), states(sessions)) == (0, [MoveMail.TOLD])
    assert mails(sessions, "plan_move_withdrawn") == []

"""Redeeming promo codes: who can, until when, and how often."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text

from billing_core.audit.models import AuditEntry
from billing_core.businesses.queries import default_business
from billing_core.errors import Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.promotions import queries, redeeming, service
from billing_core.promotions.models import PromoRedemption
from billing_core.promotions.queries import Redeemer
from tests.at_once import at_once
from tests.promotions.codes import NOW, a_code, a_plan_id, customers, redeem
from tests.reports.company import a_customer

FINANCE = actor_with(Role.FINANCE, user_id=2, name="Fin")


def refused(session, code, customer, plan, **facts):
    with pytest.raises(Invalid) as refusal:
        redeem(session, code, customer, plan, **facts)
    assert refusal.value.fields == {"promo_code": str(refusal.value)}
    return str(refusal.value)


@pytest.fixture
def customer(session):
    return a_customer(session)


@pytest.fixture
def plan(session):
    return a_plan_id(session)


def test_a_code_is_redeemed_with_a_trace(session, customer, plan):
    code = a_code(session)

    redemption = redeem(session, "WELCOME", customer, plan)

    assert (redemption.code_id, redemption.customer_id, redemption.subject) == (code.id, customer, "sub_1")
    assert (redemption.redeemed_at, redemption.released_at) == (NOW, None)
    trace = session.scalars(select(AuditEntry).where(AuditEntry.action == "promo_code.redeem")).one()
    assert (trace.subject_kind, trace.subject_label) == ("promo_code", "WELCOME")
    assert trace.after == {"customer_id": customer, "subject": "sub_1"}


@pytest.mark.parametrize("typed", ["SprinG-26", " spring-26 ", "SPRING-26\n"])
def test_a_code_is_found_trimmed_and_whatever_the_case(session, customer, plan, typed):
    code = a_code(session, "Spring-26")
    assert redeem(session, typed, customer, plan).code_id == code.id


def test_letters_of_other_languages_have_a_case_too(session, customer, plan):
    code = a_code(session, "GRÜßE-ΣΟΦΌΣ")
    assert redeem(session, "grüsse-σοφός", customer, plan).code_id == code.id


@pytest.mark.parametrize("typed", ["", "WELCOM", "WELCOME2", "WELCOME\0", "\ud800", "%", "W" * 100_000])
def test_an_unknown_code_is_refused(session, customer, plan, typed):
    a_code(session)
    assert refused(session, typed, customer, plan) == "There is no such promo code"


def test_the_last_day_is_one_of_the_zone_of_the_customers_business(session, customer, plan):
    default_business(session).time_zone = "America/New_York"
    a_code(session, valid_to=date(2026, 5, 31))
    last_instant = datetime(2026, 6, 1, 3, 59, 59, 999999, tzinfo=UTC)

    redeem(session, "WELCOME", customer, plan, now=last_instant)

    reason = refused(session, "WELCOME", customer, plan, subject="sub_2", now=last_instant + timedelta(microseconds=1))
    assert reason == "This promo code has expired: its last day was 2026-05-31"


def test_a_code_that_was_ended_is_refused(session, customer, plan):
    a_code(session)
    service.end(session, SYSTEM, "welcome", now=NOW)
    assert refused(session, "WELCOME", customer, plan) == "This promo code has ended"


def test_a_code_of_a_plan_is_for_that_plan_alone(session, customer, plan):
    a_code(session, plan_code="basic")
    assert refused(session, "WELCOME", customer, plan + 1) == "This promo code is for the plan basic alone"
    redeem(session, "WELCOME", customer, plan)


def test_a_fixed_amount_needs_its_currency_and_a_percent_none(session, customer, plan):
    a_code(session, "TENNER", amount=Decimal(10), currency="EUR")
    a_code(session)
    assert "takes off an amount in EUR, but USD is billed" in refused(session, "TENNER", customer, plan)
    redeem(session, "TENNER", customer, plan, currency="EUR")
    redeem(session, "WELCOME", customer, plan, currency="CHF")


def test_a_limit_in_all_holds(session, plan):
    first, second, third = customers(session, 3)
    a_code(session, limit=2)
    redeem(session, "WELCOME", first, plan, "sub_1")
    redeem(session, "WELCOME", second, plan, "sub_2")
    assert refused(session, "WELCOME", third, plan, subject="sub_3").startswith("This promo code is used up:")


def test_a_limit_per_customer_holds_for_each(session, plan):
    first, second = customers(session, 2)
    a_code(session, limit_per_customer=1)
    redeem(session, "WELCOME", first, plan, "sub_1")
    assert "used up for this customer" in refused(session, "WELCOME", first, plan, subject="sub_2")
    redeem(session, "WELCOME", second, plan, "sub_3")


def test_other_codes_count_towards_no_limit(session, customer, plan):
    a_code(session, "OTHER")
    a_code(session, limit=1, limit_per_customer=1)
    redeem(session, "OTHER", customer, plan)
    redeem(session, "WELCOME", customer, plan)


def test_the_same_subscription_redeems_a_code_once(session, customer, plan):
    a_code(session)
    redeem(session, "WELCOME", customer, plan)
    assert "already" in refused(session, "WELCOME", customer, plan)


def test_what_is_released_counts_no_more(session, customer, plan):
    a_code(session, limit=1, limit_per_customer=1)
    first = redeem(session, "WELCOME", customer, plan)

    redeeming.release(session, SYSTEM, first.id, NOW)
    redeeming.release(session, SYSTEM, first.id, NOW + timedelta(hours=1))

    assert first.released_at == NOW
    again = redeem(session, "WELCOME", customer, plan)
    assert again.id != first.id
    assert refused(session, "WELCOME", customer, plan, subject="sub_2")
    traces = session.scalars(select(AuditEntry.subject_label).where(AuditEntry.action == "promo_code.release"))
    assert traces.all() == ["WELCOME"]


def test_what_somebody_else_has_released_since_it_was_read_is_released_once(session, customer, plan):
    a_code(session)
    redemption = redeem(session, "WELCOME", customer, plan)
    session.execute(text("UPDATE promo_redemptions SET released_at = '2026-05-04 09:00:00+00'"))
    assert redemption.released_at is None

    redeeming.release(session, SYSTEM, redemption.id, NOW)

    assert redemption.released_at == NOW - timedelta(minutes=30)


def test_a_redemption_that_is_not_there_cannot_be_released(session):
    with pytest.raises(NotFound):
        redeeming.release(session, SYSTEM, 7, NOW)


def test_who_may_only_see_codes_neither_redeems_nor_releases(session, customer, plan):
    a_code(session)
    redemption = redeem(session, "WELCOME", customer, plan)
    facts = {"customer_id": customer, "plan_id": plan, "currency": "USD", "subject": "sub_2", "now": NOW}
    with pytest.raises(Forbidden):
        redeeming.redeem(session, FINANCE, "WELCOME", **facts)
    with pytest.raises(Forbidden):
        redeeming.release(session, FINANCE, redemption.id, NOW)


def test_a_customer_that_is_not_there_redeems_nothing(session, plan):
    a_code(session)
    with pytest.raises(NotFound, match="no customer 7"):
        redeem(session, "WELCOME", 7, plan)


def test_a_preview_promises_what_redeeming_would_and_redeems_nothing(session, customer, plan):
    a_code(session, plan_code="basic", limit=1)
    redeemer = Redeemer(customer, plan, "USD")

    promised = queries.redeemable(session, FINANCE, "welcome", redeemer, now=NOW)

    assert (promised.percent, promised.plan_id) == (Decimal(20), plan)
    assert session.scalar(select(func.count(PromoRedemption.id))) == 0
    redeem(session, "WELCOME", customer, plan)
    with pytest.raises(Invalid, match="used up"):
        queries.redeemable(session, FINANCE, "welcome", redeemer, now=NOW)


def test_a_preview_waits_for_nobody(sessions):
    with sessions.begin() as session:
        plan, (customer,) = a_plan_id(session), customers(session, 1)
        a_code(session)
    with sessions() as session:
        promised = queries.redeemable(session, FINANCE, "WELCOME", Redeemer(customer, plan, "USD"), now=NOW)
    assert promised.percent == Decimal(20)


def test_what_somebody_else_has_changed_since_it_was_read_counts(session, customer, plan):
    code = a_code(session)
    session.execute(text("UPDATE promo_codes SET valid_to = '2026-05-03'"))
    assert code.valid_to is None
    assert "has expired" in refused(session, "WELCOME", customer, plan)


def redeemed_at_once(sessions, whose, plan, code="WELCOME"):
    """Everybody in a transaction of its own, in the same moment; whether each of them was refused."""

    def of(place, customer):
        def work():
            with sessions.begin() as session:
                redeem(session, code, customer, plan, f"sub_{place}")

        return work

    told = at_once(*(of(place, customer) for place, customer in enumerate(whose)))
    assert {type(answer) for answer in told} <= {type(None), Invalid}
    assert all("used up" in str(answer) for answer in told if answer is not None)
    return [answer is not None for answer in told]


def counted(sessions):
    with sessions() as session:
        rows = session.execute(select(PromoRedemption.customer_id, func.count()).group_by(PromoRedemption.customer_id))
        return dict(rows.all())


def test_a_limit_in_all_holds_under_twenty_simultaneous_redemptions(sessions):
    with sessions.begin() as session:
        plan, everybody = a_plan_id(session), customers(session, 20)
        a_code(session, limit=7)

    assert redeemed_at_once(sessions, everybody, plan).count(False) == 7

    assert sum(counted(sessions).values()) == 7


def test_a_limit_per_customer_holds_under_twenty_simultaneous_redemptions(sessions):
    with sessions.begin() as session:
        plan, (first, second) = a_plan_id(session), customers(session, 2)
        a_code(session, limit_per_customer=3)

    assert redeemed_at_once(sessions, [first, second] * 10, plan).count(False) == 6

    assert counted(sessions) == {first: 3, second: 3}


def test_the_same_subscription_twenty_times_at_once_redeems_once(sessions):
    with sessions.begin() as session:
        plan, (customer,) = a_plan_id(session), customers(session, 1)
        a_code(session)

    def work():
        with sessions.begin() as session:
            redeem(session, "WELCOME", customer, plan, "sub_1")

    assert at_once(*[work] * 20).count(None) == 1
    assert counted(sessions) == {customer: 1}

"""Creating promo codes and ending them early."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from billing_core.audit.models import AuditEntry
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.promotions import service
from billing_core.promotions.models import PromoCode, PromoDuration
from billing_core.promotions.new_codes import NewCode
from tests.at_once import at_once
from tests.plans.agreed import a_plan
from tests.promotions.codes import NOW, a_code

PERCENT = NewCode("WELCOME", percent=Decimal(20))
AMOUNT = NewCode("WELCOME", amount=Decimal(10), currency="USD")


def traces(session, action):
    return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)))


def test_a_percent_is_kept_with_all_that_was_agreed(session):
    a_plan(session)
    new = NewCode(
        " Spring-26 ",
        plan_code=" basic ",
        percent=Decimal("12.3456"),
        duration=PromoDuration.PERIODS,
        periods=3,
        limit=100,
        limit_per_customer=1,
        valid_to=date(2026, 5, 31),
    )

    made = service.create(session, SYSTEM, new, now=NOW)

    session.expire(made)
    assert (made.code, made.key, made.percent, made.amount_minor, made.currency) == (
        "Spring-26",
        "spring-26",
        Decimal("12.3456"),
        None,
        None,
    )
    assert (made.duration, made.periods, made.limit, made.limit_per_customer) == (PromoDuration.PERIODS, 3, 100, 1)
    assert (made.valid_to, made.ended_at, made.created_at) == (date(2026, 5, 31), None, NOW)
    (trace,) = traces(session, "promo_code.create")
    assert (trace.subject_label, trace.after["plan_code"], trace.after["percent"]) == ("Spring-26", "basic", "12.3456")


@pytest.mark.parametrize(
    ("amount", "currency", "minor"), [("10", " usd ", 10_00), ("0.01", "EUR", 1), ("500", "JPY", 500)]
)
def test_an_amount_is_kept_in_minor_units_of_its_currency(session, amount, currency, minor):
    made = service.create(session, SYSTEM, NewCode("X", amount=Decimal(amount), currency=currency), now=NOW)
    assert (made.amount_minor, made.currency, made.percent) == (minor, currency.strip().upper(), None)


@pytest.mark.parametrize("letters", ["WELCOME", "welcome", " Welcome "])
def test_a_code_is_taken_once_whatever_the_case_even_once_it_has_ended(session, letters):
    a_code(session)
    service.end(session, SYSTEM, "WELCOME", now=NOW)
    with pytest.raises(Conflict, match="already a promo code") as refused:
        a_code(session, letters)
    assert list(refused.value.fields) == ["code"]
    assert len(session.scalars(select(PromoCode)).all()) == 1


def test_who_creates_the_same_code_at_once_takes_it_once(sessions):
    def work():
        with sessions.begin() as session:
            a_code(session)
            return "created"

    told = at_once(*[work] * 4)

    assert told.count("created") == 1
    assert sum(isinstance(answer, Conflict) for answer in told) == 3


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (replace(PERCENT, code=" "), "code"),
        (replace(PERCENT, code="X" * 65), "code"),
        (replace(PERCENT, code="A\0B"), "code"),
        (replace(PERCENT, code="SPRING SALE"), "code"),
        (replace(PERCENT, code="A/B"), "code"),
        (replace(PERCENT, code=".."), "code"),
        (replace(PERCENT, plan_code="nosuch"), "plan_code"),
        (replace(PERCENT, plan_code="no\0such"), "plan_code"),
        (replace(PERCENT, percent=None), "percent"),
        (replace(PERCENT, percent=Decimal(0)), "percent"),
        (replace(PERCENT, percent=Decimal(-1)), "percent"),
        (replace(PERCENT, percent=Decimal("100.0001")), "percent"),
        (replace(PERCENT, percent=Decimal("0.00001")), "percent"),
        (replace(PERCENT, percent=Decimal("NaN")), "percent"),
        (replace(PERCENT, currency="USD"), "currency"),
        (replace(AMOUNT, percent=Decimal(1)), "amount"),
        (replace(AMOUNT, amount=Decimal(0)), "amount"),
        (replace(AMOUNT, amount=Decimal("-0.01")), "amount"),
        (replace(AMOUNT, amount=Decimal("0.001")), "amount"),
        (replace(AMOUNT, amount=Decimal("0.5"), currency="JPY"), "amount"),
        (replace(AMOUNT, amount=Decimal("Infinity")), "amount"),
        (replace(AMOUNT, amount=Decimal(9 * 10**12) + 1), "amount"),
        (replace(AMOUNT, currency=""), "currency"),
        (replace(AMOUNT, currency="XXY"), "currency"),
        (replace(PERCENT, duration=PromoDuration.PERIODS), "periods"),
        (replace(PERCENT, duration=PromoDuration.PERIODS, periods=0), "periods"),
        (replace(PERCENT, duration=PromoDuration.PERIODS, periods=1_001), "periods"),
        (replace(PERCENT, periods=3), "periods"),
        (replace(PERCENT, duration=PromoDuration.FOREVER, periods=3), "periods"),
        (replace(PERCENT, limit=0), "limit"),
        (replace(PERCENT, limit=10**9 + 1), "limit"),
        (replace(PERCENT, limit_per_customer=-1), "limit_per_customer"),
        (replace(PERCENT, valid_to=date(1899, 12, 31)), "valid_to"),
        (replace(PERCENT, valid_to=date(2200, 1, 1)), "valid_to"),
    ],
)
def test_a_code_that_cannot_be_is_refused_by_the_name_of_the_field(session, new, field):
    with pytest.raises(Invalid) as refused:
        service.create(session, SYSTEM, new, now=NOW)
    assert list(refused.value.fields) == [field]
    assert session.scalars(select(PromoCode)).all() == []


def test_the_greatest_code_is_kept_exactly(session):
    greatest = NewCode(
        "ΐ" * 64,
        amount=Decimal(10**12),
        currency="KWD",
        duration=PromoDuration.PERIODS,
        periods=1_000,
        limit=10**9,
        limit_per_customer=10**9,
        valid_to=date(2199, 12, 31),
    )
    made = service.create(session, SYSTEM, greatest, now=NOW)
    session.expire(made)
    assert (made.code, made.amount_minor, made.limit) == ("ΐ" * 64, 10**15, 10**9)


def test_a_code_is_ended_early_once_with_a_trace(session):
    a_code(session)

    assert service.end(session, SYSTEM, " welcome", now=NOW).ended_at == NOW

    assert len(traces(session, "promo_code.end")) == 1
    with pytest.raises(Conflict, match="has ended already"):
        service.end(session, SYSTEM, "WELCOME", now=NOW)


def test_who_ends_the_same_code_at_once_ends_it_once(sessions):
    with sessions.begin() as session:
        a_code(session)

    def work():
        with sessions.begin() as session:
            return service.end(session, SYSTEM, "WELCOME", now=NOW).code

    told = at_once(*[work] * 4)

    assert told.count("WELCOME") == 1
    assert sum(isinstance(answer, Conflict) for answer in told) == 3


def test_a_code_that_is_not_there_cannot_be_ended(session):
    with pytest.raises(NotFound):
        service.end(session, SYSTEM, "WELCOME", now=NOW)


@pytest.mark.parametrize("role", [Role.FINANCE, Role.MANAGER])
def test_only_admins_create_and_end_codes(session, role):
    a_code(session)
    actor = actor_with(role, user_id=2, name="Somebody")
    with pytest.raises(Forbidden):
        service.create(session, actor, PERCENT, now=NOW)
    with pytest.raises(Forbidden):
        service.end(session, actor, "WELCOME", now=NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        "percent = NULL",
        "amount_minor = 100",
        "currency = 'USD'",
        "percent = 0",
        "percent = 1000001",
        "periods = 2",
        "duration = 'periods'",
        '"limit" = 0',
        "limit_per_customer = 0",
    ],
)
def test_the_database_refuses_what_cannot_be(session, wrong):
    a_code(session)
    with pytest.raises(IntegrityError):
        session.execute(text(f"UPDATE promo_codes SET {wrong}"))

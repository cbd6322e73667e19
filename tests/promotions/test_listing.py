"""Looking through promo codes, and who has redeemed one."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing_core.errors import Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.promotions import listing, redeeming, service
from billing_core.promotions.listing import CodeFilter, CodeStatus
from billing_core.promotions.models import PromoDuration
from tests.promotions.codes import NOW, a_code, a_plan_id, customers, redeem

LAST_DAY = date(2026, 5, 31)
FINANCE = actor_with(Role.FINANCE, user_id=2, name="Fin")


def listed(session, today=LAST_DAY, **filters):
    found = listing.codes(session, FINANCE, CodeFilter(**filters), today=today)
    assert listing.count(session, FINANCE, CodeFilter(**filters), today=today) == len(found)
    return {row.code: row.status.value for row in found}


@pytest.fixture
def four(session):
    """A code of each status on the last day, and the plan of ``PRO``."""
    plan = a_plan_id(session, "pro")
    first, second = customers(session, 2)
    a_code(session, "OPEN", valid_to=LAST_DAY, limit=3)
    a_code(session, "PRO", plan_code="pro", limit=2)
    a_code(session, "LATE", valid_to=LAST_DAY - timedelta(days=1))
    a_code(session, "STOPPED", valid_to=LAST_DAY - timedelta(days=1), limit=1)
    for place, customer in enumerate((first, second)):
        redeem(session, "PRO", customer, plan, f"sub_{place}")
        redeem(session, "OPEN", customer, plan, f"sub_{place}")
    redeem(session, "STOPPED", first, plan)
    service.end(session, SYSTEM, "STOPPED", now=NOW)
    return plan


def test_what_stands_in_the_way_of_a_code_is_its_status(session, four):
    assert listed(session) == {"STOPPED": "ended", "LATE": "expired", "PRO": "used_up", "OPEN": "active"}
    assert list(listed(session)) == ["STOPPED", "LATE", "PRO", "OPEN"]
    assert listed(session, LAST_DAY + timedelta(days=1))["OPEN"] == "expired"


def test_a_code_is_shown_with_all_its_facts(session, four):
    a_code(session, "Tenner", amount=Decimal("10.50"), currency="EUR", duration=PromoDuration.PERIODS, periods=3)
    row = listing.one(session, FINANCE, " tenner", today=LAST_DAY)
    assert (row.code, row.plan_code, row.percent, row.amount_minor, row.currency) == ("Tenner", None, None, 1050, "EUR")
    assert (row.duration, row.periods, row.limit, row.limit_per_customer) == (PromoDuration.PERIODS, 3, None, None)
    assert (row.valid_to, row.ended_at, row.created_at, row.redeemed) == (None, None, NOW, 0)
    pro = listing.one(session, FINANCE, "PRO", today=LAST_DAY)
    assert (pro.plan_code, pro.percent, pro.limit, pro.redeemed) == ("pro", Decimal(20), 2, 2)


@pytest.mark.parametrize("code", ["NONE", "", "%", "\0", "\ud800"])
def test_a_code_that_is_not_there_is_not_found(session, four, code):
    with pytest.raises(NotFound):
        listing.one(session, FINANCE, code, today=LAST_DAY)


@pytest.mark.parametrize("status", CodeStatus)
def test_filters_by_status(session, four, status):
    assert set(listed(session, status=status).values()) == {status.value}


def test_filters_by_a_part_of_the_code_and_by_what_a_plan_can_use(session, four):
    assert set(listed(session, text=" op")) == {"OPEN", "STOPPED"}
    assert set(listed(session, text="%")) == set()
    assert set(listed(session, plan_code="pro")) == {"OPEN", "PRO", "LATE", "STOPPED"}
    assert set(listed(session, plan_code="basic")) == {"OPEN", "LATE", "STOPPED"}
    assert set(listed(session, plan_code="\0")) == {"OPEN", "LATE", "STOPPED"}


def test_pages_follow_one_another_by_a_code_and_by_an_offset(session, four):
    def page(**where):
        return [row.code for row in listing.codes(session, FINANCE, CodeFilter(), today=LAST_DAY, limit=2, **where)]

    assert (page(), page(after="late"), page(offset=3)) == (["STOPPED", "LATE"], ["PRO", "OPEN"], ["OPEN"])
    assert page(after="OPEN") == []
    for nobody in ("nosuch", "\0"):
        with pytest.raises(Invalid, match="starting_after"):
            page(after=nobody)


def test_what_was_released_is_shown_and_does_not_count(session):
    plan, (first, second) = a_plan_id(session), customers(session, 2)
    code = a_code(session, limit=2)
    released = redeem(session, "WELCOME", first, plan, "sub_1")
    redeem(session, "WELCOME", second, plan, "sub_2")
    redeeming.release(session, SYSTEM, released.id, NOW + timedelta(hours=1))

    row = listing.one(session, FINANCE, "WELCOME", today=LAST_DAY)
    assert (row.redeemed, row.status) == (1, CodeStatus.ACTIVE)
    rows = listing.redemptions(session, FINANCE, code.id)
    assert [(row.customer, row.customer_ref, row.subject, row.released_at) for row in rows] == [
        ("Customer 1", "C1", "sub_2", None),
        ("Customer 0", "C0", "sub_1", NOW + timedelta(hours=1)),
    ]
    assert listing.redemption_count(session, FINANCE, code.id) == 2
    assert [row.subject for row in listing.redemptions(session, FINANCE, code.id, limit=1, offset=1)] == ["sub_1"]


def test_who_is_bound_to_one_customer_sees_no_codes(session):
    (customer,) = customers(session, 1)
    code = a_code(session)
    bound = actor_with(Role.ADMIN, user_id=3, name="Theirs", customer_id=customer)
    for read in (
        lambda: listing.codes(session, bound, CodeFilter(), today=LAST_DAY),
        lambda: listing.count(session, bound, CodeFilter(), today=LAST_DAY),
        lambda: listing.one(session, bound, "WELCOME", today=LAST_DAY),
        lambda: listing.redemptions(session, bound, code.id),
        lambda: listing.redemption_count(session, bound, code.id),
    ):
        with pytest.raises(Forbidden):
            read()

"""Promo codes: the list, one code with its redemptions, creating one and ending it."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.promotions import redeeming
from billing_core.promotions.models import PromoCode, PromoDuration
from tests.pages.as_read import as_read
from tests.pages.pressing import press
from tests.pages.roles import EVERY_ROLE
from tests.promotions.codes import NOW, a_code, a_plan_id, customers, redeem

pytestmark = pytest.mark.slow

PAGE = "promo_codes.py"
COLUMNS = ["Takes off", "For", "Redeemed", "Status", "Plan", "Each customer", "Last day"]


@pytest.fixture
def codes(sessions) -> None:
    """WELCOME has been redeemed by two of 100, TENNER by its only one, and PAST by nobody."""
    with sessions.begin() as session:
        plan, (first, second) = a_plan_id(session, "pro"), customers(session, 2)
        a_code(session, limit=100, limit_per_customer=1, valid_to=date(2199, 12, 31))
        tenner = {"amount": Decimal("10.50"), "currency": "USD", "duration": PromoDuration.PERIODS, "periods": 3}
        a_code(session, "TENNER", plan_code="pro", limit=1, **tenner)
        a_code(session, "PAST", duration=PromoDuration.FOREVER, valid_to=date(2026, 1, 31))
        redeem(session, "WELCOME", first, plan, "sub_1")
        redeem(session, "WELCOME", second, plan, "sub_2")
        redeem(session, "TENNER", first, plan, "sub_1")


def stored(sessions, code: str) -> PromoCode:
    with sessions() as session:
        return session.scalars(select(PromoCode).where(PromoCode.code == code)).one()


@EVERY_ROLE
def test_without_codes_the_page_says_so(page_as, role):
    page = page_as(role).visit(PAGE)

    assert not page.exception
    assert "There are no promo codes yet" in page.info[0].value
    assert any(button.label == "New promo code" for button in page.main.button) == (role == "admin")


@EVERY_ROLE
def test_codes_are_listed_with_what_became_of_them(page_as, codes, role):
    page = page_as(role).visit(PAGE)

    assert not page.exception
    assert page.dataframe[0].value[COLUMNS].values.tolist() == [
        ["20\u00a0%", "Every period", "0", ["Expired"], "All plans", "–", date(2026, 1, 31)],
        ["10.50\u00a0USD", "3 periods", "1 of 1", ["Used up"], "pro", "–", None],
        ["20\u00a0%", "First period", "2 of 100", ["Active"], "All plans", "1", date(2199, 12, 31)],
    ]
    assert any(link.label == "List as CSV" for link in page.get("link_button")) == (role != "finance")


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"promo_codes_status": "Used up"}, ["TENNER"]),
        ({"promo_codes_text": "wel"}, ["WELCOME"]),
        ({"promo_codes_plan": "pro"}, ["PAST", "TENNER", "WELCOME"]),
        ({"promo_codes_status": "Ended"}, []),
    ],
)
def test_filters_in_the_address_narrow_the_list(page_as, codes, filters, names):
    page = page_as("finance").visit(PAGE, **filters)

    assert not page.exception
    shown = [name.rpartition(" ")[2] for table in page.dataframe for name in table.value["Open"]]
    assert shown == names
    if not names:
        assert "No promo code matches" in page.info[0].value


@EVERY_ROLE
def test_a_code_tells_what_it_promises_and_who_has_redeemed_it(page_as, codes, sessions, role):
    with sessions.begin() as session:
        redeeming.release(session, SYSTEM, 1, NOW + timedelta(days=1))
    page = press(page_as(role).visit(PAGE), "Open", row=2)

    assert not page.exception
    assert page.title[0].value == "WELCOME"
    told = [as_read(one.value) for one in page.main.markdown]
    assert (
        "20\u00a0% off the price of any plan, in the first billing period with a price. Usage is never reduced." in told
    )
    assert "Redeemed once of at most 100, by each customer at most once; until 12/31/2199, that day included." in told
    table = page.dataframe[0].value
    assert table[["Key", "For"]].values.tolist() == [["C1", "sub_2"], ["C0", "sub_1"]]
    assert [bool(text) for text in table["Taken back"]] == [False, True]
    assert any(button.label == "End it early" for button in page.main.button) == (role == "admin")


def test_a_code_that_nobody_redeemed_says_so_and_one_that_is_not_there_too(page_as, codes):
    assert "Nobody has redeemed this code yet" in page_as("finance").visit(PAGE, code="past").info[0].value
    assert [error.value for error in page_as("finance").visit(PAGE, code="none").error] == [
        "There is no such promo code"
    ]


def create(page, **typed):
    page.button(key="new_promo_code").click().run()
    for key, value in typed.items():
        kind = {"promo_unit": page.selectbox, "promo_plan": page.selectbox, "promo_duration": page.selectbox}
        numbers = ("promo_periods", "promo_limit", "promo_limit_per_customer")
        draw = kind.get(key) or (page.number_input if key in numbers else page.text_input)
        draw(key=key).set_value(value)
        # Here the whole page runs, not the dialog alone, so its opener is clicked again with it.
        page.button(key="new_promo_code").click().run()
    page.button(key="new_promo_code").click()
    return page.button(key="create_promo_code").click().run()


def test_an_admin_creates_a_percent_for_some_periods(page_as, sessions, codes):
    page = create(
        page_as("admin").visit(PAGE),
        promo_code="Spring-27",
        promo_takes_off="12.5",
        promo_plan="pro",
        promo_duration=PromoDuration.PERIODS,
        promo_periods=6,
        promo_limit=50,
        promo_limit_per_customer=2,
    )

    assert not page.exception
    made = stored(sessions, "Spring-27")
    assert (made.percent, made.amount_minor, made.plan_id) == (Decimal("12.5"), None, 1)
    assert (made.duration, made.periods, made.limit, made.limit_per_customer) == (PromoDuration.PERIODS, 6, 50, 2)
    assert page.title[0].value == "Spring\\-27"


def test_an_admin_creates_an_amount(page_as, sessions):
    create(page_as("admin").visit(PAGE), promo_code="FIVER", promo_takes_off="5", promo_unit="EUR")
    made = stored(sessions, "FIVER")
    assert (made.percent, made.amount_minor, made.currency, made.duration) == (None, 500, "EUR", PromoDuration.ONCE)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ({}, "Say how much it takes off"),
        ({"promo_takes_off": "much"}, "is not a number"),
        ({"promo_takes_off": "101"}, "percent must be more than 0, at most 100"),
        ({"promo_takes_off": "0"}, "percent must be more than 0"),
        ({"promo_takes_off": "1.001", "promo_unit": "USD"}, "amount has more than 2 decimals"),
        ({"promo_takes_off": "5", "promo_code": "welcome"}, "already a promo code welcome"),
        ({"promo_takes_off": "5", "promo_code": "A B"}, "must have no spaces"),
    ],
)
def test_a_code_that_cannot_be_is_refused_in_the_dialog(page_as, sessions, codes, typed, why):
    page = create(page_as("admin").visit(PAGE), **{"promo_code": "NEW", **typed})

    assert not page.exception
    assert why in page.error[0].value
    with sessions() as session:
        assert len(session.scalars(select(PromoCode.id)).all()) == 3


def test_an_admin_ends_a_code_early(page_as, sessions, codes):
    before = utc_now()
    page = page_as("admin").visit(PAGE, code="WELCOME")
    page.button(key="end_promo_code").click().run()
    page.button(key="end_promo_code").click()
    page.button(key="do_end_promo_code").click().run()

    assert not page.exception
    ended_at = stored(sessions, "WELCOME").ended_at
    assert ended_at is not None
    assert ended_at >= before
    assert not any(button.label == "End it early" for button in page.main.button)


def test_who_is_bound_to_a_customer_does_not_see_the_page(page_as, codes):
    page = page_as("manager", customer_id=1).visit(PAGE)
    assert "Your role does not allow this page" in page.error[0].value
    assert len(page.dataframe) == 0

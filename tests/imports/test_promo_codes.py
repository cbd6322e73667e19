"""Promo codes from files."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.promotions import redeeming
from billing_core.promotions.listing import CodeFilter
from billing_core.promotions.models import PromoCode, PromoDuration
from billing_core.reports.exports import lists
from tests.imports.files import counts, rejections, row_count
from tests.mailing.test_reminding_at_once import wait_until_somebody_waits

HEADER = "code,plan_code,percent,amount,currency,duration,periods,limit,limit_per_customer,valid_to\n"
WELCOME = "WELCOME20,,20,,,once,,100,1,2026-12-31\n"
TENNER = "Tenner,basic,,10.50,usd,periods,3,,,\n"
PLAN = "plan_code,name,price,included_calls,price_per_call\nbasic,Basic,29,10000,0.001\n"


@pytest.fixture
def a_plan(take_in) -> None:
    take_in("plans", PLAN)


def codes(sessions):
    with sessions() as session:
        return list(session.scalars(select(PromoCode).order_by(PromoCode.id)))


def redeem(sessions, code, subject="sub_1"):
    """The id of its redemption by the first customer, for the first plan."""
    facts = {"customer_id": 1, "plan_id": 1, "currency": "USD", "subject": subject, "now": utc_now()}
    with sessions.begin() as session:
        return redeeming.redeem(session, SYSTEM, code, **facts).id


def test_codes_come_in_exactly(a_plan, take_in, sessions):
    assert counts(take_in("promo-codes", HEADER + WELCOME + TENNER)) == (2, 0, 0, 0)

    welcome, tenner = codes(sessions)
    assert (welcome.code, welcome.key, welcome.plan_id) == ("WELCOME20", "welcome20", None)
    assert (welcome.percent, welcome.amount_minor, welcome.currency) == (Decimal(20), None, None)
    assert (welcome.duration, welcome.periods) == (PromoDuration.ONCE, None)
    assert (welcome.limit, welcome.limit_per_customer, welcome.valid_to) == (100, 1, date(2026, 12, 31))
    assert (tenner.code, tenner.plan_id, tenner.percent) == ("Tenner", 1, None)
    assert (tenner.amount_minor, tenner.currency) == (10_50, "USD")
    assert (tenner.duration, tenner.periods) == (PromoDuration.PERIODS, 3)
    assert (tenner.limit, tenner.limit_per_customer, tenner.valid_to) == (None, None, None)


def test_amounts_are_in_the_minor_units_of_their_currency(take_in, sessions):
    rows = "A,,,500,JPY,forever,,,,\nB,,,1.2340,KWD,forever,,,,\nC,,12.3456 %,,,forever,,,,\n"
    take_in("promo-codes", HEADER + rows)
    assert [(one.amount_minor, one.percent) for one in codes(sessions)] == [
        (500, None),
        (1234, None),
        (None, Decimal("12.3456")),
    ]


def test_the_same_codes_again_change_nothing_whatever_their_case(a_plan, take_in, sessions):
    take_in("promo-codes", HEADER + WELCOME + TENNER)
    again = HEADER + TENNER.replace("10.50", "10.5") + WELCOME.replace("WELCOME20", " welcome20 ")
    assert counts(take_in("promo-codes", again)) == (0, 0, 2, 0)
    assert [one.code for one in codes(sessions)] == ["WELCOME20", "Tenner"]


def test_a_file_with_what_it_needs_alone_is_taken(take_in, sessions):
    assert counts(take_in("promo-codes", "Coupon Code,Percent off,Duration\nA,5,\n")) == (1, 0, 0, 0)
    assert counts(take_in("promo-codes", "code,amount,currency,duration\nB,5,EUR,forever\n")) == (1, 0, 0, 0)
    assert [(one.code, one.duration.value) for one in codes(sessions)] == [("A", "once"), ("B", "forever")]


def test_what_nobody_has_redeemed_can_change(a_plan, take_in, sessions):
    take_in("promo-codes", HEADER + WELCOME)
    outcome = take_in("promo-codes", HEADER + "WELCOME20,basic,,5,EUR,periods,2,100,,2027-12-31\n")

    assert counts(outcome) == (0, 1, 0, 0)
    (code,) = codes(sessions)
    assert (code.plan_id, code.percent, code.amount_minor, code.currency) == (1, None, 500, "EUR")
    assert (code.periods, code.limit, code.limit_per_customer) == (2, 100, None)
    assert code.valid_to == date(2027, 12, 31)


@pytest.mark.parametrize(
    "other",
    [
        "WELCOME20,,21,,,once,,100,1,2026-12-31\n",
        "WELCOME20,basic,20,,,once,,100,1,2026-12-31\n",
        "WELCOME20,,,20,USD,once,,100,1,2026-12-31\n",
        "WELCOME20,,20,,,forever,,100,1,2026-12-31\n",
        "WELCOME20,,20,,,periods,1,100,1,2026-12-31\n",
    ],
)
def test_what_somebody_has_redeemed_keeps_its_promise(a_plan, two_customers, take_in, sessions, other):
    take_in("promo-codes", HEADER + WELCOME)
    redemption_id = redeem(sessions, "welcome20")
    reason = "has been redeemed, and what it promises stays: only its limits and its last day can change"

    assert rejections(take_in("promo-codes", HEADER + other)) == [(2, "code", "WELCOME20", reason)]

    with sessions.begin() as session:
        redeeming.release(session, SYSTEM, redemption_id, utc_now())
    assert counts(take_in("promo-codes", HEADER + other)) == (0, 1, 0, 0)


def test_the_limits_and_the_last_day_can_change_at_any_time(a_plan, two_customers, take_in, sessions):
    take_in("promo-codes", HEADER + WELCOME)
    redeem(sessions, "welcome20")
    outcome = take_in("promo-codes", HEADER + WELCOME.replace("100,1,2026-12-31", "200,,2027-01-31"))

    assert counts(outcome) == (0, 1, 0, 0)
    assert [(change.column, change.old, change.new) for change in outcome.changes] == [
        ("limit", 100, 200),
        ("limit_per_customer", 1, None),
        ("valid_to", date(2026, 12, 31), date(2027, 1, 31)),
    ]


def test_who_redeems_a_code_while_a_file_changes_it_gets_what_was_promised(a_plan, two_customers, take_in, sessions):
    take_in("promo-codes", HEADER + WELCOME)
    facts = {"customer_id": 1, "plan_id": 1, "currency": "USD", "subject": "sub_1", "now": utc_now()}

    with ThreadPoolExecutor(1) as pool:
        with sessions.begin() as session:
            redeeming.redeem(session, SYSTEM, "welcome20", **facts)
            importing = pool.submit(take_in, "promo-codes", HEADER + WELCOME.replace(",20,", ",5,"))
            wait_until_somebody_waits(sessions)
        # On PostgreSQL it found nothing wrong before it had to wait.
        if sessions.engine.dialect.name == "postgresql":
            with pytest.raises(Conflict, match="just redeemed"):
                importing.result(timeout=300)
        else:
            assert len(rejections(importing.result(timeout=300))) == 1

    assert [one.percent for one in codes(sessions)] == [Decimal(20)]


WRONG = {
    "no reduction": ("X,,,,,once,,,,", ("percent", "", "or an amount is needed")),
    "two reductions": ("X,,5,5.50,USD,once,,,,", ("amount", "5.5", "cannot be beside a percent")),
    "amount without currency": ("X,,,5,,once,,,,", ("currency", "", "is needed for an amount")),
    "percent with currency": ("X,,5,,USD,once,,,,", ("currency", "USD", "is of an amount alone")),
    "no periods": ("X,,5,,,periods,,,,", ("periods", "", "is needed: for how many billing periods?")),
    "needless periods": ("X,,5,,,once,3,,,", ("periods", "3", "is of the duration periods alone")),
    "periods zero": ("X,,5,,,periods,0,,,", ("periods", "0", "must be above 0")),
    "too many periods": ("X,,5,,,periods,1001,,,", ("periods", "1001", "is larger than 1,000")),
    "percent zero": ("X,,0,,,once,,,,", ("percent", "0", "must be above 0")),
    "percent above 100": ("X,,100.0001,,,once,,,,", ("percent", "100.0001", "is larger than 100")),
    "percent too exact": ("X,,0.00001,,,once,,,,", ("percent", "0.00001", "has more than 4 decimals")),
    "amount zero": ("X,,,0.00,USD,once,,,,", ("amount", "0.00", "must be above 0")),
    "negative amount": ("X,,,-5,USD,once,,,,", ("amount", "-5", "must not be negative")),
    "inexact amount": ("X,,,1.005,USD,once,,,,", ("amount", "1.005", "has more decimals than USD is paid in")),
    "more than the largest amount": (
        "X,,,1000000000000.001,KWD,once,,,,",
        ("amount", "1000000000000.001", "is more than the largest amount in KWD"),
    ),
    "inexact yen": ("X,,,0.5,JPY,once,,,,", ("amount", "0.5", "has more decimals than JPY is paid in")),
    "limit": ("X,,5,,,once,,0,,", ("limit", "0", "must be above 0")),
    "half a limit": ("X,,5,,,once,,,1.5,", ("limit_per_customer", "1.5", "must be a whole number")),
    "last day": ("X,,5,,,once,,,,2026-02-30", ("valid_to", "2026-02-30", "is not a day of the calendar")),
    "no code": (" ,,5,,,once,,,,", ("code", "", "is empty")),
    "code with a space": (
        "A B,,5,,,once,,,,",
        ("code", "A B", "must have no spaces and no slashes, and be more than dots"),
    ),
    "unknown plan": (
        "X,gold,5,,,once,,,,",
        ("plan_code", "gold", "no plan has this code; import plans first, or leave it empty for all"),
    ),
}


@pytest.mark.parametrize(("row", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_code_is_refused_and_nothing_is_imported(row, reason, take_in, sessions):
    refused = take_in("promo-codes", f"{HEADER}{WELCOME}{row}\n")
    assert rejections(refused) == [(3, *reason)]
    assert (refused.applied, row_count(sessions, PromoCode)) == (False, 0)


def test_a_code_that_comes_twice_with_other_terms_is_refused(take_in):
    refused = take_in("promo-codes", HEADER + WELCOME + WELCOME.lower().replace("20,,20", "20,,30"))
    assert [(line, reason) for line, _, _, reason in rejections(refused)] == [
        (3, "comes again with other content; it was first on line 2")
    ]


def test_the_list_as_a_file_comes_in_again_and_changes_nothing(a_plan, two_customers, take_in, sessions):
    take_in("promo-codes", HEADER + WELCOME + TENNER)
    redeem(sessions, "welcome20")
    with sessions() as session:
        listed = lists.promo_codes(session, SYSTEM, CodeFilter(), today=date(2026, 5, 1), for_excel=True)
        file = b"".join(listed.chunks).decode()
    assert counts(take_in("promo-codes", file)) == (0, 0, 2, 0)


def test_a_dry_run_writes_no_code(dry_run, sessions):
    assert counts(dry_run("promo-codes", HEADER + WELCOME)) == (1, 0, 0, 0)
    assert codes(sessions) == []

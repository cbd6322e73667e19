"""Plans from files: other terms are another version, and whoever is on an old one keeps it."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.dates import Period, utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import service
from billing_core.metering import meters
from billing_core.metering.alerts import AlertMeasure, UsageCheck
from billing_core.metering.models import Aggregation
from billing_core.plans import parts, prices, queries
from billing_core.plans import service as plans
from billing_core.plans.models import BillingTiming, CustomerPlan, Plan, PlanInterval, PlanVersion, TrialEnd
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.plans.terms import AddOn, Amounts, Phase, Terms
from billing_core.usage import alerts, threshold_checks
from billing_core.usage.alerts import Threshold, Told
from tests.imports.files import counts, incoming, rejections, row_count

HEADER = "plan_code,name,currency,price,interval,included_calls,price_per_call\n"
BASIC = "basic,Basic,USD,29.90,month,10000,0.001\n"
PRO = "pro,Pro,USD,99,month,50000,0.000000000001\n"
WHO = "customer_ref,plan_code,valid_from\n"
YEAR = Period(date(2023, 1, 1), date(2023, 12, 31))


@pytest.fixture
def two_plans(two_customers, take_in) -> None:
    assert counts(take_in("plans", HEADER + BASIC + PRO)) == (2, 0, 0, 0)


def versions(sessions):
    with sessions() as session:
        rows = session.execute(queries.versions().order_by(PlanVersion.id))
        return [queries.Version(*row) for row in rows]


def stretches(sessions, customer_id=1):
    with sessions() as session:
        return [
            (part.first_day.isoformat(), part.version.code, part.version.number)
            for part in queries.on_plan(session, customer_id, YEAR)
        ]


def test_plans_come_in_exactly(two_plans, sessions):
    basic, pro = versions(sessions)
    assert (basic.code, basic.name, basic.number, basic.currency) == ("basic", "Basic", 1, "USD")
    assert (basic.price_minor, basic.interval) == (2990, PlanInterval.MONTH)
    assert (basic.included_calls, basic.price_per_call) == (10_000, Decimal("0.001"))
    assert (pro.price_minor, pro.price_per_call) == (9900, Decimal("0.000000000001"))


def test_the_same_plans_again_change_nothing(two_plans, take_in, sessions):
    before = row_count(sessions, AuditEntry)
    assert counts(take_in("plans", HEADER + PRO + BASIC.replace("29.90", "29.9"))) == (0, 0, 2, 0)
    assert (row_count(sessions, PlanVersion), row_count(sessions, AuditEntry)) == (2, before)


def test_the_prices_of_other_meters_stay_unless_the_currency_changes(two_plans, take_in, sessions):
    per_mail = {Metered("mails"): Price("USD", Scheme.PER_UNIT, (Tier(None, Decimal("0.02"), Decimal(1)),))}
    with sessions.begin() as session:
        facts = {"name": "Mails", "aggregation": Aggregation.SUM, "unit": "mail", "now": utc_now()}
        meters.create(session, SYSTEM, code="mails", **facts)
        for code in ("basic", "pro"):
            version = queries.latest(session, SYSTEM, code)
            agreed = Terms("USD", Decimal(version.price_minor) / 100, version.included_calls, version.price_per_call)
            plans.add_version(session, SYSTEM, code, agreed, charged=per_mail, now=utc_now())
    take_in("plans", HEADER + BASIC.replace("0.001", "0.002") + PRO.replace("USD", "EUR"))
    # Only another name: no version.
    take_in("plans", HEADER + BASIC.replace("0.001", "0.002").replace("Basic", "Base"))

    with sessions() as session:
        kept = {(one.code, one.number): prices.of_version(session, one.id) for one in versions(sessions)}
    assert kept == {
        ("basic", 1): {},
        ("pro", 1): {},
        ("basic", 2): per_mail,
        ("pro", 2): per_mail,
        ("basic", 3): per_mail,
        ("pro", 3): {},
    }


def test_other_terms_are_a_new_version_and_the_rest_stays(two_plans, take_in, sessions):
    outcome = take_in("plans", HEADER + BASIC.replace("0.001", "0.002") + PRO)

    assert counts(outcome) == (0, 1, 1, 0)
    assert [(c.row, c.column, c.old, c.new) for c in outcome.changes] == [
        ("basic", "price_per_call", Decimal("0.001"), Decimal("0.002"))
    ]
    assert [(one.code, one.number, one.price_per_call) for one in versions(sessions)] == [
        ("basic", 1, Decimal("0.001")),
        ("pro", 1, Decimal("0.000000000001")),
        ("basic", 2, Decimal("0.002")),
    ]
    # Back to the first terms is a third version, not the first again.
    take_in("plans", HEADER + BASIC)
    assert [one.number for one in versions(sessions)] == [1, 1, 2, 3]


def test_another_name_is_no_other_version(two_plans, take_in, sessions):
    assert counts(take_in("plans", HEADER + BASIC.replace("Basic", "Starter"))) == (0, 1, 0, 0)
    assert [(one.name, one.number) for one in versions(sessions)] == [("Starter", 1), ("Pro", 1)]


def test_a_blank_currency_and_interval_are_the_usual_ones_or_stay(take_in, sessions):
    required = "plan_code,name,price,included_calls,price_per_call\n"
    take_in("plans", required + "a,A,1,10,1\n")
    take_in("plans", HEADER + "b,B,EUR,1,annual,10,1\n")
    take_in("plans", HEADER + "b,B,,2,,10,1\n")
    take_in("plans", required + "b,B,3,10,1\n")
    assert [
        (one.code, one.number, one.currency, one.interval.value, one.price_minor) for one in versions(sessions)
    ] == [
        ("a", 1, "USD", "month", 100),
        ("b", 1, "EUR", "year", 100),
        ("b", 2, "EUR", "year", 200),
        ("b", 3, "EUR", "year", 300),
    ]


def test_a_plan_whose_two_columns_of_usage_are_empty_has_none(take_in, sessions):
    """As with 0 in both; a plan that had usage gets a version without."""
    take_in("plans", HEADER + "a,A,USD,1,month,0,0\nb,B,USD,1,month,10,1\n")
    assert counts(take_in("plans", HEADER + "a,A,USD,1,month,,\nb,B,USD,1,month,, \nc,C,USD,1,month,,\n")) == (
        1,
        1,
        1,
        0,
    )
    latest = {one.code: (one.number, one.included_calls, one.price_per_call) for one in versions(sessions)}
    assert latest == {"a": (1, 0, 0), "b": (2, 0, 0), "c": (1, 0, 0)}


@pytest.mark.parametrize(
    ("written", "interval", "count"),
    [
        ("day", PlanInterval.DAY, 1),
        ("Weekly", PlanInterval.WEEK, 1),
        ("2 weeks", PlanInterval.WEEK, 2),
        ("every 3 months", PlanInterval.MONTH, 3),
        ("quarterly", PlanInterval.QUARTER, 1),
        ("every year", PlanInterval.YEAR, 1),
        ("10 Years", PlanInterval.YEAR, 10),
        ("3650 days", PlanInterval.DAY, 3650),
    ],
)
def test_an_interval_may_be_several(written, interval, count, take_in, sessions):
    take_in("plans", HEADER + BASIC.replace("month", written))
    assert agreed_now(sessions) == Terms(
        "USD", Decimal("29.90"), 10_000, Decimal("0.001"), interval=interval, interval_count=count
    )


def test_another_count_of_the_interval_is_another_version_and_is_shown(two_plans, take_in, sessions):
    outcome = take_in("plans", HEADER + BASIC.replace("month", "3 months"))
    assert [(c.column, c.old, c.new) for c in outcome.changes] == [("interval_count", 1, 3)]
    assert counts(take_in("plans", (HEADER + BASIC).replace("month", ""))) == (0, 0, 1, 0)
    assert agreed_now(sessions).interval_count == 3


SUBSCRIBED = Terms(
    "USD",
    Decimal("29.90"),
    10_000,
    Decimal(0),
    timing=BillingTiming.ARREARS,
    seat_price=Decimal(5),
    included_seats=3,
    trial_end=TrialEnd.PAUSE,
    ends_after=24,
    further={"EUR": Amounts(Decimal(27), Decimal("4.50")), "JPY": Amounts(Decimal(4400), Decimal(700))},
    add_ons=(
        AddOn("support", "Support", {"EUR": Decimal(9), "JPY": Decimal(1500), "USD": Decimal(10)}),
        AddOn("backup", "Backup", {"EUR": Decimal(1), "JPY": Decimal(150), "USD": Decimal("1.25")}),
    ),
    phases=(Phase(3, Decimal(0)), Phase(3, Decimal("50.5"))),
)


@pytest.fixture
def subscribed(sessions) -> None:
    """``basic`` with everything that no file knows."""
    with sessions.begin() as session:
        plans.create(session, SYSTEM, code="basic", name="Basic", agreed=SUBSCRIBED, now=utc_now())


def agreed_now(sessions):
    with sessions() as session:
        return parts.terms_of(session, queries.latest(session, SYSTEM, "basic").id)


def test_what_a_file_does_not_know_stays(subscribed, take_in, sessions):
    assert counts(take_in("plans", HEADER + BASIC.replace("0.001", "0"))) == (0, 0, 1, 0)
    take_in("plans", HEADER + BASIC.replace("0.001", "0").replace("29.90", "39").replace("month", "2 months"))
    assert agreed_now(sessions) == replace(SUBSCRIBED, price=Decimal(39), interval_count=2)


@pytest.mark.parametrize(
    "bound",
    [
        replace(SUBSCRIBED, further={}, add_ons=()),
        Terms("USD", Decimal(1), 0, Decimal(0), add_ons=(AddOn("support", "Support", {"USD": Decimal(1)}),)),
        Terms("USD", Decimal(1), 0, Decimal(0), further={"EUR": Amounts(Decimal(1))}),
    ],
    ids=["seats", "add-ons", "further currencies"],
)
def test_a_file_cannot_move_a_plan_to_another_currency_that_costs_more_than_it_knows(bound, take_in, sessions):
    with sessions.begin() as session:
        plans.create(session, SYSTEM, code="basic", name="Basic", agreed=bound, now=utc_now())
    refused = take_in("plans", HEADER + BASIC.replace("USD", "CHF").replace("0.001", "0"))
    reason = "the plan is in USD with seats, add-ons or further currencies: make a version of it"
    assert rejections(refused) == [(2, "currency", "CHF", reason)]
    assert row_count(sessions, PlanVersion) == 1


def test_a_file_cannot_give_a_call_a_price_where_a_plan_has_several_currencies(subscribed, take_in, sessions):
    refused = take_in("plans", HEADER + BASIC)
    reason = "the plan can be had in several currencies: a call cannot have a price, which would be in one alone"
    assert rejections(refused) == [(2, "plan_code", "basic", reason)]
    assert agreed_now(sessions) == SUBSCRIBED


def test_a_dry_run_and_a_rehearsal_write_no_version(two_customers, dry_run, sessions):
    assert counts(dry_run("plans", HEADER + BASIC)) == (1, 0, 0, 0)
    files = [incoming("plans", HEADER + BASIC), incoming("customer-plans", WHO + "ACME,basic,2023-01-01\n")]
    outcomes = service.rehearse(sessions, SYSTEM, files, now=utc_now())
    assert [counts(outcome) for outcome in outcomes] == [(1, 0, 0, 0), (1, 0, 0, 0)]
    assert [row_count(sessions, model) for model in (Plan, PlanVersion, CustomerPlan)] == [0, 0, 0]


HALF = "is empty, and {} is not: fill both in, or neither for a plan without usage"
WRONG = {
    "negative price": ("x,X,USD,-1,month,1,1", ("price", "-1", "must not be negative")),
    "inexact price": ("x,X,USD,1.005,month,1,1", ("price", "1.005", "has more decimals than USD is paid in")),
    "inexact price without cents": ("x,X,JPY,1.5,month,1,1", ("price", "1.5", "has more decimals than JPY is paid in")),
    "more than the largest amount": (
        "x,X,KWD,1000000000000.001,month,1,1",
        ("price", "1000000000000.001", "is more than the largest amount in KWD"),
    ),
    "more than the largest price": (
        "x,X,JPY,9000000000001,month,1,1",
        ("price", "9000000000001", "is larger than 9,000,000,000,000"),
    ),
    "less than a cent": ("x,X,USD,0.000010,month,1,1", ("price", "0.00001", "has more decimals than USD is paid in")),
    "eleven years": ("x,X,USD,1,11 years,1,1", ("interval", "11 years", "is longer than ten years")),
    "half a call": ("x,X,USD,1,month,1.5,1", ("included_calls", "1.5", "must be a whole number")),
    "no price of a call": (
        "x,X,USD,1,month,1,",
        (
            "price_per_call",
            "",
            "is empty, and included_calls is not: fill both in, or neither for a plan without usage",
        ),
    ),
    "no number of calls": (
        "x,X,USD,1,month,,1",
        (
            "included_calls",
            "",
            "is empty, and price_per_call is not: fill both in, or neither for a plan without usage",
        ),
    ),
    "thirteen decimals": (
        "x,X,USD,1,month,1,0.0000000000001",
        ("price_per_call", "0.0000000000001", "has more than 12 decimals"),
    ),
    "too dear": ("x,X,USD,1,month,1,1000001", ("price_per_call", "1000001", "is larger than 1,000,000")),
    "not a number": ("x,X,USD,1,month,1,NaN", ("price_per_call", "NaN", "is not a number")),
    "no code": (" ,X,USD,1,month,1,1", ("plan_code", "", "is empty")),
}


@pytest.mark.parametrize(("row", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_plan_is_refused_and_nothing_is_imported(row, reason, take_in, sessions):
    refused = take_in("plans", f"{HEADER}{BASIC}{row}\n")
    assert rejections(refused) == [(3, *reason)]
    assert (refused.applied, row_count(sessions, Plan)) == (False, 0)


def test_a_plan_that_comes_twice_with_other_terms_is_refused(take_in):
    refused = take_in("plans", HEADER + BASIC + BASIC.replace("10000", "20000"))
    assert rejections(refused) == [(3, "plan_code", "basic", "comes again with other content; it was first on line 2")]


def test_customers_are_put_on_the_latest_version_and_keep_it(two_plans, take_in, sessions):
    file = WHO + "ACME,basic,2023-10-01\n"
    assert counts(take_in("customer-plans", file)) == (1, 0, 0, 0)
    take_in("plans", HEADER + BASIC.replace("0.001", "0.002"))

    assert counts(take_in("customer-plans", file)) == (0, 0, 1, 0)
    assert stretches(sessions) == [("2023-10-01", "basic", 1)]
    assert counts(take_in("customer-plans", file + "ACME,basic,2023-11-01\n")) == (1, 0, 1, 0)
    assert stretches(sessions) == [("2023-10-01", "basic", 1), ("2023-11-01", "basic", 2)]


def test_who_is_watched_is_checked_once_its_plan_is_another(two_plans, take_in, sessions):
    with sessions.begin() as session:
        (acme, other) = session.scalars(select(Customer.id).order_by(Customer.id)).all()
        for customer_id in (acme, other):
            alerts.create(session, SYSTEM, customer_id, Threshold(AlertMeasure.ALLOWANCE, 80), Told(), now=utc_now())
        threshold_checks.check(session, SYSTEM, now=utc_now(), limit=10)
        assert not threshold_checks.due(session)
    take_in("customer-plans", WHO + "ACME,basic,2023-10-01\n")
    with sessions() as session:
        assert session.scalars(select(UsageCheck.customer_id).where(UsageCheck.asked_at.is_not(None))).all() == [acme]


def test_another_plan_from_the_same_day_takes_its_place(two_plans, take_in, sessions):
    take_in("customer-plans", WHO + "ACME,basic,2023-10-01\nACME,basic,2023-11-01\n")
    outcome = take_in("customer-plans", WHO + "ACME,pro,2023-10-01\n")

    assert counts(outcome) == (0, 1, 0, 0)
    assert [(c.row, c.column, c.old, c.new) for c in outcome.changes] == [
        ("ACME · 2023-10-01", "plan_code", "basic", "pro")
    ]
    assert stretches(sessions) == [("2023-10-01", "pro", 1), ("2023-11-01", "basic", 1)]


def test_a_plan_from_the_day_on_which_the_customer_was_taken_off_takes_its_place(two_plans, take_in, sessions):
    take_in("customer-plans", WHO + "ACME,basic,2023-10-01\n")
    with sessions.begin() as session:
        plans.take_off(session, SYSTEM, 1, valid_from=date(2023, 10, 11), now=utc_now())
    outcome = take_in("customer-plans", WHO + "ACME,pro,2023-10-11\n")

    assert counts(outcome) == (0, 1, 0, 0)
    assert [(c.row, c.column, c.old, c.new) for c in outcome.changes] == [
        ("ACME · 2023-10-11", "plan_code", None, "pro")
    ]
    assert stretches(sessions) == [("2023-10-01", "basic", 1), ("2023-10-11", "pro", 1)]


def test_what_refers_to_nothing_or_to_another_currency_is_refused(two_plans, take_in, sessions):
    refused = take_in(
        "customer-plans",
        WHO + "NONE,basic,2023-10-01\nACME,gold,2023-10-01\nBETA,basic,2023-10-01\nACME,pro,\nACME,,2023-10-01\n",
    )
    assert rejections(refused) == [
        (2, "customer_ref", "NONE", "no customer has this customer_ref; import customers first"),
        (3, "plan_code", "gold", "no plan has this code; import plans first"),
        (4, "plan_code", "basic", "the plan is in USD, the customer is billed in EUR"),
        (5, "valid_from", "", "is empty"),
        (6, "plan_code", "", "is empty"),
    ]
    assert row_count(sessions, CustomerPlan) == 0


def test_a_customer_on_a_plan_keeps_its_currency(two_plans, take_in):
    take_in("customer-plans", WHO + "ACME,basic,2023-10-01\n")
    refused = take_in("customers", "customer_ref,name,currency\nACME,Acme Inc,EUR\n")
    assert rejections(refused) == [
        (2, "currency", "EUR", "the customer is billed in USD, and has rates, reports or a plan in it")
    ]


def test_plans_are_imported_through_the_audit_log(two_plans, take_in, sessions):
    take_in("customer-plans", WHO + "ACME,basic,2023-10-01\n")
    with sessions() as session:
        labels = session.scalars(select(AuditEntry.subject_label).order_by(AuditEntry.id.desc()).limit(2)).all()
    assert labels == ["Customers' plans from file.csv", "Plans from file.csv"]

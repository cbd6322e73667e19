"""Usage held against thresholds: reached once a period, by what was recorded, whoever recorded it."""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial

import pytest
from sqlalchemy import select

from billing_core.errors import Forbidden
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, meters, withdrawal, zone_changes
from billing_core.metering.alerts import AlertMeasure, UsageCheck
from billing_core.metering.models import Aggregation, UsagePeriod
from billing_core.money import Money
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import alerts, threshold_checks
from billing_core.usage.threshold_checks import Standing
from tests.at_once import at_once
from tests.database.counting import statements
from tests.invoices.company import READER, a_customer
from tests.metering.used import an_event
from tests.outgoing_webhooks.test_publishing import subscribe, told
from tests.plans.agreed import a_plan, terms
from tests.usage.watching import NOBODY, NOW, SET, a_subscriber, call, check, reached, ten_calls, watch

ALLOWANCE, CALLS, COST = AlertMeasure.ALLOWANCE, AlertMeasure.CALLS, AlertMeasure.COST
APRIL = datetime(2026, 4, 2, 12, tzinfo=UTC)


def usd(minor: int) -> Money:
    return Money(minor, "USD")


@pytest.mark.parametrize(
    ("standing", "measure", "threshold", "outcome"),
    [
        (Standing(79, 100, None), ALLOWANCE, 80, False),
        (Standing(80, 100, None), ALLOWANCE, 80, True),
        (Standing(81, 100, None), ALLOWANCE, 80, True),
        # 80 % of 7 calls is 5.6: the sixth one reaches it.
        (Standing(5, 7, None), ALLOWANCE, 80, False),
        (Standing(6, 7, None), ALLOWANCE, 80, True),
        (Standing(249, 100, None), ALLOWANCE, 250, False),
        (Standing(250, 100, None), ALLOWANCE, 250, True),
        (Standing(1_000, 0, None), ALLOWANCE, 1, False),
        (Standing(0, 1, None), ALLOWANCE, 1, False),
        (Standing(1, 1, None), ALLOWANCE, 100, True),
        # Calls where nothing is included use nothing of what is.
        (Standing(100, 100, None, outside=21), ALLOWANCE, 80, False),
        (Standing(100, 100, None, outside=20), ALLOWANCE, 80, True),
        (Standing(5, 1, None, outside=5), CALLS, 5, True),
        (Standing(4, 0, None), CALLS, 5, False),
        (Standing(5, 0, None), CALLS, 5, True),
        (Standing(0, 0, usd(499)), COST, 500, False),
        (Standing(0, 0, usd(500)), COST, 500, True),
        (Standing(0, 0, Money(900, "EUR")), COST, 500, False),
        (Standing(9, 0, None), COST, 1, False),
    ],
)
def test_a_threshold_is_reached_at_its_value(standing, measure, threshold, outcome):
    assert standing.reaches(measure, threshold, "USD") is outcome


def test_each_measure_is_reached_by_the_call_that_reaches_it(sessions):
    """Ten calls are included, a further one costs 1.00 USD."""
    with sessions.begin() as session:
        acme = ten_calls(session)
        watch(session, acme, 80, ALLOWANCE)
        watch(session, acme, 9, CALLS)
        watch(session, acme, 200, COST)
    standings = []
    for number in range(1, 13):
        call(sessions, number, number)
        standings += [
            (row.measure, row.calls, row.included_calls, row.currency, row.cost_minor) for row in check(sessions)
        ]
    assert standings == [
        (ALLOWANCE, 8, 10, "USD", 0),
        (CALLS, 9, 10, "USD", 0),
        (COST, 12, 10, "USD", 200),
    ]


def test_calls_in_a_bucket_that_includes_none_use_nothing_of_the_allowance(sessions):
    with sessions.begin() as session:
        meters.add_bucket(session, SYSTEM, "api_calls", code="eu", name="EU", filters={"region": ["eu"]}, now=SET)
        each = Price("USD", Scheme.PER_UNIT, (Tier(None, Decimal(1)),))
        facts = {"agreed": terms(included_calls=2), "charged": {Metered("api_calls", "eu"): each}}
        plans.create(session, SYSTEM, code="two", name="Two", **facts, now=SET)
        acme = a_customer(session)
        plans.put_on(session, SYSTEM, acme, "two", valid_from=date(2024, 1, 1), now=SET)
        watch(session, acme, 100, ALLOWANCE)
        in_eu = [an_event(f"eu {number}", customer_ref="ACME", properties={"region": "eu"}) for number in range(2)]
        ingestion.record(session, SYSTEM, in_eu, now=NOW, atomic=True)
    assert check(sessions) == []
    call(sessions, 1, 2)
    assert [(row.threshold, row.calls, row.included_calls) for row in check(sessions)] == [(100, 4, 2)]


def test_a_cost_is_reached_by_what_is_used_and_not_by_a_minimum(sessions):
    """A gigabyte costs 10.00 USD, and at least 100.00 are owed."""
    with sessions.begin() as session:
        meters.create(session, SYSTEM, code="gb", name="GB", aggregation=Aggregation.SUM, unit="GB", now=SET)
        each = Price("USD", Scheme.PER_UNIT, (Tier(None, Decimal(10)),), minimum=Decimal(100))
        facts = {"agreed": terms(included_calls=10), "charged": {Metered("gb"): each}}
        plans.create(session, SYSTEM, code="stored", name="Stored", **facts, now=SET)
        acme = a_customer(session)
        plans.put_on(session, SYSTEM, acme, "stored", valid_from=date(2024, 1, 1), now=SET)
        watch(session, acme, 5_000, COST)
    assert check(sessions) == []
    reached = []
    for number, quantity in ((1, 4), (2, 1)):
        with sessions.begin() as session:
            told = an_event(f"{number}", customer_ref="ACME", meter="gb", quantity=quantity)
            ingestion.record(session, SYSTEM, [told], now=NOW, atomic=True)
        reached.append([row.cost_minor for row in check(sessions)])
    # 40.00, then 50.00
    assert reached == [[], [5_000]]


def put_on_a_smaller_plan(session, customer_id):
    smaller = a_plan(session, "smaller", terms(included_calls=4, price_per_call="1"))
    plans.put_on(session, SYSTEM, customer_id, smaller, valid_from=date(2026, 3, 1), now=NOW)


def take_off_its_plan(session, customer_id):
    # Of ten calls a day of 31 includes one.
    plans.take_off(session, SYSTEM, customer_id, valid_from=date(2026, 3, 2), now=NOW)


def change_its_zone(session, customer_id):
    # There the fourth call was still in March.
    facts = {"time_zone": "America/New_York"}
    zone_changes.change_customer(session, SYSTEM, customer_id, version=1, facts=facts, now=NOW)


@pytest.mark.parametrize(
    ("value", "measure", "change"),
    [(75, ALLOWANCE, put_on_a_smaller_plan), (100, ALLOWANCE, take_off_its_plan), (4, CALLS, change_its_zone)],
)
def test_what_was_used_is_held_against_thresholds_again_when_terms_change(sessions, value, measure, change):
    """Three calls in March, and a fourth at two on 1 April, of ten that are included."""
    with sessions.begin() as session:
        acme = ten_calls(session)
        watch(session, acme, value, measure)
        watch(session, ten_calls(session, "OTHER"), value, measure)
    call(sessions, 1, 3, at="2026-03-01T10:00:00Z")
    call(sessions, 4, 4, at="2026-04-01T02:00:00Z", now=APRIL)
    assert check(sessions, now=APRIL) == []
    with sessions.begin() as session:
        change(session, acme)
        waiting = session.scalars(select(UsageCheck.customer_id).where(UsageCheck.asked_at.is_not(None)))
        assert waiting.all() == [acme]
    assert [(row.threshold, row.first_day) for row in check(sessions, now=APRIL)] == [(value, date(2026, 3, 1))]


def test_what_was_used_is_held_against_thresholds_again_when_buckets_change(sessions):
    """A call in the bucket costs 2.00 USD instead of nothing; two of its three calls are moved."""
    with sessions.begin() as session:
        filters = {"region": ["eu"]}
        meters.add_bucket(session, SYSTEM, "api_calls", code="eu", name="EU", filters=filters, now=SET)
        each = Price("USD", Scheme.PER_UNIT, (Tier(None, Decimal(2)),))
        facts = {"agreed": terms(included_calls=10), "charged": {Metered("api_calls", "eu"): each}}
        plans.create(session, SYSTEM, code="ten", name="Ten", **facts, now=SET)
        acme = a_customer(session)
        plans.put_on(session, SYSTEM, acme, "ten", valid_from=date(2024, 1, 1), now=SET)
        watch(session, acme, 600, COST)
        regions = [
            an_event(region, customer_ref="ACME", properties={"region": region}) for region in ("eu", "fr", "de")
        ]
        ingestion.record(session, SYSTEM, regions, now=NOW, atomic=True)
    assert check(sessions) == []
    with sessions.begin() as session:
        filters = {"region": ["de", "eu", "fr"]}
        meters.change_bucket(session, SYSTEM, "api_calls", "eu", name="EU", filters=filters, now=NOW)
    assert [row.cost_minor for row in check(sessions)] == [600]


def test_what_was_reached_is_told_once_however_much_comes(sessions):
    subscribe(sessions, "https://hooks.example.com/", "usage.threshold_reached")
    with sessions.begin() as session:
        acme = ten_calls(session)
        watch(session, acme, 3)
        watch(session, None, 3)
    call(sessions, 1, 4)
    assert [(row.threshold, row.calls) for row in check(sessions)] == [(3, 4), (3, 4)]
    call(sessions, 5, 20)
    assert check(sessions) == []
    assert [topic for topic, _ in told(sessions)] == ["usage.threshold_reached"] * 2


def test_nobody_is_checked_without_new_usage_and_nothing_is_asked_where_nobody_watches(sessions):
    with sessions.begin() as session:
        ten_calls(session)
        other = ten_calls(session, "OTHER")
    call(sessions, 1, 4)
    with sessions() as session:
        assert session.scalars(select(UsageCheck.customer_id)).all() == []
        assert threshold_checks.due(session) is False
    with sessions.begin() as session:
        watch(session, other, 3)
    check(sessions)
    call(sessions, 5, 8)
    with sessions() as session:
        assert session.execute(select(UsageCheck.customer_id, UsageCheck.asked_at)).all() == [(other, None)]
        assert threshold_checks.due(session) is False


def test_who_has_reached_it_by_the_time_it_is_set_is_told_of_this_period(sessions):
    with sessions.begin() as session:
        ten_calls(session)
    call(sessions, 1, 5, at="2026-02-10T10:00:00Z")
    call(sessions, 11, 15)
    with sessions.begin() as session:
        watch(session, None, 5, now=NOW)
    assert len(check(sessions)) == 1
    assert reached(sessions) == [("ACME", 5, "2026-03-01", 5)]


def test_a_threshold_that_is_moved_can_be_reached_anew(sessions):
    with sessions.begin() as session:
        ten_calls(session)
        alert_id = watch(session, None, 5)
    call(sessions, 1, 5)
    check(sessions)
    for version, value in ((1, 6), (2, 4), (3, 5)):
        with sessions.begin() as session:
            alerts.change(session, SYSTEM, alert_id, value, NOBODY, drawn_from=version, now=NOW)
        check(sessions)
    assert reached(sessions) == [("ACME", 4, "2026-03-01", 5), ("ACME", 5, "2026-03-01", 5)]


def test_what_is_withdrawn_takes_nothing_back_and_tells_nothing_again(sessions):
    with sessions.begin() as session:
        acme = ten_calls(session)
        watch(session, acme, 5)
    call(sessions, 1, 5)
    check(sessions)
    with sessions.begin() as session:
        withdrawal.withdraw(session, SYSTEM, acme, "5", reason="Counted twice", now=NOW)
    assert check(sessions) == []
    call(sessions, 6, 6)
    assert check(sessions) == []
    assert reached(sessions) == [("ACME", 5, "2026-03-01", 5)]


def test_each_period_is_reached_on_its_own(sessions):
    with sessions.begin() as session:
        watch(session, ten_calls(session), 5)
    call(sessions, 1, 5)
    check(sessions)
    call(sessions, 6, 9, at="2026-04-01T00:00:00Z", now=APRIL)
    assert check(sessions, now=APRIL) == []
    call(sessions, 10, 10, at="2026-04-02T00:00:00Z", now=APRIL)
    assert len(check(sessions, now=APRIL)) == 1
    assert reached(sessions) == [("ACME", 5, "2026-04-01", 5), ("ACME", 5, "2026-03-01", 5)]


def test_the_period_before_is_watched_until_it_is_billed_and_older_ones_are_not(sessions):
    with sessions.begin() as session:
        acme, other = ten_calls(session), ten_calls(session, "OTHER")
        watch(session, None, 2, now=SET.replace(month=1))
        session.add(
            UsagePeriod(customer_id=other, first_day=date(2026, 3, 1), last_day=date(2026, 3, 31), billed_at=APRIL)
        )
    for number, month in ((1, 2), (11, 3)):
        for ref in ("ACME", "OTHER"):
            call(sessions, number, number + 2, ref, at=f"2026-{month:02}-28T10:00:00Z", now=APRIL)
    assert [(row.customer_id, row.first_day) for row in check(sessions, now=APRIL)] == [(acme, date(2026, 3, 1))]


def test_a_period_that_had_ended_before_somebody_watched_is_left_alone(sessions):
    with sessions.begin() as session:
        ten_calls(session)
        watch(session, None, 2, now=APRIL)
    call(sessions, 1, 5, now=APRIL)
    assert check(sessions, now=APRIL) == []


def test_late_usage_reaches_nothing(sessions):
    with sessions.begin() as session:
        acme = ten_calls(session)
        watch(session, acme, 5)
    call(sessions, 1, 4)
    with sessions.begin() as session:
        session.add(
            UsagePeriod(customer_id=acme, first_day=date(2026, 3, 1), last_day=date(2026, 3, 31), billed_at=APRIL)
        )
    call(sessions, 5, 9, now=APRIL)
    assert check(sessions, now=APRIL) == []


def test_the_month_is_that_of_the_billing_zone(sessions):
    """On Kiritimati April begins at ten o'clock in UTC on 31 March."""
    with sessions.begin() as session:
        watch(session, ten_calls(session, time_zone="Pacific/Kiritimati"), 2)
    eleven = datetime(2026, 3, 31, 11, tzinfo=UTC)
    call(sessions, 1, 1, at="2026-03-31T09:59:59Z", now=eleven)
    call(sessions, 2, 2, at="2026-03-31T10:00:00Z", now=eleven)
    assert check(sessions, now=eleven) == []
    call(sessions, 3, 3, at="2026-03-31T10:30:00Z", now=eleven)
    assert [(row.first_day, row.last_day, row.calls) for row in check(sessions, now=eleven)] == [
        (date(2026, 4, 1), date(2026, 4, 30), 2)
    ]


def test_who_is_on_no_plan_has_no_allowance_and_costs_nothing_known(sessions):
    with sessions.begin() as session:
        acme = a_customer(session)
        for measure in (ALLOWANCE, CALLS, COST):
            watch(session, acme, 1, measure)
    call(sessions, 1, 3)
    assert [(row.measure, row.calls, row.cost_minor) for row in check(sessions)] == [(CALLS, 3, None)]


def test_a_cost_for_everybody_concerns_those_billed_in_its_currency(sessions):
    with sessions.begin() as session:
        ten_calls(session)
        a_subscriber(session, "EURO", terms(included_calls=10, price_per_call="1", currency="EUR"), currency="EUR")
        watch(session, None, 100, COST, currency="EUR")
    for ref in ("ACME", "EURO"):
        call(sessions, 1, 20, ref)
    assert [(row.customer_ref, row.cost_minor) for row in check(sessions)] == [("EURO", 1_000)]


def test_many_are_checked_in_batches_who_waited_longest_first(sessions):
    with sessions.begin() as session:
        for number in range(5):
            ten_calls(session, f"C{number}")
        watch(session, None, 1)
    check(sessions)
    for number in (3, 1, 4, 0, 2):
        call(sessions, 1, 1, f"C{number}", now=NOW.replace(minute=number))
    found = [[row.customer_ref for row in check(sessions, limit=2)] for _ in range(4)]
    assert found == [["C0", "C1"], ["C2", "C3"], ["C4"], []]


def test_the_number_of_statements_does_not_grow_with_the_customers(sessions):
    with sessions.begin() as session:
        for number in range(12):
            ten_calls(session, f"C{number}")
        watch(session, None, 1)
    check(sessions)
    for number in range(12):
        call(sessions, 1, 1, f"C{number}")
    with statements(sessions.engine) as few:
        assert len(check(sessions, limit=2)) == 2
    with statements(sessions.engine) as many:
        assert len(check(sessions, limit=10)) == 10
    assert len(many) == len(few)


def test_only_who_sets_terms_checks(session):
    with pytest.raises(Forbidden):
        threshold_checks.check(session, READER, now=NOW, limit=1)


@pytest.mark.slow
def test_batches_at_once_that_reach_it_together_tell_of_it_once(sessions):
    """Neither batch sees the other's calls, and each is below the threshold."""
    subscribe(sessions, "https://hooks.example.com/", "usage.threshold_reached")
    with sessions.begin() as session:
        ten_calls(session)
        watch(session, None, 40)
    check(sessions)

    def work(first: int) -> None:
        call(sessions, first, first + 9)
        check(sessions)

    at_once(*(partial(work, first) for first in (0, 10, 20, 30)))
    assert [(row[0], row[1], row[3]) for row in reached(sessions)] == [("ACME", 40, 40)]
    assert len(told(sessions)) == 1


@pytest.mark.slow
def test_an_alert_that_is_set_while_usage_comes_in_misses_none_of_it(sessions):
    with sessions.begin() as session:
        ten_calls(session)
        watch(session, None, 1_000)

    def set_it() -> None:
        with sessions.begin() as session:
            watch(session, None, 20)
        check(sessions)

    def work(first: int) -> None:
        call(sessions, first, first + 9)
        check(sessions)

    at_once(partial(work, 0), set_it, partial(work, 10), partial(check, sessions))
    assert [(row[1], row[3]) for row in reached(sessions)] == [(20, 20)]

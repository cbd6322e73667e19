"""Late usage of meters that are billed from their events, by hand and against rating the period anew."""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import reduce
from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices import queries
from billing_core.metering import ingestion, meters, withdrawal
from billing_core.metering import verification as metering
from billing_core.metering.models import FROM_EVENTS, NO_BUCKET, Aggregation, UsageEvent
from billing_core.money import Money
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing, late
from billing_core.usage.billed import verification
from billing_core.usage.charges import charges_of
from tests.arrivals import arriving
from tests.invoices.company import a_customer
from tests.ledger.damaging import as_if_nothing_refused
from tests.plans.agreed import NOW, terms

D = Decimal
FOLLOWED = "A bill of a meter that is billed from its events, with its late items, is what these come to"
MONTHS = [Period.month_of(date(2023, month, 1)) for month in (10, 11)]
TODAY = date(2023, 12, 1)


def at(day):
    """Noon of the so-manieth of December."""
    return datetime(2023, 12, day, 12, tzinfo=UTC)


def graduated(*steps):
    return Price(
        "USD", Scheme.GRADUATED, tuple(Tier(None if end is None else D(end), D(price)) for end, price in steps)
    )


@pytest.fixture
def acme(session) -> int:
    """Up to ten units of each meter cost 3.00 each, further ones 2.00; in bucket EU 31.00."""
    charged = {}
    for kind in FROM_EVENTS:
        meters.create(session, SYSTEM, code=kind.value, name=kind.value, aggregation=kind, unit="unit", now=NOW)
        facts = {"code": "eu", "name": "EU", "filters": {"region": ["eu"]}, "now": NOW}
        meters.add_bucket(session, SYSTEM, kind.value, **facts)
        charged[Metered(kind.value)] = graduated(("10", "3"), (None, "2"))
        charged[Metered(kind.value, "eu")] = graduated((None, "31"))
    customer_id = a_customer(session, "ACME")
    plans.create(session, SYSTEM, code="basic", name="Basic", agreed=terms(), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, customer_id, "basic", valid_from=MONTHS[0].start, now=NOW)
    return customer_id


def tell(session, name, meter, day, quantity="1", month=10, now=1, **facts):
    told = {
        "id": name,
        "customer_ref": "ACME",
        "time": f"2023-{month:02}-{day:02}T00:00:00Z",
        "meter": meter,
        "quantity": D(quantity),
        **facts,
    }
    assert ingestion.record(session, SYSTEM, [told], now=at(now)).accepted == 1


def bill(session, customer_id, month=10, now=2):
    period = MONTHS[month - 10]
    return billing.bill(session, SYSTEM, customer_id, period, now=at(now), today=TODAY)


def worths(session):
    return [(one.event_id, one.worth and one.worth.minor) for one in late.items(session, SYSTEM)]


def wrong_in(session):
    return [wrong for check in verification.checks(session) for wrong in check.wrong]


def wrong_once(session, damage):
    """What the check of what was billed names once this is damaged, which is taken back."""
    undo = session.begin_nested()
    as_if_nothing_refused(session, damage)
    (found,) = [check for check in verification.checks(session) if check.name == FOLLOWED]
    undo.rollback()
    return found.wrong


def test_a_late_quantity_is_worth_as_much_as_the_greatest_grows(session, acme):
    tell(session, "ten", "max", 5, "10")
    bill(session, acme)
    for name, quantity in (("nine", "9"), ("twelve", "12"), ("eleven", "11")):
        tell(session, name, "max", 6, quantity, now=3)
    for name in ("ten", "twelve"):
        withdrawal.withdraw(session, SYSTEM, acme, name, reason="A test", now=at(4))
    # 30.00 → 30.00 → 34.00 → 34.00 → 34.00 → 32.00
    assert worths(session) == [("nine", 0), ("twelve", 400), ("eleven", 0), ("ten", 0), ("twelve", -200)]
    assert wrong_in(session) == []


DAMAGES = [
    ("UPDATE usage_lines SET whole = 11 WHERE whole = 10", "max"),
    ("UPDATE usage_lines SET millionths = 1 WHERE whole = 10", "max"),
    ("DELETE FROM usage_lines WHERE whole = 10", "max"),
    ("UPDATE usage_events SET quantity = 9000000 WHERE event_id = 'ten'", "max"),
    (
        "UPDATE usage_event_keys SET withdrawn_at = occurred_at, withdrawn_reason = '?' WHERE event_id = 'ten'",
        "max",
    ),
    ("DELETE FROM usage_late_items WHERE event_id = 'twelve'", "max"),
    # One unit that is missing on either side is no less wrong than ten.
    ("DELETE FROM usage_lines WHERE whole = 1", "unique"),
    ("DELETE FROM usage_late_items WHERE event_id = 'ana'", "unique"),
]


def test_a_bill_that_is_not_what_its_events_come_to_is_named(session, acme, subtests):
    tell(session, "ten", "max", 5, "10")
    tell(session, "ana", "unique", 5, user="ana", properties={"region": "eu"})
    bill(session, acme)
    bill(session, acme, 11, now=2)
    tell(session, "twelve", "max", 6, "12", now=3)
    withdrawal.withdraw(session, SYSTEM, acme, "ana", reason="A test", now=at(4))
    (proven,) = [check for check in verification.checks(session) if check.name == FOLLOWED]
    # Two months of four meters with a bucket each.
    assert (proven.proven, proven.wrong) == (16, ())
    for damage, meter in DAMAGES:
        with subtests.test(damage=damage):
            assert wrong_once(session, damage) == (f"customer ACME, 2023-10-01 to 2023-10-31, {meter}",)


DAMAGES_OF_WHAT_HOLDS_ON = [
    "UPDATE usage_lines SET whole = 3 WHERE whole = 2",
    "UPDATE usage_lines SET millionths = 1 WHERE whole = 2",
    "DELETE FROM usage_lines WHERE whole = 2",
    "UPDATE usage_lines SET first_day = '2023-11-02' WHERE whole = 2",
    "UPDATE usage_periods SET cuts = '[\"2023-11-02\"]' WHERE first_day = '2023-11-01'",
    "UPDATE usage_events SET quantity = quantity + 1 WHERE event_id LIKE '%late'",
    "DELETE FROM usage_events WHERE event_id LIKE '%late'",
    "DELETE FROM usage_late_items WHERE day = '2023-11-01'",
    "UPDATE usage_late_items SET quantity = quantity + 1 WHERE day = '2023-11-01'",
    "UPDATE usage_event_keys SET withdrawn_at = occurred_at, withdrawn_reason = '?' WHERE event_id LIKE '%late'",
]


def test_a_bill_of_what_holds_on_that_is_not_what_its_events_come_to_is_named(session, acme, subtests):
    """Both were 2 when November was billed; 3 and 3.5 were told for October afterwards."""
    tell(session, "seats", "latest", 5, "2")
    tell(session, "level", "time_weighted_sum", 5, "2")
    bill(session, acme, 11)
    tell(session, "seats, late", "latest", 6, "3", now=3)
    tell(session, "level, late", "time_weighted_sum", 6, "3.5", now=3)
    assert wrong_in(session) == []
    november = "customer ACME, 2023-11-01 to 2023-11-30"
    for damage in DAMAGES_OF_WHAT_HOLDS_ON:
        with subtests.test(damage=damage):
            assert wrong_once(session, damage) == (f"{november}, latest", f"{november}, time_weighted_sum")


@pytest.mark.parametrize(
    ("comes_late", "lost"), [(False, "usage_events"), (False, "usage_lines"), (True, "usage_events")]
)
def test_a_bill_is_looked_at_though_only_its_events_its_lines_or_its_late_items_are_left(
    session, acme, comes_late, lost
):
    if comes_late:
        bill(session, acme)
    tell(session, "ten", "max", 5, "10", now=3)
    if not comes_late:
        bill(session, acme, now=4)
    as_if_nothing_refused(session, f"DELETE FROM {lost}")
    (found,) = [check for check in verification.checks(session) if check.name == FOLLOWED]
    assert found.wrong == ("customer ACME, 2023-10-01 to 2023-10-31, max",)


def test_a_late_user_is_worth_something_unless_it_was_seen_already(session, acme):
    tell(session, "first", "unique", 20, user="ana")
    bill(session, acme)
    tell(session, "same", "unique", 5, user="ana", now=3)
    tell(session, "new", "unique", 5, user="ben", now=3)
    assert worths(session) == [("same", 0), ("new", 300)]


def test_what_holds_on_changes_the_later_months_that_were_billed_before_it_came(session, acme):
    tell(session, "two", "latest", 5, "2")
    bill(session, acme)
    bill(session, acme, 11)
    tell(session, "five", "latest", 6, "5", now=3)
    # Three more units in October and in November.
    assert worths(session) == [("five", 900), ("five", 900)]
    # The latest of November is told: what comes late for October changes that alone.
    tell(session, "six", "latest", 7, "6", month=11, now=4)
    tell(session, "seven", "latest", 8, "7", now=5)
    assert worths(session)[2:] == [("six", 300), ("seven", 600)]
    assert wrong_in(session) == []


def test_what_is_told_for_days_that_nobody_billed_changes_the_billed_months_after_them(session, acme):
    bill(session, acme, 11)
    tell(session, "level", "time_weighted_sum", 22, "3.1", now=3)
    tell(session, "two", "latest", 5, "2", now=3)
    # It held on until the fifth alone, so that nothing of November changes.
    tell(session, "one", "latest", 4, "1", now=3)
    assert worths(session) == [("level", 930), ("two", 600)]
    assert [(one.first_day, one.quantity) for one in late.items(session, SYSTEM)] == [
        (MONTHS[1].start, D("3.1")),
        (MONTHS[1].start, D(2)),
    ]
    withdrawal.withdraw(session, SYSTEM, acme, "two", reason="A test", now=at(4))
    assert worths(session)[2:] == [("two", -300)]
    events = select(UsageEvent.event_id, UsageEvent.late).order_by(UsageEvent.event_id)
    assert dict(session.execute(events).all()) == {"level": True, "one": False, "two": True}
    # October is billed with what counts in it.
    made = bill(session, acme, now=5)
    billed = [(line.description.split(",")[0], line.amount_minor) for line in queries.lines(session, made.invoice_id)]
    assert billed == [
        ("latest", 300),
        ("time_weighted_sum", 300),
        ("Late usage: latest", 300),
        ("Late usage: time_weighted_sum", 930),
    ]
    assert wrong_in(session) == []


def test_of_a_batch_each_is_worth_what_it_changes_after_those_that_happened_before_it(session, acme):
    tell(session, "one", "latest", 5, "1")
    bill(session, acme)
    told = [("higher", "time_weighted_sum", 27, "6.2"), ("high", "time_weighted_sum", 22, "3.1")]
    told += [("four", "latest", 20, "4"), ("two", "latest", 10, "2")]
    batch = [
        {
            "id": name,
            "customer_ref": "ACME",
            "time": f"2023-10-{day}T00:00:00Z",
            "meter": meter,
            "quantity": D(quantity),
        }
        for name, meter, day, quantity in told
    ]
    assert ingestion.record(session, SYSTEM, batch, now=at(3)).late == 4
    # 1 → 2 → 4 units; and 3.1 of 10 days of 31 are one unit, 3.1 more of 5 days half of one.
    assert worths(session) == [("two", 300), ("four", 600), ("high", 300), ("higher", 150)]
    assert wrong_in(session) == []


def test_a_late_quantity_counts_in_each_segment_in_which_it_holds(session, acme):
    """From 16 November on another plan, on which a unit costs 1.00."""
    cheap = {Metered("latest"): graduated((None, "1")), Metered("time_weighted_sum"): graduated((None, "1"))}
    plans.create(session, SYSTEM, code="cheap", name="Cheap", agreed=terms(), charged=cheap, now=NOW)
    plans.put_on(session, SYSTEM, acme, "cheap", valid_from=date(2023, 11, 16), now=NOW)
    bill(session, acme, 11)
    tell(session, "ten", "latest", 6, "10", month=11, now=3)
    # In each half of the month eight units of it: four.
    tell(session, "four", "time_weighted_sum", 1, "8", month=11, now=3)
    # Ten seats cost 30.00 a month in the one half, 10.00 in the other; four units 12.00, the others 4.00.
    assert worths(session) == [("ten", 1_500), ("ten", 500), ("four", 1_200), ("four", 400)]
    assert [item.quantity for item in late.items(session, SYSTEM)] == [10, 10, 4, 4]
    late.settle(session, SYSTEM, [one.id for one in late.items(session, SYSTEM)], now=at(3), today=TODAY)
    assert wrong_in(session) == []


def test_other_buckets_move_what_nobody_billed_and_leave_it_where_it_was_in_a_later_bill(session, acme):
    for meter in ("latest", "max"):
        tell(session, meter, meter, 5, "2", properties={"region": "eu"})
    bill(session, acme, 11)
    for meter in ("latest", "max"):
        gold = {"region": ["eu"], "tier": ["gold"]}
        meters.change_bucket(session, SYSTEM, meter, "eu", name="Gold of the EU", filters=gold, now=NOW)
    in_one = select(UsageEvent.event_id).where(UsageEvent.bucket_id != NO_BUCKET)
    assert session.scalars(in_one).all() == []
    # November was billed with the latest quantity of October, in the bucket of then.
    assert (wrong_in(session), worths(session)) == ([], [])
    assert [wrong for check in metering.checks(session) for wrong in check.wrong] == []


def test_a_month_that_was_billed_after_it_came_is_billed_with_it(session, acme):
    tell(session, "two", "latest", 5, "2")
    bill(session, acme)
    tell(session, "five", "latest", 6, "5", now=3)
    made = bill(session, acme, 11, now=4)
    assert worths(session) == [("five", 900)]
    billed = [(line.description.split(",")[0], line.amount_minor) for line in queries.lines(session, made.invoice_id)]
    assert billed == [("latest", 1_500), ("Late usage: latest", 900)]
    assert wrong_in(session) == []


def test_time_counts_from_when_a_late_quantity_held(session, acme):
    bill(session, acme)
    # The last 10 of 31 days 3.1 units, in the bucket, from the 22nd on.
    tell(session, "eu", "time_weighted_sum", 22, "3.1", now=3, properties={"region": "eu"})
    assert worths(session) == [("eu", 3_100)]


def test_what_nobody_agreed_on_a_price_for_is_worth_nothing_that_is_known(session, acme):
    bill(session, acme)
    meters.create(session, SYSTEM, code="new", name="New", aggregation=Aggregation.MAX, unit="unit", now=NOW)
    tell(session, "late", "new", 5, now=3)
    assert worths(session) == [("late", None)]


EVENTS = st.tuples(
    st.sampled_from(FROM_EVENTS),
    st.integers(10, 11),
    st.integers(1, 30),
    st.sampled_from(["0", "3", "12.5", "0.000001"]),
    st.sampled_from(["ana", "ben"]),
    st.sampled_from(["eu", "us"]),
)
# Of the event that is withdrawn, among those that are left.
PLACES = st.integers(0, 9)


@pytest.mark.drawn
def test_any_late_history_is_worth_what_rating_anew_differs_by(session, acme):
    with arriving(["late", "withdrawn"]) as arrived:

        @settings(max_examples=8)
        @given(st.lists(EVENTS, max_size=5), st.lists(EVENTS | PLACES, max_size=2), EVENTS, PLACES)
        def any_history(before, between, last_told, last_withdrawn):
            with session.begin_nested() as savepoint:
                names = []
                for event in before:
                    told(event, names, 1)
                for month in (10, 11):
                    bill(session, acme, month)
                billed = total()
                for step in (*between, last_told, last_withdrawn):
                    if isinstance(step, tuple):
                        told(step, names, 3)
                        arrived("late")
                    elif names:
                        name = names.pop(step % len(names))
                        withdrawal.withdraw(session, SYSTEM, acme, name, reason="A test", now=at(3))
                        arrived("withdrawn")
                assert sum(worth for _, worth in worths(session)) == total().minor - billed.minor
                assert wrong_in(session) == []
                savepoint.rollback()
            session.expire_all()

        def told(event, names, now):
            kind, month, day, quantity, user, region = event
            names.append(f"{len(names)}-{now}-{event}"[:200])
            facts = {"user": user, "properties": {"region": region}}
            tell(session, names[-1], kind.value, day, quantity, month, now, **facts)

        def total():
            charges = [one for period in MONTHS for one in charges_of(session, [acme], period)[acme]]
            return reduce(add, [one.amount for one in charges], Money(0, "USD"))

        any_history()

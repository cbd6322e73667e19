"""Which subscriptions a list shows, how many there are by tab, and what they are worth a month."""

import re
from dataclasses import replace

import pytest
from sqlalchemy import text

from billing_core import figures
from billing_core.customers.models import Customer
from billing_core.errors import Forbidden, Invalid
from billing_core.figures import Scope
from billing_core.identity import SYSTEM, Actor, Role, actor_with
from billing_core.money import Money
from billing_core.plans.models import PlanInterval
from billing_core.plans.terms import AddOn, Amounts
from billing_core.subscriptions import lifecycle
from billing_core.subscriptions.models import SubscriptionState
from billing_core.subscriptions.overview import search
from billing_core.subscriptions.overview.figures import MONTHLY_RECURRING
from billing_core.subscriptions.overview.search import SubscriptionFilter, Tab
from tests.invoices.company import a_customer
from tests.subscriptions.signed_up import D, a_plan, a_subscription, at, state

ALL = SubscriptionFilter()


@pytest.fixture
def ids(sessions) -> dict[str, int]:
    """One of each standing, each of a customer of its own."""
    made = {}
    with sessions.begin() as session:
        a_plan(session)
        a_plan(session, "basic", "10")
        made["trialing"] = a_subscription(session, ref="TRIES", trial_days=14)
        for ref in ("active", "past_due", "unpaid", "ending", "held", "canceled"):
            made[ref] = a_subscription(session, "basic" if ref == "active" else "pro", ref=ref.upper())
    with sessions.begin() as session:
        for ref in ("past_due", "unpaid"):
            lifecycle.move(session, SYSTEM, state(session, made[ref]), SubscriptionState.PAST_DUE, now=at(2, 1))
        lifecycle.move(session, SYSTEM, state(session, made["unpaid"]), SubscriptionState.UNPAID, now=at(2, 8))
        lifecycle.move(session, SYSTEM, state(session, made["canceled"]), SubscriptionState.CANCELED, now=at(2, 1))
        state(session, made["ending"]).cancel_at_period_end = True
        held = state(session, made["held"])
        held.held_at, held.hold_reason = at(2, 1), "Its plan has no price in USD"
    return made


@pytest.mark.parametrize(
    ("tab", "found"),
    [
        (Tab.ALL, ["canceled", "held", "ending", "unpaid", "past_due", "active", "trialing"]),
        (Tab.TRIALING, ["trialing"]),
        (Tab.ACTIVE, ["held", "ending", "active"]),
        (Tab.PAST_DUE, ["unpaid", "past_due"]),
        (Tab.ENDING, ["ending"]),
        (Tab.HELD, ["held"]),
        (Tab.CANCELED, ["canceled"]),
    ],
)
def test_each_tab_has_its_own_and_counts_them(sessions, ids, tab, found):
    filters = replace(ALL, tab=tab)
    with sessions() as session:
        rows = search.page(session, SYSTEM, filters, limit=10)
        assert [row.id for row in rows] == [ids[name] for name in found]
        assert search.counts(session, SYSTEM, ALL, at_most=100)[tab] == len(found)
        assert search.count(session, SYSTEM, filters) == len(found)


def test_counting_ends_where_it_is_told_to(sessions, ids):
    with sessions() as session:
        assert search.counts(session, SYSTEM, ALL, at_most=2)[Tab.ALL] == 2


def test_filters_narrow_together(sessions, ids):
    with sessions() as session:
        of_plan = search.page(session, SYSTEM, replace(ALL, plan="basic"), limit=10)
        assert [row.id for row in of_plan] == [ids["active"]]
        customer_id = of_plan[0].customer_id
        assert search.count(session, SYSTEM, replace(ALL, customer_id=customer_id, plan="pro")) == 0
        assert search.count(session, SYSTEM, replace(ALL, text=of_plan[0].public_id[4:12].upper())) == 1
        assert search.count(session, SYSTEM, replace(ALL, text="past")) == 1
        assert search.count(session, SYSTEM, replace(ALL, text="%")) == 0
        assert search.count(session, SYSTEM, replace(ALL, text="no\0body")) == 0


def test_rows_come_in_the_order_that_is_asked_for_page_by_page(sessions, ids):
    with sessions() as session:
        rows = search.page(session, SYSTEM, replace(ALL, order_by="created_at"), limit=2, offset=1)
        assert [row.id for row in rows] == [ids["active"], ids["past_due"]]
        with pytest.raises(Invalid, match="order_by"):
            search.page(session, SYSTEM, replace(ALL, order_by="plan"), limit=1)


def test_by_name_they_stand_where_readers_look_for_their_customers(sessions):
    """Two of one customer in the order of their creation, and turned round."""
    with sessions.begin() as session:
        a_plan(session)
        named = (("Z", "Zebra"), ("O", "Öl 10"), ("P", "Öl 9"), ("O", "Öl 10"))
        ids = [a_subscription(session, ref=ref) for ref, _ in named]
        for one, (_, name) in zip(ids, named, strict=True):
            session.get_one(Customer, state(session, one).customer_id).name = name
    with sessions() as session:
        rows = search.page(session, SYSTEM, replace(ALL, order_by="customer_name"), limit=10)
        assert [row.id for row in rows] == [ids[2], ids[1], ids[3], ids[0]]
        rows = search.page(session, SYSTEM, replace(ALL, order_by="-customer_name"), limit=10)
        assert [row.id for row in rows] == [ids[0], ids[3], ids[1], ids[2]]


@pytest.mark.parametrize("order_by", ["customer_name", "-customer_name"])
@pytest.mark.parametrize("plan_code", ["", "pro"])
def test_a_page_by_name_is_read_without_sorting_them_all(session, order_by, plan_code):
    """PostgreSQL sorts those of one customer at most, where there are many: few it would sort whole."""
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    if not on_sqlite:
        for setting in ("enable_seqscan", "enable_sort", "enable_hashjoin", "enable_mergejoin"):
            session.execute(text(f"SET LOCAL {setting} = off"))
    statement = search.listing(SYSTEM, replace(ALL, order_by=order_by, plan=plan_code)).limit(50)
    bare = statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN" if on_sqlite else "EXPLAIN"
    plan = "\n".join(str(row[-1]) for row in session.connection().exec_driver_sql(f"{explain} {bare}"))
    assert "ix_customers_name_order" in plan
    assert "TEMP B-TREE" not in plan
    assert re.search(r"(?<!Incremental )Sort\b(?! Key)", plan) is None, plan


def test_who_is_bound_to_a_customer_sees_its_own_alone(sessions, ids):
    with sessions() as session:
        theirs = state(session, ids["active"]).customer_id
        bound = actor_with(Role.MANAGER, user_id=None, name="Of Acme", customer_id=theirs)
        assert [row.id for row in search.page(session, bound, ALL, limit=10)] == [ids["active"]]
        assert search.counts(session, bound, ALL, at_most=9)[Tab.ALL] == 1
        assert figures.value(session, bound, MONTHLY_RECURRING, Scope()) == {"USD": 1_000}
        with pytest.raises(Forbidden):
            search.page(session, Actor(None, "Nobody", frozenset()), ALL, limit=1)


def test_plans_with_how_many_subscribe_to_them(sessions, ids):
    with sessions() as session:
        assert search.on_plans(session, SYSTEM, ["basic", "pro", "none"]) == {"basic": 1, "pro": 5, "none": 0}


def test_what_is_recurring_leaves_out_trials_and_what_is_paused_or_canceled(sessions, ids):
    # Active 10.00; past due, unpaid, ending and held 30.00 each. The trial counts in the list alone.
    with sessions.begin() as session:
        assert figures.value(session, SYSTEM, MONTHLY_RECURRING, Scope()) == {"USD": 13_000}
        assert search.worth_a_month(session, SYSTEM, ALL) == ([Money(13_000, "USD")], [Money(3_000, "USD")])
        assert search.worth_a_month(session, SYSTEM, replace(ALL, tab=Tab.CANCELED)) == ([], [])
        state(session, ids["ending"]).paused_at = at(2, 1)
        session.flush()
        assert figures.value(session, SYSTEM, MONTHLY_RECURRING, Scope()) == {"USD": 10_000}
        rows = figures.page(session, SYSTEM, MONTHLY_RECURRING, Scope(currency="USD"))
        assert sorted(row.amount for row in rows) == [1_000, 3_000, 3_000, 3_000]


@pytest.mark.parametrize(
    ("interval", "count", "a_month"),
    [
        # 30.00 × 365 / 12, and of seven days a seventh of that.
        (PlanInterval.DAY, 1, 912_50),
        (PlanInterval.WEEK, 1, 130_36),
        (PlanInterval.WEEK, 2, 65_18),
        (PlanInterval.MONTH, 1, 30_00),
        (PlanInterval.MONTH, 7, 4_29),
        (PlanInterval.QUARTER, 1, 10_00),
        (PlanInterval.YEAR, 1, 2_50),
        (PlanInterval.YEAR, 3, 83),
    ],
)
def test_other_intervals_are_counted_by_the_month(session, interval, count, a_month):
    a_plan(session, interval=interval, interval_count=count)
    a_subscription(session)
    (row,) = search.page(session, SYSTEM, ALL, limit=1)
    assert row.monthly_minor == a_month


def test_seats_beyond_the_included_and_add_ons_count_in_the_currency_of_each(session):
    # EUR 20 + 3 seats × 5 + 2 × 4 + 1 × 7 = 50; in USD 30 + 3 × 6 + 2 × 5 + 1 × 8 = 66.
    add_ons = (
        AddOn('a.b "c', "Backup", {"USD": D(5), "EUR": D(4)}),
        AddOn("sms", "SMS", {"USD": D(8), "EUR": D(7)}),
        AddOn("fax", "Fax", {"USD": D(90), "EUR": D(90)}),
    )
    facts = {"seat_price": D(6), "included_seats": 2, "add_ons": add_ons}
    a_plan(session, further={"EUR": Amounts(D(20), D(5))}, **facts)
    a_customer(session, "EURO", currency="EUR")
    for ref in ("EURO", "ACME"):
        a_subscription(session, ref=ref, seats=5, add_ons={'a.b "c': 2, "sms": 1})
    few = a_subscription(session, ref="FEW", seats=1)
    rows = search.page(session, SYSTEM, ALL, limit=3)
    assert [(row.id, row.currency, row.monthly_minor) for row in rows][:1] == [(few, "USD", 30_00)]
    assert [(row.currency, row.monthly_minor) for row in rows][1:] == [("USD", 66_00), ("EUR", 50_00)]
    assert search.worth_a_month(session, SYSTEM, ALL).recurring == [Money(50_00, "EUR"), Money(96_00, "USD")]
    assert figures.value(session, SYSTEM, MONTHLY_RECURRING, Scope()) == {"EUR": 50_00, "USD": 96_00}

"""What a run makes beside what the period before was billed."""

from datetime import date

import pytest
from sqlalchemy import update

from billing_core.bill_runs import RunGoal, legibility, planning, rehearsal
from billing_core.bill_runs.models import BillRunCustomer, RunOutcome
from billing_core.bill_runs.rehearsal import Change, CurrencyTotal
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.identity import SYSTEM, Role, actor_with
from tests.bill_runs.company import planned, some_customers
from tests.reports.company import MARCH, NOW, a_customer, an_order, billed

FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))
IN_FEBRUARY = date(2026, 2, 10)


@pytest.fixture
def run(session) -> dict[str, int]:
    """Customers by what becomes of them, and their ids; the figures of March are 2.00 and 0.50 an item."""
    ids = {}
    for ref, february, march in (
        ("more", 4, 8),
        ("less", 4, 2),
        ("same", 4, 4),
        ("new", 0, 4),
        ("missing", 4, 0),
        ("open", 4, 4),
    ):
        ids[ref] = a_customer(session, ref, name=ref.capitalize())
        for items, on in ((february, IN_FEBRUARY), (march, date(2026, 3, 10))):
            if items:
                an_order(session, ids[ref], f"{ref}-{on}", items=items, on=on)
        if february:
            billed(session, ids[ref], FEBRUARY)
    return ids


def computed(session, run_id, totals: dict[int, int], currency="USD") -> None:
    """Note the figures of these customers, as a run that worked them off does."""
    for customer_id, total_minor in totals.items():
        session.execute(
            update(BillRunCustomer)
            .where(BillRunCustomer.run_id == run_id, BillRunCustomer.customer_id == customer_id)
            .values(
                outcome=RunOutcome.CREATED, total_minor=total_minor, currency=currency, order_count=1, question_count=0
            )
        )


def test_each_customer_is_compared_with_the_month_before(session, run):
    run_id = planning.plan(session, SYSTEM, customer_ids=None, period=MARCH, now=NOW)
    computed(session, run_id, {run["more"]: 600, run["less"]: 300, run["same"]: 400, run["new"]: 400})

    rows = rehearsal.page(session, SYSTEM, run_id, now=NOW)

    assert [(row.customer_name, row.change, row.total_minor, row.previous_total_minor) for row in rows] == [
        ("Open", Change.OPEN, None, 400),
        ("Missing", Change.MISSING, None, 400),
        ("New", Change.NEW, 400, None),
        ("More", Change.MORE, 600, 400),
        ("Less", Change.LESS, 300, 400),
        ("Same", Change.SAME, 400, 400),
    ], "what nobody can compare, then the largest difference"
    assert [row.difference_minor for row in rows] == [None, -400, 400, 200, -100, 0]
    assert rehearsal.counts(session, SYSTEM, run_id, now=NOW) == dict.fromkeys(
        set(Change) - {Change.OTHER_CURRENCY, Change.UNBILLED}, 1
    )
    assert rehearsal.totals(session, SYSTEM, run_id, now=NOW) == [CurrencyTotal("USD", 4, 1_700, 5, 2_000)]


def test_pages_and_kinds_limit_what_is_read(session, run):
    run_id = planning.plan(session, SYSTEM, customer_ids=None, period=MARCH, now=NOW)
    computed(session, run_id, {run["more"]: 600})

    second = rehearsal.page(session, SYSTEM, run_id, limit=2, offset=2, now=NOW)
    assert [row.customer_name for row in second] == ["Open", "Same"]
    more = rehearsal.page(session, SYSTEM, run_id, change=Change.MORE, now=NOW)
    assert [row.customer_name for row in more] == ["More"]


def test_totals_of_two_currencies_are_not_compared_nor_added(session, run):
    run_id = planning.plan(session, SYSTEM, customer_ids=[run["more"], run["same"]], period=MARCH, now=NOW)
    computed(session, run_id, {run["same"]: 400})
    computed(session, run_id, {run["more"]: 600}, currency="EUR")

    (other,) = rehearsal.page(session, SYSTEM, run_id, change=Change.OTHER_CURRENCY, now=NOW)

    assert (other.customer_name, other.currency, other.previous_currency, other.difference_minor) == (
        "More",
        "EUR",
        "USD",
        None,
    )
    assert rehearsal.totals(session, SYSTEM, run_id, now=NOW) == [
        CurrencyTotal("EUR", 1, 600, 0, 0),
        CurrencyTotal("USD", 1, 400, 2, 800),
    ]


def test_orders_that_come_to_nothing_are_told_apart_and_come_first(session, run):
    run_id = planning.plan(session, SYSTEM, customer_ids=[run["more"], run["new"]], period=MARCH, now=NOW)
    computed(session, run_id, {run["more"]: 600, run["new"]: 0})

    rows = rehearsal.page(session, SYSTEM, run_id, now=NOW)
    assert [(row.customer_name, row.change) for row in rows] == [("New", Change.UNBILLED), ("More", Change.MORE)]


def test_nobody_is_missing_from_a_run_whose_customers_were_chosen(session, run):
    run_id = planning.plan(session, SYSTEM, customer_ids=[run["new"]], period=MARCH, now=NOW)
    assert [row.customer_name for row in rehearsal.page(session, SYSTEM, run_id, now=NOW)] == ["New"]


def test_somebody_bound_to_one_customer_sees_that_one_alone(session, run):
    bound = actor_with(Role.MANAGER, user_id=5, name="Mia", customer_id=run["more"])
    run_id = planning.plan(session, bound, customer_ids=None, period=MARCH, now=NOW)
    assert [row.customer_name for row in rehearsal.page(session, bound, run_id, now=NOW)] == ["More"]
    assert rehearsal.totals(session, bound, run_id, now=NOW) == [CurrencyTotal("USD", 0, 0, 1, 400)]


def test_a_span_of_days_is_compared_with_as_many_days_before(session):
    customer_id = a_customer(session)
    an_order(session, customer_id, "SO-1", on=date(2026, 3, 8))
    billed(session, customer_id, Period(date(2026, 3, 3), date(2026, 3, 9)))
    week = Period(date(2026, 3, 10), date(2026, 3, 16))
    run_id = planning.plan(session, SYSTEM, customer_ids=[customer_id], period=week, now=NOW)
    (row,) = rehearsal.page(session, SYSTEM, run_id, now=NOW)
    assert row.previous_total_minor == 400


def test_a_run_tells_which_characters_no_font_has_before_anything_is_sent(sessions):
    """Of its own customers, our business and the services; a letter of the Yuan dynasty has no font."""
    with sessions.begin() as session:
        first, second, other = some_customers(session, 3)
        for customer_id in (first, other):
            session.get_one(Customer, customer_id).address = "1 Main Street\nꡀ"
    run_id = planned(sessions, [first, second], goal=RunGoal.REHEARSAL)
    with sessions() as session:
        assert legibility.of_run(session, SYSTEM, run_id) == {"Customer C0, address": ["ꡀ"]}

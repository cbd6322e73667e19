"""Ageing by hand: the edges of the buckets, part payments, the past, and who sees what."""

from datetime import date, timedelta

import pytest

from billing_core import figures
from billing_core.businesses.models import Business
from billing_core.errors import Invalid
from billing_core.figures import Scope
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import after_sending
from billing_core.invoices import queries as invoices
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.queries import InvoiceFilter
from billing_core.receivables import ageing, attention
from billing_core.receivables import figures as money
from billing_core.receivables.exporting import ageing_as_csv
from tests.payments import books
from tests.receivables.history import FIRST, History


@pytest.fixture
def history(session) -> History:
    history = History(session)
    history.a_customer("C1")
    history.a_customer("C2")
    return history


def amounts(session, asked, actor=SYSTEM):
    return {row.currency: row.amounts for row in ageing.by_currency(session, actor, asked)}


@pytest.mark.parametrize(
    ("days_late", "bucket"),
    [(-5, 0), (0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3), (91, 4), (900, 4)],
)
def test_each_bucket_begins_the_day_after_the_one_before_ends(session, history, days_late, bucket):
    history.send(history.customers[0], 100, terms=0)
    day = FIRST + timedelta(days=days_late)
    expected = [0] * 5
    expected[bucket] = 100

    assert amounts(session, Scope(today=day)) == {"USD": tuple(expected)}
    if days_late >= 0:  # before, it was not issued
        assert amounts(session, Scope(as_at=day)) == {"USD": tuple(expected)}


def test_what_was_marked_as_overdue_is_late_from_that_day_on_in_every_figure(session, history):
    """Due in a hundred days, and marked at once: one day late on that day, 31 days late thirty days later."""
    marked, other = (history.send(history.customers[0], amount, terms=100) for amount in (100, 20))
    after_sending.mark_overdue(session, SYSTEM, marked.id, now=history.now)

    for asked, expected in (
        (Scope(today=history.day), (20, 100, 0, 0, 0)),
        (Scope(as_at=history.day), (20, 100, 0, 0, 0)),
        (Scope(today=history.day + timedelta(days=30)), (20, 0, 100, 0, 0)),
    ):
        assert amounts(session, asked) == {"USD": expected}
        assert [row.amounts for row in ageing.by_customer(session, SYSTEM, asked)] == [expected]
        assert figures.value(session, SYSTEM, money.OVERDUE, asked) == {"USD": 100}
        assert figures.proven(session, SYSTEM, money.OVERDUE, asked) == {"USD": 100}
    assert figures.value(session, SYSTEM, attention.OVERDUE_INVOICES, Scope(today=history.day)) == {None: 1}
    (listed,) = invoices.page(session, SYSTEM, InvoiceFilter(status=(InvoiceStatus.OVERDUE,)), today=history.day)
    assert (listed.id, listed.days_late(history.day), other.due_minor) == (marked.id, 1, 20)


def test_what_was_paid_in_part_counts_with_the_rest(session, history):
    invoice = history.send(history.customers[0], 100_00, terms=0)
    history.next_step(days=40)
    history.pay({invoice: 30_00})

    assert amounts(session, Scope(today=history.day)) == {"USD": (0, 0, 70_00, 0, 0)}
    assert amounts(session, Scope(as_at=FIRST + timedelta(days=39))) == {"USD": (0, 0, 100_00, 0, 0)}


def test_a_payment_that_came_to_light_later_was_not_known_before(session, history):
    invoice = history.send(history.customers[0], 100_00, terms=0)
    history.next_step(days=20)
    before = history.now
    history.next_step(days=1)
    history.pay({invoice: 100_00}, days_ago=15)

    then = FIRST + timedelta(days=20)
    assert amounts(session, Scope(as_at=then)) == {}
    assert amounts(session, Scope(as_at=then, known_at=before)) == {"USD": (0, 100_00, 0, 0, 0)}


def test_customers_are_listed_by_what_is_late(session, history):
    one, other = history.customers
    history.send(one, 500, terms=100)
    history.send(one, 10, terms=0)
    history.send(other, 20, terms=0)
    history.send(other, 7, terms=0, currency="EUR")
    asked = Scope(today=FIRST + timedelta(days=5))

    rows = ageing.by_customer(session, SYSTEM, asked)

    assert [(row.customer_name, row.currency, sum(row.amounts[1:]), row.total_minor, row.invoices) for row in rows] == [
        ("Customer C2", "USD", 20, 20, 1),
        ("Customer C1", "USD", 10, 510, 2),
        ("Customer C2", "EUR", 7, 7, 1),
    ]
    assert ageing.customer_count(session, SYSTEM, asked) == 3
    by_total = ageing.by_customer(session, SYSTEM, asked, order_by="-total", limit=1)
    assert [row.customer_id for row in by_total] == [one.id]
    assert [row.customer_id for row in ageing.by_customer(session, SYSTEM, asked, order_by="name", offset=2)] == [
        other.id
    ]
    with pytest.raises(Invalid):
        ageing.by_customer(session, SYSTEM, asked, order_by="id; DROP TABLE invoices")


def test_customers_are_listed_by_name_by_what_is_late_and_by_all_that_they_owe(session, history):
    """The order by the total is neither that of what is late nor of what is not; each bucket decides a place."""
    for ref in ("C3", "C4", "C5"):
        history.a_customer(ref)
    owed = {  # not due yet, and 10, 40, 70 and 100 days late
        "C1": (0, 0, 40, 0, 0),
        "C2": (15, 0, 0, 30, 0),
        "C3": (40, 0, 0, 0, 20),
        "C4": (45, 10, 0, 0, 0),
        "C5": (46, 1, 1, 1, 1),
    }
    for customer in history.customers:
        for amount, late in zip(owed[customer.ref], (0, 10, 40, 70, 100), strict=True):
            if amount:
                history.send(customer, amount, terms=100 - late)
    asked = Scope(today=FIRST + timedelta(days=100))

    def listed(order_by):
        rows = ageing.by_customer(session, SYSTEM, asked, order_by=order_by)
        return [(row.customer_name[-2:], row.total_minor, row.total_minor - row.amounts[0]) for row in rows]

    by_total = [("C1", 40, 40), ("C2", 45, 30), ("C5", 50, 4), ("C4", 55, 10), ("C3", 60, 20)]
    assert listed("total") == by_total
    assert listed("-total") == by_total[::-1]
    by_overdue = [("C5", 50, 4), ("C4", 55, 10), ("C3", 60, 20), ("C2", 45, 30), ("C1", 40, 40)]
    assert listed("overdue") == by_overdue
    assert listed("-overdue") == by_overdue[::-1]
    by_name = [("C1", 40, 40), ("C2", 45, 30), ("C3", 60, 20), ("C4", 55, 10), ("C5", 50, 4)]
    assert listed("name") == by_name
    assert listed("-name") == by_name[::-1]


def test_customers_are_listed_by_what_they_owe_in_one_currency_after_the_other(session, history):
    """9,000 yen are not more than 80 dollars."""
    one, other = history.customers
    history.send(one, 80_00, terms=1)
    history.send(other, 20_00, terms=1)
    history.send(one, 9_000, terms=1, currency="JPY")
    asked = Scope(today=FIRST + timedelta(days=50))

    for order_by in ("total", "overdue"):
        rows = ageing.by_customer(session, SYSTEM, asked, order_by=f"-{order_by}")
        listed = [(row.currency, row.total_minor) for row in rows]
        assert listed == [("USD", 80_00), ("USD", 20_00), ("JPY", 9_000)]
        assert ageing.by_customer(session, SYSTEM, asked, order_by=order_by) == rows[::-1]


def test_customers_who_owe_as_much_are_listed_by_name(session):
    history = History(session)
    for ref in ("C3", "C1", "C2"):
        history.send(history.a_customer(ref), 70, terms=0)
    asked = Scope(today=FIRST + timedelta(days=5))

    for order_by in ("total", "-total", "overdue", "-overdue"):
        rows = ageing.by_customer(session, SYSTEM, asked, order_by=order_by)
        assert [row.customer_name for row in rows] == ["Customer C1", "Customer C2", "Customer C3"]


def test_one_customer_and_one_currency_can_be_asked_for(session, history):
    one, other = history.customers
    history.send(one, 500)
    history.send(other, 20)
    history.send(other, 7, currency="EUR")

    for how in ({"today": FIRST}, {"as_at": FIRST}):
        assert amounts(session, Scope(customer_id=one.id, **how)) == {"USD": (500, 0, 0, 0, 0)}
        assert amounts(session, Scope(currency="EUR", **how)) == {"EUR": (7, 0, 0, 0, 0)}


def test_what_is_owed_to_one_business_can_be_asked_for(session):
    """100.00 and 20.00, both due on March 31st."""
    second = Business(name="Second", currency="EUR", time_zone="UTC")
    session.add(second)
    session.flush()
    customer = books.a_customer(session)
    books.an_open_invoice(session, customer, "100")
    books.an_open_invoice(session, customer, "20", business_id=second.id)
    day = date(2026, 4, 1)

    for asked in (Scope(today=day), Scope(as_at=day)):
        for business_id, owed in ((None, 120_00), (customer.business_id, 100_00), (second.id, 20_00)):
            (row,) = ageing.by_currency(session, SYSTEM, asked, business_id=business_id)
            assert (row.currency, row.amounts) == ("EUR", (0, owed, 0, 0, 0))
        assert ageing.by_currency(session, SYSTEM, asked, business_id=77) == []


def test_somebody_bound_to_a_customer_sees_that_customer_alone(session, history):
    one, other = history.customers
    history.send(one, 500)
    history.send(other, 20)
    bound = actor_with(Role.MANAGER, user_id=None, name="Otto", customer_id=other.id)

    for asked in (Scope(today=FIRST), Scope(today=FIRST, customer_id=one.id), Scope(as_at=FIRST)):
        assert amounts(session, asked, bound) == {"USD": (20, 0, 0, 0, 0)}
        assert [row.customer_id for row in ageing.by_customer(session, bound, asked)] == [other.id]


def test_without_a_day_nothing_can_be_late(session, history):
    with pytest.raises(ValueError, match="depends on a day"):
        ageing.by_currency(session, SYSTEM, Scope())


def test_the_ageing_leaves_as_csv(session, history):
    history.send(history.customers[0], 123_45, terms=0)
    file = ageing_as_csv(session, SYSTEM, Scope(today=FIRST + timedelta(days=2)))

    text = b"".join(file.chunks).decode()

    assert text.splitlines() == [
        "customer_id,customer_name,currency,invoices,current,late_1_30,late_31_60,late_61_90,late_over_90,total",
        f"{history.customers[0].id},Customer C1,USD,1,0.00,123.45,0.00,0.00,0.00,123.45",
    ]

"""The figures about money by hand: what each counts, when, and who may ask."""

from datetime import date, timedelta

import pytest

from billing_core import catalogue, figures
from billing_core.dates import Period, utc_now
from billing_core.errors import Forbidden, NotFound
from billing_core.figures import Scope
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from billing_core.ledger import sealing
from billing_core.receivables import figures as money
from billing_core.receivables.debts import scope
from billing_core.reports import figures as of_reports
from tests.receivables.history import FIRST, History

JANUARY, FEBRUARY = Period.month_of(FIRST), Period.month_of(date(2026, 2, 1))


@pytest.fixture(params=[0, 4, 1_000], ids=["nothing is sealed", "some is sealed", "all is sealed"])
def history(session, request) -> History:
    """January: 100.00 and 50.00 invoiced, 40.00 paid. February: 50.00 cancelled, 40.00 undone, 70.00 paid."""
    history = History(session)
    customer = history.a_customer("C1")
    first, second = history.send(customer, 100_00), history.send(customer, 50_00)
    history.next_step(days=5)
    wrong = history.pay({first: 40_00}, fee=1_00)
    history.next_step(days=31)
    history.cancel(second)
    history.undo_payment(wrong)
    history.pay({first: 70_00}, kept=3_00)
    sealing.seal(session, now=utc_now(), limit=request.param)
    return history


def value(session, figure, **limits):
    """Of the figure and of its rows, which must be the same."""
    asked = Scope(**limits)
    found = figures.value(session, SYSTEM, figure, asked)
    rows = figures.page(session, SYSTEM, figure, asked)
    assert {code: sum(row.amount for row in rows if row.currency == code) for code in found} == found
    return {code: amount for code, amount in found.items() if amount}


def test_invoiced_counts_when_invoices_are_issued_and_when_they_are_cancelled(session, history):
    assert value(session, money.INVOICED, period=JANUARY) == {"USD": 150_00}
    assert value(session, money.INVOICED, period=FEBRUARY) == {"USD": -50_00}
    assert value(session, money.INVOICED) == {"USD": 100_00}
    assert [row.label for row in figures.page(session, SYSTEM, money.INVOICED, Scope())] == [
        "INV-2026-001, Customer C1"
    ]


def test_collected_counts_payments_before_fees_and_takes_off_undone_ones(session, history):
    assert value(session, money.COLLECTED, period=JANUARY) == {"USD": 40_00}
    assert value(session, money.COLLECTED, period=FEBRUARY) == {"USD": 33_00}
    assert value(session, money.COLLECTED) == {"USD": 73_00}


def test_outstanding_asked_for_a_time_is_what_stood_at_its_end(session, history):
    assert value(session, money.OUTSTANDING, period=JANUARY) == {"USD": 110_00}
    assert value(session, money.OUTSTANDING, as_at=FIRST) == {"USD": 150_00}
    assert value(session, money.OUTSTANDING) == {"USD": 30_00}


def test_overdue_is_what_was_due_before_the_day(session, history):
    due = FIRST + timedelta(days=30)
    assert value(session, money.OVERDUE, today=due) == {}
    assert value(session, money.OVERDUE, today=due + timedelta(days=1)) == {"USD": 30_00}
    assert value(session, money.OVERDUE, as_at=due + timedelta(days=1)) == {"USD": 110_00}


def test_credit_is_what_is_kept_for_the_customer(session, history):
    history.next_step(days=1)
    history.pay_out(history.customers[0], 1_00)

    assert value(session, money.CUSTOMER_CREDIT) == {"USD": 2_00}
    assert value(session, money.CUSTOMER_CREDIT, as_at=history.day - timedelta(days=1)) == {"USD": 3_00}
    assert value(session, money.CUSTOMER_CREDIT, period=JANUARY) == {}


def test_figures_are_as_they_were_known(session, history):
    """Before the last step nobody knew that the payment of January was wrong."""
    known_at = history.now - timedelta(days=1)

    assert value(session, money.COLLECTED, known_at=known_at) == {"USD": 40_00}
    assert value(session, money.OUTSTANDING, known_at=known_at) == {"USD": 110_00}
    assert value(session, money.INVOICED, known_at=known_at) == {"USD": 150_00}


def test_figures_can_be_asked_for_one_customer_and_one_currency(session, history):
    other = history.a_customer("C2")
    history.send(other, 7_00, currency="EUR")
    first = history.customers[0].id

    assert value(session, money.OUTSTANDING, customer_id=other.id) == {"EUR": 7_00}
    for figure in (money.OUTSTANDING, money.INVOICED, money.COLLECTED, money.CUSTOMER_CREDIT):
        assert value(session, figure, currency="EUR") == value(session, figure, currency="EUR", customer_id=other.id)
        assert value(session, figure, currency="USD") == value(session, figure, customer_id=first)


def test_all_of_them_are_asked_for_in_one_statement_with_those_of_reports(session, history):
    asked = [(figure, Scope(today=FIRST)) for figure in (*money.FIGURES, of_reports.BILLED)]

    assert figures.values(session, SYSTEM, asked) == [figures.value(session, SYSTEM, *one) for one in asked]


@pytest.mark.parametrize(
    ("outstanding", "invoiced", "days"),
    [
        ({"USD": 100}, {"USD": 100}, {"USD": 30}),
        ({"USD": 5}, {"USD": 100}, {"USD": 2}),  # 1.5 days
        ({"USD": 49}, {"USD": 1_000}, {"USD": 1}),  # 1.47
        ({}, {"USD": 100}, {"USD": 0}),
        ({"USD": 100, "EUR": 10}, {"EUR": 20}, {"EUR": 15}),
        ({}, {"USD": 1}, {"USD": 0}),
        ({"USD": 1}, {"USD": 1}, {"USD": 30}),
        ({"USD": 1}, {"USD": 61}, {"USD": 0}),  # 0.49
        ({"USD": 1}, {"USD": 60}, {"USD": 1}),  # half a day
        ({"USD": 100}, {"USD": 0}, {}),
        ({"USD": 100}, {"USD": -100}, {}),
        ({"USD": 100, None: 7}, {"USD": 100, None: 7}, {"USD": 30}),
    ],
)
def test_days_outstanding_are_whole_days_a_currency(outstanding, invoiced, days):
    april = Period.month_of(date(2026, 4, 1))
    assert money.DAYS_SALES_OUTSTANDING.days(outstanding, invoiced, april) == days


def test_every_figure_is_found_by_its_key():
    for figure in (*money.FIGURES, *of_reports.FIGURES):
        assert catalogue.find(SYSTEM, figure.key, Scope())[0] is figure
    with pytest.raises(NotFound):
        catalogue.find(SYSTEM, "nothing", Scope())


def test_no_two_figures_share_a_key():
    keys = [figure.key for figure in (*money.FIGURES, *of_reports.FIGURES)]
    assert len(set(keys)) == len(keys)


def test_figures_need_the_permission_to_see_their_rows():
    reader = Actor(None, "Rita", frozenset({Permission.REPORT_READ}))
    biller = Actor(None, "Bill", frozenset({Permission.INVOICE_READ}))

    assert catalogue.find(reader, "billed", Scope())[0] is of_reports.BILLED
    assert catalogue.find(biller, "outstanding", Scope())[0] is money.OUTSTANDING
    for actor, key in ((reader, "outstanding"), (biller, "billed")):
        with pytest.raises(Forbidden):
            catalogue.find(actor, key, Scope())
    with pytest.raises(Forbidden):
        scope(reader)


@pytest.mark.parametrize("figure", catalogue.FIGURES.values(), ids=lambda figure: figure.key)
def test_nobody_opens_a_figure_without_its_permission(session, figure):
    others = Actor(None, "Rita", frozenset(Permission) - {figure.permission})
    seeing = Actor(None, "Bill", frozenset({figure.permission}))
    asked = Scope(today=FIRST)

    for opening in (figures.value, figures.proven, figures.money, figures.count, figures.page, figures.row_count):
        opening(session, seeing, figure, asked)
        with pytest.raises(Forbidden, match=figure.permission):
            opening(session, others, figure, asked)
    assert list(figures.stream(session, seeing, figure, asked)) == []
    with pytest.raises(Forbidden):
        figures.stream(session, others, figure, asked)
    with pytest.raises(Forbidden):
        figures.values(session, others, [(figure, asked)])


def test_somebody_bound_to_a_customer_asks_for_that_customer_alone():
    bound = actor_with(Role.MANAGER, user_id=None, name="Otto", customer_id=7)

    assert scope(bound, customer_id=8).customer_id == 7
    for key in ("outstanding", "billed"):
        assert catalogue.find(bound, key, Scope(customer_id=8))[1].customer_id == 7


def test_somebody_bound_to_a_customer_sees_that_customer_alone_whatever_they_ask_for(session, history):
    other = history.a_customer("C2")
    history.send(other, 7_00, currency="EUR")
    bound = actor_with(Role.MANAGER, user_id=None, name="Otto", customer_id=history.customers[0].id)

    for asked in (Scope(), Scope(customer_id=other.id)):
        assert figures.value(session, bound, money.OUTSTANDING, asked) == {"USD": 30_00}
        assert figures.values(session, bound, [(money.OUTSTANDING, asked)]) == [{"USD": 30_00}]
        assert {row.currency for row in figures.page(session, bound, money.OUTSTANDING, asked)} == {"USD"}

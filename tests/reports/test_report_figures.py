"""The figures of one report: each adds up to what the report's header says, and keeps to the asked customer."""

from datetime import date

import pytest

from billing_core import figures
from billing_core.dates import Period
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.reports import figures as registry
from billing_core.reports import report_figures as ours
from tests.reports.company import HANDLING, LATER, MARCH, PICKING, a_customer, an_order, billed


@pytest.fixture
def report(session):
    """Two orders of 4 and 10 items: 2.00 + 2.00 and 2.00 + 5.00. Another customer's report stands beside it."""
    acme, bolt = a_customer(session), a_customer(session, "BOLT", name="Bolt", currency="EUR")
    an_order(session, acme, "A-1")
    an_order(session, acme, "A-2", items=10, on=date(2026, 3, 12))
    an_order(session, bolt, "B-1")
    billed(session, bolt)
    return billed(session, acme)


def test_each_figure_is_what_the_report_says(session, report):
    scope = Scope(MARCH, customer_id=report.customer_id)

    assert figures.value(session, SYSTEM, ours.total_of(report.id), scope) == {"USD": 1100}
    assert figures.value(session, SYSTEM, ours.orders_of(report.id), scope) == {None: 2}
    assert figures.value(session, SYSTEM, ours.charges_of(report.id), scope) == {None: 4}
    assert figures.value(session, SYSTEM, ours.service_of(report.id, HANDLING), scope) == {"USD": 400}
    assert figures.value(session, SYSTEM, ours.service_of(report.id, PICKING), scope) == {"USD": 700}


def test_the_rows_are_the_orders_the_newest_first(session, report):
    rows = figures.page(session, SYSTEM, ours.total_of(report.id), Scope(customer_id=report.customer_id))

    assert [(row.label, row.date, row.currency, row.amount) for row in rows] == [
        ("A-2", date(2026, 3, 12), "USD", 700),
        ("A-1", date(2026, 3, 10), "USD", 400),
    ]
    charged = figures.page(session, SYSTEM, ours.charges_of(report.id), Scope(customer_id=report.customer_id))
    assert [(row.label, row.amount) for row in charged] == [("A-2", 2), ("A-1", 2)]


def test_a_superseded_report_keeps_its_figures(session, report):
    an_order(session, report.customer_id, "A-3")
    billed(session, report.customer_id, now=LATER)

    assert figures.value(session, SYSTEM, ours.total_of(report.id), Scope()) == {"USD": 1100}


def test_whoever_asks_for_another_customer_gets_nothing(session, report):
    for figure in (ours.total_of(report.id), ours.orders_of(report.id), ours.charges_of(report.id)):
        assert figures.page(session, SYSTEM, figure, Scope(customer_id=report.customer_id + 1)) == []


def test_the_period_asked_for_takes_nothing_away(session, report):
    april = Period(date(2026, 4, 1), date(2026, 4, 30))

    assert figures.value(session, SYSTEM, ours.orders_of(report.id), Scope(april)) == {None: 2}


@pytest.mark.parametrize("make", [ours.total_of, ours.orders_of, ours.charges_of, lambda one: ours.service_of(one, 3)])
def test_a_link_names_it_by_its_key(make):
    assert registry.of_key(make(15).key).key == make(15).key


@pytest.mark.parametrize("key", ["report_5", "report_x_total", "report_5_service_", "report_٥_total"])
def test_another_key_names_none(key):
    assert ours.named(key) is None

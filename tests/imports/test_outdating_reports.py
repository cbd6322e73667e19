"""What imports of orders make of reports that were made before them: orders changed, and the difference in money.

HANDLING costs 2.00 an order and PICKING 0.50 an item: an order of 4 items is 4.00.
"""

from datetime import date

import pytest

from billing_core import figures
from billing_core.dates import Period
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.imports import service as imports
from billing_core.money import Money
from billing_core.reports import outdated, queries, verification
from billing_core.reports.figures import UNBILLED_ORDERS
from tests.imports.files import incoming
from tests.reports.company import HANDLING, LATER, MARCH, a_customer, an_order, billed

FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))
ORDERS = "order_number,customer_ref,order_date,status\n"
LINES = "order_number,sku,quantity\n"


@pytest.fixture
def reports(sessions):
    """February: F-1. March: M-1, M-2; and its handling alone. Each order has 4 items."""
    with sessions.begin() as session:
        acme = a_customer(session)
        an_order(session, acme, "F-1", on=date(2026, 2, 10))
        an_order(session, acme, "M-1")
        an_order(session, acme, "M-2")
        made = billed(session, acme, FEBRUARY), billed(session, acme), billed(session, acme, service_ids=[HANDLING])
        return [one.id for one in made]


def _imported(sessions, kind, content):
    lines = "change" if kind == "order-items" else None
    outcome = imports.apply(sessions, SYSTEM, incoming(kind, content, lines=lines), now=LATER)
    assert outcome.applied


def _outdated(sessions, ids):
    """Orders changed and the difference in cents, of each report."""
    with sessions() as session:
        found = outdated.of(session, [queries.one(session, SYSTEM, one) for one in ids])
        assert [one.report.id for one in outdated.found(session, SYSTEM, [1])[0]] == list(found)
    return [(found[one].order_count, found[one].difference.minor) if one in found else None for one in ids]


def test_nothing_has_changed_at_first_nor_by_the_same_file(sessions, reports):
    assert _outdated(sessions, reports) == [None] * 3
    _imported(sessions, "orders", f"{ORDERS}M-1,ACME,2026-03-10,shipped\n")
    _imported(sessions, "order-items", f"{LINES}M-1,A-1,4\n")
    assert _outdated(sessions, reports) == [None] * 3


def test_an_order_that_moves_outdates_the_month_it_leaves_and_the_one_it_comes_to(sessions, reports):
    _imported(sessions, "orders", f"{ORDERS}F-1,ACME,2026-03-02,shipped\n")
    assert _outdated(sessions, reports) == [(1, -400), (1, 400), (1, 200)]


def test_an_order_that_moved_is_unbilled_where_it_came_to_once_the_report_that_had_it_is_made_anew(sessions, reports):
    """The old report billed it wherever it was; the new one of February does not."""
    _imported(sessions, "orders", f"{ORDERS}F-1,ACME,2026-03-02,shipped\n")
    for period, unbilled in ((FEBRUARY, 1), (MARCH, 0)):
        with sessions.begin() as session:
            billed(session, 1, period, now=LATER)
            march = Scope(MARCH)
            assert figures.value(session, SYSTEM, UNBILLED_ORDERS, march).get(None, 0) == unbilled
            assert [wrong for check in verification.checks(session) for wrong in check.wrong] == []


def test_orders_that_come_and_are_cancelled(sessions, reports):
    _imported(sessions, "orders", f"{ORDERS}M-1,ACME,2026-03-10,cancelled\nM-3,ACME,2026-03-31,shipped\n")
    assert _outdated(sessions, reports) == [None, (2, -200), (2, 0)]
    _imported(sessions, "order-items", f"{LINES}M-3,A-1,10\n")
    assert _outdated(sessions, reports) == [None, (2, 300), (2, 0)]


def test_lines_that_change(sessions, reports):
    _imported(sessions, "order-items", f"{LINES}M-1,A-1,6\nM-2,B-1,1\n")
    assert _outdated(sessions, reports) == [None, (2, 150), (2, 0)]


def test_generating_again_settles_it(sessions, reports):
    _imported(sessions, "order-items", f"{LINES}M-1,A-1,6\n")
    with sessions.begin() as session:
        newer = billed(session, 1, MARCH, now=LATER)
    assert newer.total_minor == 900
    assert _outdated(sessions, [*reports, newer.id]) == [None, None, (1, 0), None]
    with sessions.begin() as session:
        assert billed(session, 1, MARCH, service_ids=[HANDLING], now=LATER).id != newer.id
    assert _outdated(sessions, [*reports, newer.id]) == [None, None, None, None]


def test_what_changes_and_changes_back_is_settled_by_generating_too(sessions, reports):
    for quantity in (6, 4):
        _imported(sessions, "order-items", f"{LINES}M-1,A-1,{quantity}\n")
    assert _outdated(sessions, reports) == [None, (1, 0), (1, 0)]
    with sessions.begin() as session:
        assert billed(session, 1, MARCH, now=LATER).id == reports[1]
    assert _outdated(sessions, reports) == [None, None, (1, 0)]


def test_it_is_said_in_words(sessions, reports):
    _imported(sessions, "orders", f"{ORDERS}F-1,ACME,2026-03-02,shipped\n")
    with sessions() as session:
        found, total = outdated.found(session, SYSTEM, [1], limit=2)
    assert [one.words for one in found] == [
        "orders changed: 1, difference -4.00 USD",
        "orders changed: 1, difference +4.00 USD",
    ]
    assert (total, found[0].difference) == (3, Money(-400, "USD"))

"""What changed between two versions, and what is billed twice."""

from datetime import date

import pytest
from sqlalchemy import update

from billing_core.dates import Period
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.orders.models import Order, OrderLine, OrderStatus
from billing_core.reports import difference, overlaps, queries
from billing_core.reports.difference import Change
from tests.reports.company import LATER, PICKING, a_customer, an_order, billed


@pytest.fixture
def versions(session):
    """Two versions: one order added, one removed, one with more items, one with a new reference, one the same."""
    acme = a_customer(session)
    ids = {name: an_order(session, acme, name) for name in ("removed", "more", "reference", "same")}
    before = billed(session, acme)
    session.execute(update(Order).where(Order.id == ids["removed"]).values(status=OrderStatus.CANCELLED))
    session.execute(update(OrderLine).where(OrderLine.order_id == ids["more"]).values(quantity=10))
    session.execute(update(Order).where(Order.id == ids["reference"]).values(reference_number="PO 7"))
    ids["added"] = an_order(session, acme, "added", items=2)
    return before, billed(session, acme, now=LATER), ids


def test_orders_are_named_with_what_happened_to_them(session, versions):
    before, after, _ = versions

    rows = {row.order_number: row for row in difference.orders(session, before, after)}

    assert {name: (row.change, row.before_minor, row.after_minor) for name, row in rows.items()} == {
        "removed": (Change.REMOVED, 400, None),
        "more": (Change.CHANGED, 400, 700),
        "reference": (Change.DETAILS, 400, 400),
        "added": (Change.ADDED, None, 300),
    }


def test_the_whole_is_the_sum_of_services_and_of_orders(session, versions):
    before, after, _ = versions

    whole = difference.between(session, before, after)
    services = difference.services(session, before, after)
    orders = difference.orders(session, before, after)

    assert whole.total_minor == 200  # - 400 + 300 + 300
    assert whole.orders == {Change.ADDED: 1, Change.REMOVED: 1, Change.CHANGED: 1, Change.DETAILS: 1}
    assert [(row.service_name, row.difference_minor) for row in services] == [("Handling", 0), ("Picking", 200)]
    assert sum(row.difference_minor for row in orders) == 200


def test_orders_page_and_filter_by_kind(session, versions):
    before, after, _ = versions

    biggest = difference.orders(session, before, after, limit=1)
    rest = difference.orders(session, before, after, limit=10, offset=1)

    assert [row.order_number for row in biggest] == ["removed"]
    assert len(rest) == 3
    assert [row.order_number for row in difference.orders(session, before, after, kind=Change.ADDED)] == ["added"]


def test_versions_and_periods_find_each_other(session, versions):
    before, after, _ = versions
    april = billed(session, after.customer_id, Period(date(2026, 4, 1), date(2026, 4, 30)))

    assert [version.id for version in queries.versions(session, after)] == [after.id, before.id]
    assert queries.previous_version(session, after).id == before.id
    assert queries.previous_version(session, before) is None
    assert queries.previous_period(session, april).id == after.id


def test_reports_of_two_customers_are_not_compared(session):
    one, other = billed(session, a_customer(session)), billed(session, a_customer(session, "OTHER"))
    with pytest.raises(Invalid, match="same customer"):
        difference.between(session, one, other)


def test_orders_billed_twice_are_named_on_both_reports(session):
    acme = a_customer(session)
    twice = an_order(session, acme, "twice", on=date(2026, 3, 20))
    an_order(session, acme, "once", on=date(2026, 3, 1))
    month = billed(session, acme)
    week = billed(session, acme, Period(date(2026, 3, 18), date(2026, 4, 5)), service_ids=[PICKING])

    for report, other in ((month, week), (week, month)):
        rows = overlaps.page(session, report)
        assert [(row.order_id, row.service_name, row.other_minor, row.other_report_id) for row in rows] == [
            (twice, "Picking", 200, other.id)
        ]
        assert overlaps.of(session, report) == overlaps.Overlaps(1, 200)


def test_neither_replaced_nor_neighbouring_reports_overlap(session):
    acme = a_customer(session)
    an_order(session, acme, "SO-1")
    old = billed(session, acme)
    an_order(session, acme, "SO-2")
    new = billed(session, acme, now=LATER)
    billed(session, acme, Period(date(2026, 4, 1), date(2026, 4, 30)))

    assert not overlaps.of(session, new)
    assert overlaps.page(session, new) == []
    assert not overlaps.of(session, queries.one(session, SYSTEM, old.id))

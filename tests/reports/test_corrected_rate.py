"""A price that was wrong from its first day on is corrected after it was billed: the old report stays explained."""

from datetime import date
from decimal import Decimal

from sqlalchemy import select

from billing_core.identity import SYSTEM
from billing_core.rating import queries as rate_queries
from billing_core.rating import service as rate_cards
from billing_core.rating.models import Rate
from billing_core.rating.pricing import Pricing
from billing_core.reports import contents, difference, verification
from billing_core.reports.models import BillingReport
from tests.reports.company import LATER, PICKING, a_customer, an_order, billed

MARCH_10 = date(2026, 3, 10)


def picking_of(session, customer_id):
    (row,) = [row for row in rate_queries.card_on(session, SYSTEM, customer_id, MARCH_10) if row.service_id == PICKING]
    return row


def charge_for_picking(session, report, order_id):
    (charge,) = [row for row in contents.charges(session, report, [order_id]) if row.service_id == PICKING]
    return charge


def test_the_next_version_has_the_right_price_and_the_old_one_its_own(session):
    customer_id = a_customer(session)
    order_id = an_order(session, customer_id, "SO-1", items=4)
    first = billed(session, customer_id)
    assert first.total_minor == 400, "2.00 of handling and 4 items at 0.50"
    wrong = picking_of(session, customer_id)

    rate_cards.change_rate(session, SYSTEM, wrong.id, Pricing(Decimal("0.75")), starts_on=wrong.valid_from, now=LATER)
    second = billed(session, customer_id, now=LATER)

    assert (second.version, second.total_minor) == (2, 500), "4 items at 0.75"
    old, new = charge_for_picking(session, first, order_id), charge_for_picking(session, second, order_id)
    assert (old.unit_price, old.amount_minor) == (Decimal("0.5"), 200)
    assert (new.unit_price, new.amount_minor) == (Decimal("0.75"), 300)
    assert "0.5" in old.explanation
    assert "0.75" in new.explanation
    assert session.scalars(select(BillingReport.total_minor).where(BillingReport.superseded_at.is_(None))).all() == [
        500
    ]
    assert [
        (change.service_name, change.before_minor, change.after_minor)
        for change in difference.services(session, first, second)
    ] == [("Handling", 200, 200), ("Picking", 200, 300)]
    assert [check.wrong for check in verification.checks(session) if check.wrong] == []
    assert session.get(Rate, wrong.id).withdrawn_at == LATER

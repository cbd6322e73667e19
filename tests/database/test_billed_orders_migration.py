"""Which orders stand on invoices, as a database of a former version knows it: from what its reports charged."""

from datetime import date
from decimal import Decimal

from alembic import command
from sqlalchemy import select, update

from billing_core.commands import verify
from billing_core.database import for_changes, migrate
from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, from_reports, service
from billing_core.invoices.billed_orders.models import BilledOrder
from billing_core.invoices.models import InvoicedReport
from billing_core.orders.models import OrderLine
from billing_core.reports import coverage
from billing_core.reports.models import ChangedOrder
from tests.reports.company import MARCH, NOW, a_customer, an_order, billed

DAY = date(2026, 4, 2)


def test_orders_on_invoices_of_a_former_version_are_billed(empty_database):
    """The month is cancelled, then invoiced twice; its first half as well, which nobody had to confirm then."""
    migrate.upgrade(empty_database.engine)
    with empty_database.begin() as session:
        customer = a_customer(session)
        an_order(session, customer, "ACME-1")
        an_order(session, customer, "ACME-2", on=date(2026, 3, 20))
        month = billed(session, customer, MARCH).id
        half = billed(session, customer, Period(date(2026, 3, 1), date(2026, 3, 15))).id
        made = {"now": NOW, "today": DAY}
        cancelled = from_reports.draft_from_report(session, SYSTEM, month, **made).id
        service.send(session, SYSTEM, cancelled, now=NOW)
        after_sending.cancel(session, SYSTEM, cancelled, **made)
        for report in (month, month, half):
            from_reports.draft_from_report(session, SYSTEM, report, again_reason="Agreed", **made)
        # A line that changes, and an order that comes.
        session.execute(update(OrderLine).where(OrderLine.order_id == 1).values(quantity=Decimal(5)))
        an_order(session, customer, "ACME-3", on=date(2026, 3, 20))
        coverage.refresh(session)
    before = _billed(empty_database)
    # Handling and picking of the first order on 2, 3 and 4, of the other one on 2 and 3.
    assert before == [
        *((1, one, again) for one in (1, 2) for again in (0, 3, 4)),
        *((2, one, again) for one in (1, 2) for again in (0, 3)),
    ]

    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0055")
    migrate.upgrade(empty_database.engine)

    assert _billed(empty_database) == before
    with empty_database() as session:
        changed = select(ChangedOrder.report_id, ChangedOrder.order_id).order_by(ChangedOrder.report_id)
        assert sorted(tuple(row) for row in session.execute(changed)) == [(month, 1), (month, 3), (half, 1)]
        links = session.scalars(select(InvoicedReport).order_by(InvoicedReport.invoice_id)).all()
        assert [(link.invoice_id, bool(link.again_reason), link.released_at is not None) for link in links] == [
            (1, False, True),
            (2, False, False),
            (3, True, False),
            (4, False, False),
        ]
        assert [wrong for check in verify.checks(session) for wrong in check.wrong] == [
            f"order ACME-1, {one}: on draft no. {first} and on draft no. 4"
            for one in ("Handling", "Picking")
            for first in (2, 3)
        ]


def _billed(sessions):
    with sessions() as session:
        key = (BilledOrder.order_id, BilledOrder.service_id, BilledOrder.again)
        return [tuple(row) for row in session.execute(select(*key).order_by(*key))]

"""Payment links and lines of invoices as a former version knows them: links find their places, lines bill on."""

from dataclasses import replace

from alembic import command
from sqlalchemy import select

from billing_core.commands import verify
from billing_core.customers.models import Customer
from billing_core.database import for_changes, migrate
from billing_core.identity import SYSTEM
from billing_core.invoices import from_reports, queries, service
from billing_core.invoices.billed_orders import keeping as billed_orders
from billing_core.invoices.from_reports import Grouping
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import PaymentLink
from tests.online_payments.linked import a_link
from tests.payments.books import an_open_invoice
from tests.reports.company import MARCH, NOW, a_customer, an_order, billed

FORMER = "0092"


def test_links_stand_by_name_and_lines_of_before_bill_their_whole_report(empty_database):
    migrate.upgrade(empty_database.engine)
    with empty_database.begin() as session:
        links = []
        for ref, name in (("Z", "Zebra"), ("O", "Öl 10"), ("P", "Öl 9")):
            customer = session.get_one(Customer, a_customer(session, ref, name=name))
            links.append(a_link(session, an_open_invoice(session, customer, "100", currency="USD")).id)
        an_order(session, customer.id, "ACME-1")
        an_order(session, customer.id, "ACME-2")
        report = billed(session, customer.id, MARCH).id
        made = {"now": NOW, "today": NOW.date()}
        draft = from_reports.draft_from_report(session, SYSTEM, report, by=Grouping.ORDER, **made).id

    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), FORMER)
    migrate.upgrade(empty_database.engine)

    with empty_database.begin() as session:
        by_name = select(PaymentLink.id).order_by(PaymentLink.customer_name_order)
        assert session.scalars(by_name).all() == [links[2], links[1], links[0]]
        content = queries.content(session, queries.one(session, SYSTEM, draft))
        assert [line.order_id for line in content.lines] == [None, None]
        # Which order a line is of is not known: the draft keeps both.
        version = session.get_one(Invoice, draft).version
        service.edit(session, SYSTEM, draft, replace(content, lines=content.lines[1:]), drawn_from=version, now=NOW)
        assert [one.charge_count for one in billed_orders.before(session, [report])] == [4]
        assert [wrong for check in verify.checks(session) for wrong in check.wrong] == []

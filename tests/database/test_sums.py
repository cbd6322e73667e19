"""However many amounts there are, 64 bits hold their sum: one too many is refused, and all before can be added up."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import func, select, update

from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices import queries, service
from billing_core.invoices.models import Invoice
from billing_core.invoices.queries import InvoiceFilter
from billing_core.payments import received
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.received import Received
from billing_core.reports.models import BillingReport
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, a_draft, a_line, an_invoice
from tests.reports import company as reports

# Four thousand amounts of 10^15, as one row.
FULL = 4 * 10**18
LARGE = "10000000000"  # 10^12 minor units of USD


def as_if_of_thousands(session, table, minor) -> None:
    name = "amount_minor" if table is Payment else "total_minor"
    first = session.scalar(select(func.min(table.id)))
    whole = {"subtotal_minor": minor - Invoice.tax_minor} if table is Invoice else {}
    session.execute(update(table).where(table.id == first).values({name: minor, **whole}))
    session.expire_all()


def test_invoices_are_refused_once_nobody_could_add_them_up(session):
    customer = a_customer(session)
    a_draft(session, customer)
    as_if_of_thousands(session, Invoice, FULL - 10**13 - 1)
    made = a_draft(session, customer, a_line("Work", "10", LARGE, "0"))
    with pytest.raises(Invalid, match=r"All invoices in USD would come to more than 40,000,000,000,000,000\.00 USD"):
        a_draft(session, customer, a_line("Work", "10", LARGE, "0"))
    content = queries.content(session, made)
    twice = replace(content, lines=content.lines * 2)
    with pytest.raises(Invalid, match="All invoices in USD"):
        service.edit(session, GRACE, made.id, twice, drawn_from=made.version, now=LATER)
    # Of another currency there are none, and what is small is no matter.
    a_draft(session, customer, a_line("Work", "10", LARGE, "0"), currency="EUR")
    a_draft(session, customer)
    totals = queries.totals(session, SYSTEM, InvoiceFilter(), today=TODAY)
    assert {one.currency: one.total_minor for one in totals} == {"EUR": 10**13, "USD": FULL - 1 + 238_00}


def test_payments_are_refused_once_nobody_could_add_them_up(session):
    customer = a_customer(session)
    invoice = an_invoice(session, customer, a_line("Work", "10", LARGE, "0"))

    def pay(minor):
        money = Received("USD", minor, PaymentMethod.CASH, TODAY)
        received.record_for(session, GRACE, invoice.id, received=money, today=TODAY, now=NOW)

    pay(1_00)
    as_if_of_thousands(session, Payment, FULL - 2 * 10**12 + 1)
    with pytest.raises(Invalid, match="All payments in USD"):
        pay(2 * 10**12)
    pay(2 * 10**12 - 1)


def test_reports_are_refused_once_nobody_could_add_them_up(session, monkeypatch):
    """Of 4.00 each; as if that were much."""
    monkeypatch.setattr("billing_core.database.sums._LARGE", 100)
    customer = reports.a_customer(session)
    reports.an_order(session, customer, "A-1")
    reports.an_order(session, customer, "A-2", on=date(2026, 3, 20))
    reports.billed(session, customer)
    as_if_of_thousands(session, BillingReport, FULL - 8_00 + 1)
    reports.an_order(session, customer, "A-3")
    with pytest.raises(Invalid, match="All reports in USD"):
        reports.billed(session, customer)

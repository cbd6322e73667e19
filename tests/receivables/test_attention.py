"""What about money needs attention: which invoices and customers are counted, and which are not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing_core import figures
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.invoices import lifecycle, queries, service
from billing_core.invoices.lifecycle import Change
from billing_core.invoices.models import EventKind
from billing_core.money import Money
from billing_core.payments import credit
from billing_core.payments.models import PaymentMethod
from billing_core.payments.prepaid import top_ups
from billing_core.payments.prepaid.top_ups import Wanted
from billing_core.receivables import attention
from tests.payments.books import (
    NOW,
    TODAY,
    a_customer,
    a_draft,
    an_open_invoice,
    another_business,
    bank_transfer,
    pay,
    record,
)


def found(session, figure, day=TODAY, **limits) -> list[str]:
    """Its rows' labels; the figure is their number."""
    asked = Scope(today=day, **limits)
    rows = figures.page(session, SYSTEM, figure, asked)
    assert figures.value(session, SYSTEM, figure, asked).get(None, 0) == len(rows)
    return sorted(row.label for row in rows)


def test_an_open_invoice_is_overdue_from_the_day_after_it_is_due(session):
    """Both are due on March 31st; one is paid."""
    customer = a_customer(session)
    invoice, paid = an_open_invoice(session, customer), an_open_invoice(session, customer)
    pay(session, customer, 100_00, **{str(paid.id): 100_00})
    a_draft(session, customer)
    due = invoice.due_on

    assert found(session, attention.OVERDUE_INVOICES, due) == []
    late = due + timedelta(days=1)
    assert found(session, attention.OVERDUE_INVOICES, late) == ["INV-2026-001, Carla C1"]
    assert found(session, attention.OVERDUE_INVOICES, late, currency="USD") == []
    assert found(session, attention.OVERDUE_INVOICES, late, customer_id=a_customer(session, "C2").id) == []


def test_an_open_invoice_on_which_a_payment_failed_is_not_overdue_by_that(session):
    customer = a_customer(session)
    failed, paid = an_open_invoice(session, customer), an_open_invoice(session, customer)
    failing = {"payment_failed_at": NOW, "payment_failure": "declined"}
    changes = [Change(one, failing) for one in (failed, paid)]
    lifecycle.change(session, SYSTEM, changes, event=EventKind.PAYMENT_FAILED, now=NOW)
    assert len(found(session, attention.FAILED_PAYMENTS)) == 2
    pay(session, customer, 100_00, **{str(paid.id): 100_00})

    assert found(session, attention.FAILED_PAYMENTS) == ["INV-2026-001, Carla C1"]
    assert found(session, attention.OVERDUE_INVOICES) == []


@pytest.mark.parametrize(("age", "old"), [(6, False), (7, True), (8, True)])
def test_a_draft_is_old_a_week_after_its_day(session, age, old):
    customer = a_customer(session)
    draft = a_draft(session, customer)
    an_open_invoice(session, customer)
    content = queries.content(session, draft)
    dated = replace(content, issued_on=TODAY - timedelta(days=age), due_on=TODAY + timedelta(days=30))
    service.edit(session, SYSTEM, draft.id, dated, drawn_from=draft.version, now=NOW)

    assert found(session, attention.OLD_DRAFTS) == (["Draft, Carla C1"] if old else [])


def kept(session, customer, amount, *, currency="EUR", business_id=None):
    record(session, customer, bank_transfer(amount, currency=currency), business_id=business_id)


@pytest.mark.parametrize("amount", [1, 5_00])
def test_credit_beside_an_open_invoice_of_the_same_customer_business_and_currency_is_seen(session, amount):
    customer, other = a_customer(session), a_customer(session, "C2")
    for one in (customer, other):
        an_open_invoice(session, one)
    kept(session, customer, amount)
    assert found(session, attention.UNSPENT_CREDIT) == ["Carla C1"]
    assert found(session, attention.UNSPENT_CREDIT, customer_id=other.id) == []
    assert found(session, attention.UNSPENT_CREDIT, currency="USD") == []

    facts = {"method": PaymentMethod.CASH, "reason": "asked", "today": TODAY, "now": NOW}
    back = {"customer_id": customer.id, "business_id": customer.business_id, "amount": Money(amount, "EUR")}
    credit.pay_out(session, SYSTEM, **back, **facts)
    assert found(session, attention.UNSPENT_CREDIT) == []


@pytest.mark.parametrize("kind", ["another currency", "another business", "nothing is open", "nothing was kept"])
def test_credit_that_could_pay_nothing_is_not(session, kind):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "10")
    if kind == "nothing was kept":
        pay(session, customer, 5_00, **{str(invoice.id): 5_00})
    elif kind == "nothing is open":
        pay(session, customer, 12_00, **{str(invoice.id): 10_00})
    elif kind == "another currency":
        kept(session, customer, 5_00, currency="USD")
    else:
        kept(session, customer, 5_00, business_id=another_business(session).id)
    other = a_customer(session, "C2")
    kept(session, other, 5_00)

    assert found(session, attention.UNSPENT_CREDIT) == []


def test_customers_whose_credit_could_not_be_topped_up_are_counted_until_it_can(session):
    customer = a_customer(session)
    customer.payment_terms = "as agreed"
    top_ups.change(session, SYSTEM, customer.id, Wanted(20_00, 100_00), now=NOW)
    assert found(session, attention.REFUSED_TOP_UPS) == []
    top_ups.ask(session, SYSTEM, now=NOW, limit=1)
    assert found(session, attention.REFUSED_TOP_UPS) == ["Carla C1"]
    customer.payment_terms = "Net 30"
    top_ups.ask(session, SYSTEM, now=NOW + timedelta(hours=1), limit=1)
    assert found(session, attention.REFUSED_TOP_UPS) == []

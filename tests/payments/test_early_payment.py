"""A payment in time of exactly the reduced amount settles the invoice; base and tax shrink at each rate."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.commands.verify import checks
from billing_core.invoices.content.early_payment import offers
from billing_core.invoices.models import CreditNote, CreditNoteLine, Invoice, InvoiceState
from tests.invoices.company import TODAY
from tests.payments.paying_early import LAST, asked_for, by_hand, for_one, from_credit, online, two_rates


@pytest.fixture
def invoice(session) -> Invoice:
    return two_rates(session)


@pytest.mark.parametrize("way", [by_hand, for_one, online])
def test_the_reduced_amount_in_time_settles_the_invoice_and_corrects_tax_at_each_rate(session, invoice, way):
    assert [(one.discount_minor, one.to_pay_minor, one.until) for one in offers(invoice)] == [(345, 16_905, LAST)]
    way(session, invoice, 16_905, LAST)

    assert (invoice.state, invoice.due_minor) == (InvoiceState.PAID, 0)
    assert (invoice.paid_minor, invoice.credited_minor) == (16_905, 345)
    note = session.scalars(select(CreditNote)).one()
    assert (note.issued_on, note.subtotal_minor, note.tax_minor, note.total_minor) == (LAST, 300, 45, 345)
    assert " ".join(note.reason.split()) == "2 % Skonto"
    lines = session.scalars(select(CreditNoteLine).order_by(CreditNoteLine.tax_rate))
    assert [(one.tax_rate, one.amount_minor, one.tax_minor) for one in lines] == [
        (Decimal(7), 100, 7),
        (Decimal(19), 200, 38),
    ]
    assert [check for check in checks(session) if check.wrong] == []


@pytest.mark.parametrize("way", [from_credit, asked_for])
def test_credit_that_is_used_in_time_and_what_we_asked_for_take_the_discount_too(session, invoice, way):
    way(session, invoice, 16_905, LAST)
    assert (invoice.state, invoice.paid_minor, invoice.credited_minor) == (InvoiceState.PAID, 16_905, 345)
    assert session.scalars(select(CreditNote.early_payment)).one() is True
    assert [check for check in checks(session) if check.wrong] == []


def test_credit_that_is_used_too_late_is_a_part_payment(session, invoice):
    from_credit(session, invoice, 16_905, LAST + timedelta(days=1))
    assert (invoice.state, invoice.due_minor) == (InvoiceState.OPEN, 345)


@pytest.mark.parametrize(("amount", "days"), [(16_905, 15), (16_904, 1), (16_906, 1)])
def test_too_late_or_another_amount_is_a_part_payment(session, invoice, amount, days):
    for_one(session, invoice, amount, TODAY + timedelta(days=days))
    assert (invoice.state, invoice.due_minor) == (InvoiceState.OPEN, 17_250 - amount)
    assert invoice.credited_minor == 0

"""What money does once it is in: whose it is, which invoice it pays, what is kept, and until when it can be undone."""

import pytest
from sqlalchemy import select

from billing_core.errors import Conflict, Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices.models import InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.ledger.models import EntryKind, LedgerEntry
from billing_core.payments import credit, queries, received
from billing_core.payments.received import GatewayNames
from tests.payments.books import (
    NOW,
    TODAY,
    a_customer,
    a_draft,
    accounts,
    an_open_invoice,
    another_business,
    bank_transfer,
    pay,
    record,
)

DAY = {"today": TODAY, "now": NOW}


def test_a_draft_cannot_be_paid_before_it_is_sent(session):
    customer = a_customer(session)
    draft = a_draft(session, customer, "1")
    with pytest.raises(Invalid, match=r"^Only 0\.00 EUR is due on invoice draft$"):
        record(session, customer, bank_transfer(100), {draft.id: 100})


def test_an_invoice_that_is_to_get_nothing_is_left_alone(session):
    """A form sends 0 for each invoice that it lists, whosever it is by now."""
    customer, other = a_customer(session), a_customer(session, "C2")
    mine, theirs = an_open_invoice(session, customer, "1"), an_open_invoice(session, other, "1")
    payment = record(session, customer, bank_transfer(100), {theirs.id: 0, mine.id: 100})

    (allocation,) = queries.allocations(session, SYSTEM, payment_id=payment.id)
    assert (allocation.invoice_id, allocation.amount_minor, mine.state) == (mine.id, 100, InvoiceState.PAID)


def test_money_is_of_the_business_whose_invoice_it_pays_or_else_of_the_one_that_is_named(session):
    customer, second = a_customer(session), another_business(session)
    invoice = an_open_invoice(session, customer, "1")

    assert record(session, customer, bank_transfer(100)).business_id == customer.business_id
    assert record(session, customer, bank_transfer(100), business_id=second.id).business_id == second.id
    paying = record(session, customer, bank_transfer(150), {invoice.id: 100}, business_id=second.id)
    assert paying.business_id == customer.business_id


def collected(session, invoice, amount, *, pays=True, currency="EUR"):
    names = GatewayNames(Mode.LIVE, "in_7", "pi_7", "ch_7")
    money = bank_transfer(amount, currency=currency)
    return received.record_collected(session, SYSTEM, invoice, received=money, names=names, pays=pays, **DAY)


@pytest.mark.parametrize(("pays", "left"), [(True, {}), (False, {"customer_credit": -100_00, "receivable": 100_00})])
def test_what_a_gateway_collected_pays_the_invoice_or_is_kept_as_a_whole(session, pays, left):
    invoice = an_open_invoice(session, a_customer(session))
    payment = collected(session, invoice, 100_00, pays=pays)

    assert accounts(session) == {"cash": 100_00, "revenue": -100_00} | left
    row = queries.one(session, SYSTEM, payment.id)
    assert (row.gateway_key, row.intent_id, row.charge_id, payment.mode) == ("in_7", "pi_7", "ch_7", Mode.LIVE)
    assert row.allocated_minor == (100_00 if pays else 0)


@pytest.mark.parametrize(("amount", "currency"), [(100_01, "EUR"), (100_00, "USD")])
def test_what_a_gateway_collected_pays_no_invoice_that_it_does_not_fit(session, amount, currency):
    invoice = an_open_invoice(session, a_customer(session))
    with pytest.raises(Invalid):
        collected(session, invoice, amount, currency=currency)
    assert accounts(session) == {"receivable": 100_00, "revenue": -100_00}


def test_what_came_in_online_was_not_recorded_wrongly(session):
    invoice = an_open_invoice(session, a_customer(session))
    payment = collected(session, invoice, 100_00)
    with pytest.raises(Conflict, match="came in online"):
        received.undo(session, SYSTEM, payment.id, reason="wrong", **DAY)
    assert (invoice.state, payment.undone_at) == (InvoiceState.PAID, None)


@pytest.mark.parametrize(("due", "paid", "kept"), [("10", 10_00, 10_00), ("20", 20_00, 0), ("30", 20_00, 0)])
def test_money_meant_for_an_invoice_pays_what_is_due_and_no_more(session, due, paid, kept):
    """20.00 came in."""
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, due)
    payment = received.record_for(session, SYSTEM, invoice.id, received=bank_transfer(20_00), **DAY)

    assert (invoice.paid_minor, payment.amount_minor) == (paid, 20_00)
    assert credit.balance(session, customer.business_id, customer.id, "EUR").minor == kept
    assert len(queries.allocations(session, SYSTEM, payment_id=payment.id)) == 1


@pytest.mark.parametrize("kind", ["nothing is due", "another currency"])
def test_money_that_fits_no_invoice_is_allocated_to_none(session, kind):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "0" if kind == "nothing is due" else "1")
    money = bank_transfer(1_00, currency="EUR" if kind == "nothing is due" else "USD")
    payment = received.record_for(session, SYSTEM, invoice.id, received=money, **DAY)

    assert queries.allocations(session, SYSTEM, payment_id=payment.id) == []
    assert accounts(session, invoice_id=invoice.id).get("receivable", 0) == invoice.total_minor


@pytest.mark.parametrize("used", [5_00, 5_01])
def test_a_payment_can_be_undone_while_there_is_as_much_credit_as_it_left(session, used):
    """It paid an invoice of 10.00 and left 5.00; another left 5.00 more."""
    customer = a_customer(session)
    invoice, other = an_open_invoice(session, customer, "10"), an_open_invoice(session, customer, "20")
    payment = pay(session, customer, 15_00, **{str(invoice.id): 10_00})
    pay(session, customer, 5_00)
    credit.apply(session, SYSTEM, other.id, amount_minor=used, today=TODAY, now=NOW)

    if used == 5_00:
        received.undo(session, SYSTEM, payment.id, reason="bounced", **DAY)
        assert accounts(session) == {"cash": 5_00, "receivable": 25_00, "revenue": -30_00}
    else:
        with pytest.raises(Conflict, match=r"^5\.00 EUR of this payment was kept .* only 4\.99 EUR is left"):
            received.undo(session, SYSTEM, payment.id, reason="bounced", **DAY)


def test_what_is_undone_keeps_as_much_of_a_long_reason_as_fits(session):
    """With an allocation that had been taken back: its entry says which payment was undone."""
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "1")
    payment = pay(session, customer, 1_00, **{str(invoice.id): 1_00})
    (allocation,) = queries.allocations(session, SYSTEM, payment_id=payment.id)
    credit.release(session, SYSTEM, allocation.id, reason="r" * 500, **DAY)
    received.undo(session, SYSTEM, payment.id, reason="b" * 500, **DAY)

    assert payment.undone_reason == "b" * 200
    entries = select(LedgerEntry.kind, LedgerEntry.memo).order_by(LedgerEntry.id)
    assert session.execute(entries).all()[2:] == [
        (EntryKind.CREDIT_APPLIED, "r" * 200),
        (EntryKind.REVERSAL, f"payment {payment.public_id} undone"),
        (EntryKind.REVERSAL, "b" * 200),
    ]

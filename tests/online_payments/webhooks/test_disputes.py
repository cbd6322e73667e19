"""Disputes: what a bank took is booked by the case's own action, from wherever the money is, and may come back.

Invoices are of 100.00 EUR; every amount is worked out by hand.
"""

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.online_payments import queries, refunding, verification
from billing_core.online_payments.models import CaseKind, Dispute
from billing_core.online_payments.webhooks import disputes
from billing_core.payments import chargeback_queries, received
from tests.online_payments.linked import LATER, paying, tell
from tests.online_payments.seen import books, kinds, open_cases, status, the_payment
from tests.payments.books import TODAY, bank_transfer, pay

# Where the database does not matter.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
DAY = {"today": TODAY, "now": LATER}
LOST = CaseKind.DISPUTE_LOST


def book(sessions, *, lost=False):
    """The action of the oldest lost dispute that waits."""
    with sessions.begin() as session:
        case = next(one for one in queries.cases(session, SYSTEM) if one.kind is LOST)
        disputes.take_back(session, SYSTEM, case.id, lost=lost, **DAY)


def due(sessions, invoice):
    with sessions() as session:
        assert [check for check in verification.checks(session) if check.wrong] == []
        one = session.get_one(Invoice, invoice.id)
        return one.due_minor, one.paid_minor, one.refunded_minor, one.written_off_minor


def fee_line(fee, amount=-10_000, currency="eur"):
    return {"amount": amount, "currency": currency, "fee": fee, "net": amount - fee, "type": "adjustment"}


@on_sqlite
def test_what_a_lost_dispute_took_is_due_again(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.succeeded(), payment.disputed(), payment.dispute_closed("lost"))
    with sessions.begin() as session, pytest.raises(Conflict, match="refund it instead"):
        received.undo(session, SYSTEM, the_payment(sessions).id, reason="Recorded wrongly", **DAY)
    with sessions() as session:
        (case,) = queries.cases(session, SYSTEM)
    book(sessions)
    assert (status(sessions, invoice), open_cases(sessions)) == ("sent", [])
    assert books(sessions) == {"receivable": 10_000, "revenue": -10_000}
    assert kinds(sessions, invoice)[-1] == "payment_undone"
    with sessions.begin() as session, pytest.raises(Conflict, match="settled this case already"):
        disputes.take_back(session, SYSTEM, case.id, **DAY)


@pytest.mark.parametrize("lost", [False, True])
def test_of_100_paid_and_30_refunded_a_lost_dispute_over_70_is_due_again_or_a_loss(sessions, place, lost):
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.succeeded(), payment.refunded(3_000), payment.dispute_closed("lost", amount=7_000))
    assert books(sessions) == {"cash": 7_000, "revenue": -7_000}
    assert open_cases(sessions) == [(LOST, 7_000, None)]

    book(sessions, lost=lost)

    assert open_cases(sessions) == []
    if lost:
        assert due(sessions, invoice) == (0, 3_000, 3_000, 7_000)
        assert books(sessions) == {"bad_debt": 7_000, "revenue": -7_000}
    else:
        assert due(sessions, invoice) == (7_000, 3_000, 3_000, 0)
        assert books(sessions) == {"receivable": 7_000, "revenue": -7_000}
    with sessions() as session:
        assert refunding.refundable(session, SYSTEM, the_payment(sessions).id).left.minor == 0


def test_disputes_over_parts_of_one_charge_take_each_its_own(sessions, place):
    """25.00 and 35.00; the second is won after all, which brings its 35.00 back."""
    invoice, link = place
    payment = paying(link, invoice)
    second = {"id": "dp_second", "amount": 3_500}
    tell(sessions, payment.succeeded(), payment.dispute_closed("lost", amount=2_500))
    tell(sessions, {**payment.dispute_closed("lost", **second), "id": "evt_second"})
    book(sessions)
    assert due(sessions, invoice) == (2_500, 7_500, 0, 0)
    book(sessions, lost=True)
    assert due(sessions, invoice) == (2_500, 4_000, 0, 3_500)
    assert books(sessions) == {"bad_debt": 3_500, "cash": 4_000, "receivable": 2_500, "revenue": -10_000}

    won = {**payment.dispute_closed("won", after=90_000, **second), "id": "evt_won"}
    tell(sessions, won, {**won, "id": "evt_won_again"})

    assert due(sessions, invoice) == (2_500, 7_500, 0, 0)
    assert books(sessions) == {"cash": 7_500, "receivable": 2_500, "revenue": -10_000}
    with sessions() as session:
        rows = chargeback_queries.of_payment(session, SYSTEM, the_payment(sessions).id)
        assert [(row.amount_minor, row.written_off, row.returned_on) for row in rows] == [
            (2_500, False, None),
            (3_500, True, TODAY),
        ]
    # It is lost once more: it waits again, and is booked again.
    tell(sessions, {**payment.dispute_closed("lost", after=99_000, **second), "id": "evt_lost"})
    assert open_cases(sessions) == [(LOST, 3_500, None)]
    book(sessions)
    assert due(sessions, invoice) == (6_000, 4_000, 0, 0)


def test_a_dispute_that_is_won_after_all_needs_no_booking(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.succeeded(), payment.dispute_closed("lost"))
    tell(sessions, {**payment.dispute_closed("won", after=90_000), "id": "evt_won"})
    assert (status(sessions, invoice), open_cases(sessions)) == ("paid", [])
    assert books(sessions) == {"cash": 10_000, "revenue": -10_000}


def test_what_comes_back_once_the_invoice_was_paid_again_is_credit(sessions, place):
    """60.00 of the 100.00 were paid again by transfer meanwhile: 40.00 are due, and 60.00 are too much."""
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.succeeded(), payment.dispute_closed("lost"))
    book(sessions)
    with sessions.begin() as session:
        received.record_for(session, SYSTEM, invoice.id, received=bank_transfer(6_000), **DAY)
    tell(sessions, {**payment.dispute_closed("won", after=90_000), "id": "evt_won"})
    assert due(sessions, invoice) == (0, 10_000, 0, 0)
    assert books(sessions) == {"cash": 16_000, "customer_credit": -6_000, "revenue": -10_000}


def test_the_fee_of_a_dispute_is_an_expense_and_is_given_back_with_the_gateways(sessions, place):
    """15.00 are kept as it opens; the gateway returns them where it is won. Stripe's balance has the same."""
    invoice, link = place
    payment = paying(link, invoice)
    kept = payment.disputed(balance_transactions=[fee_line(1_500)])
    tell(sessions, payment.succeeded(), kept, {**kept, "id": "evt_twice", "type": "charge.dispute.funds_withdrawn"})
    assert books(sessions) == {"cash": 8_500, "fees": 1_500, "revenue": -10_000}
    closed = payment.dispute_closed("won", balance_transactions=[fee_line(1_500), fee_line(-1_500, 10_000)])
    tell(sessions, closed, {**kept, "id": "evt_late"})
    assert books(sessions) == {"cash": 10_000, "revenue": -10_000}
    assert due(sessions, invoice) == (0, 10_000, 0, 0)
    with sessions() as session:
        assert session.scalars(select(Dispute.fee_minor)).one() == 0


@on_sqlite
def test_a_fee_in_another_currency_than_the_charge_is_not_posted(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.succeeded(), payment.disputed(balance_transactions=[fee_line(1_500, currency="usd")]))
    assert books(sessions) == {"cash": 10_000, "revenue": -10_000}


@on_sqlite
def test_a_refund_of_what_a_bank_took_as_well_went_twice(sessions, place):
    """The customer has 50.00 of credit from elsewhere, which pays none of it."""
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.succeeded(), payment.dispute_closed("lost", amount=8_000))
    with sessions.begin() as session:
        owner = session.get_one(Customer, invoice.customer_id)
        pay(session, owner, 5_000)
    book(sessions)
    tell(sessions, payment.refunded(3_000))
    # 20.00 of the 30.00 were left of the payment.
    assert open_cases(sessions) == [(CaseKind.REFUND_UNMATCHED, 1_000, None)]
    assert books(sessions)["customer_credit"] == -5_000

"""What refunds and disputes change: the invoice, the ledger, and what is left to people."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.online_payments import queries
from billing_core.online_payments.models import (
    CaseKind,
    Dispute,
    DisputeState,
    RefundRequest,
    RefundRequestState,
    WebhookState,
)
from billing_core.online_payments.queries import EventFilter
from billing_core.online_payments.webhooks import refund_recording
from billing_core.payments import credit, received
from billing_core.payments.models import Payment, PaymentMethod, Refund
from tests.online_payments.linked import LATER, a_link, became, paying, tell
from tests.online_payments.seen import books, kinds, open_cases, status, the_payment
from tests.payments.books import TODAY, an_open_invoice, pay

# Where the database does not matter.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def refunds_of(sessions) -> list[tuple[str, str, int]]:
    """(the payment's name at the gateway, where it is taken from, how much) of each refund, in their order."""
    with sessions() as session:
        rows = select(Payment.gateway_key, Refund.source, Refund.amount_minor).join(
            Payment, Payment.id == Refund.payment_id
        )
        return [(key, source.value, amount) for key, source, amount in session.execute(rows.order_by(Refund.id))]


def test_a_refund_is_recorded_by_the_difference_to_what_is_known(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.succeeded(), payment.refunded(3_000))
    assert status(sessions, invoice) == "paid"
    assert books(sessions) == {"cash": 7_000, "revenue": -7_000}
    tell(sessions, payment.refunded(10_000), payment.refunded(3_000))
    assert status(sessions, invoice) == "refunded"
    assert books(sessions) == {}
    with sessions() as session:
        refunds = session.scalars(select(Refund).order_by(Refund.id)).all()
        assert [(one.amount_minor, one.method, one.created_by) for one in refunds] == [
            (3_000, PaymentMethod.STRIPE, "system"),
            (7_000, PaymentMethod.STRIPE, "system"),
        ]


def test_a_refund_told_first_proves_the_payment(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.refunded(10_000), payment.succeeded(), payment.completed())
    assert status(sessions, invoice) == "refunded"
    assert books(sessions) == {}


@on_sqlite
def test_a_refund_of_what_was_kept_as_credit_settles_its_case(sessions, place):
    invoice, link = place
    payment = paying(link, invoice, amount=4_000)
    tell(sessions, payment.succeeded(), payment.refunded(4_000))
    assert books(sessions) == {"receivable": 10_000, "revenue": -10_000}
    assert open_cases(sessions) == []


def test_a_part_refund_leaves_the_case_of_the_payment_open_and_the_last_cent_settles_it(sessions, place):
    """150.00 came for 100.00, and is kept as credit as a whole until somebody decides."""
    invoice, link = place
    payment = paying(link, invoice, amount=15_000)
    tell(sessions, payment.succeeded())
    for so_far in (5_000, 14_999):
        tell(sessions, payment.refunded(so_far))
        assert open_cases(sessions) == [(CaseKind.AMOUNT_DIFFERS, 15_000, 10_000)]
        assert books(sessions)["customer_credit"] == so_far - 15_000
    tell(sessions, payment.refunded(15_000))
    assert open_cases(sessions) == []


def test_two_payments_that_paid_an_invoice_are_refunded_in_steps_each_from_its_own_part(sessions, place):
    """60.00 by the first link, and 40.00 by another, as the 40.00 that had come by bank were another customer's."""
    invoice, link = place
    with sessions.begin() as session:
        customer = session.get_one(Customer, invoice.customer_id)
        by_bank = pay(session, customer, 4_000, **{str(invoice.id): 4_000}).id
    first = paying(link, invoice, amount=6_000)
    tell(sessions, first.succeeded())
    with sessions.begin() as session:
        received.undo(session, SYSTEM, by_bank, reason="Wrong customer", today=TODAY, now=LATER)
        newer = a_link(session, session.get_one(Invoice, invoice.id))
    second = paying(newer, invoice, amount=4_000)
    tell(sessions, second.succeeded())
    assert status(sessions, invoice) == "paid"

    tell(sessions, first.refunded(1_000), second.refunded(1_500), first.refunded(6_000))
    assert status(sessions, invoice) == "paid"
    tell(sessions, second.refunded(4_000))

    assert refunds_of(sessions) == [
        (first.intent_id, "invoice", 1_000),
        (second.intent_id, "invoice", 1_500),
        (first.intent_id, "invoice", 5_000),
        (second.intent_id, "invoice", 2_500),
    ]
    assert (status(sessions, invoice), books(sessions), open_cases(sessions)) == ("refunded", {}, [])


def test_an_invoice_paid_twice_is_refunded_in_steps_and_the_second_payment_from_credit(sessions, place):
    invoice, link = place
    first, second = paying(link, invoice), paying(link, invoice)
    tell(sessions, first.succeeded(), second.succeeded())
    twice = [(CaseKind.NOTHING_DUE, 10_000, None)]

    tell(sessions, second.refunded(3_000), first.refunded(4_000))
    assert (status(sessions, invoice), open_cases(sessions)) == ("paid", twice)
    assert books(sessions) == {"cash": 13_000, "customer_credit": -7_000, "revenue": -6_000}
    tell(sessions, first.refunded(10_000))
    assert (status(sessions, invoice), open_cases(sessions)) == ("refunded", twice)
    tell(sessions, second.refunded(10_000))

    assert refunds_of(sessions) == [
        (second.intent_id, "credit", 3_000),
        (first.intent_id, "invoice", 4_000),
        (first.intent_id, "invoice", 6_000),
        (second.intent_id, "credit", 7_000),
    ]
    assert (books(sessions), open_cases(sessions)) == ({}, [])


@pytest.mark.parametrize(("amount", "source"), [(10_000, "invoice"), (4_000, "credit")])
def test_a_refund_of_one_cent_is_booked_and_no_case(sessions, place, amount, source):
    """The first cent, and the last: of what paid the invoice, and of what was kept as credit."""
    invoice, link = place
    payment = paying(link, invoice, amount=amount)
    tell(sessions, payment.succeeded())
    opened = open_cases(sessions)
    for so_far in (1, amount - 1):
        tell(sessions, payment.refunded(so_far))
        assert open_cases(sessions) == opened
    tell(sessions, payment.refunded(amount))

    assert refunds_of(sessions) == [(payment.intent_id, source, part) for part in (1, amount - 2, 1)]
    assert open_cases(sessions) == []


def test_of_a_refund_that_credit_covers_but_for_one_cent_that_cent_is_a_case(sessions, place):
    """Of 40.00 that were kept, 39.98 have paid another invoice: 0.02 are left, and 0.03 went back."""
    invoice, link = place
    payment = paying(link, invoice, amount=4_000)
    tell(sessions, payment.succeeded())
    with sessions.begin() as session:
        elsewhere = an_open_invoice(session, session.get_one(Customer, invoice.customer_id), "40")
        credit.apply(session, SYSTEM, elsewhere.id, amount_minor=3_998, today=TODAY, now=LATER)

    tell(sessions, payment.refunded(3))

    assert refunds_of(sessions) == [(payment.intent_id, "credit", 2)]
    assert (CaseKind.REFUND_UNMATCHED, 1, None) in open_cases(sessions)


@on_sqlite
def test_a_refund_takes_back_what_the_credit_paid_since(sessions, place):
    """150.00 came for 100.00; 100.00 of it was used for the invoice; all of it goes back."""
    invoice, link = place
    payment = paying(link, invoice, amount=15_000)
    tell(sessions, payment.succeeded())
    with sessions.begin() as session:
        credit.apply(session, SYSTEM, invoice.id, amount_minor=10_000, today=TODAY, now=LATER)
    tell(sessions, payment.refunded(15_000))
    assert status(sessions, invoice) == "refunded"
    assert books(sessions) == {}


def test_a_refund_that_fits_nothing_is_a_case_once(sessions, place):
    """The credit of the payment has paid another invoice meanwhile."""
    invoice, link = place
    payment = paying(link, invoice, amount=4_000)
    tell(sessions, payment.succeeded())
    with sessions.begin() as session:
        customer = session.get_one(Customer, invoice.customer_id)
        elsewhere = an_open_invoice(session, customer, "40")
        credit.apply(session, SYSTEM, elsewhere.id, amount_minor=4_000, today=TODAY, now=LATER)
    told = [payment.refunded(1_500), payment.refunded(4_000), payment.refunded(1_500)]
    tell(sessions, *told)
    assert [became(sessions, one).outcome for one in told] == [
        "15.00 EUR went back to the payer, and a person has to settle where it is taken from",
        "25.00 EUR went back to the payer, and a person has to settle where it is taken from",
        "The refund was recorded before",
    ]
    unmatched = [case for case in open_cases(sessions) if case[0] is CaseKind.REFUND_UNMATCHED]
    assert unmatched == [(CaseKind.REFUND_UNMATCHED, 1_500, None), (CaseKind.REFUND_UNMATCHED, 2_500, None)]
    assert books(sessions)["cash"] == 4_000


def test_a_refund_that_did_not_reach_the_payer_is_a_case_once_and_the_books_stay(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    failed = payment.refund_failed(3_000)
    tell(sessions, payment.succeeded(), payment.refunded(3_000), failed, failed | {"id": "evt_again"})
    assert open_cases(sessions) == [(CaseKind.REFUND_FAILED, 3_000, None)]
    assert became(sessions, failed).outcome == (
        "The refund of 30.00 EUR did not reach the payer (lost or stolen card): the payment service has the money "
        "again. Pay it back in another way, and note how"
    )
    assert books(sessions) == {"cash": 7_000, "revenue": -7_000}


@on_sqlite
def test_a_refund_that_was_canceled_while_it_waited_did_not_reach_the_payer_either(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    sent = payment.refund_updated(3_000, "succeeded")
    tell(sessions, payment.succeeded(), payment.refunded(3_000), sent)
    assert open_cases(sessions) == []
    canceled = payment.refund_updated(3_000, "canceled")
    tell(sessions, canceled)
    assert open_cases(sessions) == [(CaseKind.REFUND_FAILED, 3_000, None)]
    assert "did not reach the payer (it was canceled)" in became(sessions, canceled).outcome


@on_sqlite
def test_a_payment_taken_off_its_invoice_is_paid_back_from_credit(sessions, place):
    """The invoice is open again, because another payment of it was undone."""
    invoice, link = place
    with sessions.begin() as session:
        customer = session.get_one(Customer, invoice.customer_id)
        by_bank = pay(session, customer, 4_000, **{str(invoice.id): 4_000}).id
    payment = paying(link, invoice, amount=6_000)
    tell(sessions, payment.succeeded())
    assert status(sessions, invoice) == "paid"
    with sessions.begin() as session:
        received.undo(session, SYSTEM, by_bank, reason="Wrong customer", today=TODAY, now=LATER)
    tell(sessions, payment.refunded(6_000))
    assert status(sessions, invoice) == "sent"
    assert books(sessions) == {"receivable": 10_000, "revenue": -10_000}


def test_what_was_asked_for_here_bears_its_reason_and_name(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.succeeded())
    recorded = the_payment(sessions)
    asked = {"payment_id": recorded.id, "invoice_id": invoice.id, "currency": "EUR", "created_by_id": None}
    with sessions.begin() as session:
        request = RefundRequest(
            amount_minor=2_500, reason="Broken on arrival", created_at=LATER, created_by="Grace Hopper", **asked
        )
        session.add(request)
    tell(sessions, payment.refunded(2_500))
    with sessions.begin() as session:
        request = session.get_one(RefundRequest, request.id)
        refund = session.scalars(select(Refund)).one()
        assert (refund.reason, refund.created_by) == ("Broken on arrival", "Grace Hopper")
        assert (request.state, request.refund_id) == (RefundRequestState.DONE, refund.id)
        # The answer to the request comes after the event.
        days = {"refunded_on": TODAY, "today": TODAY, "now": LATER}
        again = refund_recording.note_refunded(session, SYSTEM, recorded.id, 2_500, reason="", request=request, **days)
        assert again == []
    assert books(sessions) == {"cash": 7_500, "revenue": -7_500}


def test_a_dispute_is_shown_and_a_lost_one_is_a_case(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.disputed())
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Dispute)) == 0
        assert queries.events(session, SYSTEM, EventFilter())[0].state is WebhookState.IGNORED
    # Not known for so long that it was given up: now it is applied after all.
    tell(sessions, payment.succeeded(), now=LATER + timedelta(days=30))
    with sessions() as session:
        (row,) = queries.disputes(session, SYSTEM, invoice_id=invoice.id)
        assert (row.state, row.amount_minor, row.reason) == (DisputeState.OPEN, 10_000, "fraudulent")
    tell(sessions, payment.dispute_closed("lost"), {**payment.disputed(), "id": "evt_late"})
    with sessions() as session:
        (row,) = queries.disputes(session, SYSTEM, payment_id=the_payment(sessions).id)
        assert row.state is DisputeState.LOST
    assert open_cases(sessions) == [(CaseKind.DISPUTE_LOST, 10_000, None)]
    assert [kind for kind in kinds(sessions, invoice) if "disput" in kind] == ["disputed", "dispute_closed"]


@on_sqlite
def test_a_dispute_that_names_no_payment_is_about_none_of_ours(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    nameless = payment.disputed()
    nameless["data"]["object"] |= {"charge": None, "payment_intent": None}
    tell(sessions, payment.succeeded(), nameless)
    assert became(sessions, nameless).state is WebhookState.IGNORED
    with sessions() as session:
        assert queries.disputes(session, SYSTEM) == []

"""Reading events at their edges: what is not there, what is too long, what is just enough to be money."""

from datetime import UTC, datetime

import pytest

from billing_core.errors import Invalid
from billing_core.online_payments.models import DisputeState
from billing_core.online_payments.webhooks.events import fact_of
from billing_core.online_payments.webhooks.facts import (
    Disputed,
    MarkedPaid,
    Noted,
    Paid,
    Refs,
    Refunded,
    RefundFailed,
    Unused,
)
from tests.online_payments.stripe.events import Paying, event

OURS = {"link_id": "lnk_1", "invoice_id": "inv_1"}
PAYING = Paying(metadata=OURS, link="plink_1", number=7)
HOSTED = Paying(metadata=OURS, hosted="in_7", number=7)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def read(kind, thing):
    return fact_of(event(kind, thing))


def session(**more):
    return read("checkout.session.completed", PAYING.session(**more))


def charge(**more):
    return read("charge.succeeded", PAYING.charge(**{"status": "succeeded", **more}))


def invoice_paid(**more):
    return read("invoice.paid", HOSTED.invoice(**more))


def test_a_session_is_money_once_it_is_paid():
    assert isinstance(session(), Paid)
    assert session(payment_status="unpaid").outcome == "The customer has finished, and the money is still on its way"
    assert session(payment_intent=None) == Unused("Nothing was charged")
    assert session(payment_intent={"id": "pi_9"}).key == "pi_9"
    late = read("checkout.session.async_payment_failed", PAYING.session())
    assert (late.reason, late.used_up) == ("The customer's bank did not pay", True)


@pytest.mark.parametrize(
    ("paid", "elsewhere", "minor"),
    [(100, 0, 100), (100, None, 100), (100, 99, 1), (100, 100, None), (0, 0, None)],
)
def test_an_invoice_is_paid_by_what_came_through_the_gateway(paid, elsewhere, minor):
    fact = invoice_paid(amount_paid=paid, amount_paid_off_stripe=elsewhere)
    assert (fact.amount_minor if isinstance(fact, Paid) else None) == minor
    assert isinstance(fact, Paid | MarkedPaid | Noted)


def test_an_invoice_names_the_payment_behind_it_where_it_has_it():
    assert invoice_paid().intent_id is None
    assert invoice_paid(payments=None).intent_id is None
    unpaid = {"payment": None}
    paid = {"payment": {"payment_intent": "pi_9"}}
    assert invoice_paid(payments={"data": [unpaid, paid]}).intent_id == "pi_9"
    assert (invoice_paid().by_invoice, charge().by_invoice) == (True, False)
    assert (invoice_paid().sent, charge().sent, session().sent) == (True, False, False)
    assert invoice_paid(collection_method="charge_automatically").sent is False


def test_a_charge_proves_a_payment_that_is_ours_and_done():
    proven = charge()
    assert (proven.key, proven.intent_id, proven.charge_id) == ("pi_00000007", "pi_00000007", "ch_00000007")
    assert charge(payment_intent=None).key == "ch_00000007"
    assert charge(metadata={"link_id": "lnk_1"}).refs == Refs("lnk_1")
    assert charge(metadata={"invoice_id": "inv_1"}).refs == Refs("", "inv_1")
    for lacking in ({"metadata": {}}, {"metadata": None}, {"paid": False}, {"captured": False}, {"status": "pending"}):
        assert charge(**lacking) == Unused("Told by the payment's other events")


def test_a_refunded_charge_says_what_came_in_and_what_went_back():
    fact = read("charge.refunded", PAYING.charge(status="succeeded", amount_refunded=25))
    assert isinstance(fact, Refunded)
    assert (fact.refunded_minor, fact.intent_id, fact.charge_id) == (25, "pi_00000007", "ch_00000007")
    assert (fact.paid.amount_minor, fact.paid.charge_id) == (10_000, "ch_00000007")


def a_refund(**more):
    known = {"id": "re_1", "object": "refund", "amount": 25, "currency": "eur", "status": "failed"}
    return known | {"charge": "ch_7", "payment_intent": "pi_7", "failure_reason": "lost_or_stolen_card"} | more


def test_a_refund_that_failed_says_why():
    assert read("refund.failed", a_refund()) == RefundFailed(
        NOON, "re_1", "pi_7", "ch_7", "EUR", 25, "lost or stolen card"
    )
    assert read("refund.failed", a_refund(failure_reason=None, charge=None)).reason == ""
    assert read("refund.failed", a_refund(charge=None)).charge_id == ""
    assert read("refund.failed", a_refund(charge={"id": "ch_9"})).charge_id == "ch_9"
    assert read("refund.failed", a_refund(failure_reason="x" * 101)).reason == "x" * 100
    assert read("refund.updated", a_refund(status="canceled")).reason == "it was canceled"
    for status in ("succeeded", "pending", "failed"):
        assert read("refund.updated", a_refund(status=status)) == Unused("Told by the charge's own events")


def a_dispute(**more):
    known = {"id": "dp_1", "object": "dispute", "amount": 25, "currency": "eur", "created": 0, "status": "lost"}
    return known | {"charge": "ch_7", "payment_intent": "pi_7", "reason": "fraudulent"} | more


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("won", DisputeState.WON),
        ("lost", DisputeState.LOST),
        ("warning_closed", DisputeState.WON),
        ("prevented", DisputeState.WON),
        ("under_review", DisputeState.OPEN),
        ("needs_response", DisputeState.OPEN),
    ],
)
def test_a_dispute_says_how_it_stands(status, state):
    fact = read("charge.dispute.closed", a_dispute(status=status))
    assert isinstance(fact, Disputed)
    assert (fact.state, fact.opened_at, fact.at) == (state, datetime(1970, 1, 1, tzinfo=UTC), NOON)


def test_a_disputes_reason_is_a_line_and_its_charge_may_be_there_whole():
    fact = read("charge.dispute.created", a_dispute(reason="x\n" + "y" * 100, charge={"id": "ch_9"}))
    assert (fact.reason, fact.charge_id) == ("x " + "y" * 98, "ch_9")
    assert read("charge.dispute.created", a_dispute(charge=None)).charge_id == ""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (None, "The payment failed"),
        ({}, "The payment failed"),
        ({"message": " "}, "The payment failed"),
        ({"message": "No."}, "No."),
        ({"message": "No.", "decline_code": "do_not_honor"}, "No. (do not honor)"),
        ({"message": "Not do not honor.", "decline_code": "do_not_honor"}, "Not do not honor."),
        ({"decline_code": "lost_card"}, "The payment failed (lost card)"),
        ({"message": "x" * 301}, "x" * 300),
    ],
)
def test_why_a_payment_failed_is_told_in_a_line(error, reason):
    fact = read("payment_intent.payment_failed", PAYING.intent(last_payment_error=error))
    assert (fact.refs, fact.at, fact.reason) == (Refs("lnk_1", "inv_1"), NOON, reason)
    assert read("invoice.payment_failed", HOSTED.invoice(last_payment_error=error)).reason == reason


@pytest.mark.parametrize(
    ("named", "read_as"), [("lnk_\0x", "lnk_x"), ("x" * 65, "x" * 64), (7, ""), (None, ""), ("", "")]
)
def test_ids_that_others_may_have_written_fit_our_columns(named, read_as):
    refs = read("payment_intent.succeeded", PAYING.intent(metadata={"link_id": named})).refs
    assert (refs.link_id, refs.given) == (read_as, bool(read_as))


@pytest.mark.parametrize("amount", [-1, True, 1.0, "100", None])
def test_what_is_no_amount_is_refused(amount):
    with pytest.raises(Invalid, match="does not have the shape of a payment_intent"):
        read("payment_intent.succeeded", PAYING.intent(amount_received=amount))
    assert read("payment_intent.succeeded", PAYING.intent(amount_received=0)).amount_minor == 0

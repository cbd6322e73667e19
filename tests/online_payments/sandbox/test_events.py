"""The sandbox's events are what Stripe would send of the same payment."""

import json
import re
from datetime import date

import pytest
from sqlalchemy import select

from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices.payment_links import CollectionWay, Mode
from billing_core.online_payments.models import SandboxCharge
from billing_core.online_payments.sandbox import events
from billing_core.online_payments.sandbox import gateway as sandbox
from billing_core.online_payments.sandbox.cards import Outcome, outcome
from billing_core.online_payments.sandbox.events import Tried
from billing_core.online_payments.webhooks.events import fact_of
from billing_core.online_payments.webhooks.facts import Failed, Paid
from billing_core.outbox.models import OutboxMessage
from tests.online_payments.linked import BY_LINK, HOSTED, a_link
from tests.payments.books import NOW, a_customer, an_open_invoice


@pytest.fixture
def linked(session):
    """An invoice of so many euros with a link of the sandbox."""

    def make(way=BY_LINK, price="100", currency="EUR"):
        invoice = an_open_invoice(session, a_customer(session), price, currency=currency)
        link = a_link(session, invoice, way=way)
        link.mode = Mode.SANDBOX
        link.charge = {"invoice_id": invoice.public_id, "invoice_number": invoice.number}
        session.flush()
        return invoice, link

    return make


def told(session):
    rows = session.scalars(select(OutboxMessage).where(OutboxMessage.channel == "sandbox").order_by(OutboxMessage.id))
    return [json.loads(row.content["event"]) for row in rows]


def pay(session, link, how=Outcome.SUCCEEDS):
    return sandbox.pay(session, SYSTEM, link.id, how, now=NOW)


def test_a_payment_by_link_is_told_by_its_intent_and_its_session(session, linked):
    invoice, link = linked()
    charge = pay(session, link)
    ids = {"invoice_id": invoice.public_id, "link_id": link.public_id, "invoice_number": invoice.number}
    intent, done = told(session)
    assert (intent["type"], done["type"]) == ("payment_intent.succeeded", "checkout.session.completed")
    assert (intent["livemode"], intent["created"]) == (False, int(NOW.timestamp()))
    assert (intent["object"], intent["pending_webhooks"]) == ("event", 1)
    assert intent["data"]["object"]["livemode"] is False
    assert intent["data"]["object"]["metadata"] == done["data"]["object"]["metadata"] == ids
    assert (intent["data"]["object"]["status"], intent["data"]["object"]["last_payment_error"]) == ("succeeded", None)
    for event in (intent, done):
        fact = fact_of(event)
        assert isinstance(fact, Paid)
        assert (fact.key, fact.amount_minor, fact.currency) == (charge.intent_id, 100_00, "EUR")
    assert fact_of(intent).charge_id == charge.charge_id
    assert fact_of(done).refs.gateway_link_id == link.gateway_id
    assert re.fullmatch("pi_sandbox_[0-9a-f]{24}", charge.intent_id)
    assert re.fullmatch("ch_sandbox_[0-9a-f]{24}", charge.charge_id)
    assert re.fullmatch("evt_sandbox_[0-9a-f]{24}", intent["id"])
    session_id = done["data"]["object"]["id"]
    assert session_id == charge.intent_id.replace("pi_", "cs_")


def test_a_hosted_invoice_is_told_by_itself(session, linked):
    _, link = linked(HOSTED)
    pay(session, link)
    (event,) = told(session)
    thing = event["data"]["object"]
    assert (event["type"], thing["id"], thing["status"]) == ("invoice.paid", link.gateway_id, "paid")
    assert (thing["amount_due"], thing["amount_paid"], thing["amount_remaining"]) == (100_00, 100_00, 0)
    fact = fact_of(event)
    assert (fact.key, fact.amount_minor, fact.sent) == (link.gateway_id, 100_00, True)


@pytest.mark.parametrize(
    ("way", "kind"), [(BY_LINK, "payment_intent.payment_failed"), (HOSTED, "invoice.payment_failed")]
)
@pytest.mark.parametrize(
    ("how", "message"),
    [
        (Outcome.DECLINED, "Your card was declined."),
        (Outcome.EXPIRED, "Your card has expired."),
        (Outcome.AUTHENTICATION, "The cardholder did not authenticate the payment."),
    ],
)
def test_a_failure_is_told_with_its_reason(session, linked, way, kind, how, message):
    _, link = linked(way)
    charge = pay(session, link, how)
    (event,) = told(session)
    thing = event["data"]["object"]
    assert event["type"] == kind
    assert thing["last_payment_error"] == {"type": "card_error", "code": how.value, "message": message}
    paid = thing["amount_paid"] if way is HOSTED else thing["amount_received"]
    assert (paid, charge.fee_minor, charge.succeeded) == (0, 0, False)
    assert thing["status"] == ("open" if way is HOSTED else "requires_payment_method")
    assert thing.get("amount_remaining", 100_00) == 100_00
    assert isinstance(fact_of(event), Failed)


@pytest.mark.parametrize("way", CollectionWay)
def test_a_refund_is_told_by_its_charge_which_keeps_a_hosted_invoices_ids_to_itself(session, linked, way):
    invoice, link = linked(way)
    charge = pay(session, link)
    for refunded, whole in ((99_99, False), (100_00, True)):
        charge.refunded_minor = refunded
        events.tell_refund(session, SYSTEM, Tried(invoice, charge, link), now=NOW)
        event = told(session)[-1]
        thing = event["data"]["object"]
        assert (event["type"], thing["amount_refunded"], thing["refunded"]) == ("charge.refunded", refunded, whole)
        assert (thing["paid"], thing["captured"], thing["amount"]) == (True, True, 100_00)
        assert thing["metadata"] == ({} if way is HOSTED else Tried(invoice, charge, link).metadata)
        fact = fact_of(event)
        assert (fact.refunded_minor, fact.charge_id, fact.intent_id) == (refunded, charge.charge_id, charge.intent_id)
        assert (fact.paid is None) is (way is HOSTED)


@pytest.mark.parametrize(
    ("price", "fee"),
    # 2.9 % and 30 cents: 2.90 of 100.00; 0.0145 of 0.50 is one cent; never more than the payment itself.
    [("100", 3_20), ("0.50", 31), ("0.30", 30), ("0.31", 31), ("0.32", 31)],
)
def test_a_payments_fee_is_never_more_than_the_payment(session, linked, price, fee):
    _, link = linked(price=price)
    assert pay(session, link).fee_minor == fee
    assert session.scalars(select(SandboxCharge.refunded_minor)).one() == 0


def problem_of(*, number="4242424242424242", expiry="03/26", cvc="123", today=date(2026, 3, 1)):
    try:
        outcome(number, expiry, cvc, today=today)
    except Invalid as refused:
        return refused.fields
    return {}


@pytest.mark.parametrize(
    ("expiry", "problem"),
    [
        ("03/26", None),
        ("02/26", "over"),
        ("12/25", "over"),
        ("1/27", None),
        ("12/2026", None),
        ("0326", None),
        ("03-26", None),
        (" 03 / 26 ", None),
        ("13/26", "incomplete"),
        ("00/26", "incomplete"),
        ("03/٢٦", "incomplete"),
        ("03/126", "incomplete"),
    ],
)
def test_a_card_is_good_until_the_end_of_its_month(expiry, problem):
    assert problem_of(expiry=expiry, today=date(2026, 3, 31)) == ({} if problem is None else {"expiry": problem})


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        ("42424242424", "incomplete"),
        ("424242424242", "real"),
        ("4242424242424242424", "wrong"),
        ("42424242424242424242", "incomplete"),
        ("4242424242424224", "wrong"),
        ("6011111111111117", "real"),
        ("371449635398431", "real"),
        ("٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", "incomplete"),
    ],
)
def test_a_number_has_twelve_to_nineteen_digits_that_add_up(number, problem):
    assert problem_of(number=number) == {"number": problem}


@pytest.mark.parametrize(("cvc", "fits"), [("123", True), (" 1234 ", True), ("12", False), ("12345", False)])
def test_a_code_has_three_or_four_digits(cvc, fits):
    assert problem_of(cvc=cvc) == ({} if fits else {"cvc": "incomplete"})

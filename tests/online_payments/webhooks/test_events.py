"""Reading an event, without a database: what it says of money, and whose it is."""

from datetime import UTC, datetime

import pytest

from billing_core.errors import Invalid
from billing_core.online_payments.models import DisputeState
from billing_core.online_payments.webhooks.events import fact_of
from billing_core.online_payments.webhooks.facts import (
    Disputed,
    Failed,
    MarkedPaid,
    Noted,
    Paid,
    Refs,
    Refunded,
    Unused,
)
from tests.online_payments.stripe.events import Paying, event

OURS = {"link_id": "lnk_1", "invoice_id": "inv_1"}
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
PAYING = Paying(metadata=OURS, link="plink_1", number=7)
HOSTED = Paying(metadata=OURS, hosted="in_7", number=7)
BY_NAME = Refs("lnk_1", "inv_1")
MONEY = {"currency": "EUR", "amount_minor": 10_000}


@pytest.mark.parametrize(
    ("told", "fact"),
    [
        (
            PAYING.succeeded(),
            Paid(BY_NAME, NOON, "pi_00000007", **MONEY, intent_id="pi_00000007", charge_id="ch_00000007"),
        ),
        (
            PAYING.completed(),
            Paid(
                Refs("lnk_1", "inv_1", "plink_1", "in_receipt00000007"),
                *(NOON, "pi_00000007"),
                **MONEY,
                intent_id="pi_00000007",
            ),
        ),
        (
            PAYING.charged(),
            Paid(BY_NAME, NOON, "pi_00000007", **MONEY, intent_id="pi_00000007", charge_id="ch_00000007"),
        ),
        (HOSTED.invoice_paid(), Paid(Refs("lnk_1", "inv_1", "", "in_7"), NOON, "in_7", **MONEY, sent=True)),
        # 60.00 of it were paid in cash, which somebody noted at Stripe.
        (
            HOSTED.invoice_paid(amount_paid_off_stripe=6_000),
            Paid(Refs("lnk_1", "inv_1", "", "in_7"), NOON, "in_7", "EUR", 4_000, sent=True),
        ),
        (
            HOSTED.invoice_paid(amount_paid_off_stripe=10_000),
            MarkedPaid(Refs("lnk_1", "inv_1", "", "in_7"), NOON, "in_7", **MONEY),
        ),
        # As versions of Stripe's API before 2025 say it.
        (
            HOSTED.invoice_paid(paid_out_of_band=True, charge=None, payment_intent=None),
            MarkedPaid(Refs("lnk_1", "inv_1", "", "in_7"), NOON, "in_7", **MONEY),
        ),
        (
            HOSTED.invoice_paid(paid_out_of_band=False, charge="ch_7", payment_intent="pi_7"),
            Paid(
                *(Refs("lnk_1", "inv_1", "", "in_7"), NOON, "in_7"),
                **MONEY,
                intent_id="pi_7",
                charge_id="ch_7",
                sent=True,
            ),
        ),
        (
            event("invoice.paid", HOSTED.invoice()) | {"object": "v2.core.event", "created": "2026-03-10T12:00:00Z"},
            Unused("Only names what changed, without its contents: nothing is done with such events"),
        ),
        # Our ids are not on what a hosted invoice charges.
        (HOSTED.charged(), Unused("Told by the payment's other events")),
        (
            HOSTED.refunded(500),
            Refunded(Refs(), NOON.replace(hour=13), "pi_00000007", "ch_00000007", 500, None),
        ),
        (
            PAYING.failed("Your card\x00 has\nexpired.", code="expired_card"),
            Failed(
                *(BY_NAME, NOON.replace(hour=11, minute=59), "Your card has expired. (expired card)"),
                code="card_declined",
                decline_code="expired_card",
                intent_id="pi_00000007",
            ),
        ),
        (
            PAYING.expired(),
            Noted(Refs("lnk_1", "inv_1", "plink_1"), "The customer has begun to pay and not finished"),
        ),
        (
            PAYING.disputed(),
            Disputed(
                *("dp_00000007", NOON.replace(hour=14), NOON.replace(hour=14), "pi_00000007", "ch_00000007"),
                **MONEY,
                reason="fraudulent",
                state=DisputeState.OPEN,
            ),
        ),
        (event("price.created", {"id": "price_1"}), Unused("Nothing is done with events of this type")),
    ],
)
def test_what_an_event_says(told, fact):
    assert fact_of(told) == fact


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("won", DisputeState.WON),
        ("lost", DisputeState.LOST),
        ("warning_closed", DisputeState.WON),
        ("x", DisputeState.OPEN),
    ],
)
def test_how_a_dispute_ends(status, state):
    assert fact_of(PAYING.dispute_closed(status)).state is state


def test_things_may_be_there_whole_instead_of_by_their_id():
    whole = PAYING.session(payment_intent={"id": "pi_9", "object": "payment_intent"}, payment_link={"id": "plink_2"})
    fact = fact_of(event("checkout.session.completed", whole))
    assert (fact.key, fact.refs.gateway_link_id) == ("pi_9", "plink_2")
    payments = {"data": [{"payment": {"type": "payment_intent", "payment_intent": "pi_8"}}]}
    assert fact_of(HOSTED.invoice_paid(payments=payments)).intent_id == "pi_8"


@pytest.mark.parametrize(
    "thing",
    [
        {},
        "text",
        PAYING.intent(amount_received="100"),
        PAYING.intent(amount_received=True),
        PAYING.intent(amount_received=-1),
        PAYING.intent(amount_received=1.5),
        PAYING.intent(currency="zzz"),
        PAYING.intent(currency=None),
        PAYING.intent(metadata=["link_id"]),
    ],
)
def test_another_shape_is_refused_in_words(thing):
    with pytest.raises(Invalid):
        fact_of(event("payment_intent.succeeded", thing))

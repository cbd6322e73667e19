"""Cards that Stripe keeps and charges without the customer, by its own library against the stand-in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing_core.errors import UpstreamFailed
from billing_core.online_payments.gateway import Charged, ChargeOutcome, Declined, GatewayCustomer, OffSessionCharge
from tests.online_payments.stripe import cards

CONTOSO = GatewayCustomer("cus_0123456789abcdef", "Contoso AG", "ap@contoso.example")


def kept(stand_in, method_id="pm_card_visa", customer=CONTOSO):
    return stand_in.gateway().attach(customer, method_id, key=f"attach_{method_id}")


def asked(attached, **facts) -> OffSessionCharge:
    charge = OffSessionCharge(
        attempt_id="att_0123456789abcdef",
        invoice_id="inv_0123456789abcdef",
        gateway_customer_id=attached.gateway_customer_id,
        gateway_method_id=attached.gateway_id,
        currency="EUR",
        amount_minor=149_405,
        description="INV-2026-014 · Northwind",
        started_at=datetime.now(UTC),
    )
    return replace(charge, **facts)


def charged(stand_in, charge) -> Charged:
    return stand_in.gateway().charge_off_session(charge, key=charge.attempt_id)


def test_a_card_is_kept_for_a_customer_of_stripes(stripe_stand_in):
    attached = kept(stripe_stand_in)
    (customer,) = stripe_stand_in.all("customer")
    assert (customer["name"], customer["email"]) == ("Contoso AG", "ap@contoso.example")
    assert customer["metadata"] == {"customer_id": CONTOSO.public_id}
    assert attached.gateway_customer_id == customer["id"]
    assert stripe_stand_in.one("payment_method", attached.gateway_id)["customer"] == customer["id"]
    assert (attached.brand, attached.last4, attached.exp_month, attached.exp_year) == ("visa", "4242", 8, 2031)


def test_a_customer_is_made_once(stripe_stand_in):
    first = kept(stripe_stand_in)
    kept(stripe_stand_in, "pm_card_mastercard")
    kept(stripe_stand_in, "pm_card_amex", replace(CONTOSO, gateway_id=first.gateway_customer_id))
    assert len(stripe_stand_in.all("customer")) == 1
    # With other contents it is another request: Stripe would refuse the same key.
    kept(stripe_stand_in, "pm_card_discover", replace(CONTOSO, email=""))
    assert len(stripe_stand_in.all("customer")) == 2


def test_a_card_that_the_bank_refuses_is_not_kept(stripe_stand_in):
    with pytest.raises(Declined, match=r"The card was refused: Your card was declined\."):
        kept(stripe_stand_in, "pm_card_visa_chargeDeclined")


def test_what_stripe_does_not_know_is_not_kept(stripe_stand_in):
    with pytest.raises(Declined, match="No such payment_method"):
        kept(stripe_stand_in, "pm_1234567890")


def test_a_card_that_the_customer_entered_at_stripe_is_theirs_already(stripe_stand_in):
    known = replace(CONTOSO, gateway_id=kept(stripe_stand_in).gateway_customer_id)
    entered = cards.a_card(stripe_stand_in, "pm_card_visa", customer=known.gateway_id)["id"]
    assert kept(stripe_stand_in, entered, known).gateway_id == entered
    theirs = cards.a_card(stripe_stand_in, "pm_card_visa", customer="cus_of_somebody_else")["id"]
    with pytest.raises(Declined, match="already been attached"):
        kept(stripe_stand_in, theirs, known)


def test_only_cards_are_kept(stripe_stand_in):
    debit = cards.a_card(stripe_stand_in, "", kind="sepa_debit")["id"]
    with pytest.raises(Declined, match="Only cards"):
        kept(stripe_stand_in, debit)
    assert stripe_stand_in.one("payment_method", debit)["customer"] is None


def test_a_card_is_forgotten_once(stripe_stand_in):
    attached = kept(stripe_stand_in)
    for key in ("detach_1", "detach_1", "detach_2"):
        stripe_stand_in.gateway().detach(attached.gateway_id, key=key)
    assert stripe_stand_in.one("payment_method", attached.gateway_id)["customer"] is None


def test_a_card_that_stripe_never_had_cannot_be_forgotten(stripe_stand_in):
    with pytest.raises(Declined, match="No such payment_method"):
        stripe_stand_in.gateway().detach("pm_1", key="detach_1")


def test_a_charge_carries_our_names_and_knows_its_fee(stripe_stand_in):
    charge = asked(kept(stripe_stand_in))
    answer = charged(stripe_stand_in, charge)
    intent = stripe_stand_in.one("payment_intent", answer.intent_id)
    assert (intent["amount"], intent["currency"], intent["customer"]) == (149_405, "eur", charge.gateway_customer_id)
    assert intent["metadata"] == {"invoice_id": charge.invoice_id, "attempt_id": charge.attempt_id}
    assert answer == Charged(ChargeOutcome.SUCCEEDED, intent["id"], intent["latest_charge"], 59)
    (request,) = [one for one in stripe_stand_in.requests if one.path == "/v1/payment_intents"]
    assert request.key == charge.attempt_id
    assert request.form["description"] == "INV-2026-014 · Northwind"
    assert request.form["allowed_payment_method_types"] == ["card"]


@pytest.mark.parametrize(
    ("method_id", "outcome", "decline_code", "message", "hard"),
    [
        (
            *("pm_card_chargeCustomerFail", ChargeOutcome.DECLINED, "generic_decline"),
            *("Your card was declined. (generic decline)", False),
        ),
        (
            *("pm_card_authenticationRequired", ChargeOutcome.AUTHENTICATION, "authentication_required"),
            *("Your card was declined. This transaction requires authentication. (authentication required)", False),
        ),
        ("pm_card_lost", ChargeOutcome.DECLINED, "lost_card", "Your card was declined. (lost card)", True),
    ],
)
def test_a_refused_charge_says_why(stripe_stand_in, method_id, outcome, decline_code, message, hard):
    charge = asked(kept(stripe_stand_in, method_id))
    answer = charged(stripe_stand_in, charge)
    (intent,) = stripe_stand_in.all("payment_intent")
    assert answer == Charged(outcome, intent["id"], decline_code=decline_code, message=message, hard=hard)
    # Asked again, also after a day, it is the same refusal of the same charge.
    stripe_stand_in.forget_keys()
    assert charged(stripe_stand_in, replace(charge, started_at=charge.started_at - timedelta(days=2))) == answer
    assert len(stripe_stand_in.all("payment_intent")) == 1


@pytest.mark.parametrize("days", [0, 2])
def test_a_charge_whose_answer_was_lost_is_made_once_however_late_it_is_asked_for_again(stripe_stand_in, days):
    charge = asked(kept(stripe_stand_in))
    stripe_stand_in.drop_next(path="/v1/payment_intents", times=3)
    with pytest.raises(UpstreamFailed):
        charged(stripe_stand_in, charge)
    (intent,) = stripe_stand_in.all("payment_intent")
    if days:
        stripe_stand_in.forget_keys()
    answer = charged(stripe_stand_in, replace(charge, started_at=charge.started_at - timedelta(days=days)))
    assert (answer.outcome, answer.intent_id, answer.fee_minor) == (ChargeOutcome.SUCCEEDED, intent["id"], 59)
    assert len(stripe_stand_in.all("payment_intent")) == 1


def test_a_charge_that_never_reached_stripe_is_made_later(stripe_stand_in):
    attached = kept(stripe_stand_in)
    charged(stripe_stand_in, asked(attached, attempt_id="att_another"))
    late = asked(attached, started_at=datetime.now(UTC) - timedelta(days=2))
    assert charged(stripe_stand_in, late).outcome is ChargeOutcome.SUCCEEDED
    assert len(stripe_stand_in.all("payment_intent")) == 2


@pytest.mark.parametrize(
    ("status", "outcome"), [("requires_action", ChargeOutcome.AUTHENTICATION), ("canceled", ChargeOutcome.DECLINED)]
)
def test_a_charge_found_later_says_how_it_stands(stripe_stand_in, status, outcome):
    charge = asked(kept(stripe_stand_in))
    intent_id = charged(stripe_stand_in, charge).intent_id
    stripe_stand_in.one("payment_intent", intent_id)["status"] = status
    again = charged(stripe_stand_in, replace(charge, started_at=charge.started_at - timedelta(days=1)))
    assert (again.outcome, again.intent_id) == (outcome, intent_id)
    assert again.message


def test_a_charge_that_is_not_decided_yet_is_asked_for_later(stripe_stand_in):
    charge = asked(kept(stripe_stand_in))
    stripe_stand_in.one("payment_intent", charged(stripe_stand_in, charge).intent_id)["status"] = "processing"
    with pytest.raises(UpstreamFailed, match="not decided"):
        charged(stripe_stand_in, replace(charge, started_at=charge.started_at - timedelta(days=1)))


def test_an_amount_that_stripe_cannot_charge_is_refused(stripe_stand_in):
    attached = kept(stripe_stand_in)
    with pytest.raises(Declined):
        charged(stripe_stand_in, asked(attached, currency="KWD", amount_minor=1_001))
    with pytest.raises(Declined, match="does not belong"):
        charged(stripe_stand_in, asked(attached, gateway_customer_id="cus_of_somebody_else"))


def test_a_customer_enters_a_card_on_stripes_own_page(stripe_stand_in):
    gateway = stripe_stand_in.gateway()
    address = gateway.set_up(CONTOSO, "https://billing.example.com/card/abc/done", key="crq_1")
    (session,) = stripe_stand_in.all("checkout.session")
    assert address == session["url"]
    assert session["success_url"] == "https://billing.example.com/card/abc/done"
    told = cards.enter(stripe_stand_in, session["id"])["data"]["object"]
    assert told["metadata"] == {"request_id": "crq_1"}
    entered = gateway.attach(replace(CONTOSO, gateway_id=told["customer"]), told["payment_method"], key="keep_1")
    assert (entered.gateway_id, entered.gateway_customer_id) == (told["payment_method"], session["customer"])


def test_opened_again_it_is_the_same_page(stripe_stand_in):
    addresses = {stripe_stand_in.gateway().set_up(CONTOSO, "https://b.example/done", key="crq_1") for _ in range(2)}
    assert len(addresses) == len(stripe_stand_in.all("checkout.session")) == 1

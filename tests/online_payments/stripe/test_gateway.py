"""Stripe's own library against a stand-in that checks every parameter as strictly as Stripe's types do."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import stripe
from pydantic import SecretStr
from structlog.testing import CapturingLogger

from billing_core.errors import UpstreamFailed
from billing_core.invoices.payment_links import CollectionWay, Mode
from billing_core.online_payments.gateway import Charge, ChargeLine, Declined, PaymentDetails
from billing_core.online_payments.stripe import gateway as stripe_gateway
from billing_core.online_payments.stripe import transport
from billing_core.online_payments.stripe.gateway import API_VERSION, StripeGateway

LINK, HOSTED = CollectionWay.PAYMENT_LINK, CollectionWay.HOSTED_INVOICE
WAYS = [LINK, HOSTED]

# 3 × 400.00 and 55.50, and 19 % tax on them: 1,200.00 + 55.50 + 238.55 = 1,494.05.
CHARGE = Charge(
    link_id="lnk_0123456789abcdef",
    invoice_id="inv_0123456789abcdef",
    invoice_number="INV-2026-014",
    currency="EUR",
    amount_minor=149_405,
    lines=(ChargeLine("Consulting, day", 40_000, 3), ChargeLine("Travel", 5_550), ChargeLine("Tax 19 %", 23_855)),
    customer_email="ap+billing@contoso.example",
    customer_name="Contoso AG",
    due_on=date(2026, 12, 20),
    description="Invoice INV-2026-014 · Northwind",
    return_url="https://billing.example.com/pay/abc?done=1",
)
IDS = {"invoice_id": CHARGE.invoice_id, "link_id": CHARGE.link_id, "invoice_number": "INV-2026-014"}


def created(stand_in, way=LINK, charge=CHARGE):
    return stand_in.gateway().create_link(charge, way, key=charge.link_id)


def test_a_payment_link_asks_for_the_amount_due_line_by_line_and_says_whose_it_is(stripe_stand_in):
    place = created(stripe_stand_in)
    link = stripe_stand_in.one("payment_link", place.gateway_id)
    assert [
        (line["price_data"]["product_data"]["name"], line["price_data"]["unit_amount"], line["quantity"])
        for line in link["line_items"]
    ] == [("Consulting, day", 40_000, 3), ("Travel", 5_550, 1), ("Tax 19 %", 23_855, 1)]
    assert link["currency"] == "eur"
    assert link["metadata"] == link["payment_intent_data"]["metadata"] == IDS
    assert link["invoice_creation"]["enabled"] == "true"
    assert link["invoice_creation"]["invoice_data"]["metadata"] == IDS
    assert link["restrictions"]["completed_sessions"]["limit"] == 1
    assert link["after_completion"] == {"type": "redirect", "redirect": {"url": CHARGE.return_url}}
    assert place.url == link["url"] + "?prefilled_email=ap%2Bbilling%40contoso.example"
    assert place.stripe_invoice_id is None
    assert place.request_id.startswith("req_")


def test_a_hosted_invoice_has_its_lines_and_its_address_at_once(stripe_stand_in):
    place = created(stripe_stand_in, HOSTED)
    invoice = stripe_stand_in.one("invoice", place.gateway_id)
    (customer,) = stripe_stand_in.all("customer")
    items = [one for one in reversed(stripe_stand_in.all("invoiceitem")) if one["invoice"] == invoice["id"]]
    assert [(one["description"], one["amount"]) for one in items] == [
        ("Consulting, day × 3", 120_000),
        ("Travel", 5_550),
        ("Tax 19 %", 23_855),
    ]
    assert (invoice["status"], invoice["amount_due"], invoice["metadata"]) == ("open", 149_405, IDS)
    # The 20th of December 2026 to its last second.
    assert invoice["due_date"] == datetime(2026, 12, 21, tzinfo=UTC).timestamp() - 1
    assert (customer["email"], customer["name"]) == (CHARGE.customer_email, "Contoso AG")
    assert place.stripe_invoice_id == place.gateway_id == invoice["id"]
    assert place.url == invoice["hosted_invoice_url"]
    keys = [request.key for request in stripe_stand_in.requests]
    assert len(set(keys)) == len(keys) == 6
    assert all(key.startswith(CHARGE.link_id) for key in keys)


@pytest.mark.parametrize("way", WAYS)
def test_asked_again_after_the_answers_were_lost_there_is_one_place_to_pay(stripe_stand_in, way):
    stripe_stand_in.drop_next(times=3)
    with pytest.raises(UpstreamFailed) as lost:
        created(stripe_stand_in, way)
    assert not isinstance(lost.value, Declined)
    assert created(stripe_stand_in, way).gateway_id == created(stripe_stand_in, way).gateway_id
    assert len(stripe_stand_in.all("payment_link") + stripe_stand_in.all("invoice")) == 1


@pytest.mark.parametrize("way", WAYS)
def test_one_lost_answer_is_asked_for_again_without_bothering_anybody(stripe_stand_in, way):
    stripe_stand_in.drop_next(times=2)
    assert created(stripe_stand_in, way).url
    assert len(stripe_stand_in.all("payment_link") + stripe_stand_in.all("invoice")) == 1


def test_a_failure_that_stripe_repeats_for_a_day_does_not_keep_the_link_from_being_created(stripe_stand_in):
    stripe_stand_in.fail_next(times=3, headers={"Idempotent-Replayed": "true"})
    assert created(stripe_stand_in).url
    assert [request.key for request in stripe_stand_in.requests][-2:] == [CHARGE.link_id, f"{CHARGE.link_id}-again"]


@pytest.mark.parametrize(
    ("charge", "asked"),
    [
        # In Stripe's hundredths of a króna, and in thirds of a dinar's thousandths that end in 0.
        (replace(CHARGE, currency="ISK", amount_minor=700, lines=(ChargeLine("Day", 350, 2),)), [(35_000, 2)]),
        (replace(CHARGE, currency="JPY", amount_minor=700, lines=(ChargeLine("Day", 350, 2),)), [(350, 2)]),
        (replace(CHARGE, currency="KWD", amount_minor=2_470, lines=(ChargeLine("Day", 2_470),)), [(2_470, 1)]),
        # Lines that Stripe cannot take become one.
        (
            replace(CHARGE, currency="KWD", amount_minor=2_470, lines=(ChargeLine("A", 1_234), ChargeLine("B", 1_236))),
            [(2_470, 1)],
        ),
        (replace(CHARGE, amount_minor=2_100, lines=(ChargeLine("Hour", 100),) * 21), [(2_100, 1)]),
        (replace(CHARGE, amount_minor=900, lines=(ChargeLine("Day", 1_000), ChargeLine("Less", -100))), [(900, 1)]),
    ],
)
def test_lines_are_in_stripes_units_or_become_one(stripe_stand_in, charge, asked):
    link = stripe_stand_in.one("payment_link", created(stripe_stand_in, charge=charge).gateway_id)
    lines = link["line_items"]
    assert [(line["price_data"]["unit_amount"], line["quantity"]) for line in lines] == asked


def test_an_amount_that_stripe_cannot_take_is_declined_without_asking(stripe_stand_in):
    charge = replace(CHARGE, currency="KWD", amount_minor=2_471, lines=(ChargeLine("Day", 2_471),))
    with pytest.raises(Declined, match=r"2\.471 KWD cannot be paid through Stripe"):
        created(stripe_stand_in, charge=charge)
    assert stripe_stand_in.requests == []


def test_lines_that_do_not_add_up_are_never_asked_for(stripe_stand_in):
    with pytest.raises(ValueError, match="do not add up"):
        created(stripe_stand_in, charge=replace(CHARGE, amount_minor=149_404))
    assert stripe_stand_in.requests == []


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        ({"status": 500}, UpstreamFailed, "Stripe has a problem of its own"),
        ({"status": 503}, UpstreamFailed, "Stripe has a problem of its own"),
        ({"status": 429, "code": "rate_limit"}, UpstreamFailed, "too many requests"),
        ({"status": 409, "code": "idempotency_key_in_use"}, UpstreamFailed, "still at work"),
        ({"status": 401}, UpstreamFailed, "does not know the secret key: check STRIPE_SECRET_KEY"),
        (
            {"status": 403, "message": "This key may not."},
            Declined,
            "key may not do this at Stripe: This key",
        ),
        ({"status": 400, "kind": "idempotency_error"}, Declined, "with other contents"),
        ({"status": 402, "kind": "card_error", "message": "Declined."}, Declined, "The card was refused: Declined"),
        ({"status": 400, "message": "No capability: card_payments."}, Declined, "Stripe refuses this: No capability"),
        ({"status": 404, "message": "No such invoice."}, Declined, "Stripe refuses this: No such invoice"),
        ({"status": 400, "message": "Key sk_test_StandIn0123456789, whsec_abc9."}, Declined, "Key …, …"),
    ],
)
def test_each_of_stripes_errors_is_one_of_ours_with_its_request_and_without_a_key(
    stripe_stand_in, monkeypatch, trouble, kind, words
):
    log = CapturingLogger()
    monkeypatch.setattr(stripe_gateway, "_log", log)
    stripe_stand_in.fail_next(**trouble, times=3, headers={"Request-Id": "req_trouble1"})
    with pytest.raises(UpstreamFailed) as failed:
        created(stripe_stand_in)
    assert type(failed.value) is kind
    assert words in str(failed.value)
    assert "req_trouble1" in str(failed.value)
    assert "StandIn" not in str(failed.value)
    (written,) = log.calls
    assert (written.kwargs["stripe_request"], written.kwargs["status"]) == ("req_trouble1", trouble["status"])
    assert "StandIn" not in str(written)
    assert stripe_stand_in.all("payment_link") == []


def test_a_wrong_key_is_told_without_showing_it(stripe_stand_in):
    with pytest.raises(UpstreamFailed, match="check STRIPE_SECRET_KEY") as failed:
        stripe_stand_in.gateway("sk_test_Wrong0123456789").create_link(CHARGE, LINK, key="k")
    assert "Wrong" not in str(failed.value)
    assert "6789" not in str(failed.value)


def test_a_stripe_that_does_not_answer_is_given_up_in_time(stripe_stand_in, monkeypatch):
    monkeypatch.setattr(transport, "TRY_SECONDS", 0.1)
    stripe_stand_in.stall_next(times=3)
    with pytest.raises(UpstreamFailed, match="takes too long"):
        created(stripe_stand_in)
    # All of them are still held back: nobody has waited for an answer.
    assert len(stripe_stand_in.requests) == 3
    stripe_stand_in.release()
    assert created(stripe_stand_in).url
    assert len(stripe_stand_in.all("payment_link")) == 1


def test_many_requests_of_one_click_end_in_time_together(stripe_stand_in, monkeypatch):
    monkeypatch.setattr(transport, "PAGE_SECONDS", 0.0)
    with pytest.raises(UpstreamFailed, match="takes too long"):
        created(stripe_stand_in, HOSTED)
    assert stripe_stand_in.requests == []


def test_nobody_at_the_address_is_an_answer_too(stripe_stand_in):
    with pytest.raises(UpstreamFailed, match="cannot be reached"):
        StripeGateway(SecretStr("sk_test_x"), base="http://127.0.0.1:9").create_link(CHARGE, LINK, key="k")


def test_a_deactivated_link_is_closed_for_those_who_have_it_open_too(stripe_stand_in):
    place = created(stripe_stand_in)
    opened = stripe_stand_in.open_session(place.gateway_id)
    for _ in range(2):
        stripe_stand_in.gateway().deactivate(place.gateway_id, LINK, key=CHARGE.link_id)
    assert stripe_stand_in.one("payment_link", place.gateway_id)["active"] is False
    assert stripe_stand_in.one("checkout.session", opened["id"])["status"] == "expired"


def test_a_paid_link_may_be_deactivated(stripe_stand_in):
    place = created(stripe_stand_in)
    stripe_stand_in.pay(place.gateway_id)
    stripe_stand_in.gateway().deactivate(place.gateway_id, LINK, key=CHARGE.link_id)
    assert [one["status"] for one in stripe_stand_in.all("checkout.session")] == ["complete"]


def test_a_hosted_invoice_is_voided_once_and_left_alone_where_it_was_paid(stripe_stand_in):
    gateway, place = stripe_stand_in.gateway(), created(stripe_stand_in, HOSTED)
    for _ in range(2):
        gateway.deactivate(place.gateway_id, HOSTED, key=CHARGE.link_id)
        stripe_stand_in.forget_keys()
    assert stripe_stand_in.one("invoice", place.gateway_id)["status"] == "void"
    paid = gateway.create_link(CHARGE, HOSTED, key="lnk_other")
    stripe_stand_in.pay(paid.gateway_id)
    gateway.deactivate(paid.gateway_id, HOSTED, key="lnk_other")
    assert stripe_stand_in.one("invoice", paid.gateway_id)["status"] == "paid"


def test_a_hosted_invoice_that_was_left_half_made_is_deleted(stripe_stand_in):
    stripe_stand_in.fail_next(path="/finalize", times=3)
    with pytest.raises(UpstreamFailed):
        created(stripe_stand_in, HOSTED)
    (draft,) = stripe_stand_in.all("invoice")
    stripe_stand_in.gateway().deactivate(draft["id"], HOSTED, key=CHARGE.link_id)
    assert stripe_stand_in.all("invoice") == []


def test_a_link_of_another_account_cannot_be_deactivated_in_silence(stripe_stand_in):
    with pytest.raises(Declined, match="No such payment_link"):
        stripe_stand_in.gateway().deactivate("plink_elsewhere", LINK, key="k")


def test_refunds_add_up_and_a_repeat_makes_no_second_one(stripe_stand_in):
    gateway = stripe_stand_in.gateway()
    stripe_stand_in.pay(created(stripe_stand_in).gateway_id)
    (intent,) = stripe_stand_in.all("payment_intent")
    refund = gateway.refund(intent["id"], 20_000, "EUR", reason="Two days less", key="rfq_1")
    assert (refund.refunded_minor, refund.charge_id) == (20_000, intent["latest_charge"])
    assert gateway.refund(intent["id"], 9_405, "EUR", reason="Travel", key="rfq_2").refunded_minor == 29_405
    # The same request a day later, when Stripe has forgotten its key.
    stripe_stand_in.forget_keys()
    again = gateway.refund(intent["id"], 20_000, "EUR", reason="Two days less", key="rfq_1")
    assert (again.refund_id, again.refunded_minor) == (refund.refund_id, 29_405)
    assert [one["amount"] for one in stripe_stand_in.all("refund")] == [9_405, 20_000]
    assert stripe_stand_in.all("refund")[1]["metadata"] == {"request": "rfq_1", "reason": "Two days less"}
    with pytest.raises(Declined, match="greater than unrefunded amount"):
        gateway.refund(intent["id"], 120_001, "EUR", reason="All", key="rfq_3")
    with pytest.raises(Declined, match="came in as EUR at Stripe, not as USD"):
        gateway.refund(intent["id"], 100, "USD", reason="Less", key="rfq_4")


@pytest.mark.parametrize("way", WAYS)
def test_the_fee_and_the_ids_of_a_payment_are_known_by_the_intent_or_by_the_invoice(stripe_stand_in, way):
    stripe_stand_in.fee = 4_357
    place = created(stripe_stand_in, way)
    stripe_stand_in.pay(place.gateway_id)
    (intent,) = stripe_stand_in.all("payment_intent")
    key = intent["id"] if way is LINK else place.gateway_id
    expected = PaymentDetails(intent["id"], intent["latest_charge"], 4_357)
    assert stripe_stand_in.gateway().details(key) == expected
    booked = stripe_stand_in.one("balance_transaction", stripe_stand_in.charge_of(intent["id"])["balance_transaction"])
    booked["currency"] = "usd"
    assert stripe_stand_in.gateway().details(key) == replace(expected, fee_minor=None)
    stripe_stand_in.charge_of(intent["id"])["balance_transaction"] = None
    assert stripe_stand_in.gateway().details(key) == replace(expected, fee_minor=None)


def test_an_invoice_that_nobody_has_paid_has_no_details(stripe_stand_in):
    place = created(stripe_stand_in, HOSTED)
    assert stripe_stand_in.gateway().details(place.gateway_id) == PaymentDetails(None, None, None)


def test_the_books_of_a_period_are_read_page_by_page(stripe_stand_in):
    start = datetime(2026, 3, 1, tzinfo=UTC)
    gateway = stripe_stand_in.gateway()
    for number in range(105):
        intent = stripe_stand_in.intent(1_000 + number, "eur", {}, start)
        stripe_stand_in.charge(intent, start + timedelta(hours=number))
    stripe_stand_in.refund(intent["id"], 400, {}, start + timedelta(days=6))
    stripe_stand_in.charge(intent, start - timedelta(seconds=1))
    stripe_stand_in.charge(intent, start + timedelta(days=7))
    exchanged = stripe_stand_in.all("balance_transaction")[2]
    exchanged |= {"currency": "usd", "amount": -432, "exchange_rate": 1.08}
    lines = list(gateway.balance_transactions(start, start + timedelta(days=7)))
    assert len({line.id for line in lines}) == len(lines) == 106
    assert len([one for one in stripe_stand_in.requests if one.path == "/v1/balance_transactions"]) == 2
    # 1000 + 1001 + … + 1104.
    assert sum(line.amount_minor for line in lines if line.type == "charge") == 110_460
    assert {line.fee_minor for line in lines if line.type == "charge"} == {59}
    (back,) = [line for line in lines if line.type == "refund"]
    assert (back.currency, back.amount_minor, back.fee_minor, back.intent_id) == ("EUR", -400, 0, intent["id"])
    assert back.source.startswith("re_")
    assert back.description == "Exchanged: booked as -4.32 USD."
    assert back.created_at == start + timedelta(days=6)


def test_the_connection_says_who_we_are_and_what_keeps_us_from_collecting(stripe_stand_in):
    gateway = stripe_stand_in.gateway()
    healthy = gateway.check()
    assert (healthy.mode, healthy.account, healthy.name) == (Mode.TEST, "acct_standin", "Northwind Test")
    assert healthy.problems == ()
    stripe_stand_in.account["charges_enabled"] = False
    stripe_stand_in.account["requirements"]["disabled_reason"] = "requirements.past_due"
    stripe_stand_in.account["capabilities"]["card_payments"] = "inactive"
    first, second = gateway.check().problems
    assert "no payments yet (requirements.past_due)" in first
    assert "Card payments are inactive" in second
    (problem,) = stripe_stand_in.gateway("sk_test_Wrong").check().problems
    assert "does not know the secret key" in problem
    stripe_stand_in.fail_next(status=403, message="This key lacks the permission rak_account_read.")
    (problem,) = gateway.check().problems
    assert "rak_account_read" in problem
    stripe_stand_in.fail_next(times=3)
    with pytest.raises(UpstreamFailed):
        gateway.check()


@pytest.mark.parametrize(
    ("key", "mode"), [("sk_live_1", Mode.LIVE), ("rk_live_1", Mode.LIVE), ("sk_test_live_1", Mode.TEST)]
)
def test_the_key_says_whether_money_is_real(key, mode):
    assert StripeGateway(SecretStr(key)).mode is mode


def test_the_stand_in_refuses_what_stripes_types_do_not_know(stripe_stand_in):
    client = stripe.StripeClient(
        stripe_stand_in.KEY, base_addresses={"api": stripe_stand_in.url}, stripe_version=API_VERSION
    )
    for wrong in (
        {"amount": 100, "amuont": 1},
        {"amount": "1.5"},
        {"reason": "because"},
        {"metadata": {"a": {"b": 1}}},
    ):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.refunds.create({"payment_intent": "pi_1", **wrong})
    client._requestor._client.close()
    assert len(stripe_stand_in.complaints) == 4
    stripe_stand_in.complaints.clear()

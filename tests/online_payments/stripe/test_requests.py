"""What exactly Stripe is asked for, and how its answers are read."""

from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import requests
import stripe

from billing_core.invoices.payment_links import CollectionWay
from billing_core.online_payments.gateway import Charge, ChargeLine, Declined
from billing_core.online_payments.stripe import errors, payment_pages, transport
from billing_core.online_payments.stripe import gateway as stripe_gateway

CHARGE = Charge(
    link_id="lnk_1",
    invoice_id="inv_1",
    invoice_number="INV-1",
    currency="EUR",
    amount_minor=31_00,
    lines=(ChargeLine("Boxes", 10_00, 3), ChargeLine("Tax 19 %", 1_00)),
    customer_email="",
    customer_name="Contoso",
    due_on=date(2026, 4, 1),
    description="Invoice INV-1",
    return_url="https://b.example/done",
)
IDS = {"invoice_id": "inv_1", "link_id": "lnk_1", "invoice_number": "INV-1"}
LINK, HOSTED = CollectionWay.PAYMENT_LINK, CollectionWay.HOSTED_INVOICE
DUE = int(datetime(2026, 4, 1, 23, 59, 59, tzinfo=UTC).timestamp())


@pytest.fixture
def api():
    found = MagicMock()
    answered = SimpleNamespace(request_id="req_1")
    made = SimpleNamespace(
        id="in_1", amount_due=31_00, hosted_invoice_url="https://s.example/i", last_response=answered
    )
    found.v1.invoices.create.return_value = made
    found.v1.invoices.finalize_invoice.return_value = made
    found.v1.customers.create.return_value = SimpleNamespace(id="cus_1")
    link = SimpleNamespace(id="plink_1", url="https://s.example/l", last_response=answered)
    found.v1.payment_links.create.return_value = link
    return found


def test_a_payment_link_takes_one_payment_of_exactly_this(api):
    place = payment_pages.make(api, CHARGE, LINK, "k")
    (asked, options) = api.v1.payment_links.create.call_args.args
    assert options == {"idempotency_key": "k"}
    assert asked == {
        "line_items": [
            {"price_data": {"currency": "eur", "unit_amount": 10_00, "product_data": {"name": "Boxes"}}, "quantity": 3},
            {
                "price_data": {"currency": "eur", "unit_amount": 1_00, "product_data": {"name": "Tax 19 %"}},
                "quantity": 1,
            },
        ],
        "metadata": IDS,
        "payment_intent_data": {"metadata": IDS, "description": "Invoice INV-1"},
        "invoice_creation": {"enabled": True, "invoice_data": {"metadata": IDS, "description": "Invoice INV-1"}},
        "restrictions": {"completed_sessions": {"limit": 1}},
        "after_completion": {"type": "redirect", "redirect": {"url": "https://b.example/done"}},
        "submit_type": "pay",
    }
    assert (place.url, place.gateway_id, place.request_id) == ("https://s.example/l", "plink_1", "req_1")
    named = payment_pages.make(api, replace(CHARGE, customer_email="a+b@c.example", invoice_number=""), LINK, "k")
    assert named.url == "https://s.example/l?prefilled_email=a%2Bb%40c.example"
    assert "invoice_number" not in api.v1.payment_links.create.call_args.args[0]["metadata"]


def test_a_hosted_invoice_is_sent_by_us_and_asks_for_exactly_this(api):
    place = payment_pages.make(api, CHARGE, HOSTED, "k")
    assert api.v1.customers.create.call_args.args == (
        {"name": "Contoso", "metadata": IDS},
        {"idempotency_key": "k-customer"},
    )
    assert api.v1.invoices.create.call_args.args == (
        {
            "customer": "cus_1",
            "currency": "eur",
            "collection_method": "send_invoice",
            "due_date": DUE,
            "auto_advance": False,
            "pending_invoice_items_behavior": "exclude",
            "description": "Invoice INV-1",
            "metadata": IDS,
        },
        {"idempotency_key": "k-invoice"},
    )
    of_it = {"customer": "cus_1", "invoice": "in_1", "currency": "eur"}
    assert [call.args for call in api.v1.invoice_items.create.call_args_list] == [
        (of_it | {"amount": 30_00, "description": "Boxes × 3"}, {"idempotency_key": "k-line-1"}),
        (of_it | {"amount": 1_00, "description": "Tax 19 %"}, {"idempotency_key": "k-line-2"}),
    ]
    finalized = api.v1.invoices.finalize_invoice.call_args.args
    assert finalized == ("in_1", {"auto_advance": False}, {"idempotency_key": "k-finalize"})
    assert (place.url, place.gateway_id, place.stripe_invoice_id) == ("https://s.example/i", "in_1", "in_1")
    payment_pages.make(api, replace(CHARGE, customer_email="a@b.example"), HOSTED, "k")
    assert api.v1.customers.create.call_args.args[0]["email"] == "a@b.example"


@pytest.mark.parametrize("wrong", [{"amount_due": 31_01}, {"amount_due": 30_99}, {"hosted_invoice_url": None}])
def test_a_hosted_invoice_that_asks_for_something_else_is_voided(api, wrong):
    final = vars(api.v1.invoices.finalize_invoice.return_value) | wrong
    api.v1.invoices.finalize_invoice.return_value = SimpleNamespace(**final)
    with pytest.raises(Declined, match="does not ask for the amount due"):
        payment_pages.make(api, CHARGE, HOSTED, "k")
    assert api.v1.invoices.void_invoice.call_args.args == ("in_1", {}, {"idempotency_key": "k-void"})


def test_texts_are_as_long_as_stripe_takes_them(api):
    long = replace(CHARGE, description="d" * 501, customer_name="c" * 251, lines=(ChargeLine("n" * 251, 31_00),))
    payment_pages.make(api, long, LINK, "k")
    asked = api.v1.payment_links.create.call_args.args[0]
    assert asked["payment_intent_data"]["description"] == "d" * 500
    assert asked["invoice_creation"]["invoice_data"]["description"] == "d" * 500
    assert asked["line_items"][0]["price_data"]["product_data"]["name"] == "n" * 250
    payment_pages.make(api, long, HOSTED, "k")
    assert api.v1.customers.create.call_args.args[0]["name"] == "c" * 250
    assert api.v1.invoices.create.call_args.args[0]["description"] == "d" * 500
    assert api.v1.invoice_items.create.call_args.args[0]["description"] == "n" * 250


@pytest.mark.parametrize(
    ("lines", "asked"),
    [
        ((ChargeLine("A", 1_00),) * 20, 20),
        ((ChargeLine("A", 1_00),) * 21, 1),
        ((), 1),
        ((ChargeLine("A", 0), ChargeLine("B", 5_00)), 2),
        ((ChargeLine("A", -1_00), ChargeLine("B", 5_00)), 1),
        ((ChargeLine("A", 1_00, 0), ChargeLine("B", 5_00)), 1),
    ],
)
def test_lines_that_stripe_cannot_take_become_one(api, lines, asked):
    charge = replace(CHARGE, lines=lines, amount_minor=sum(line.unit_minor * line.quantity for line in lines))
    payment_pages.make(api, charge, LINK, "k")
    items = api.v1.payment_links.create.call_args.args[0]["line_items"]
    assert len(items) == asked
    total = sum(item["price_data"]["unit_amount"] * item["quantity"] for item in items)
    assert total == charge.amount_minor


@pytest.mark.parametrize("status", ["draft", "void", "paid", "open"])
def test_what_cannot_be_voided_is_deleted_or_left_alone_or_told(api, status):
    api.v1.invoices.void_invoice.side_effect = stripe.InvalidRequestError("no", "id")
    api.v1.invoices.retrieve.return_value = SimpleNamespace(status=status)
    if status == "open":
        with pytest.raises(stripe.InvalidRequestError):
            payment_pages.end(api, "in_1", HOSTED, "k")
    else:
        payment_pages.end(api, "in_1", HOSTED, "k")
    assert api.v1.invoices.delete.called is (status == "draft")


@pytest.mark.parametrize("status", ["complete", "expired", "open"])
def test_a_page_that_is_open_is_closed_unless_it_was_paid_meanwhile(api, status):
    sessions = api.v1.checkout.sessions
    sessions.list.return_value.auto_paging_iter.return_value = [SimpleNamespace(id="cs_1")]
    sessions.expire.side_effect = stripe.InvalidRequestError("no", "id")
    sessions.retrieve.return_value = SimpleNamespace(status=status)
    if status == "open":
        with pytest.raises(stripe.InvalidRequestError):
            payment_pages.end(api, "plink_1", LINK, "k")
    else:
        payment_pages.end(api, "plink_1", LINK, "k")
    assert api.v1.payment_links.update.call_args.args[:2] == ("plink_1", {"active": False})
    assert sessions.list.call_args.args == ({"payment_link": "plink_1", "status": "open", "limit": 100},)


@pytest.mark.parametrize(
    ("headers", "again"),
    [({"idempotent-replayed": "true"}, True), ({"idempotent-replayed": "false"}, False), ({}, False), (None, False)],
)
def test_a_failure_that_is_only_repeated_is_asked_for_under_another_key(api, headers, again):
    answer = api.v1.payment_links.create.return_value
    api.v1.payment_links.create.side_effect = [stripe.APIError("broken", headers=headers), answer]
    if again:
        assert payment_pages.make(api, CHARGE, LINK, "k").gateway_id == "plink_1"
        assert api.v1.payment_links.create.call_args.args[1] == {"idempotency_key": "k-again"}
    else:
        with pytest.raises(stripe.APIError):
            payment_pages.make(api, CHARGE, LINK, "k")


def told(error, key="sk_test_Key123"):
    return errors.in_our_words(error, key)


def test_an_error_is_told_without_a_key_and_not_at_any_length():
    with_key = stripe.InvalidRequestError("bad sk_test_Key123 pk_live_x", "id")
    assert str(told(with_key)) == "Stripe refuses this: bad … …"
    long = str(told(stripe.InvalidRequestError("x" * 500, "id", headers={"request-id": "req_1"})))
    assert long == "Stripe refuses this: " + "x" * 379 + " (Stripe's request req_1)"
    assert str(told(stripe.InvalidRequestError(" ", "id"))) == "Stripe refuses this: no reason given"


@pytest.mark.parametrize(
    ("status", "explained", "declined"),
    [
        (399, True, False),
        (400, True, True),
        (499, True, True),
        (500, True, False),
        (404, False, False),
        (409, True, False),
    ],
)
def test_a_clear_no_is_an_explained_answer_of_four_hundred_and_something(status, explained, declined):
    body = {"error": {"message": "no"}} if explained else None
    error = stripe.StripeError("no", http_status=status, json_body=body)
    assert isinstance(told(error), Declined) is declined


def test_an_unknown_status_is_no_clear_no():
    assert not isinstance(told(stripe.StripeError("no")), Declined)


@pytest.mark.parametrize(
    ("enabled", "reason", "cards", "problems"),
    [(True, None, "active", 0), (False, None, "active", 1), (True, "x", "pending", 1), (False, "x", "inactive", 2)],
)
def test_what_keeps_an_account_from_collecting(enabled, reason, cards, problems):
    account = SimpleNamespace(
        charges_enabled=enabled,
        requirements=SimpleNamespace(disabled_reason=reason),
        capabilities=SimpleNamespace(card_payments=cards),
    )
    found = list(stripe_gateway._problems(account))
    assert len(found) == problems
    assert all(("(x)" in one) is (reason == "x") for one in found[:1] if not enabled)


def test_lists_are_read_in_the_largest_pages_that_there_are(api):
    stripe_gateway._earlier_refund(api, "ch_1", "k")
    asked = {"charge": "ch_1", "limit": 100, "expand": ["data.charge"]}
    assert api.v1.refunds.list.call_args.args == (asked,)
    api.v1.invoice_payments.list.return_value.data = []
    assert stripe_gateway._intent_of_invoice(api, "in_1") is None
    assert api.v1.invoice_payments.list.call_args.args == ({"invoice": "in_1", "status": "paid", "limit": 100},)


@pytest.fixture
def clock(monkeypatch):
    """What the clock says, and the time limits and redirects of what was sent."""
    found = SimpleNamespace(now=100.0, sent=[])
    monkeypatch.setattr(transport.time, "monotonic", lambda: found.now)

    def request(_self, *_given, timeout, allow_redirects):
        found.sent.append((timeout, allow_redirects))

    monkeypatch.setattr(transport.requests.Session, "request", request)
    return found


def test_each_try_has_eight_seconds_and_all_of_one_click_have_twenty_two(clock):
    limited, unlimited = transport.Requests(), transport.Requests(limited=False)
    for after in (0, 14, 15, 21.5):
        clock.now = 100 + after
        limited.request("GET", "https://s.example")
    assert clock.sent == [(8, False), (8, False), (7, False), (0.5, False)]
    clock.now = 122.0
    with pytest.raises(requests.Timeout):
        limited.request("GET", "https://s.example")
    unlimited.request("GET", "https://s.example")
    assert clock.sent[4:] == [(8, False)]
    assert stripe.enable_telemetry is False

"""Stripe's own library against a stand-in that checks every parameter as strictly as Stripe's types do."""

from datetime import date

from billing_core.collecting.gateway import Charge, ChargeLine
from billing_core.invoices.payment_links import CollectionWay

LINK, HOSTED = CollectionWay.PAYMENT_LINK, CollectionWay.HOSTED_INVOICE

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


def test_a_payment_link_asks_for_the_amount_due_line_by_line_and_says_whose_it_is(stripe_stand_in):
    issued = stripe_stand_in.gateway().issue(CHARGE, LINK, key=CHARGE.link_id)
    link = stripe_stand_in.one("payment_link", issued.gateway_id)
    ids = {"invoice_id": CHARGE.invoice_id, "link_id": CHARGE.link_id, "invoice_number": "INV-2026-014"}
    assert [
        (line["price_data"]["product_data"]["name"], line["price_data"]["unit_amount"], line["quantity"])
        for line in link["line_items"]
    ] == [("Consulting, day", 40_000, 3), ("Travel", 5_550, 1), ("Tax 19 %", 23_855, 1)]
    assert link["currency"] == "eur"
    assert link["metadata"] == link["payment_intent_data"]["metadata"] == ids
    assert link["invoice_creation"]["enabled"] == "true"
    assert link["invoice_creation"]["invoice_data"]["metadata"] == ids
    assert link["restrictions"]["completed_sessions"]["limit"] == 1
    assert link["after_completion"] == {"type": "redirect", "redirect": {"url": CHARGE.return_url}}
    assert issued.url == link["url"] + "?prefilled_email=ap%2Bbilling%40contoso.example"
    assert issued.stripe_invoice_id is None
    assert issued.request_id.startswith("req_")

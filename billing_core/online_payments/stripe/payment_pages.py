"""The pages at Stripe where a customer pays: payment links and hosted invoices, created once and ended for good."""

from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Final
from urllib.parse import urlencode

import stripe
from stripe.params import CustomerCreateParams

from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.invoices.payment_links import CollectionWay
from billing_core.online_payments.charges import LONGEST_NAME, MOST_LINES
from billing_core.online_payments.gateway import Charge, ChargeLine, CreatedLink, Declined
from billing_core.online_payments.stripe import amounts
from billing_core.online_payments.stripe.answers import request_id

# Stripe's limits: characters of a description, and entries of a page.
_TEXT: Final = 500
_PAGE: Final = 100


def make(api: stripe.StripeClient, charge: Charge, way: CollectionWay, key: str) -> CreatedLink:
    """Create the page; the same key and charge give the same page."""
    payable = _payable(charge)
    place = _hosted_invoice if way is CollectionWay.HOSTED_INVOICE else _payment_link
    try:
        return place(api, payable, key)
    except stripe.APIError as error:
        if error.headers is None or error.headers.get("idempotent-replayed") != "true":
            raise
    # Stripe repeats even its own failure for the same key, for a day. If it created something all the same, nobody
    # knows its address.
    return place(api, payable, f"{key}-again")


def end(api: stripe.StripeClient, gateway_id: str, way: CollectionWay, key: str) -> None:
    """Safe to repeat; a try in another hour gets another key, so that Stripe does not repeat an earlier failure."""
    once = f"{key}-{utc_now():%Y%m%d%H}"
    if way is CollectionWay.HOSTED_INVOICE:
        _void(api, gateway_id, once)
    else:
        api.v1.payment_links.update(gateway_id, {"active": False}, {"idempotency_key": f"{once}-deactivate"})
        _expire_sessions(api, gateway_id, once)


def amount_of(minor: int, currency: str) -> int:
    """Our minor units as Stripe's."""
    try:
        return amounts.for_stripe(minor, currency)
    except Invalid as error:
        raise Declined(str(error)) from error


def _payable(charge: Charge) -> Charge:
    """The charge in Stripe's units, as one line where its own lines cannot be expressed in them."""
    if sum(line.unit_minor * line.quantity for line in charge.lines) != charge.amount_minor:
        raise ValueError(f"the lines of {charge.link_id} do not add up to its amount")
    total = amount_of(charge.amount_minor, charge.currency)
    try:
        lines = tuple(
            replace(line, unit_minor=amounts.for_stripe(line.unit_minor, charge.currency)) for line in charge.lines
        )
    except Invalid:
        lines = ()
    if not 1 <= len(lines) <= MOST_LINES or any(line.unit_minor < 0 or line.quantity < 1 for line in lines):
        lines = (ChargeLine(charge.description, total),)
    return replace(charge, amount_minor=total, lines=lines)


def _metadata(charge: Charge) -> dict[str, str]:
    """On everything created for the link, so that each event about it carries our ids."""
    numbered = {"invoice_number": charge.invoice_number} if charge.invoice_number else {}
    return {"invoice_id": charge.invoice_id, "link_id": charge.link_id} | numbered


def _payment_link(api: stripe.StripeClient, charge: Charge, key: str) -> CreatedLink:
    metadata, currency = _metadata(charge), charge.currency.lower()
    link = api.v1.payment_links.create(
        {
            "line_items": [
                {
                    "price_data": {
                        "currency": currency,
                        "unit_amount": line.unit_minor,
                        "product_data": {"name": line.name[:LONGEST_NAME]},
                    },
                    "quantity": line.quantity,
                }
                for line in charge.lines
            ],
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata, "description": charge.description[:_TEXT]},
            "invoice_creation": {
                "enabled": True,
                "invoice_data": {"metadata": metadata, "description": charge.description[:_TEXT]},
            },
            # Adjustable quantities and promotion codes are off unless asked for: the amount stays what it is.
            "restrictions": {"completed_sessions": {"limit": 1}},
            "after_completion": {"type": "redirect", "redirect": {"url": charge.return_url}},
            "submit_type": "pay",
        },
        {"idempotency_key": key},
    )
    prefilled = "?" + urlencode({"prefilled_email": charge.customer_email}) if charge.customer_email else ""
    return CreatedLink(url=link.url + prefilled, gateway_id=link.id, request_id=request_id(link))


def _hosted_invoice(api: stripe.StripeClient, charge: Charge, key: str) -> CreatedLink:
    metadata, currency = _metadata(charge), charge.currency.lower()
    payer: CustomerCreateParams = {"name": charge.customer_name[:LONGEST_NAME], "metadata": metadata}
    if charge.customer_email:
        payer["email"] = charge.customer_email
    customer = api.v1.customers.create(payer, {"idempotency_key": f"{key}-customer"})
    draft = api.v1.invoices.create(
        {
            "customer": customer.id,
            "currency": currency,
            "collection_method": "send_invoice",
            "due_date": int(datetime.combine(charge.due_on, time(23, 59, 59), UTC).timestamp()),
            "auto_advance": False,
            "pending_invoice_items_behavior": "exclude",
            "description": charge.description[:_TEXT],
            "metadata": metadata,
        },
        {"idempotency_key": f"{key}-invoice"},
    )
    for number, line in enumerate(charge.lines, 1):
        named = line.name if line.quantity == 1 else f"{line.name} × {line.quantity}"
        api.v1.invoice_items.create(
            {
                "customer": customer.id,
                "invoice": draft.id,
                "currency": currency,
                "amount": line.unit_minor * line.quantity,
                "description": named[:LONGEST_NAME],
            },
            {"idempotency_key": f"{key}-line-{number}"},
        )
    final = api.v1.invoices.finalize_invoice(draft.id, {"auto_advance": False}, {"idempotency_key": f"{key}-finalize"})
    if final.amount_due != charge.amount_minor or not final.hosted_invoice_url:
        _void(api, final.id, key)
        raise Declined(
            "Stripe's invoice does not ask for the amount due, so it was voided. Check Stripe's tax settings"
        )
    return CreatedLink(
        url=final.hosted_invoice_url,
        gateway_id=final.id,
        stripe_invoice_id=final.id,
        request_id=request_id(final),
    )


def _void(api: stripe.StripeClient, invoice_id: str, key: str) -> None:
    try:
        api.v1.invoices.void_invoice(invoice_id, {}, {"idempotency_key": f"{key}-void"})
    except stripe.InvalidRequestError:
        status = api.v1.invoices.retrieve(invoice_id).status
        if status == "draft":
            api.v1.invoices.delete(invoice_id)
        elif status not in ("void", "paid"):
            raise


def _expire_sessions(api: stripe.StripeClient, payment_link_id: str, key: str) -> None:
    """A page that is open could still be paid on. A payment at this very moment wins: its session is over."""
    opened = api.v1.checkout.sessions.list({"payment_link": payment_link_id, "status": "open", "limit": _PAGE})
    for session in opened.auto_paging_iter():
        try:
            api.v1.checkout.sessions.expire(session.id, {}, {"idempotency_key": f"{key}-{session.id}"})
        except stripe.InvalidRequestError:
            if api.v1.checkout.sessions.retrieve(session.id).status == "open":
                raise

"""Stripe as a ``Gateway``, through its own library.

Every write has an idempotency key made of ours, and the same contents each time: Stripe answers a repeat with the
first answer. What Stripe keeps of an idempotency key it keeps for a day; where a later repeat could move money twice
(refunds), we look for the first one ourselves.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any, Final
from urllib.parse import urlencode

import stripe
from pydantic import SecretStr
from stripe import StripeObject

from billing_core.collecting import stripe_amounts
from billing_core.collecting.gateway import (
    BalanceTransaction,
    Charge,
    ChargeLine,
    Connection,
    Declined,
    GatewayRefund,
    Issued,
    PaymentDetails,
)
from billing_core.collecting.stripe_errors import in_our_words
from billing_core.collecting.stripe_transport import PAGE_SECONDS, RETRIES, Requests
from billing_core.errors import Invalid
from billing_core.invoices.payment_links import CollectionWay, Mode

# The shapes that we read and write are those of this version, whatever the account's default is.
API_VERSION: Final = "2026-10-28.endive"
# Stripe's limits.
_LINES, _NAME, _METADATA = 20, 250, 500
_PAGE: Final = 100


def mode_of(key: SecretStr) -> Mode:
    return Mode.LIVE if "_live_" in key.get_secret_value()[:8] else Mode.TEST


class StripeGateway:
    """``base``: where Stripe is reached. Holds no connection: each verb opens one and closes it."""

    def __init__(self, key: SecretStr, *, base: str = stripe.DEFAULT_API_BASE) -> None:
        self._key, self._base = key, base.rstrip("/")

    @property
    def mode(self) -> Mode:
        return mode_of(self._key)

    def issue(self, charge: Charge, way: CollectionWay, *, key: str) -> Issued:
        payable = _payable(charge)
        with self._stripe() as api:
            if way is CollectionWay.HOSTED_INVOICE:
                return _hosted_invoice(api, payable, key)
            return _payment_link(api, payable, key)

    def deactivate(self, gateway_id: str, way: CollectionWay, *, key: str) -> None:
        with self._stripe() as api:
            if way is CollectionWay.HOSTED_INVOICE:
                _void(api, gateway_id, key)
            else:
                api.v1.payment_links.update(gateway_id, {"active": False}, {"idempotency_key": f"{key}-deactivate"})
                _expire_sessions(api, gateway_id)

    def refund(self, intent_id: str, amount_minor: int, currency: str, *, reason: str, key: str) -> GatewayRefund:
        amount = _amount(amount_minor, currency)
        with self._stripe() as api:
            refund = _earlier_refund(api, intent_id, key) or api.v1.refunds.create(
                {
                    "payment_intent": intent_id,
                    "amount": amount,
                    "metadata": {"request": key, "reason": reason[:_METADATA]},
                    "expand": ["charge"],
                },
                {"idempotency_key": key},
            )
            if refund.status in ("failed", "canceled"):
                raise Declined(
                    f"Stripe could not refund this payment: {_field(refund, 'failure_reason') or refund.status}"
                )
            charge = refund.charge
            assert isinstance(charge, stripe.Charge)  # noqa: S101 - asked for, expanded
            return GatewayRefund(
                refund_id=refund.id,
                intent_id=intent_id,
                charge_id=charge.id,
                refunded_minor=stripe_amounts.from_stripe(charge.amount_refunded, charge.currency),
                pending=refund.status in ("pending", "requires_action"),
                request_id=_request_id(refund),
            )

    def details(self, gateway_key: str) -> PaymentDetails:
        with self._stripe() as api:
            intent_id = _intent_of_invoice(api, gateway_key) if gateway_key.startswith("in_") else gateway_key
            if intent_id is None:
                return PaymentDetails(None, None, None)
            intent = api.v1.payment_intents.retrieve(
                intent_id, {"expand": ["latest_charge", "latest_charge.balance_transaction"]}
            )
            charge = intent.latest_charge
            if not isinstance(charge, stripe.Charge):
                return PaymentDetails(intent.id, None, None)
            booked = charge.balance_transaction
            if not isinstance(booked, stripe.BalanceTransaction) or booked.currency != intent.currency:
                return PaymentDetails(intent.id, charge.id, None)
            return PaymentDetails(intent.id, charge.id, stripe_amounts.from_stripe(booked.fee, booked.currency))

    def balance_transactions(self, start: datetime, end: datetime) -> Iterator[BalanceTransaction]:
        with self._stripe(seconds=None) as api:
            found = api.v1.balance_transactions.list(
                {
                    "created": {"gte": int(start.timestamp()), "lt": int(end.timestamp())},
                    "limit": _PAGE,
                    "expand": ["data.source"],
                }
            )
            for transaction in found.auto_paging_iter():
                yield _booked(transaction)

    def check(self) -> Connection:
        with self._stripe() as api:
            try:
                account = api.v1.accounts.retrieve_current()
            except (stripe.AuthenticationError, stripe.PermissionError) as error:
                return Connection(self.mode, "", "", (str(in_our_words(error, self._key.get_secret_value())),))
        shown = account.settings and account.settings.dashboard.display_name
        name = shown or (account.business_profile and account.business_profile.name) or ""
        return Connection(self.mode, account.id, name, tuple(_problems(account)))

    @contextmanager
    def _stripe(self, seconds: float | None = PAGE_SECONDS) -> Iterator[stripe.StripeClient]:
        """A connection of its own, whose requests end within ``seconds`` together, and whose errors are ours."""
        key = self._key.get_secret_value()
        with Requests(seconds) as session:
            try:
                yield stripe.StripeClient(
                    key,
                    stripe_version=API_VERSION,
                    base_addresses={"api": self._base},
                    max_network_retries=RETRIES,
                    http_client=stripe.RequestsClient(session=session),
                )
            except stripe.StripeError as error:
                raise in_our_words(error, key) from None


def _payable(charge: Charge) -> Charge:
    """The charge in Stripe's units, as one line where its own lines cannot be told to Stripe."""
    if sum(line.unit_minor * line.quantity for line in charge.lines) != charge.amount_minor:
        raise ValueError(f"the lines of {charge.link_id} do not add up to its amount")
    total = _amount(charge.amount_minor, charge.currency)
    try:
        lines = tuple(
            replace(line, unit_minor=stripe_amounts.for_stripe(line.unit_minor, charge.currency))
            for line in charge.lines
        )
    except Invalid:
        lines = ()
    if not 1 <= len(lines) <= _LINES or any(line.unit_minor < 0 or line.quantity < 1 for line in lines):
        lines = (ChargeLine(charge.description, total),)
    return replace(charge, amount_minor=total, lines=lines)


def _amount(minor: int, currency: str) -> int:
    try:
        return stripe_amounts.for_stripe(minor, currency)
    except Invalid as error:
        raise Declined(str(error)) from error


def _metadata(charge: Charge) -> dict[str, str]:
    """On everything that comes of the link, so that each event about it says whose it is."""
    numbered = {"invoice_number": charge.invoice_number} if charge.invoice_number else {}
    return {"invoice_id": charge.invoice_id, "link_id": charge.link_id} | numbered


def _payment_link(api: stripe.StripeClient, charge: Charge, key: str) -> Issued:
    metadata, currency = _metadata(charge), charge.currency.lower()
    link = api.v1.payment_links.create(
        {
            "line_items": [
                {
                    "price_data": {
                        "currency": currency,
                        "unit_amount": line.unit_minor,
                        "product_data": {"name": line.name[:_NAME]},
                    },
                    "quantity": line.quantity,
                }
                for line in charge.lines
            ],
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata, "description": charge.description[:_METADATA]},
            "invoice_creation": {
                "enabled": True,
                "invoice_data": {"metadata": metadata, "description": charge.description[:_METADATA]},
            },
            # Adjustable quantities and promotion codes are off unless asked for: the amount stays what it is.
            "restrictions": {"completed_sessions": {"limit": 1}},
            "after_completion": {"type": "redirect", "redirect": {"url": charge.return_url}},
            "submit_type": "pay",
        },
        {"idempotency_key": key},
    )
    prefilled = "?" + urlencode({"prefilled_email": charge.customer_email}) if charge.customer_email else ""
    return Issued(url=link.url + prefilled, gateway_id=link.id, request_id=_request_id(link))


def _hosted_invoice(api: stripe.StripeClient, charge: Charge, key: str) -> Issued:
    metadata, currency = _metadata(charge), charge.currency.lower()
    customer = api.v1.customers.create(
        {"name": charge.customer_name[:_NAME], "metadata": metadata}
        | ({"email": charge.customer_email} if charge.customer_email else {}),  # type: ignore[arg-type]
        {"idempotency_key": f"{key}-customer"},
    )
    draft = api.v1.invoices.create(
        {
            "customer": customer.id,
            "currency": currency,
            "collection_method": "send_invoice",
            "due_date": _end_of(charge.due_on),
            "auto_advance": False,
            "pending_invoice_items_behavior": "exclude",
            "description": charge.description[:_METADATA],
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
                "description": named[:_NAME],
            },
            {"idempotency_key": f"{key}-line-{number}"},
        )
    final = api.v1.invoices.finalize_invoice(draft.id, {"auto_advance": False}, {"idempotency_key": f"{key}-finalize"})
    if final.amount_due != charge.amount_minor or not final.hosted_invoice_url:
        _void(api, final.id, key)
        raise Declined(
            "Stripe's invoice does not ask for the amount due, so it was voided. Check Stripe's tax settings"
        )
    return Issued(
        url=final.hosted_invoice_url,
        gateway_id=final.id,
        stripe_invoice_id=final.id,
        request_id=_request_id(final),
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


def _expire_sessions(api: stripe.StripeClient, payment_link_id: str) -> None:
    """Whoever has the page open could still pay on it. One who pays this very moment wins: their session is over."""
    opened = api.v1.checkout.sessions.list({"payment_link": payment_link_id, "status": "open", "limit": _PAGE})
    for session in opened.auto_paging_iter():
        try:
            api.v1.checkout.sessions.expire(session.id)
        except stripe.InvalidRequestError:
            if api.v1.checkout.sessions.retrieve(session.id).status == "open":
                raise


def _earlier_refund(api: stripe.StripeClient, intent_id: str, key: str) -> stripe.Refund | None:
    """The refund that this request made before, however long ago."""
    refunds = api.v1.refunds.list({"payment_intent": intent_id, "limit": _PAGE, "expand": ["data.charge"]})
    return next((one for one in refunds.auto_paging_iter() if _field(one.metadata, "request") == key), None)


def _intent_of_invoice(api: stripe.StripeClient, invoice_id: str) -> str | None:
    payments = api.v1.invoice_payments.list({"invoice": invoice_id, "status": "paid", "limit": _PAGE})
    return next((_id(one.payment.payment_intent) for one in payments.data if one.payment.payment_intent), None)


def _booked(transaction: stripe.BalanceTransaction) -> BalanceTransaction:
    source = transaction.source
    intent = _field(source, "payment_intent") if isinstance(source, StripeObject) else None
    return BalanceTransaction(
        id=transaction.id,
        type=transaction.type,
        source=_id(source) or "",
        intent_id=_id(intent),
        currency=transaction.currency.upper(),
        amount_minor=stripe_amounts.from_stripe(transaction.amount, transaction.currency),
        fee_minor=stripe_amounts.from_stripe(transaction.fee, transaction.currency),
        created_at=datetime.fromtimestamp(transaction.created, UTC),
        description=transaction.description or "",
    )


def _problems(account: stripe.Account) -> Iterator[str]:
    if not account.charges_enabled:
        why = account.requirements and account.requirements.disabled_reason
        yield "Stripe lets this account take no payments yet" + (f" ({why})" if why else "") + ": see its dashboard"
    cards = _field(account.capabilities, "card_payments")
    if cards in ("inactive", "pending"):
        yield f"Card payments are {cards} on this account: ask for them in Stripe's dashboard"


def _end_of(day: date) -> int:
    return int(datetime.combine(day, time(23, 59, 59), UTC).timestamp())


def _field(parent: StripeObject | None, name: str) -> Any:
    """What Stripe need not tell: None where it does not."""
    return getattr(parent, name, None)


def _id(reference: Any) -> str | None:
    """Of what Stripe tells as an id or, where we asked for it, as the whole object."""
    return reference if reference is None or isinstance(reference, str) else str(reference.id)


def _request_id(answer: StripeObject) -> str:
    response = answer.last_response
    return (response.request_id if response is not None else None) or ""

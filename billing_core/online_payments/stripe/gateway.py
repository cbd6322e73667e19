"""Stripe as a ``Gateway``, through its own library.

Every write has an idempotency key made of ours, and the same content each time: Stripe answers a repeat with the first
answer. Stripe keeps idempotency keys for a day; where a later repeat could move money twice (refunds), we look for the
first one ourselves.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import stripe
import structlog
from pydantic import SecretStr
from stripe import StripeObject

from billing_core.dates import utc_now
from billing_core.invoices.payment_links import CollectionWay, Mode
from billing_core.money import Money
from billing_core.online_payments.gateway import (
    AttachedMethod,
    BalanceTransaction,
    Charge,
    Charged,
    Connection,
    CreatedLink,
    Declined,
    GatewayCustomer,
    GatewayRefund,
    OffSessionCharge,
    PaymentDetails,
)
from billing_core.online_payments.stripe import API_VERSION, amounts, cards_on_file, intents, payment_pages
from billing_core.online_payments.stripe.answers import field, id_of, request_id
from billing_core.online_payments.stripe.errors import in_our_words
from billing_core.online_payments.stripe.transport import RETRIES, Requests

# Stripe's limits: characters of a metadata value, and entries of a page.
_TEXT: Final = 500
_PAGE: Final = 100
_log = structlog.get_logger()


def mode_of(key: SecretStr) -> Mode:
    return Mode.LIVE if "_live_" in key.get_secret_value()[:8] else Mode.TEST


class StripeGateway:
    """``base``: Stripe's address. Holds no connection: each verb opens one and closes it."""

    def __init__(self, key: SecretStr, *, base: str = stripe.DEFAULT_API_BASE) -> None:
        self._key, self._base = key, base.rstrip("/")

    @property
    def mode(self) -> Mode:
        return mode_of(self._key)

    def create_link(self, charge: Charge, way: CollectionWay, *, key: str) -> CreatedLink:
        with self._stripe() as api:
            return payment_pages.make(api, charge, way, key)

    def deactivate(self, gateway_id: str, way: CollectionWay, *, key: str) -> None:
        with self._stripe() as api:
            payment_pages.end(api, gateway_id, way, key)

    def attach(self, customer: GatewayCustomer, method_id: str, *, key: str) -> AttachedMethod:
        with self._stripe() as api:
            return cards_on_file.attach(api, customer, method_id, key)

    def set_up(self, customer: GatewayCustomer, return_url: str, *, key: str) -> str:
        with self._stripe() as api:
            return cards_on_file.set_up(api, customer, return_url, key)

    def detach(self, gateway_id: str, *, key: str) -> None:
        with self._stripe() as api:
            cards_on_file.detach(api, gateway_id, key)

    def charge_off_session(self, charge: OffSessionCharge, *, key: str) -> Charged:
        with self._stripe() as api:
            return cards_on_file.charge(api, charge, key, now=utc_now())

    def refund(self, intent_id: str, amount_minor: int, currency: str, *, reason: str, key: str) -> GatewayRefund:
        amount = payment_pages.amount_of(amount_minor, currency)
        with self._stripe() as api:
            charge = _paid_charge(api, intent_id, currency)
            refund = _earlier_refund(api, charge.id, key) or api.v1.refunds.create(
                {
                    "charge": charge.id,
                    "amount": amount,
                    "metadata": {"request": key, "reason": reason[:_TEXT]},
                    "expand": ["charge"],
                },
                {"idempotency_key": key},
            )
        if refund.status in ("failed", "canceled"):
            raise Declined(f"Stripe could not refund this payment: {field(refund, 'failure_reason') or refund.status}")
        charged = refund.charge
        assert isinstance(charged, stripe.Charge)  # noqa: S101 - asked for as a whole
        return GatewayRefund(
            refund_id=refund.id,
            intent_id=intent_id,
            charge_id=charge.id,
            refunded_minor=amounts.from_stripe(charged.amount_refunded, charged.currency),
            request_id=request_id(refund),
        )

    def details(self, gateway_key: str) -> PaymentDetails:
        with self._stripe() as api:
            intent_id = _intent_of_invoice(api, gateway_key) if gateway_key.startswith("in_") else gateway_key
            if intent_id is None:
                return PaymentDetails(None, None, None)
            intent = api.v1.payment_intents.retrieve(intent_id, {"expand": list(intents.EXPANDED)})
            return intents.details_of(intent)

    def balance_transactions(self, start: datetime, end: datetime) -> Iterator[BalanceTransaction]:
        with self._stripe(for_a_person=False) as api:
            listed = api.v1.balance_transactions.list(
                {
                    "created": {"gte": int(start.timestamp()), "lt": int(end.timestamp())},
                    "limit": _PAGE,
                    "expand": ["data.source"],
                }
            )
            for transaction in listed.auto_paging_iter():
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
    def _stripe(self, *, for_a_person: bool = True) -> Iterator[stripe.StripeClient]:
        """A connection of its own, whose errors are ours, with a time limit for all its requests together."""
        key = self._key.get_secret_value()
        with Requests(limited=for_a_person) as session:
            try:
                yield stripe.StripeClient(
                    key,
                    stripe_version=API_VERSION,
                    base_addresses={"api": self._base},
                    max_network_retries=RETRIES,
                    http_client=stripe.RequestsClient(session=session),
                )
            except stripe.StripeError as error:
                # Stripe's support asks for the request id, which nobody may have noted from the message.
                _log.warning(
                    "stripe refused or failed",
                    kind=type(error).__name__,
                    status=error.http_status,
                    code=error.code or "",
                    stripe_request=error.request_id or "",
                )
                raise in_our_words(error, key) from None


def _paid_charge(api: stripe.StripeClient, intent_id: str, currency: str) -> stripe.Charge:
    charge = api.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]}).latest_charge
    if not isinstance(charge, stripe.Charge) or not charge.paid:
        raise Declined("Stripe has no charge for this payment")
    if charge.currency != currency.lower():
        raise Declined(f"This payment came in as {charge.currency.upper()} at Stripe, not as {currency}")
    return charge


def _earlier_refund(api: stripe.StripeClient, charge_id: str, key: str) -> stripe.Refund | None:
    """The refund that this request made before, however long ago."""
    refunds = api.v1.refunds.list({"charge": charge_id, "limit": _PAGE, "expand": ["data.charge"]})
    return next((one for one in refunds.auto_paging_iter() if field(one.metadata, "request") == key), None)


def _intent_of_invoice(api: stripe.StripeClient, invoice_id: str) -> str | None:
    payments = api.v1.invoice_payments.list({"invoice": invoice_id, "status": "paid", "limit": _PAGE})
    return next((id_of(one.payment.payment_intent) for one in payments.data if one.payment.payment_intent), None)


def _booked(transaction: stripe.BalanceTransaction) -> BalanceTransaction:
    source = transaction.source if isinstance(transaction.source, StripeObject) else None
    currency, amount, fee = transaction.currency, transaction.amount, transaction.fee
    description = transaction.description or ""
    charged_in = field(source, "currency")
    if charged_in is not None and charged_in != currency:
        booked = Money(amounts.from_stripe(amount, currency), currency.upper())
        description = f"Exchanged: booked as {booked}. {description}".strip()
        amount = field(source, "amount") * (1 if amount >= 0 else -1)
        currency, fee = charged_in, 0
    return BalanceTransaction(
        id=transaction.id,
        type=transaction.type,
        source=id_of(transaction.source) or "",
        intent_id=id_of(field(source, "payment_intent")),
        currency=currency.upper(),
        amount_minor=amounts.from_stripe(amount, currency),
        fee_minor=amounts.from_stripe(fee, currency),
        created_at=datetime.fromtimestamp(transaction.created, UTC),
        description=description,
    )


def _problems(account: stripe.Account) -> Iterator[str]:
    if not account.charges_enabled:
        why = account.requirements and account.requirements.disabled_reason
        yield "Stripe lets this account take no payments yet" + (f" ({why})" if why else "") + ": see its dashboard"
    cards = field(account.capabilities, "card_payments")
    if cards in ("inactive", "pending"):
        yield f"Card payments are {cards} on this account: ask for them in Stripe's dashboard"

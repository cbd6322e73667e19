"""Messages to gateways through the outbox: links to deactivate, fees to query, and the sandbox's events."""

import http.client
from collections.abc import Callable, Mapping
from typing import Any, Final

from billing_core.database import Sessions
from billing_core.dates import utc_now
from billing_core.errors import UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices.payment_links import DEACTIVATE, GATEWAY, LinkState, Mode, PaymentLink
from billing_core.online_payments import configured
from billing_core.online_payments.gateway import Charge, Declined, Gateway
from billing_core.online_payments.models import SANDBOX, PaymentMethodOnFile
from billing_core.online_payments.off_session import methods, requests
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.online_payments.stripe.signature import signed
from billing_core.online_payments.webhooks import card_requests, fees
from billing_core.outbox.delivery import Adapter, Claimed, Refused, Unwanted
from billing_core.payments.models import Payment
from billing_core.settings import Settings

# Our own address answers in milliseconds; a busy database is retried later.
_TIMEOUT_SECONDS: Final = 30
# About twenty minutes, as the outbox spreads its tries.
_TRIES_FOR_A_FEE: Final = 4


def adapters(sessions: Sessions, settings: Settings) -> dict[str, Adapter]:
    """The adapters for the configured gateway, and for the sandbox's events to our own address."""

    def to_gateway(message: Claimed) -> None:
        gateway = _of_mode(Mode(message.recipient), sessions, settings)
        try:
            _TOPICS[message.topic](sessions, gateway, message)
        except Declined as refusal:
            raise Refused(str(refusal)) from refusal

    def to_ourselves(message: Claimed) -> None:
        if configured.mode(settings) is not Mode.SANDBOX:
            raise Unwanted("The product collects through Stripe now")
        _send(settings.port, message.content["event"].encode(), configured.webhook_secret(settings))

    return {GATEWAY: to_gateway, SANDBOX: to_ourselves}


def _of_mode(mode: Mode, sessions: Sessions, settings: Settings) -> Gateway:
    """The gateway that the message is for; Refused where the product now collects through another one."""
    if mode is Mode.SANDBOX:
        return SandboxGateway(sessions, settings)
    gateway = configured.gateway(sessions, settings)
    if gateway.mode is not mode:
        raise Refused(
            f"This was made in Stripe's {mode} mode, and the product now runs in {gateway.mode} mode: "
            "settle it in Stripe's dashboard"
        )
    return gateway


def _deactivate(sessions: Sessions, gateway: Gateway, message: Claimed) -> None:
    """Where the gateway's id is unknown, the creation is repeated, which finds the link."""
    link_id = message.content["link_id"]
    with sessions() as session:
        link = session.get_one(PaymentLink, link_id)
    if link.state in (LinkState.CREATING, LinkState.ACTIVE):
        raise Unwanted("The link is in use")
    gateway_id = link.gateway_id
    if gateway_id is None:
        created = gateway.create_link(Charge.of(link.charge), link.way, key=link.public_id)
        gateway_id = created.gateway_id
        with sessions.begin() as session:
            locked = session.get_one(PaymentLink, link_id, with_for_update=True)
            locked.gateway_id, locked.stripe_invoice_id = gateway_id, created.stripe_invoice_id
    gateway.deactivate(gateway_id, link.way, key=link.public_id)


def _fetch_details(sessions: Sessions, gateway: Gateway, message: Claimed) -> None:
    """The fee is often known only seconds after the charge; what stays unknown is left out."""
    payment_id = message.content["payment_id"]
    with sessions() as session:
        key = session.get_one(Payment, payment_id).gateway_key or ""
    details = gateway.details(key)
    with sessions.begin() as session:
        fees.note(session, SYSTEM, payment_id, details, now=utc_now())
    if details.intent_id is None or (details.fee_minor is None and message.attempts < _TRIES_FOR_A_FEE):
        raise UpstreamFailed("The gateway does not report the fee of this payment yet")


def _detach(sessions: Sessions, gateway: Gateway, message: Claimed) -> None:
    with sessions() as session:
        method = session.get_one(PaymentMethodOnFile, message.content["method_id"])
    gateway.detach(method.gateway_id, key=f"detach_{method.public_id}")


def _keep(sessions: Sessions, gateway: Gateway, message: Claimed) -> None:
    asked = message.content
    requests.keep(
        *(sessions, SYSTEM, gateway, asked["request_id"], asked["method_id"]),
        gateway_customer_id=asked["gateway_customer_id"],
        now=utc_now(),
    )


_TOPICS: Final[Mapping[str, Callable[[Sessions, Gateway, Claimed], None]]] = {
    DEACTIVATE: _deactivate,
    fees.FETCH_DETAILS: _fetch_details,
    methods.DETACH: _detach,
    card_requests.KEEP_CARD: _keep,
}


def _send(port: int, payload: bytes, secret: str) -> None:
    """As Stripe would: signed, over HTTP, and repeated until it is accepted."""
    headers: dict[str, Any] = {
        "Content-Type": "application/json",
        "Stripe-Signature": signed(payload, secret, utc_now()),
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("POST", "/webhooks/stripe", payload, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        raise UpstreamFailed(f"Our own webhook address does not answer on port {port}") from None
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise UpstreamFailed(f"Our own webhook address answered {status}")

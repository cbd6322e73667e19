"""The same library and gateway against ``localstripe``, a stateful fake of Stripe that others made.

It knows no payment links, no one-off invoices and no period of balance transactions; what it knows, it knows
independently of how we read Stripe's documents.
"""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
import stripe
from pydantic import SecretStr

from billing_core.errors import Invalid
from billing_core.online_payments.gateway import Declined, PaymentDetails
from billing_core.online_payments.stripe import signature
from billing_core.online_payments.stripe.gateway import API_VERSION, StripeGateway

pytestmark = pytest.mark.slow

KEY = "sk_test_localstripe"
SECRET = "whsec_localstripe"

# Its own command listens on every address, and keeps what it knows in one file of the machine.
_START = """
import sys
from aiohttp import web
from localstripe import resources, server
resources.Store.dump_to_disk = lambda store: None
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), print=lambda _: print("listens", flush=True))
"""


@pytest.fixture(scope="module")
def localstripe() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", _START, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            # Comes to an end too where the process does.
            assert process.stdout.readline() == b"listens\n", process.stderr.read().decode()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture
def client(localstripe) -> Iterator[stripe.StripeClient]:
    http = stripe.RequestsClient()
    yield stripe.StripeClient(KEY, base_addresses={"api": localstripe}, stripe_version=API_VERSION, http_client=http)
    http.close()


@pytest.fixture
def told() -> Iterator["Receiver"]:
    receiver = Receiver()
    yield receiver
    receiver.close()


class Receiver:
    """Takes webhooks, and lets a test wait for the first of them."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self.body, self.signature = b"", ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.signature = self.headers["Stripe-Signature"]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                outer.came.set()

            def log_message(self, *_) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/webhooks/stripe"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def paid(client: stripe.StripeClient, number: str = "4242424242424242") -> stripe.PaymentIntent:
    card = {"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "123"}
    method = client.v1.payment_methods.create({"type": "card", "card": card})
    return client.v1.payment_intents.create(
        {"amount": 149_405, "currency": "eur", "payment_method": method.id, "confirm": True, "metadata": {"a": "b"}}
    )


def test_a_payment_is_refunded_in_parts_each_once(localstripe, client):
    gateway, intent = StripeGateway(SecretStr(KEY), base=localstripe), paid(client)
    assert gateway.details(intent.id) == PaymentDetails(intent.id, intent.latest_charge.id, 0)
    first = gateway.refund(intent.id, 20_000, "EUR", reason="Two days less", key="rfq_1")
    assert (first.refunded_minor, first.charge_id) == (20_000, intent.latest_charge.id)
    # It keeps no idempotency keys: that the repeat makes no second refund is our doing.
    again = gateway.refund(intent.id, 20_000, "EUR", reason="Two days less", key="rfq_1")
    assert (again.refund_id, again.refunded_minor) == (first.refund_id, 20_000)
    assert gateway.refund(intent.id, 129_405, "EUR", reason="All", key="rfq_2").refunded_minor == 149_405
    assert client.v1.charges.retrieve(first.charge_id).refunded is True


def test_what_was_declined_cannot_be_refunded(localstripe, client):
    # The card that can be kept, and is declined when it is charged.
    intent = paid(client, "4000000000000341")
    assert intent.status == "requires_payment_method"
    with pytest.raises(Declined, match="no charge for this payment"):
        StripeGateway(SecretStr(KEY), base=localstripe).refund(intent.id, 100, "EUR", reason="", key="rfq_1")


def test_an_unknown_payment_is_declined(localstripe):
    with pytest.raises(Declined, match="Stripe refuses this"):
        StripeGateway(SecretStr(KEY), base=localstripe).details("pi_unknown")


def test_its_signatures_are_ours(localstripe, client, told):
    hook = {"url": told.url, "secret": SECRET, "events": ["customer.created"]}
    httpx.post(f"{localstripe}/_config/webhooks/test", json=hook).raise_for_status()
    customer = client.v1.customers.create({"email": "ap@contoso.example", "name": "Contoso AG"})
    assert told.came.wait(300)
    event = signature.verify(told.body, told.signature, SECRET)
    assert (event["type"], event["data"]["object"]["id"]) == ("customer.created", customer.id)
    assert event == json.loads(told.body)
    with pytest.raises(Invalid, match=r"^wrong$"):
        signature.verify(told.body.replace(b"Contoso", b"Fabrikam"), told.signature, SECRET)

"""A strict stand-in for Stripe: the real library talks to it over HTTP.

Whatever is asked of it that Stripe's own types do not allow ends up in ``complaints``, and the fixture
``stripe_stand_in`` fails the test for it. It can be told to fail, to stall and to drop the line; it signs events and
hands them over or sends them. What customers do is in its ``books`` (``stand_in.pay(…)``, ``stand_in.decline(…)``, …).
"""

import json
import random
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from billing_core.online_payments.stripe import signature as stripe_signature
from billing_core.online_payments.stripe.gateway import API_VERSION, StripeGateway
from tests.online_payments.stripe import answers as stripe_answers
from tests.online_payments.stripe import params as stripe_params
from tests.online_payments.stripe.books import Books
from tests.online_payments.stripe.objects import Object, Refused


@dataclass
class Trouble:
    """What shall happen to the next requests whose path matches ``path``, ``times`` times."""

    path: str
    times: int
    kind: str
    status: int = 500
    error: Object = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    form: Object
    key: str


class StandIn(Books):
    """``requests``: all that were made, also those that were refused or lost. ``url``: for ``STRIPE_API_BASE``."""

    KEY = "sk_test_StandIn0123456789"
    WEBHOOK_SECRET = "whsec_StandIn0123456789"

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        self._troubles: list[Trouble] = []
        self._answered: dict[str, tuple[tuple[str, str], tuple[int, Object] | None]] = {}
        self._lock = threading.RLock()
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stand_in": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def gateway(self, key: str = KEY) -> StripeGateway:
        return StripeGateway(SecretStr(key), base=self.url)

    def settings(self) -> dict[str, str]:
        """The environment of a product that collects through this stand-in."""
        names = ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_API_BASE")
        return dict(zip(names, (self.KEY, self.WEBHOOK_SECRET, self.url), strict=True))

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # Bad days

    def fail_next(
        self,
        *,
        status: int = 500,
        kind: str = "api_error",
        code: str = "",
        message: str = "An error occurred.",
        path: str = "",
        times: int = 1,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer with an error and do nothing. The library repeats 409 and 5xx twice by itself: ``times=3``."""
        error = {"type": kind, "message": message} | ({"code": code} if code else {})
        self._troubles.append(Trouble(path, times, "fail", status, error, headers or {}))

    def drop_next(self, *, path: str = "", times: int = 1) -> None:
        """Do the work, then hang up without an answer."""
        self._troubles.append(Trouble(path, times, "drop"))

    def stall_next(self, *, path: str = "", times: int = 1) -> None:
        """Do the work, but answer only after ``release()``."""
        self._released.clear()
        self._troubles.append(Trouble(path, times, "stall"))

    def release(self) -> None:
        self._released.set()

    def forget_keys(self) -> None:
        """A day has passed: no idempotency key is known any more."""
        self._answered.clear()

    # Webhooks

    @staticmethod
    def payload(event: Object) -> bytes:
        return json.dumps(event, indent=2).encode()

    def signed(self, event: Object, *, at: datetime | None = None, secret: str = WEBHOOK_SECRET) -> tuple[bytes, str]:
        """The body and the ``Stripe-Signature`` header."""
        payload = self.payload(event)
        return payload, stripe_signature.signed(payload, secret, at or datetime.now(UTC))

    def send(
        self, url: str, events: Iterable[Object] | None = None, *, repeat: int = 1, shuffled: int | None = None
    ) -> list[int]:
        """POST the events (all so far), each ``repeat`` times, in an order drawn with ``shuffled``; the statuses."""
        told = [event for event in (self.events if events is None else events) for _ in range(repeat)]
        if shuffled is not None:
            random.Random(shuffled).shuffle(told)
        answers = []
        with httpx.Client() as client:
            for event in told:
                payload, signature = self.signed(event)
                headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
                answers.append(client.post(url, content=payload, headers=headers).status_code)
        return answers

    # Requests

    def answer(self, method: str, target: str, body: str, headers: Any) -> tuple[int, Object, dict[str, str]] | None:
        """Status, body and headers; None: hang up."""
        url = urlsplit(target)
        form, key = (body if method == "POST" else url.query), headers.get("Idempotency-Key", "")
        trouble = self._trouble(url.path)
        with self._lock:
            self.requests.append(Request(method, url.path, stripe_params.nested(form), key))
            if trouble is not None and trouble.kind == "fail":
                return trouble.status, {"error": trouble.error}, trouble.headers
            status, answer = self._answer(method, url.path, form, key, headers)
        if trouble is not None and trouble.kind == "stall":
            self._released.wait(300)
        return None if trouble is not None and trouble.kind == "drop" else (status, answer, {})

    def _answer(self, method: str, path: str, form: str, key: str, headers: Any) -> tuple[int, Object]:
        given = headers.get("Authorization", "").removeprefix("Bearer ")
        if given != self.KEY:
            message = f"Invalid API Key provided: {given[:8]}{'*' * 12}{given[-4:]}"
            return 401, {"error": {"type": "invalid_request_error", "message": message}}
        if headers.get("Stripe-Version") != API_VERSION:
            self.complaints.append(f"{path}: API version {headers.get('Stripe-Version')}")
        asked = (path, form)
        if method == "POST" and key in self._answered:
            before, answer = self._answered[key]
            if before != asked:
                message = (
                    "Keys for idempotent requests can only be used with the same parameters they were first used with."
                )
                return 400, {"error": {"type": "idempotency_error", "message": message}}
            assert answer is not None
            return answer
        try:
            answer = 200, self._done(method, path, form)
        except Refused as refused:
            error = {"type": refused.kind, "message": refused.message} | (
                {"code": refused.code} if refused.code else {}
            )
            answer = refused.status, {"error": error | refused.more}
            # It keeps what it has begun to do, not what it would not begin.
            if refused.kind != "card_error":
                return answer
        if method == "POST":
            self._answered[key] = (asked, json.loads(json.dumps(answer)))
        return answer

    def _done(self, method: str, path: str, form: str) -> Object:
        for (wanted, pattern), (params, verb) in stripe_answers.ROUTES.items():
            found = re.fullmatch(pattern, path)
            if found and wanted == method:
                problem = stripe_params.problems(params, form)
                if problem:
                    self.complaints.append(f"{method} {path}: {problem}")
                    raise Refused(problem, code="parameter_unknown")
                given = stripe_params.nested(form)
                expand = given.pop("expand", [])
                answer = verb(self, given, *found.groups())
                return stripe_answers.expanded(self, answer, expand)
        self.complaints.append(f"{method} {path} is unknown to the stand-in")
        raise Refused(f"Unrecognized request URL ({method}: {path})", status=404)

    def _trouble(self, path: str) -> Trouble | None:
        with self._lock:
            for trouble in self._troubles:
                if trouble.times and trouble.path in path:
                    trouble.times -= 1
                    return trouble
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    stand_in: StandIn

    def do_GET(self) -> None:
        self._respond("GET")

    def do_POST(self) -> None:
        self._respond("POST")

    def do_DELETE(self) -> None:
        self._respond("DELETE")

    def _respond(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        try:
            given = self.stand_in.answer(method, self.path, body, self.headers)
        except Exception as error:
            self.stand_in.complaints.append(f"{method} {self.path}: {error!r}")
            given = None
        if given is None:
            self.close_connection = True
            return
        status, answer, headers = given
        text = json.dumps(answer).encode()
        try:
            self.send_response(status)
            headers = {"Request-Id": f"req_{time.monotonic_ns()}", "Content-Type": "application/json"} | headers
            for name, value in {**headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)
        except OSError:
            # Whoever asked has given up waiting.
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Tests print nothing."""

"""What every request to the APIs passes first: authentication, rate limit, the whole body."""

import time
from collections.abc import Mapping

import structlog
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from billing_core.dates import utc_now
from billing_core.errors import Forbidden
from billing_core.web import throttle
from billing_core.web.api import problems
from billing_core.web.api.access import SAFE_METHODS, SCOPE_KEY, Caller, find_caller
from billing_core.web.api.middleware import rate_limit
from billing_core.web.api.problem_bodies import Problem
from billing_core.web.doors.client_address import address_of, whose
from billing_core.web.failures import route_of
from billing_core.web.metrics import method_of

# Addresses served without credentials.
OPEN = frozenset({"/api/v1/auth/token", "/api/openapi.json", "/api/docs"})
_log = structlog.get_logger()


class ApiMiddleware:
    """ASGI middleware around the APIs. Stores the Caller in the scope; without one only OPEN addresses are served."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Mapping[str, str] = {}
        status, began = 0, time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(headers)
            await send(message)

        try:
            caller, problem, headers = await run_in_threadpool(_admit, scope)
            await self._forward(scope, receive, send_with_headers, caller, problem)
        except OperationalError as error:
            # Failures outside the routes, which handle their own: while finding the caller or a stored answer.
            if status:
                raise
            await problems.busy(scope, error)(scope, receive, send_with_headers)
        finally:
            if scope["method"] not in SAFE_METHODS or status >= 400:
                _log_request(scope, status, time.perf_counter() - began)

    async def _forward(
        self, scope: Scope, receive: Receive, send: Send, caller: Caller | None, problem: Problem | None
    ) -> None:
        if problem is not None:
            return await problems.answer(scope, problem)(scope, receive, send)
        if caller is not None:
            scope[SCOPE_KEY] = caller
        try:
            body = await _body(receive)
        except ClientDisconnect:
            # Half a body is no request, and nobody waits for an answer.
            return None
        except HTTPException as refusal:
            refused = problems.of_status(refusal.status_code, refusal.detail)
            return await problems.answer(scope, refused)(scope, receive, send)
        return await self.app(scope, replayed(body, receive), send)


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    """Log changes and refused requests: by route and id, without any address, name or text that was sent."""
    caller = scope.get(SCOPE_KEY)
    _log.info(
        "api request",
        method=method_of(scope),
        route=route_of(scope),
        status=status,
        caller=caller.limit_key if isinstance(caller, Caller) else "",
        milliseconds=round(seconds * 1000),
    )


def _admit(scope: Scope) -> tuple[Caller | None, Problem | None, Mapping[str, str]]:
    """The caller, the reason of a refusal if any, and the headers that the answer has in any case."""
    problem: Problem | None = None
    caller: Caller | None = None
    is_open = scope["path"] in OPEN
    try:
        caller = None if is_open else find_caller(scope, now=utc_now())
    except Forbidden as error:
        problem = problems.of_error(error)
    address = address_of(scope)
    count = rate_limit.count(caller.limit_key if caller else f"address:{whose(address)}")
    if count.wait and caller is None and not is_open and "authorization" in Headers(scope=scope):
        throttle.tell_of_program(address)
    if count.wait:
        problem = problems.of_status(429, f"Request was throttled. Expected available in {count.wait} seconds.")
    elif caller is None and problem is None and not is_open:
        problem = problems.of_status(401)
    return caller, problem, count.headers


async def _body(receive: Receive) -> bytes:
    """The whole body. ClientDisconnect where the client goes before all of it has come; HTTPException where it is too
    large or too slow (``body_limits``).
    """
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return b"".join(parts)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Receives an already read body once, then what really comes, such as a disconnect."""
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again

"""What every request to the APIs passes first: authentication, rate limit, the whole body.

What is uploaded is kept on the disk, everything else in memory.
"""

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
from billing_core.web.doors import body_limits
from billing_core.web.doors.client_address import address_of, whose
from billing_core.web.failures import route_of
from billing_core.web.metrics import method_of
from billing_core.web.requests import kept_bodies
from billing_core.web.requests.kept_bodies import KeptBody

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
        with KeptBody(in_memory=_most_in_memory(scope)) as body:
            try:
                await _take(body, receive)
            except ClientDisconnect:
                # Half a body is no request, and nobody waits for an answer.
                return None
            except HTTPException as refusal:
                refused = problems.of_status(refusal.status_code, refusal.detail)
                return await problems.answer(scope, refused)(scope, receive, send)
            except OSError as error:
                return await problems.no_room(scope, error)(scope, receive, send)
            scope[kept_bodies.SCOPE_KEY] = body
            return await self.app(scope, body.replayed(receive), send)


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
        if caller is not None and (needed := body_limits.uploading(scope)):
            # Before hundreds of megabytes are taken in.
            caller.actor.require(needed)
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


def _most_in_memory(scope: Scope) -> int:
    """Bytes of a body that are held in memory; the rest of what is uploaded is on the disk."""
    most = body_limits.largest(scope["path"], scope["method"])
    return min(most, body_limits.AN_API_REQUEST) if body_limits.uploading(scope) else most


async def _take(body: KeptBody, receive: Receive) -> None:
    """Keep the whole body. ClientDisconnect where the client goes before all of it has come; HTTPException where it is
    too large or too slow (``body_limits``); OSError where the disk is full.
    """
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        await body.add(message.get("body", b""))
        if not message.get("more_body", False):
            break
    await body.finish()

"""A request that comes twice is carried out once: the header ``Idempotency-Key`` of POST requests."""

import hashlib
import zlib
from collections.abc import Callable
from typing import TypeVar

import anyio
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.web.api import problems
from billing_core.web.api.access import REPEATABLE_KEY, SCOPE_KEY, Caller
from billing_core.web.api.middleware import idempotency_store
from billing_core.web.api.middleware.api_middleware import once_more
from billing_core.web.api.middleware.idempotency_store import Kept, Refused

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
# Compressed. A report that is larger is made once as well, but is told of, not repeated.
_LARGEST_ANSWER = 4 * 1024 * 1024
_LONGEST_KEY = 255
_T = TypeVar("_T")


class Idempotent:
    """ASGI middleware behind the door: it needs the Caller, and the body in one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = Headers(scope=scope).get(HEADER)
        caller = scope.get(SCOPE_KEY)
        if key is None or scope["method"] != "POST" or not isinstance(caller, Caller):
            return await self.app(scope, receive, send)
        if said := unfit(key):
            return await problems.answer(scope, problems.of_status(400, said))(scope, receive, send)
        body: bytes = (await receive()).get("body", b"")
        fingerprint = _fingerprint(scope, caller, body)
        begun = await _written(
            lambda session: idempotency_store.begin(session, caller.limit_key, key, fingerprint, now=utc_now())
        )
        match begun:
            case Kept():
                headers = {**begun.headers, REPLAYED: "true"}
                return await Response(begun.body, begun.status, headers)(scope, receive, send)
            case Refused():
                return await problems.answer(scope, problems.of_status(begun.status, begun.said))(scope, receive, send)
        scope[REPEATABLE_KEY] = begun
        return await _Answering(begun).run(self.app, scope, once_more(body, receive), send)


def unfit(key: str) -> str:
    """Why this is no key; empty where it is one."""
    if 0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable():
        return ""
    return f"{HEADER} has 1 to {_LONGEST_KEY} letters, digits and signs"


class _Answering:
    """Keeps an answer before its last piece leaves: whoever has seen it whole gets the same again."""

    def __init__(self, request_id: int) -> None:
        self.request_id = request_id
        self.status = 500
        self.headers: dict[str, str] = {}
        self.done = False
        self._compressing = zlib.compressobj(1)
        self._body: bytearray | None = bytearray()

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def keep_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {
                    name.decode("latin-1"): value.decode("latin-1") for name, value in message.get("headers", ())
                }
            elif message["type"] == "http.response.body":
                self._add(message.get("body", b""))
                if not message.get("more_body", False):
                    await self._finish()
            await send(message)

        try:
            await app(scope, receive, keep_and_send)
        finally:
            if not self.done:
                # Nobody waits any more, or it failed before it answered.
                with anyio.CancelScope(shield=True):
                    await _written(lambda session: idempotency_store.forget(session, self.request_id))

    def _add(self, piece: bytes) -> None:
        if self._body is not None:
            self._body += self._compressing.compress(piece)
            if len(self._body) > _LARGEST_ANSWER:
                self._body = None

    async def _finish(self) -> None:
        """What failed on our side has changed nothing and may be tried again, as may what came too often."""
        self.done = True
        if self.status >= 500 or self.status == 429:
            await _written(lambda session: idempotency_store.forget(session, self.request_id))
            return
        kept = None
        if self._body is not None:
            kept = Kept(self.status, self.headers, bytes(self._body + self._compressing.flush()))
        await _written(lambda session: idempotency_store.finish(session, self.request_id, kept, status=self.status))


async def _written(change: Callable[[Session], _T]) -> _T:
    def in_transaction() -> _T:
        with runtime.sessions().begin() as session:
            return change(session)

    return await run_in_threadpool(in_transaction)


def _fingerprint(scope: Scope, caller: Caller, body: bytes) -> str:
    asked = (scope["path"].encode("utf-8", "surrogatepass"), scope["query_string"], caller.dialect.encode(), body)
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in asked)).hexdigest()

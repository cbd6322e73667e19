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
from billing_core.identity.idempotent import Claim
from billing_core.web.api import problems
from billing_core.web.api.access import REPEATABLE_KEY, SCOPE_KEY, Caller
from billing_core.web.api.middleware import idempotency_store
from billing_core.web.api.middleware.idempotency_store import Refused, StoredAnswer
from billing_core.web.requests import multipart
from billing_core.web.requests.kept_bodies import KeptBody, body_of

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
# Compressed size. A larger answer is produced only once as well, but its repetition is refused.
_LARGEST_ANSWER = 4 * 1024 * 1024
_LONGEST_KEY = 255
_T = TypeVar("_T")


class Idempotent:
    """ASGI middleware inside ApiMiddleware, which provides the Caller and keeps the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = Headers(scope=scope).get(HEADER)
        caller = scope.get(SCOPE_KEY)
        if key is None or scope["method"] != "POST" or not isinstance(caller, Caller):
            return await self.app(scope, receive, send)
        if problem := key_problem(key):
            return await problems.answer(scope, problems.of_status(400, problem))(scope, receive, send)
        body = body_of(scope)
        fingerprint = await _fingerprint(scope, caller, body)
        begun = await _in_transaction(
            lambda session: idempotency_store.begin(session, caller.limit_key, key, fingerprint, now=utc_now())
        )
        match begun:
            case StoredAnswer():
                headers = {**begun.headers, REPLAYED: "true"}
                return await Response(begun.body, begun.status, headers)(scope, receive, send)
            case Refused():
                return await problems.answer(scope, problems.of_status(begun.status, begun.message))(
                    scope, receive, send
                )
        scope[REPEATABLE_KEY] = begun
        return await _Recorder(begun).run(self.app, scope, receive, send)


def key_problem(key: str) -> str:
    """Why this is not a valid key; empty where it is."""
    if 0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable():
        return ""
    return f"{HEADER} has 1 to {_LONGEST_KEY} letters, digits and signs"


class _Recorder:
    """Stores an answer before its last piece is sent: a client that got all of it gets the same again."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.status = 500
        self.headers: dict[str, str] = {}
        self.done = False
        self._compressing = zlib.compressobj(1)
        self._body: bytearray | None = bytearray()

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def record_and_send(message: Message) -> None:
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
            await app(scope, receive, record_and_send)
        finally:
            if not self.done:
                # The client has gone, or the request failed before its answer was complete.
                with anyio.CancelScope(shield=True):
                    await _in_transaction(lambda session: idempotency_store.forget(session, self.claim))

    def _add(self, piece: bytes) -> None:
        if self._body is not None:
            self._body += self._compressing.compress(piece)
            if len(self._body) > _LARGEST_ANSWER:
                self._body = None

    async def _finish(self) -> None:
        """A failure on our side has changed nothing and may be retried, as may a request over the rate limit."""
        self.done = True
        if self.status >= 500 or self.status == 429:
            await _in_transaction(lambda session: idempotency_store.forget(session, self.claim))
            return
        answer = None
        if self._body is not None:
            answer = StoredAnswer(self.status, self.headers, bytes(self._body + self._compressing.flush()))
        await _in_transaction(lambda session: idempotency_store.finish(session, self.claim, answer, status=self.status))


async def _in_transaction(change: Callable[[Session], _T]) -> _T:
    def change_and_commit() -> _T:
        with runtime.sessions().begin() as session:
            return change(session)

    return await run_in_threadpool(change_and_commit)


async def _fingerprint(scope: Scope, caller: Caller, body: KeptBody) -> str:
    content_type = Headers(scope=scope).get("content-type", "")
    parts = (scope["path"].encode("utf-8", "surrogatepass"), scope["query_string"], caller.dialect.encode())
    digests = [hashlib.sha256(part).digest() for part in parts]
    if multipart.is_multipart(content_type):
        digests.append(await run_in_threadpool(_digest_of_parts, content_type, body))
    else:
        digests.append(_digest(body) if body.in_memory else await run_in_threadpool(_digest, body))
    return hashlib.sha256(b"\0".join(digests)).hexdigest()


def _digest_of_parts(content_type: str, body: KeptBody) -> bytes:
    """The same whatever boundary a client has drawn for this time. What cannot be read is what it is."""
    try:
        return multipart.digest(content_type, body.pieces())
    except multipart.Malformed:
        return _digest(body)


def _digest(body: KeptBody) -> bytes:
    digest = hashlib.sha256()
    for piece in body.pieces():
        digest.update(piece)
    return digest.digest()

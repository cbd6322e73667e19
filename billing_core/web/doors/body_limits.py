"""How large a request may be, and how long its body may take to come: for every address, before anything reads it.

What is too much is refused with 413 or 408 by whoever reads the body, in the words of its address; the rest of it is
neither kept nor waited for. A route that nothing is said about here takes what a form takes.
"""

import asyncio
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from billing_core.identity import Permission
from billing_core.online_payments.webhooks import inbox
from billing_core.web.access import APIS

_KIB: Final = 1024
A_FORM: Final = 64 * _KIB
AN_API_REQUEST: Final = 1024 * _KIB
A_BATCH_OF_USAGE: Final = 10 * AN_API_REQUEST
# What the dashboard's uploader takes (``maxUploadSize`` in .streamlit/config.toml), and the frame around the file.
AN_UPLOAD: Final = (500 + 1) * 1024 * _KIB
# A message of a browser to the dashboard: what its fields hold.
A_WEBSOCKET_MESSAGE: Final = 25_000_000
UPLOADS: Final = "/_stcore/upload_file/"
# With the mail that it returns, and our PDF in that.
A_RETURNED_MAIL: Final = 10 * 1024 * _KIB
_EXACTLY: Final = {
    "/api/v1/usage/events": A_BATCH_OF_USAGE,
    "/webhooks/stripe": inbox.LARGEST_BYTES,
    "/webhooks/bounces": A_RETURNED_MAIL,
}
# Where programs upload files, and what they need for it.
UPLOADED_TO: Final = {"/api/v1/imports": Permission.IMPORT}

HEADERS_BYTES: Final = 32 * _KIB
# The dashboard reads an address with more as if it had none, and would show everything.
MOST_FIELDS: Final = 1000
# A body has so long to come, and as long as it takes at the slowest speed: an upload over a bad line comes through.
PATIENCE_SECONDS: Final = 20.0
SLOWEST_BYTES_PER_SECOND: Final = 16 * _KIB
# For so long what was refused is still taken off the line, unread, so that its sender gets to see the answer.
_LINGER_SECONDS: Final = 2.0


def largest(path: str, method: str = "POST") -> int:
    """The bytes that the body of a request to this address may have."""
    if path in UPLOADED_TO and method == "POST":
        return AN_UPLOAD
    if path in _EXACTLY:
        return _EXACTLY[path]
    if path.startswith(APIS):
        return AN_API_REQUEST
    return AN_UPLOAD if path.startswith(UPLOADS) else A_FORM


def uploading(scope: Scope) -> Permission | None:
    """What a program needs that uploads a file with this request; None where it does not."""
    return UPLOADED_TO.get(scope["path"]) if scope["method"] == "POST" else None


class BodyLimits:
    """ASGI middleware around everything that may read a body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADERS_BYTES:
            return await _too_many_headers(scope, receive, send)
        if scope["query_string"].count(b"&") >= MOST_FIELDS and not scope["path"].startswith(APIS):
            refusal = PlainTextResponse(f"Nothing is shown for an address with more than {MOST_FIELDS:,} fields.", 414)
            return await refusal(scope, receive, send)
        if scope["type"] == "websocket":
            return await self.app(scope, _message_by_message(receive, send), send)
        if not _has_a_body(scope):
            return await self.app(scope, receive, send)
        if _has_a_charset(scope):
            refusal = PlainTextResponse("A form is UTF-8, and says no charset.", 415)
            return await refusal(scope, receive, send)
        body = _Body(scope, receive, send)
        return await self.app(scope, body.receive, body.send)


class _Body:
    """The body of one request as it comes."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._receive, self._send = receive, send
        self._largest = largest(scope["path"], scope["method"])
        declared = headers.get("content-length", "0")
        self._too_large = declared.isdecimal() and int(declared[:20]) > self._largest
        self._chunked = "transfer-encoding" in headers
        self._complete = self._too_slow = self._closing = False
        self._bytes = 0
        self._until = 0.0

    async def receive(self) -> Message:
        """The next part; HTTPException 413 or 408 where it is too much or too slow."""
        if self._complete:
            return await self._receive()
        if not self._too_large:
            message = await self._in_time()
            self._bytes += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            self._too_large = self._bytes > self._largest
        if self._too_large:
            raise HTTPException(413, f"The body is larger than {self._largest // _KIB} KiB")
        return message

    async def _in_time(self) -> Message:
        now = asyncio.get_running_loop().time()
        self._until = self._until or now + PATIENCE_SECONDS
        try:
            async with asyncio.timeout_at(self._until + self._bytes / SLOWEST_BYTES_PER_SECOND):
                return await self._receive()
        except TimeoutError:
            self._too_slow = True
            raise HTTPException(408, "The request took too long to arrive") from None

    async def send(self, message: Message) -> None:
        """The connection ends with the answer where the rest of the body would follow it without an end."""
        if message["type"] == "http.response.start":
            unread = self._chunked and not self._complete
            self._closing = self._too_large or self._too_slow or unread
            if self._closing:
                MutableHeaders(scope=message)["Connection"] = "close"
        elif self._closing and not self._too_slow and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _linger(self) -> None:
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                more = not self._complete
                while more:
                    more = (await self._receive()).get("more_body", False)
        except TimeoutError:
            pass


def _has_a_body(scope: Scope) -> bool:
    """A request that announces no body has none (RFC 9112, 6.3): the server takes what follows for another request."""
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _has_a_charset(scope: Scope) -> bool:
    """Parts of a form are read by whatever name stands there, such as “unicode_escape”, which makes half characters. No
    browser sends one.
    """
    kind = Headers(scope=scope).get("content-type", "").lower()
    return kind.lstrip().startswith("multipart/") and "charset" in kind


def _message_by_message(receive: Receive, send: Send) -> Receive:
    async def receive_limited() -> Message:
        message = await receive()
        if len(message.get("bytes") or message.get("text") or "") <= A_WEBSOCKET_MESSAGE:
            return message
        await send({"type": "websocket.close", "code": 1009})
        return {"type": "websocket.disconnect", "code": 1009}

    return receive_limited


async def _too_many_headers(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        return await send({"type": "websocket.close", "code": 1008})
    refusal = PlainTextResponse("The headers are too large.", 431, headers={"Connection": "close"})
    return await refusal(scope, receive, send)

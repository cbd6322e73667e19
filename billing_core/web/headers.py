"""Headers of every answer: security, and the id under which the log knows the request."""

import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from billing_core.settings import settings
from billing_core.web.access import APIS

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    # Not "no-referrer": with that, browsers hide the origin of our own forms too.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# The dashboard's own scripts need inline styles, WebAssembly and workers. Other sites get and give nothing.
_DASHBOARD_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; worker-src 'self' blob:; "
    "frame-src 'self' blob: data:; frame-ancestors 'self'; base-uri 'self'; object-src 'none'; form-action 'self'"
)
# Our own pages have no script at all.
_OWN_PAGES_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# The dashboard's scripts and fonts have the hash of their content in their names; nothing in them is confidential.
_CACHEABLE = ("/static/", "/auth/static/")


class SafeAnswers:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        request_id = scope["request_id"] = secrets.token_hex(6)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                encrypted = settings().served_over_https or scope.get("scheme") == "https"
                _complete(MutableHeaders(scope=message), scope["path"], request_id, encrypted=encrypted)
            await send(message)

        with bound_contextvars(request_id=request_id):
            return await self.app(scope, receive, send_safely)


def _complete(headers: MutableHeaders, path: str, request_id: str, *, encrypted: bool) -> None:
    headers["X-Request-ID"] = request_id
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    own = path.startswith(("/auth/", "/i/", "/pay/", "/card/", *APIS))
    headers.setdefault("Content-Security-Policy", _OWN_PAGES_POLICY if own else _DASHBOARD_POLICY)
    if encrypted:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        _secure(headers)
    if not path.startswith(_CACHEABLE):
        headers["Cache-Control"] = "no-store"


def _secure(headers: MutableHeaders) -> None:
    """No browser sends a cookie of ours without encryption again."""
    cookies = headers.getlist("set-cookie")
    if cookies:
        del headers["set-cookie"]
        for cookie in cookies:
            headers.append("set-cookie", cookie if "; secure" in cookie.lower() else f"{cookie}; Secure")

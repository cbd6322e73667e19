"""Nothing is served without a session: no page, websocket, media file, download or script."""

from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import SESSION_COOKIE, Permission, sessions
from billing_core.identity.sessions import SignedIn
from billing_core.people import queries as people
from billing_core.settings import settings
from billing_core.web.access import APIS, SCOPE_KEY
from billing_core.web.activity import last_seen
from billing_core.web.api.app import guarded
from billing_core.web.doors.body_limits import UPLOADS
from billing_core.web.origin import from_our_pages

# Open without a session, besides signing in: the health check, and invoices, payments and cards by their links. Events
# carry a signature and returned mails a secret, which prove more than a session would.
SIGNED = ("/webhooks/stripe", "/webhooks/bounces")
PUBLIC = ("/healthz", "/readyz", *SIGNED)
PUBLIC_FOLDERS = ("/auth/", "/i/", "/pay/", "/card/")
METRICS = "/metrics"
_READS = ("GET", "HEAD", "OPTIONS")
# Files to import, and logos.
_UPLOADING = (Permission.IMPORT, Permission.BUSINESS_WRITE)
# The dashboard's server itself refuses addresses with these, before the APIs could answer in their own form.
_REFUSED_BY_STREAMLIT = ("..", "\\", "\0")


class SignedInOnly:
    """ASGI middleware around everything. Stores the signed-in person in the scope, for our own routes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await self._websocket(scope, receive, send)
            case _:
                await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(APIS):
            # The APIs know more kinds of credentials, and answer in forms of their own.
            app = guarded() if any(part in scope["path"] for part in _REFUSED_BY_STREAMLIT) else self.app
            return await app(scope, receive, send)
        headers = Headers(scope=scope)
        if scope["method"] not in _READS and scope["path"] not in SIGNED and not from_our_pages(headers):
            refusal: Response = PlainTextResponse("This came from another site's page.", 403)
            return await refusal(scope, receive, send)
        if _is_public(scope["path"]):
            return await self.app(scope, receive, send)
        signed_in = await _signed_in(scope)
        if signed_in is None:
            refusal = await run_in_threadpool(_refusal, scope, headers)
            return await refusal(scope, receive, send)
        if scope["path"].startswith(UPLOADS) and not any(map(signed_in.actor.may, _UPLOADING)):
            # Kept in memory until the page reads it, which has no uploader for them.
            refusal = PlainTextResponse("Your role does not allow uploads.", 403)
            return await refusal(scope, receive, send)
        last_seen.note(signed_in.session_id)
        scope[SCOPE_KEY] = signed_in
        return await self.app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = from_our_pages(Headers(scope=scope), origin_needed=True)
        signed_in = await _signed_in(scope) if allowed else None
        if signed_in is None:
            # Closed before it is accepted: the server answers 403.
            return await send({"type": "websocket.close", "code": 1008})
        session_id = signed_in.session_id
        last_seen.note(session_id)

        async def receive_and_note() -> Message:
            message = await receive()
            last_seen.note(session_id)
            return message

        return await self.app(scope, receive_and_note, send)


def _is_public(path: str) -> bool:
    if path == METRICS:
        # The metrics have a token of their own, where they are served at all.
        return settings().metrics_token is not None
    return path.startswith(PUBLIC_FOLDERS) or path in PUBLIC


async def _signed_in(scope: Scope) -> SignedIn | None:
    token = HTTPConnection(scope).cookies.get(SESSION_COOKIE, "")
    return await run_in_threadpool(_find, token) if token else None


def _find(token: str) -> SignedIn | None:
    with runtime.sessions()() as session:
        return sessions.find(session, token, now=utc_now())


def _refusal(scope: Scope, headers: Headers) -> Response:
    """People are redirected to the sign-in page, or to the set-up while there is no account; programs get 401."""
    if not (scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", "")):
        return PlainTextResponse("Sign in first.", 401, headers={"Cache-Control": "no-store"})
    with runtime.sessions()() as session:
        ready = people.anybody(session)
    address = scope["path"] + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
    target = f"/auth/sign-in?next={quote(address, safe='/')}" if ready else "/auth/set-up"
    return RedirectResponse(target, 303, headers={"Cache-Control": "no-store"})

"""The page for a public address that leads nowhere, or for too many requests, in the browser's language."""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Final

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from billing_core.errors import NotFound
from billing_core.languages.formats import gettext_noop, writing
from billing_core.web import forms
from billing_core.web.accounts.sign_in import browser_of
from billing_core.web.public.invoice_sheet import spoken
from billing_core.web.throttle import public_wait_seconds

# The link is a secret: no search engine keeps it, and no other site learns it.
PRIVATE: Final = {"X-Robots-Tag": "noindex, nofollow, noarchive", "Referrer-Policy": "no-referrer"}


class PublicRoute(APIRoute):
    """Limits how often an address asks, and answers NotFound with a page. ``nothing_here``: its heading."""

    nothing_here: ClassVar[str] = gettext_noop("There is no invoice at this address")

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def limited(request: Request) -> Response:
            if wait := await run_in_threadpool(public_wait_seconds, browser_of(request).address):
                return _too_often(request, wait)
            try:
                return await handle(request)
            except NotFound:
                return _not_found(request, self.nothing_here)

        return limited


def _not_found(request: Request, what: str) -> Response:
    """The same for a link that never existed, one that is not valid yet and one that was truncated."""
    advice = gettext_noop("Check that the link is complete, or ask whoever sent it to you for a new one.")
    return _page(request, what, advice, 404)


def _too_often(request: Request, wait: int) -> Response:
    what = gettext_noop("Too many requests from your network")
    response = _page(request, what, gettext_noop("Wait a minute, then open the link again."), 429)
    response.headers["Retry-After"] = str(wait)
    return response


def _page(request: Request, what: str, advice: str, status: int) -> Response:
    words = writing(spoken(request.headers.get("accept-language", "")))
    facts = {"language": words.language, "message": words.gettext(what), "advice": words.gettext(advice)}
    response = forms.plain_page(request, "public_problem.html", status=status, **facts)
    response.headers.update(PRIVATE)
    return response

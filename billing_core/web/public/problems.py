"""What somebody reads at a public address that leads nowhere, or who asks too often: in their browser's language."""

from typing import Final

from fastapi import Request
from starlette.responses import Response

from billing_core.languages.formats import gettext_noop, writing
from billing_core.web import forms
from billing_core.web.accounts.sign_in import browser_of
from billing_core.web.public.invoice_sheet import spoken
from billing_core.web.throttle import public_wait_seconds

# The link is a secret: no search engine keeps it, and no other site learns it.
PRIVATE: Final = {"X-Robots-Tag": "noindex, nofollow, noarchive", "Referrer-Policy": "no-referrer"}
_NO_INVOICE: Final = gettext_noop("There is no invoice at this address")


def wait_seconds(request: Request) -> int:
    """Count one more request from this address. 0: it may go ahead; else how long to wait before the next."""
    return public_wait_seconds(browser_of(request).address)


def not_found(request: Request, what: str = _NO_INVOICE) -> Response:
    """The same for a link that never was, one that is not out yet and a cut-off one: nothing tells them apart.

    ``what`` is not there, as a message of the catalogues.
    """
    advice = gettext_noop("Check that the link is complete, or ask whoever sent it to you for a new one.")
    return _drawn(request, what, advice, 404)


def too_often(request: Request, wait: int) -> Response:
    what = gettext_noop("Too many requests from your network")
    response = _drawn(request, what, gettext_noop("Wait a minute, then open the link again."), 429)
    response.headers["Retry-After"] = str(wait)
    return response


def _drawn(request: Request, what: str, advice: str, status: int) -> Response:
    words = writing(spoken(request.headers.get("accept-language", "")))
    facts = {"language": words.language, "what": words.gettext(what), "advice": words.gettext(advice)}
    response = forms.plain_page(request, "public_problem.html", status=status, **facts)
    response.headers.update(PRIVATE)
    return response

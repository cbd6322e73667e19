"""What somebody reads at a public address that leads nowhere, or who asks too often: in their browser's language."""

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from starlette.responses import Response

from billing_core.web import forms
from billing_core.web.accounts.sign_in import browser_of
from billing_core.web.public.invoice_sheet import spoken, words_of
from billing_core.web.throttle import public_wait_seconds

# The link is a secret: no search engine keeps it, and no other site learns it.
PRIVATE: Final = {"X-Robots-Tag": "noindex, nofollow, noarchive", "Referrer-Policy": "no-referrer"}


def wait_seconds(request: Request) -> int:
    """Count one more request from this address. 0: it may go ahead; else how long to wait before the next."""
    return public_wait_seconds(browser_of(request).address)


def not_found(request: Request, own_words: Mapping[str, Mapping[str, str]] | None = None) -> Response:
    """The same for a link that never was, one that is not out yet and a cut-off one: nothing tells them apart.

    ``own_words``: by language, what the page calls it where that is not an invoice.
    """
    return _drawn(request, "not_found", 404, own_words or {})


def too_often(request: Request, wait: int) -> Response:
    response = _drawn(request, "too_often", 429, {})
    response.headers["Retry-After"] = str(wait)
    return response


def _drawn(request: Request, said: str, status: int, own_words: Mapping[str, Mapping[str, str]]) -> Response:
    language = spoken(request.headers.get("accept-language", ""))
    words = {**words_of(language), **own_words.get(language, {})}
    facts = {"language": language, "said": words[said], "advice": words[f"{said}_advice"]}
    response = forms.plain_page(request, "public_problem.html", status=status, **facts)
    response.headers.update(PRIVATE)
    return response

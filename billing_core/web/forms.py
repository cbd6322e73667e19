"""Our own pages and their forms: drawn from templates, protected against other sites' forms.

Each form carries a signed token that its browser also has as a cookie, bound to the browser's session.
"""

import hmac
import secrets
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Form, Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from billing_core.errors import Forbidden
from billing_core.settings import settings
from billing_core.text import closed
from billing_core.web import cookies

_TEMPLATES = Jinja2Templates(Path(__file__).parent / "templates")
_TEMPLATES.env.finalize = lambda value: closed(value) if isinstance(value, str) else value


def page(request: Request, template: str, *, status: int = 200, **facts: Any) -> Response:
    """Draw a page; ``form_token`` in it is the hidden field that every form needs."""
    token = request.cookies.get(cookies.FORM_COOKIE, "")
    if not _signed_for(token, request):
        token = _fresh(request)
    response = _TEMPLATES.TemplateResponse(request, template, {"form_token": token, **facts}, status_code=status)
    cookies.keep_form_token(response, token)
    return response


def plain_page(request: Request, template: str, *, status: int = 200, **facts: Any) -> Response:
    """Draw a page without a form; it sets no cookie."""
    return _TEMPLATES.TemplateResponse(request, template, facts, status_code=status)


def _own_form(request: Request, form_token: Annotated[str, Form()] = "") -> None:
    cookie = request.cookies.get(cookies.FORM_COOKIE, "")
    if not (hmac.compare_digest(cookie.encode(), form_token.encode()) and _signed_for(form_token, request)):
        raise Forbidden("This form is too old, or cookies are blocked. Go back, reload the page and try again.")


# A route that changes something takes this: ``dependencies=[OwnForm]``.
OwnForm = Depends(_own_form)


def _fresh(request: Request) -> str:
    nonce = secrets.token_urlsafe(24)
    return f"{nonce}.{_signature(nonce, request)}"


def _signed_for(token: str, request: Request) -> bool:
    nonce, _, signature = token.partition(".")
    return bool(nonce) and hmac.compare_digest(signature.encode(), _signature(nonce, request).encode())


def _signature(nonce: str, request: Request) -> str:
    return settings().derived(f"form:{nonce}:{cookies.session_token(request)}").hex()

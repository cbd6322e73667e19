"""The customer's own page of an invoice, ``/i/{token}``: whoever has the link may see it, without signing in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response
from starlette.templating import Jinja2Templates

from billing_core import runtime
from billing_core.businesses import logo
from billing_core.businesses.queries import default_business
from billing_core.dates import day_in, utc_now
from billing_core.errors import Conflict, NotFound
from billing_core.invoices import document, exporting, following, payment_links, queries, visits
from billing_core.reports.exporting import Download
from billing_core.settings import settings
from billing_core.web.invoice_sheet import Sheet, sheet, spoken, words_of
from billing_core.web.sign_in import browser_of
from billing_core.web.streaming import streamed
from billing_core.web.throttle import public_wait_seconds
from billing_core.web.visitors import by_the_customer

router = APIRouter(prefix="/i")

_TEMPLATES = Jinja2Templates(Path(__file__).parent / "templates")
_log = structlog.get_logger()

# The link is a secret: no search engine keeps it, and no other site learns it.
_PRIVATE: Final = {"X-Robots-Tag": "noindex, nofollow, noarchive", "Referrer-Policy": "no-referrer"}
_GET_AND_HEAD: Final = ["GET", "HEAD"]


@router.api_route("/{token}", methods=_GET_AND_HEAD)
def page(request: Request, token: str) -> Response:
    """What the invoice says and what is still to be paid. The customer's first look at it marks it as viewed."""
    if wait := _wait(request):
        return _too_often(request, wait)
    try:
        with runtime.sessions()() as session:
            drawn = _sheet(session, token)
    except NotFound:
        return _not_found(request)
    if by_the_customer(request):
        _note(token, following.mark_viewed)
    return _drawn(request, "public_invoice.html", drawn.language, sheet=drawn, token=token, words=drawn.words)


@router.api_route("/{token}/pdf", methods=_GET_AND_HEAD)
def pdf(request: Request, token: str) -> Response:
    """The document, as it was mailed."""
    if wait := _wait(request):
        return _too_often(request, wait)
    try:
        response: Response = streamed(lambda session: _document(session, token))
    except NotFound:
        return _not_found(request)
    if by_the_customer(request):
        _note(token, following.mark_viewed)
        _note(token, visits.mark_downloaded)
    response.headers.update(_PRIVATE)
    return response


@router.api_route("/{token}/pay", methods=_GET_AND_HEAD)
def pay(request: Request, token: str) -> Response:
    """To where it can be paid now, however often its payment link was replaced since the mail; else to the invoice."""
    if wait := _wait(request):
        return _too_often(request, wait)
    try:
        with runtime.sessions()() as session:
            payable = payment_links.active_token(session, queries.by_token(session, token).id)
    except NotFound:
        return _not_found(request)
    return RedirectResponse(f"/pay/{payable}" if payable else f"/i/{token}", 303, headers=dict(_PRIVATE))


@router.api_route("/{token}/logo", methods=_GET_AND_HEAD)
def picture(request: Request, token: str) -> Response:
    """The logo of the business that sent the invoice."""
    if wait := _wait(request):
        return _too_often(request, wait)
    try:
        with runtime.sessions()() as session:
            found = logo.of(session, queries.by_token(session, token).business_id)
            if found is None:
                raise NotFound("This business has no logo")
            return Response(found.content, media_type=found.media_type, headers=_PRIVATE)
    except NotFound:
        return _not_found(request)


@router.api_route("/{rest:path}", methods=_GET_AND_HEAD)
def nothing(request: Request) -> Response:
    """An address that was cut off or mistyped."""
    if wait := _wait(request):
        return _too_often(request, wait)
    return _not_found(request)


def _sheet(session: Session, token: str) -> Sheet:
    found = queries.by_token(session, token)
    zone = default_business(session).time_zone
    paid_on = day_in(zone, found.paid_at) if found.paid_at else None
    said = document.of_invoice(session, found.id, address=settings().address)
    return sheet(found, said, today=day_in(zone, utc_now()), paid_on=paid_on)


def _document(session: Session, token: str) -> Download:
    found = queries.by_token(session, token)
    return exporting.invoice(session, visits.customer_of(found), found.id, address=settings().address)


def _note(token: str, mark: Callable[..., bool]) -> None:
    """The customer sees the invoice also while a large import holds the database: the next visit is noted then."""
    try:
        with runtime.sessions().begin() as session:
            mark(session, token, now=utc_now())
    except (Conflict, OperationalError) as error:
        _log.warning("a customer's visit could not be noted", kind=type(error).__name__)


def _wait(request: Request) -> int:
    return public_wait_seconds(browser_of(request).address)


def _not_found(request: Request) -> Response:
    """The same for a link that never was, a draft's and a cut-off one: nothing tells them apart."""
    return _problem(request, "not_found", 404)


def _too_often(request: Request, wait: int) -> Response:
    response = _problem(request, "too_often", 429)
    response.headers["Retry-After"] = str(wait)
    return response


def _problem(request: Request, said: str, status: int) -> Response:
    language = spoken(request.headers.get("accept-language", ""))
    words = words_of(language)
    facts = {"said": words[said], "advice": words[f"{said}_advice"]}
    return _drawn(request, "public_problem.html", language, status=status, **facts)


def _drawn(request: Request, template: str, language: str, *, status: int = 200, **facts: Any) -> Response:
    said = {"language": language, **facts}
    return _TEMPLATES.TemplateResponse(request, template, said, status_code=status, headers=dict(_PRIVATE))

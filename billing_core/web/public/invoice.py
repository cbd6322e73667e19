"""The customer's own page of an invoice, ``/i/{token}``: whoever has the link may see it, without signing in."""

from collections.abc import Callable
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from billing_core import runtime
from billing_core.businesses import logo
from billing_core.businesses import queries as businesses
from billing_core.dates import day_in, utc_now
from billing_core.errors import Conflict, NotFound
from billing_core.invoices import after_sending, payment_links, queries, visits
from billing_core.invoices.documents import document, exporting
from billing_core.languages.formats import writing
from billing_core.reports.exports.formats import Download
from billing_core.settings import settings
from billing_core.web import forms
from billing_core.web.public.invoice_sheet import Sheet, sheet
from billing_core.web.public.problems import PRIVATE, PublicRoute
from billing_core.web.public.visitors import by_the_customer
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/i", route_class=PublicRoute)

_log = structlog.get_logger()

_GET_AND_HEAD: Final = ["GET", "HEAD"]


@router.api_route("/{token}", methods=_GET_AND_HEAD)
def page(request: Request, token: str) -> Response:
    """The invoice and the amount still to be paid. The customer's first visit marks it as viewed."""
    with runtime.sessions()() as session:
        drawn = _sheet(session, token)
    if by_the_customer(request):
        _note(token, after_sending.mark_viewed)
    gettext = writing(drawn.language).gettext
    facts: dict[str, Any] = {"language": drawn.language, "sheet": drawn, "token": token, "gettext": gettext}
    response = forms.plain_page(request, "public_invoice.html", **facts)
    response.headers.update(PRIVATE)
    return response


@router.api_route("/{token}/pdf", methods=_GET_AND_HEAD)
def pdf(request: Request, token: str) -> Response:
    """The document, as it was mailed."""
    response = streamed(lambda session: _document(session, token))
    if by_the_customer(request):
        _note(token, after_sending.mark_viewed)
        _note(token, visits.mark_downloaded)
    response.headers.update(PRIVATE)
    return response


@router.api_route("/{token}/pay", methods=_GET_AND_HEAD)
def pay(token: str) -> Response:
    """Redirects to the present payment page, even if its link was replaced since the mail; otherwise to the invoice."""
    with runtime.sessions()() as session:
        payable = payment_links.active_token(session, queries.by_token(session, token).id)
    return RedirectResponse(f"/pay/{payable}" if payable else f"/i/{token}", 303, headers=dict(PRIVATE))


@router.api_route("/{token}/logo", methods=_GET_AND_HEAD)
def picture(token: str) -> Response:
    """The logo of the business that sent the invoice."""
    with runtime.sessions()() as session:
        image = logo.of(session, queries.by_token(session, token).business_id)
        if image is None:
            raise NotFound("This business has no logo")
        return Response(image.content, media_type=image.media_type, headers=PRIVATE)


@router.api_route("/{rest:path}", methods=_GET_AND_HEAD)
def nothing() -> Response:
    """An address that was truncated or mistyped."""
    raise NotFound("There is nothing at this address")


def _sheet(session: Session, token: str) -> Sheet:
    view = queries.by_token(session, token)
    zone = businesses.one(session, view.business_id).time_zone
    paid_on = day_in(zone, view.paid_at) if view.paid_at else None
    content = document.of_invoice(session, view.id, address=settings().address)
    return sheet(view, content, today=day_in(zone, utc_now()), paid_on=paid_on)


def _document(session: Session, token: str) -> Download:
    view = queries.by_token(session, token)
    return exporting.invoice(session, visits.customer_of(view), view.id, address=settings().address)


def _note(token: str, mark: Callable[..., bool]) -> None:
    """The customer sees the invoice even while a large import holds the database: then a later visit is noted."""
    try:
        with runtime.sessions().begin() as session:
            mark(session, token, now=utc_now())
    except (Conflict, OperationalError) as error:
        _log.warning("a customer's visit could not be noted", kind=type(error).__name__)

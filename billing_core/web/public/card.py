"""Where a customer puts a card on file, ``/card/{token}``: leads to the gateway, or is the sandbox's own page.

Anybody with the address may, once. A card's number reaches the gateway alone; the sandbox's test card is checked and
discarded: it is neither stored nor logged.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from billing_core import runtime
from billing_core.businesses import queries as businesses
from billing_core.dates import utc_now
from billing_core.errors import Conflict, Invalid, NotFound, UpstreamFailed
from billing_core.identity import Actor
from billing_core.invoices.payment_links import Mode
from billing_core.jobs import outbox_delivery
from billing_core.languages.formats import gettext_noop, writing
from billing_core.online_payments import configured
from billing_core.online_payments.off_session import requests
from billing_core.online_payments.off_session.requests import Asked, Step
from billing_core.online_payments.sandbox import cards as sandbox_cards
from billing_core.settings import settings
from billing_core.web import forms
from billing_core.web.public import card_fields
from billing_core.web.public.card_fields import redirect
from billing_core.web.public.problems import PRIVATE, PublicRoute


class CardRoute(PublicRoute):
    nothing_here = gettext_noop("No card is asked for at this address")


router = APIRouter(prefix="/card", route_class=CardRoute)
Text = Annotated[str, Form(max_length=64)]

_GET_AND_HEAD: Final = ["GET", "HEAD"]

# The texts of the pages, in the customer's language.
_STEPS: Final = {
    Step.OPEN: (
        gettext_noop("Add a card"),
        gettext_noop("{issuer} will charge this card for what is agreed on. Only the payment service sees its number."),
    ),
    Step.ANSWERED: (
        gettext_noop("Thank you, the card is on file"),
        gettext_noop("{card}, for what {customer} owes {issuer}."),
    ),
    Step.ENDED: (
        gettext_noop("This address cannot be used any more"),
        gettext_noop("Ask {issuer} for a new one."),
    ),
}
_SAVING: Final = (
    gettext_noop("Your card is being saved"),
    gettext_noop("This takes a moment. You need not stay."),
)
_UNREACHABLE: Final = (
    gettext_noop("The payment service does not answer"),
    gettext_noop("Nothing was saved. Try again in a minute."),
)
# What each test card does once it is on file.
_CARDS: Final = {
    "pm_card_visa": gettext_noop("pays"),
    sandbox_cards.REFUSED_METHOD: gettext_noop("is declined"),
    "pm_card_chargeCustomerFail": gettext_noop("is declined when it is charged"),
    sandbox_cards.CONFIRMED_METHOD: gettext_noop("asks the cardholder when it is saved"),
    "pm_card_authenticationRequired": gettext_noop("asks the cardholder when it is charged"),
}
_DECLINED: Final = gettext_noop("The card was declined. It was not saved.")
_NOT_CONFIRMED: Final = gettext_noop("The card was not confirmed. It was not saved.")


@router.api_route("/{token}", methods=_GET_AND_HEAD)
def page(request: Request, token: str) -> Response:
    """Who asks for a card, and the way to enter it."""
    asked = _asked(token)
    return _status_page(request, asked, _STEPS[asked.step], go=f"/card/{token}/go" if asked.step is Step.OPEN else "")


@router.api_route("/{token}/go", methods=["GET"])
def go(request: Request, token: str) -> Response:
    """To the gateway's page. It makes one page for one request, however often this is opened."""
    gateway = configured.gateway(runtime.sessions(), settings())
    try:
        url = requests.start(runtime.sessions(), gateway, token, address=settings().address, now=utc_now())
    except Conflict:
        return redirect(f"/card/{token}")
    except UpstreamFailed:
        return _status_page(request, _asked(token), _UNREACHABLE, go=f"/card/{token}/go", status=502)
    return redirect(url)


@router.api_route("/{token}/done", methods=_GET_AND_HEAD)
def done(request: Request, token: str, looks: int = 0) -> Response:
    """Where the gateway redirects afterwards. Reloads itself until the card is on file."""
    asked = _asked(token)
    saving = asked.step is Step.OPEN
    response = _status_page(request, asked, _SAVING if saving else _STEPS[asked.step])
    if saving and 0 <= looks < card_fields.LOOKS:
        response.headers["Refresh"] = f"2; url=/card/{token}/done?looks={looks + 1}"
    return response


@router.api_route("/{token}/enter", methods=_GET_AND_HEAD)
def form(request: Request, token: str) -> Response:
    """The sandbox's own page for a card."""
    asked = _enterable(token)
    return asked if isinstance(asked, Response) else _card_form(request, token, asked)


@router.post("/{token}/enter", dependencies=[forms.OwnForm])
def enter(request: Request, token: str, number: Text = "", expiry: Text = "", cvc: Text = "") -> Response:
    """The sandbox takes a test card."""
    asked = _enterable(token)
    if isinstance(asked, Response):
        return asked
    try:
        method_id = sandbox_cards.method_of(number, expiry, cvc, today=_today())
    except Invalid as error:
        return _card_form(request, token, asked, status=400, problems=error.fields)
    if method_id == sandbox_cards.REFUSED_METHOD:
        return _card_form(request, token, asked, status=402, failure=_DECLINED)
    if method_id == sandbox_cards.CONFIRMED_METHOD:
        return _ask_at_the_bank(request, token, asked)
    return _save(token, asked, method_id)


@router.post("/{token}/bank", dependencies=[forms.OwnForm])
def authenticate(request: Request, token: str, answer: Text = "") -> Response:
    """The cardholder's answer to their bank, whose part the sandbox plays too."""
    asked = _enterable(token)
    if isinstance(asked, Response):
        return asked
    if answer != "confirm":
        return _card_form(request, token, asked, status=402, failure=_NOT_CONFIRMED)
    return _save(token, asked, sandbox_cards.CONFIRMED_METHOD)


@router.api_route("/{rest:path}", methods=_GET_AND_HEAD)
def nothing() -> Response:
    """An address that was truncated or mistyped."""
    raise NotFound("There is nothing at this address")


def _save(token: str, asked: Asked, method_id: str) -> Response:
    customer = Actor(None, asked.customer or "The customer", frozenset())
    try:
        with runtime.sessions().begin() as session:
            requests.enter(session, customer, asked.request_id, method_id, now=utc_now())
    except Conflict:
        return redirect(f"/card/{token}")
    outbox_delivery.nudge()
    return redirect(f"/card/{token}/done")


def _asked(token: str) -> Asked:
    with runtime.sessions()() as session:
        return requests.by_token(session, token, now=utc_now())


def _enterable(token: str) -> Asked | Response:
    """The request that the sandbox's form answers, or what its sender gets instead."""
    asked = _asked(token)
    if not _sandbox():
        raise NotFound("No card is entered at this address")
    return asked if asked.step is Step.OPEN else redirect(f"/card/{token}")


def _sandbox() -> bool:
    return configured.mode(settings()) is Mode.SANDBOX


def _today() -> date:
    with runtime.sessions()() as session:
        return businesses.today(session, now=utc_now())


def _card_form(
    request: Request,
    token: str,
    asked: Asked,
    *,
    status: int = 200,
    problems: Mapping[str, str] | None = None,
    failure: str = "",
) -> Response:
    """``problems``: what is wrong with which field; ``failure``: why the last card was not saved."""
    cards = {number: _CARDS[method_id] for number, method_id in sandbox_cards.CARDS_TO_KEEP.items()}
    facts = card_fields.facts(cards, problems or {}, failure)
    return _form_page(request, "card_enter.html", token, asked, status=status, **facts)


def _ask_at_the_bank(request: Request, token: str, asked: Asked) -> Response:
    words = writing(asked.language).gettext("Do you confirm that {issuer} may charge this card without you?")
    question, action = words.format(issuer=asked.issuer), f"/card/{token}/bank"
    return _form_page(request, "bank.html", token, asked, issuer=asked.issuer, question=question, action=action)


def _form_page(
    request: Request, template: str, token: str, asked: Asked, *, status: int = 200, **facts: Any
) -> Response:
    response = forms.page(request, template, status=status, token=token, **_facts(asked), **facts)
    response.headers.update(card_fields.WITH_A_FORM)
    return response


def _status_page(request: Request, asked: Asked, said: tuple[str, str], *, go: str = "", status: int = 200) -> Response:
    title, advice = said
    over = asked.step is Step.ENDED
    facts = _facts(asked) | {"title": title, "advice": advice, "go": go, "sandbox": _sandbox()}
    response = forms.plain_page(request, "card_status.html", status=410 if over else status, **facts)
    response.headers.update(PRIVATE)
    return response


def _facts(asked: Asked) -> dict[str, Any]:
    """What every page can say, in the customer's language."""
    write = writing(asked.language)
    return {"language": write.language, "gettext": write.gettext, "asked": asked}

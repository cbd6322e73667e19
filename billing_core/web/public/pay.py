"""Where a customer pays, ``/pay/{token}``: redirects to the gateway, or is the sandbox's own page.

Anybody with the link may pay. The sandbox's card is checked and discarded: it is neither stored nor logged.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Form, Request
from sqlalchemy.exc import OperationalError
from starlette.responses import Response

from billing_core import runtime
from billing_core.businesses import queries as businesses
from billing_core.dates import utc_now
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor
from billing_core.jobs import outbox_delivery
from billing_core.languages.formats import gettext_noop, writing
from billing_core.online_payments import configured
from billing_core.online_payments.links import checkout
from billing_core.online_payments.links.checkout import Checkout, Step
from billing_core.online_payments.sandbox import cards as sandbox_cards
from billing_core.online_payments.sandbox import gateway
from billing_core.online_payments.sandbox.cards import TEST_CARDS, Outcome
from billing_core.settings import settings
from billing_core.web import forms
from billing_core.web.public import card_fields
from billing_core.web.public.card_fields import redirect
from billing_core.web.public.problems import PRIVATE, PublicRoute
from billing_core.web.public.visitors import by_the_customer

_log = structlog.get_logger()


class PaymentRoute(PublicRoute):
    nothing_here = gettext_noop("There is nothing to pay at this address")


router = APIRouter(prefix="/pay", route_class=PaymentRoute)
Text = Annotated[str, Form(max_length=64)]

_GET_AND_HEAD: Final = ["GET", "HEAD"]

# The texts of the pages, in the customer's language.
_STEPS: Final = {
    Step.PAID: (
        gettext_noop("Thank you, this is paid"),
        gettext_noop("{amount} for {number} has reached {issuer}."),
    ),
    Step.CONFIRMING: (
        gettext_noop("Your payment is being confirmed"),
        gettext_noop("This takes a moment. You need not stay: the invoice will show it as paid."),
    ),
    Step.ENDED: (
        gettext_noop("This payment link cannot be used any more"),
        gettext_noop("The invoice says what is still to be paid, and how."),
    ),
}
# What each test card does, and what the page says where it does not pay.
_CARDS: Final = {
    Outcome.SUCCEEDS: gettext_noop("is paid"),
    Outcome.DECLINED: gettext_noop("is declined"),
    Outcome.EXPIRED: gettext_noop("has expired"),
    Outcome.AUTHENTICATION: gettext_noop("asks the cardholder"),
}
_FAILURES: Final = {
    Outcome.DECLINED: gettext_noop("The card was declined. Nothing was paid."),
    Outcome.EXPIRED: gettext_noop("The card has expired. Nothing was paid."),
    Outcome.AUTHENTICATION: gettext_noop("The payment was not confirmed. Nothing was paid."),
}


@router.api_route("/{token}", methods=_GET_AND_HEAD)
def page(request: Request, token: str) -> Response:
    """The gateway's page, or the sandbox's; for an unusable link, why it is."""
    payment = _checkout(token)
    if payment.step is not Step.PAYABLE:
        return _status_page(request, token, payment)
    if by_the_customer(request):
        _note_click(payment.link_id)
    if not payment.sandbox:
        return redirect(payment.url)
    return _card_form(request, token, payment)


@router.api_route("/{token}/done", methods=_GET_AND_HEAD)
def done(request: Request, token: str, looks: int = 0) -> Response:
    """Where the gateway redirects after payment. Reloads itself until the gateway has reported the payment."""
    payment = _checkout(token)
    response = _status_page(request, token, payment)
    if payment.step in (Step.PAYABLE, Step.CONFIRMING) and 0 <= looks < card_fields.LOOKS:
        response.headers["Refresh"] = f"2; url=/pay/{token}/done?looks={looks + 1}"
    return response


@router.post("/{token}", dependencies=[forms.OwnForm])
def pay(request: Request, token: str, number: Text = "", expiry: Text = "", cvc: Text = "") -> Response:
    """The sandbox takes a test card."""
    payment = _payable(token)
    if isinstance(payment, Response):
        return payment
    try:
        outcome = sandbox_cards.outcome(number, expiry, cvc, today=_today())
    except Invalid as error:
        return _card_form(request, token, payment, status=400, problems=error.fields)
    if outcome is Outcome.AUTHENTICATION:
        return _ask_at_the_bank(request, token, payment)
    return _attempt(request, token, payment, outcome)


@router.post("/{token}/bank", dependencies=[forms.OwnForm])
def authenticate(request: Request, token: str, answer: Text = "") -> Response:
    """The cardholder's answer to their bank, whose part the sandbox plays too."""
    payment = _payable(token)
    if isinstance(payment, Response):
        return payment
    return _attempt(request, token, payment, Outcome.SUCCEEDS if answer == "confirm" else Outcome.AUTHENTICATION)


@router.api_route("/{rest:path}", methods=_GET_AND_HEAD)
def nothing() -> Response:
    """An address that was truncated or mistyped."""
    raise NotFound("There is nothing at this address")


def _attempt(request: Request, token: str, payment: Checkout, outcome: Outcome) -> Response:
    customer = Actor(None, payment.charge.customer_name or "The customer", frozenset())
    try:
        with runtime.sessions().begin() as session:
            charge = gateway.pay(session, customer, payment.link_id, outcome, now=utc_now())
            succeeded = charge.succeeded
    except Conflict:
        return redirect(f"/pay/{token}")
    outbox_delivery.nudge()
    if succeeded:
        return redirect(f"/pay/{token}/done")
    return _card_form(request, token, payment, status=402, failure=_FAILURES[outcome])


def _checkout(token: str) -> Checkout:
    with runtime.sessions()() as session:
        return checkout.by_token(session, token, mode=configured.mode(settings()), now=utc_now())


def _payable(token: str) -> Checkout | Response:
    """The payment of a form of the sandbox, or the answer that its sender gets instead."""
    payment = _checkout(token)
    if not payment.sandbox:
        raise NotFound("There is nothing to pay at this address")
    return payment if payment.step is Step.PAYABLE else redirect(f"/pay/{token}")


def _today() -> date:
    with runtime.sessions()() as session:
        return businesses.today(session, now=utc_now())


def _note_click(link_id: int) -> None:
    """The customer reaches the payment even while a large import holds the database: then this click is not counted."""
    try:
        with runtime.sessions().begin() as session:
            checkout.note_click(session, link_id, now=utc_now())
    except OperationalError as error:
        _log.warning("a click on a payment link could not be noted", kind=type(error).__name__)


def _card_form(
    request: Request,
    token: str,
    payment: Checkout,
    *,
    status: int = 200,
    problems: Mapping[str, str] | None = None,
    failure: str = "",
) -> Response:
    """``problems``: what is wrong with which field; ``failure``: why the last card did not pay, as a message."""
    cards = {number: _CARDS[outcome] for number, outcome in TEST_CARDS.items()}
    facts = card_fields.facts(cards, problems or {}, failure)
    return _form_page(request, "pay.html", payment, status=status, token=token, **facts)


def _status_page(request: Request, token: str, payment: Checkout) -> Response:
    """What became of the payment."""
    step = Step.CONFIRMING if payment.step is Step.PAYABLE else payment.step
    again = f"/pay/{token}" if payment.step is Step.PAYABLE else ""
    title, advice = _STEPS[step]
    facts = _facts(payment) | {"title": title, "advice": advice, "again": again}
    response = forms.plain_page(request, "payment_status.html", status=410 if step is Step.ENDED else 200, **facts)
    response.headers.update(PRIVATE)
    return response


def _form_page(request: Request, template: str, payment: Checkout, *, status: int = 200, **facts: Any) -> Response:
    """A page with a form."""
    response = forms.page(request, template, status=status, **_facts(payment), **facts)
    response.headers.update(card_fields.WITH_A_FORM)
    return response


def _ask_at_the_bank(request: Request, token: str, payment: Checkout) -> Response:
    write, charge = writing(payment.language), payment.charge
    question = write.gettext("Do you confirm this payment of {amount} to {issuer}?").format(
        amount=write.money(charge.amount_minor, charge.currency), issuer=payment.issuer
    )
    action = f"/pay/{token}/bank"
    return _form_page(request, "bank.html", payment, issuer=payment.issuer, question=question, action=action)


def _facts(payment: Checkout) -> dict[str, Any]:
    """What every page of the payment can say, in the customer's language."""
    write = writing(payment.language)
    charge = payment.charge
    return {
        "language": write.language,
        "gettext": write.gettext,
        "payment": payment,
        "amount": write.money(charge.amount_minor, charge.currency),
        "lines": [
            (
                line.name,
                write.quantity(Decimal(line.quantity)) if line.quantity > 1 else "",
                write.money(line.unit_minor * line.quantity, charge.currency),
            )
            for line in charge.lines
        ],
    }

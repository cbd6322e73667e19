"""Signing in and out, and choosing a password by a link."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from billing_core import runtime
from billing_core.businesses.queries import default_business
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import passwords, sessions
from billing_core.identity.sessions import Browser
from billing_core.people import queries, sign_in
from billing_core.web import cookies, forms
from billing_core.web.access import Reading
from billing_core.web.doors import known_browser
from billing_core.web.doors.client_address import address_of
from billing_core.web.origin import local_path
from billing_core.web.throttle import SignInAttempts

router = APIRouter(prefix="/auth")
# The same text whether the account exists or not.
_WRONG = "The e-mail address or the password is wrong."

Text = Annotated[str, Form()]


@router.get("/sign-in")
def sign_in_form(request: Request, session: Reading, next: str = "/") -> Response:  # noqa: A002  # the address says so
    if not queries.anybody(session):
        return RedirectResponse("/auth/set-up", 303)
    if sessions.actor_for(session, cookies.session_token(request), now=utc_now()):
        return RedirectResponse(local_path(next), 303)
    return forms.page(request, "sign_in.html", next=local_path(next), email="")


@router.post("/sign-in", dependencies=[forms.OwnForm])
def sign_a_person_in(request: Request, email: Text = "", password: Text = "", next: Text = "/") -> Response:  # noqa: A002
    browser = browser_of(request)
    attempts = SignInAttempts(email, browser.address, known_browser.mark(request, email))
    if wait := attempts.wait_seconds():
        return _too_often(request, wait)
    with runtime.sessions()() as session:
        verified = sign_in.verify(session, email=email, password=password)
    if verified is None:
        return forms.page(request, "sign_in.html", status=401, next=local_path(next), email=email[:254], problem=_WRONG)
    with runtime.sessions().begin() as session:
        token = sign_in.sign_in(
            session, verified, browser=browser, replaces=cookies.session_token(request), now=utc_now()
        )
        attempts.succeeded(session)
    return welcomed(token, local_path(next), email)


@router.get("/sign-out")
def sign_out_form(request: Request, session: Reading) -> Response:
    actor = sessions.actor_for(session, cookies.session_token(request), now=utc_now())
    if actor is None:
        return RedirectResponse("/auth/sign-in", 303)
    return forms.page(request, "sign_out.html", name=actor.name)


@router.post("/sign-out", dependencies=[forms.OwnForm])
def sign_a_person_out(request: Request) -> Response:
    with runtime.sessions().begin() as session:
        sign_in.sign_out(session, cookies.session_token(request), now=utc_now())
    response = RedirectResponse("/auth/sign-in", 303)
    cookies.forget_session(response)
    return response


@router.get("/welcome")
def password_form(request: Request, session: Reading, token: str = "") -> Response:
    invited = sign_in.invited(session, token, now=utc_now())
    return forms.page(request, "welcome.html", invited=invited, token=token, shortest=passwords.SHORTEST)


@router.post("/welcome", dependencies=[forms.OwnForm])
def choose_a_password(request: Request, token: Text = "", password: Text = "", repeated: Text = "") -> Response:
    with runtime.sessions()() as session:
        invited = sign_in.invited(session, token, now=utc_now())
        business = default_business(session).name
    try:
        password_hash = new_password(password, repeated, personal=(invited.email, invited.name, business))
    except Invalid as error:
        facts = {"invited": invited, "token": token, "shortest": passwords.SHORTEST}
        return forms.page(request, "welcome.html", status=400, problems=error.fields, **facts)
    with runtime.sessions().begin() as session:
        fresh = sign_in.choose_password(
            session,
            token,
            password_hash=password_hash,
            browser=browser_of(request),
            replaces=cookies.session_token(request),
            now=utc_now(),
        )
    return welcomed(fresh, "/", invited.email)


def new_password(password: str, repeated: str, *, personal: Iterable[str]) -> str:
    """The hash of an acceptable password that was typed twice alike; Invalid names the field."""
    accepted = passwords.acceptable(password, personal=personal)
    if password != repeated:
        raise Invalid("The passwords differ", fields={"repeated": "is not the same"})
    return passwords.hashed(accepted)


def browser_of(request: Request) -> Browser:
    return Browser(address_of(request.scope), request.headers.get("user-agent", ""))


def welcomed(token: str, target: str, email: str) -> Response:
    """Redirects a browser with its new session, and knows it again by this account's address."""
    response = RedirectResponse(target, 303)
    cookies.keep_session(response, token)
    known_browser.remember(response, email)
    return response


def _too_often(request: Request, wait: int) -> Response:
    minutes = -(-wait // 60)
    message = f"Too many attempts to sign in. Try again in {minutes} minute{'s' if minutes > 1 else ''}."
    response = forms.page(request, "problem.html", status=429, message=message, reference="")
    response.headers["Retry-After"] = str(wait)
    return response

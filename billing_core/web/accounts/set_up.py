"""The first start: whoever has the link from the terminal names the business and becomes its administrator."""

from dataclasses import dataclass, fields
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from billing_core import runtime
from billing_core.businesses import choices
from billing_core.businesses import service as businesses
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import links, passwords, sessions
from billing_core.identity.models import LinkPurpose
from billing_core.people import queries, sign_in
from billing_core.people import service as people
from billing_core.settings import settings
from billing_core.web import cookies, forms
from billing_core.web.access import Reading
from billing_core.web.accounts.demo_filling import filling
from billing_core.web.accounts.sign_in import browser_of, new_password, welcomed

router = APIRouter(prefix="/auth")
Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class Answers:
    """The fields of the set-up form, in their order."""

    name: str = ""
    email: str = ""
    business: str = ""
    address: str = ""
    country: str = ""
    tax_id: str = ""
    bank_details: str = ""
    currency: str = "USD"
    time_zone: str = "UTC"
    demo: str = ""

    @property
    def details(self) -> businesses.Details:
        return businesses.Details(
            self.business,
            self.address,
            self.tax_id,
            self.currency,
            self.time_zone,
            bank_details=self.bank_details,
            country=self.country,
        )


def fresh_address() -> str | None:
    """The address of the set-up with a one-time token; None once the product is set up."""
    with runtime.sessions()() as session:
        if queries.anybody(session):
            return None
    with runtime.sessions().begin() as session:
        token = links.make(session, LinkPurpose.SET_UP, now=utc_now())
    return f"{settings().address}/auth/set-up?token={token}"


@router.get("/set-up")
def set_up_form(request: Request, session: Reading, token: str = "") -> Response:
    if queries.anybody(session):
        return RedirectResponse("/auth/sign-in", 303)
    if not token:
        return forms.page(request, "set_up_link.html")
    links.find(session, token, LinkPurpose.SET_UP, now=utc_now())
    return _form(request, token, Answers())


@router.post("/set-up", dependencies=[forms.OwnForm])
def set_up(
    request: Request,
    token: Text = "",
    name: Text = "",
    email: Text = "",
    password: Text = "",
    repeated: Text = "",
    business: Text = "",
    address: Text = "",
    country: Text = "",
    tax_id: Text = "",
    bank_details: Text = "",
    currency: Text = "USD",
    time_zone: Text = "UTC",
    demo: Text = "",
) -> Response:
    answers = Answers(name, email, business, address, country, tax_id, bank_details, currency, time_zone, demo)
    with runtime.sessions()() as session:
        links.find(session, token, LinkPurpose.SET_UP, now=utc_now())
    try:
        password_hash = _checked(answers, password, repeated)
    except Invalid as error:
        return _form(request, token, answers, status=400, problems=error.fields)
    now = utc_now()
    with runtime.sessions().begin() as session:
        administrator, session_token = sign_in.first_administrator(
            session,
            token,
            email=email,
            name=name,
            password_hash=password_hash,
            browser=browser_of(request),
            now=now,
        )
        businesses.set_up(session, administrator, wanted=answers.details, now=now)
    if not demo:
        return welcomed(session_token, "/", email)
    filling.start(administrator)
    return welcomed(session_token, "/auth/filling", email)


@router.get("/filling")
def filling_page(request: Request, session: Reading) -> Response:
    """Shown while the demo company is made; continues by itself."""
    if sessions.actor_for(session, cookies.session_token(request), now=utc_now()) is None:
        return RedirectResponse("/auth/sign-in", 303)
    if filling.done:
        return RedirectResponse("/", 303)
    response = forms.page(request, "demo_filling.html", failure=filling.failure)
    if not filling.failure:
        response.headers["Refresh"] = "2"
    return response


def _checked(answers: Answers, password: str, repeated: str) -> str:
    """The password's hash, where every answer can be used; else Invalid with every field at fault."""
    reasons: dict[str, str] = {}
    try:
        people.checked(email=answers.email, name=answers.name)
    except Invalid as error:
        reasons |= error.fields
    try:
        businesses.checked(answers.details)
    except Invalid as error:
        reasons |= {"business" if field == "name" else field: reason for field, reason in error.fields.items()}
    try:
        password_hash = new_password(password, repeated, personal=(answers.email, answers.name, answers.business))
    except Invalid as error:
        reasons |= error.fields
    if reasons:
        raise Invalid("Some answers cannot be used", fields=reasons)
    return password_hash


def _form(
    request: Request, token: str, answers: Answers, *, status: int = 200, problems: dict[str, str] | None = None
) -> Response:
    return forms.page(
        request,
        "set_up.html",
        status=status,
        token=token,
        problems=problems or {},
        shortest=passwords.SHORTEST,
        currencies=choices.currency_names(utc_now().date()),
        time_zones=choices.time_zones(),
        countries=choices.countries(),
        longest=businesses.LONGEST,
        **{field.name: getattr(answers, field.name) for field in fields(answers)},
    )

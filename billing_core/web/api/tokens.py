"""Getting a token with an e-mail address and a password, and the token that a browser's changes need."""

import zlib
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AliasChoices, ConfigDict, Field, SecretStr, ValidationError, with_config
from starlette.exceptions import HTTPException
from starlette.responses import Response
from typing_extensions import TypedDict

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import Forbidden
from billing_core.identity import bearer, idempotent
from billing_core.identity.bearer import LIFETIME
from billing_core.identity.idempotent import Claim
from billing_core.people import sign_in
from billing_core.settings import settings
from billing_core.web import cookies
from billing_core.web.api import problems
from billing_core.web.api.access import CurrentCaller, csrf_token
from billing_core.web.api.exact_json import Body, ExactJSON, refuse_unstorable
from billing_core.web.api.middleware import idempotency_store
from billing_core.web.api.middleware.idempotency import HEADER, REPLAYED, key_problem
from billing_core.web.api.middleware.idempotency_store import Refused, StoredAnswer
from billing_core.web.api.routing import router as described_router
from billing_core.web.doors.client_address import address_of
from billing_core.web.throttle import SignInAttempts

router = described_router(tags=["Credentials"], prefix="/api/v1/auth")
# The same text whether the account exists or not.
_WRONG = "The e-mail address or the password is wrong."


class Credentials(Body):
    """``email`` may be called ``username``, as OAuth 2 clients call it; they send a form, with more fields."""

    model_config = ConfigDict(extra="forbid", title="TokenRequest")

    email: Annotated[str, Field(max_length=1_000, validation_alias=AliasChoices("email", "username"))]
    password: Annotated[SecretStr, Field(max_length=1_000)]


_TOKEN: dict[str, Any] = {"access_token": "eyJhbGciOi…", "token_type": "bearer", "expires_in": 900}


@with_config(json_schema_extra={"example": _TOKEN})
class Token(TypedDict):
    access_token: str
    token_type: str
    expires_in: Annotated[int, Field(description="Seconds")]


@with_config(json_schema_extra={"example": {"csrf_token": "5f2b…"}})
class CsrfToken(TypedDict):
    csrf_token: str


_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_OAUTH_NAMES = ("grant_type", "scope", "client_id", "client_secret")
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        kind: {
            "schema": {
                "type": "object",
                "required": [name, "password"],
                "properties": {
                    name: {"type": "string", "maxLength": 1000},
                    "password": {"type": "string", "format": "password", "maxLength": 1000},
                    **{other: {"type": "string", "description": "Ignored"} for other in others},
                },
                "additionalProperties": False,
                "example": {name: "ana@example.com", "password": "the password"},
            }
        }
        for kind, name, others in (
            (_JSON, "email", ()),
            (_FORM, "username", _OAUTH_NAMES),
        )
    },
}


async def _credentials(request: Request) -> Credentials:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not await request.body():
        raise _about_the_body("missing")
    if kind == _FORM:
        async with request.form(max_files=0, max_fields=20) as form:
            refuse_unstorable(dict(form))
            given: Any = {name: value for name, value in form.items() if name not in _OAUTH_NAMES}
    elif kind == _JSON:
        given = await request.json()
    else:
        raise _about_the_body("value_error", error=f"must be sent with Content-Type: {_JSON} or {_FORM}")
    try:
        return Credentials.model_validate(given)
    except ValidationError as error:
        mistakes = [_without_secrets(mistake) for mistake in error.errors(include_url=False)]
        # ``username`` is another name of the first field.
        raise RequestValidationError(
            [{**mistake, "loc": ("body", *(_name(part) for part in mistake["loc"]))} for mistake in mistakes]
        ) from None


def _about_the_body(kind: str, **facts: str) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": ("body",), "msg": "", "ctx": facts}])


def _without_secrets(mistake: Any) -> dict[str, Any]:
    """What was given stays out of it, but that it was null."""
    given = mistake.pop("input")
    return {**mistake, "input": None} if given is None else mistake


def _name(part: int | str) -> int | str:
    return "email" if part == "username" else part


@router.post(
    "/token",
    summary="Get a token",
    response_model=Token,
    openapi_extra={"requestBody": _BODY, "security": []},
    responses={401: {"description": "The e-mail address or the password is wrong"}, 429: {"description": "Too often"}},
)
def create_token(request: Request, given: Annotated[Credentials, Depends(_credentials)]) -> Response:
    """Exchange an e-mail address and a password for a bearer token that works for 15 minutes."""
    address = address_of(request.scope)
    attempts = SignInAttempts(given.email, address)
    if wait := attempts.wait_seconds():
        raise HTTPException(429, "Too many attempts to sign in.", headers={"Retry-After": str(wait)})
    begun = _begun(request, given, address)
    if isinstance(begun, Refused):
        return _refused(request, begun)
    token = None
    try:
        with runtime.sessions()() as session:
            verified = sign_in.verify(session, email=given.email, password=given.password.get_secret_value())
        if verified is None:
            return problems.answer(request.scope, problems.of_status(401, _WRONG))
        if isinstance(begun, StoredAnswer):
            again = bearer.signed_again(begun.body.decode(), verified.password_hash)
            with runtime.sessions().begin() as session:
                attempts.succeeded(session)
            return _answer(again, {REPLAYED: "true"}) if again else _refused(request, idempotency_store.ANOTHER)
        with runtime.sessions().begin() as session:
            token = sign_in.token(session, verified, address=address, now=utc_now())
            attempts.succeeded(session)
            if begun is not None:
                idempotent.mark_changed(session, begun, now=utc_now())
                # Unsigned, because a token is a secret, and none is stored in the database.
                stored = StoredAnswer(200, {}, zlib.compress(bearer.unsigned(token).encode()))
                idempotency_store.finish(session, begun, stored, status=stored.status)
    finally:
        if isinstance(begun, Claim) and token is None:
            with runtime.sessions().begin() as session:
                idempotency_store.forget(session, begun)
    return _answer(token, {})


def _refused(request: Request, refused: Refused) -> Response:
    return problems.answer(request.scope, problems.of_status(refused.status, refused.message))


def _answer(token: str, headers: dict[str, str]) -> Response:
    body: Token = {"access_token": token, "token_type": "bearer", "expires_in": int(LIFETIME.total_seconds())}
    return ExactJSON(body, headers={"Cache-Control": "no-store", **headers})


def _begun(request: Request, given: Credentials, address: str) -> Claim | StoredAnswer | Refused | None:
    """The stored state of this request by its ``Idempotency-Key``; None without one.

    The caller is not known yet: the keys of one address count as one caller's. The password is left out of what is
    stored of the request, and verified each time: nobody gets a stored token who would not get a new one.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if problem := key_problem(key):
        return Refused(400, problem)
    fingerprint = settings().derived(f"token request {given.email}").hex()
    with runtime.sessions().begin() as session:
        return idempotency_store.begin(session, f"token {address}"[:80], key, fingerprint, now=utc_now())


@router.get(
    "/csrf",
    summary="Get the CSRF token of a browser session",
    response_model=CsrfToken,
    openapi_extra={"security": [{"session": []}]},
)
def get_csrf_token(request: Request, caller: CurrentCaller) -> Response:
    """What a signed-in browser sends as ``X-CSRF-Token`` with each change. Programs with keys or tokens need none."""
    if caller.by != "session":
        raise Forbidden("Only a browser session needs a CSRF token.")
    body: CsrfToken = {"csrf_token": csrf_token(cookies.session_token(request))}
    return ExactJSON(body)

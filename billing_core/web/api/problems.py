"""Errors of the APIs: which failure is which problem, in the body that its API documents."""

import enum
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, OperationalError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope

from billing_core import errors
from billing_core.web.api import problem_bodies
from billing_core.web.api.access import SCOPE_KEY, Caller, Dialect, dialect_of
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.problem_bodies import Problem, Refusal
from billing_core.web.failures import logged, logged_as_busy, reason_busy, route_of, status_of
from billing_core.web.requests.methods import methods_at
from billing_core.web.requests.mistakes import NULL, REQUIRED, name_of, reason_of

# Where the text of a 500 names the reference under which the log knows it.
REFERENCE = "{reference}"
_INTERNAL = "Something went wrong on our side. It has been logged."
_NO_ROOM = "There is no room on our disk for what was sent. Try again later."
_MESSAGES = {
    401: problem_bodies.NO_CREDENTIALS,
    403: "You do not have permission to perform this action.",
    404: problem_bodies.NOT_FOUND,
    405: "This address does not take that method.",
}
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])
# By the route's function. No dependency of the route, which would cost every request more than looking it up.
_FAILURES: dict[object, str] = {}
_log = structlog.get_logger()


class Family(enum.StrEnum):
    """The API that an address belongs to: each documents its own shape of a problem."""

    REPORTS = "reports"
    INVOICES = "invoices"
    OTHER = "other"


def fails_with(message: str) -> Callable[[_Endpoint], _Endpoint]:
    """Decorates a route's function: the documented text of its 500, in place of the general one. ``REFERENCE`` in it
    becomes the reference.
    """

    def documented(endpoint: _Endpoint) -> _Endpoint:
        _FAILURES[endpoint] = message
        return endpoint

    return documented


def install(app: FastAPI) -> None:
    app.add_exception_handler(errors.BillingError, _expected)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(DataError, _out_of_range)
    app.add_exception_handler(OperationalError, _busy)
    app.add_exception_handler(Exception, _unexpected)


def family_of(path: str) -> Family:
    if path.startswith("/api/v2"):
        return Family.REPORTS
    return Family.INVOICES if path.startswith(("/api/invoices", "/api/businesses")) else Family.OTHER


def answer(scope: Scope, problem: Problem) -> ExactJSON:
    """The problem in the documented shape of the API at this address."""
    headers = dict(problem.headers)
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    write: Callable[[Problem], object]
    match family_of(scope["path"]):
        case Family.REPORTS:
            write = problem_bodies.envelope if _dialect(scope) is Dialect.ENVELOPE else problem_bodies.plain
        case Family.INVOICES:
            write = problem_bodies.of_invoices
        case Family.OTHER:
            write = problem_bodies.other
    return ExactJSON(write(problem), problem.status, headers)


def of_status(status: int, message: str = "", **facts: Any) -> Problem:
    """A problem of which only the status is known."""
    return Problem(status, message or _MESSAGES.get(status, "The request cannot be carried out."), **facts)


def of_error(error: errors.BillingError) -> Problem:
    return Problem(status_of(error), str(error), error.fields)


def _dialect(scope: Scope) -> Dialect:
    caller = scope.get(SCOPE_KEY)
    return caller.dialect if isinstance(caller, Caller) else dialect_of(Headers(scope=scope))


def _expected(request: Request, error: Exception) -> ExactJSON:
    assert isinstance(error, errors.BillingError)  # noqa: S101  # registered for this kind alone
    if isinstance(error, errors.UpstreamFailed) and family_of(request.url.path) is Family.INVOICES:
        # The document knows no 502.
        reference = _reference(request)
        _log.warning("the payment gateway failed", reference=reference, route=route_of(request.scope))
        body: Refusal = {"error": "Stripe integration error", "message": str(error), "reference": reference}
        return ExactJSON(body, 500)
    return answer(request.scope, of_error(error))


def _http(request: Request, error: Exception) -> ExactJSON:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this kind alone
    message = _MESSAGES.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(methods_at(request.app.state.addresses, request.url.path))
    return answer(request.scope, Problem(error.status_code, message, headers=headers))


def _malformed(request: Request, error: Exception) -> ExactJSON:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this kind alone
    mistakes = error.errors()
    if any(mistake["loc"][0] == "path" for mistake in mistakes):
        return answer(request.scope, of_status(404))
    taken = _fields_taken(request.scope)
    fields = {name_of(mistake): reason_of(mistake, taken) for mistake in mistakes}
    message = "; ".join(f"{name}: {reason}" for name, reason in fields.items())
    # In a change, what is null is not missing: it was to be emptied.
    absent = (REQUIRED,) if request.method == "PATCH" else (REQUIRED, NULL)
    missing = any(reason in absent for reason in fields.values())
    return answer(request.scope, Problem(400, message, fields, missing))


def _fields_taken(scope: Scope) -> list[str]:
    """The names that the body of this request may have; empty where it has no fields."""
    body = getattr(scope.get("route"), "body_field", None)
    members = getattr(body and body.field_info.annotation, "model_fields", {})
    return [member.alias or name for name, member in members.items()]


def _out_of_range(request: Request, _error: Exception) -> ExactJSON:
    """PostgreSQL refuses a value that no column can hold, such as a number beyond 2^63."""
    return answer(request.scope, Problem(400, "A value is out of range"))


def _busy(request: Request, error: Exception) -> ExactJSON:
    return busy(request.scope, error)


def busy(scope: Scope, error: Exception) -> ExactJSON:
    """The database does not answer, has lost its file, or a large change such as an import holds it for longer than we
    wait.
    """
    reference = logged_as_busy(scope, error)
    return answer(scope, Problem(503, reason_busy(error), reference=reference, headers={"Retry-After": "60"}))


def no_room(scope: Scope, error: OSError) -> ExactJSON:
    """The disk is full, or has failed, under a body that is too large for the memory."""
    reference = str(scope.get("request_id", "unknown"))
    _log.error("a body could not be kept on the disk", reference=reference, kind=error.strerror, route=route_of(scope))
    return answer(scope, Problem(503, _NO_ROOM, reference=reference, headers={"Retry-After": "60"}))


def _unexpected(request: Request, error: Exception) -> ExactJSON:
    """A bug: the log has the error under the reference that the program gets."""
    reference = logged(request.scope, error)
    message = _FAILURES.get(request.scope.get("endpoint"), _INTERNAL).replace(REFERENCE, reference)
    return answer(request.scope, Problem(500, message, reference=reference))


def _reference(request: Request) -> str:
    return str(request.scope.get("request_id", "unknown"))

"""What programs read when something goes wrong: one translation into the body that each published API documents."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, OperationalError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope

from billing_core import errors
from billing_core.web.api.access import SCOPE_KEY, Caller, Dialect, dialect_of
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.routing import methods_at
from billing_core.web.failures import noted, route_of, status_of

_NO_CREDENTIALS = "Authentication credentials were not provided."
_NOT_FOUND = "Not found."
_INTERNAL = "Something went wrong on our side. It has been logged."
_SAID = {
    401: _NO_CREDENTIALS,
    403: "You do not have permission to perform this action.",
    404: _NOT_FOUND,
    405: "This address does not take that method.",
}
_CODES = {
    400: "VALIDATION_ERROR",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    412: "PRECONDITION_FAILED",
    413: "PAYLOAD_TOO_LARGE",
    422: "IDEMPOTENCY_KEY_REUSED",
    429: "RATE_LIMITED",
    502: "UPSTREAM_FAILED",
    503: "BUSY",
}
# In the plain dialect these say "detail", the others "error".
_DETAILED = (401, 403, 404, 405, 429)
_log = structlog.get_logger()


class Family(enum.StrEnum):
    """Whose documented shape an address answers in."""

    REPORTS = "reports"
    INVOICES = "invoices"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Problem:
    """``fields``: what is wrong with which input. ``missing``: a needed one is not there."""

    status: int
    said: str
    fields: Mapping[str, str] = field(default_factory=dict)
    missing: bool = False
    reference: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def fails_with(said: str) -> Any:
    """For a route's ``dependencies``: the documented text of its 500, in place of the general one."""

    def remember(request: Request) -> None:
        request.state.failed = said

    return Depends(remember)


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
    """The problem as the API that was asked tells it."""
    headers = dict(problem.headers)
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    match family_of(scope["path"]):
        case Family.REPORTS:
            body = _envelope(problem) if _dialect(scope) is Dialect.ENVELOPE else _plain(problem)
        case Family.INVOICES:
            body = _of_invoices(problem)
        case Family.OTHER:
            body = _other(problem)
    return ExactJSON(body, problem.status, headers)


def of_status(status: int, said: str = "", **facts: Any) -> Problem:
    """A problem that is known by its status alone."""
    return Problem(status, said or _SAID.get(status, "The request cannot be carried out."), **facts)


def of_error(error: errors.BillingError) -> Problem:
    return Problem(status_of(error), str(error), error.fields)


def _plain(problem: Problem) -> dict[str, Any]:
    said = _NOT_FOUND if problem.status == 404 else problem.said
    # The document shows this one member; which field is meant stands in the text.
    body = {"detail" if problem.status in _DETAILED else "error": said}
    return body | ({"reference": problem.reference} if problem.reference else {})


def _envelope(problem: Problem) -> dict[str, Any]:
    code = _CODES.get(problem.status, "INTERNAL_ERROR" if problem.status >= 500 else "BAD_REQUEST")
    details = dict(problem.fields) | ({"reference": problem.reference} if problem.reference else {})
    return {"success": False, "error": {"code": code, "message": problem.said, "details": details}}


def _of_invoices(problem: Problem) -> dict[str, Any]:
    return {"error": _short(problem), "message": problem.said} | _extras(problem)


def _other(problem: Problem) -> dict[str, Any]:
    said = "Not authenticated" if problem.status == 401 and problem.said == _NO_CREDENTIALS else problem.said
    return {"detail": said} | _extras(problem)


def _short(problem: Problem) -> str:
    """The word for it in the invoices document's table of errors."""
    match problem.status:
        case 400:
            return _short_refusal(problem)
        case 401:
            return "Invalid authentication"
        case 403:
            return "Forbidden"
        case 404:
            return "Not found"
        case 409:
            return "Conflict"
        case 412:
            return "Precondition failed"
        case 429:
            return "Too many requests"
        case status if status >= 500:
            return "Internal server error" if status == 500 else problem.said
        case _:
            return "Invalid request"


def _short_refusal(problem: Problem) -> str:
    names = {part for name in problem.fields for part in name.split(".")}
    if problem.missing and set(problem.fields) != {"line_items"}:
        return "Missing required fields"
    if "line_items" in problem.fields:
        return "Line items required"
    if "customer_email" in names:
        return "Invalid email format"
    return "Invalid quantity" if "quantity" in names else "Invalid data"


def _extras(problem: Problem) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if problem.fields:
        extras["fields"] = dict(problem.fields)
    if problem.reference:
        extras["reference"] = problem.reference
    return extras


def _dialect(scope: Scope) -> Dialect:
    caller = scope.get(SCOPE_KEY)
    return caller.dialect if isinstance(caller, Caller) else dialect_of(Headers(scope=scope))


def _expected(request: Request, error: Exception) -> ExactJSON:
    assert isinstance(error, errors.BillingError)  # noqa: S101  # registered for this kind alone
    if isinstance(error, errors.UpstreamFailed) and family_of(request.url.path) is Family.INVOICES:
        # The document knows no 502.
        reference = _reference(request)
        _log.warning("the payment gateway failed", reference=reference, route=route_of(request.scope))
        body = {"error": "Stripe integration error", "message": str(error), "reference": reference}
        return ExactJSON(body, 500)
    return answer(request.scope, of_error(error))


def _http(request: Request, error: Exception) -> ExactJSON:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this kind alone
    said = _SAID.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(methods_at(request))
    return answer(request.scope, Problem(error.status_code, said, headers=headers))


def _malformed(request: Request, error: Exception) -> ExactJSON:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this kind alone
    found = error.errors()
    fields = {_name(one["loc"]): _reason(one) for one in found}
    if any(one["loc"][0] == "path" for one in found):
        return answer(request.scope, of_status(404))
    said = "; ".join(f"{name}: {reason}" for name, reason in fields.items())
    missing = any(one["type"] == "missing" for one in found)
    return answer(request.scope, Problem(400, said, fields, missing))


def _name(place: tuple[int | str, ...]) -> str:
    """``("body", "line_items", 0, "quantity")`` -> ``line_items.0.quantity``."""
    return ".".join(str(part) for part in place[1:]) or "body"


def _reason(error: Mapping[str, Any]) -> str:
    """In the product's words: the library's name its own classes, and its steps of checking."""
    facts = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is not known"
        case "value_error":
            return str(facts["error"])
        case "model_type" | "model_attributes_type":
            # Bytes are what is left of a body that was not said to be JSON.
            unsaid = isinstance(error.get("input"), bytes)
            return "must be sent with Content-Type: application/json" if unsaid else "must be a JSON object"
        case "list_type":
            return "must be a list"
        case "string_type":
            return "must be a text"
        case "enum" | "literal_error":
            return f"must be {facts['expected']}"
        case "too_short":
            return f"needs at least {facts['min_length']}"
        case "too_long":
            return f"may have at most {facts['max_length']}"
        case "string_too_long":
            return f"may have at most {facts['max_length']} characters"
        case "string_too_short":
            return f"needs at least {facts['min_length']} characters"
        case "greater_than_equal":
            return f"must be at least {facts['ge']}"
        case "less_than_equal":
            return f"must be at most {facts['le']}"
        case _:
            return str(error["msg"])


def _out_of_range(request: Request, _error: Exception) -> ExactJSON:
    """PostgreSQL refuses what no column of its holds: a number past 2^63, say."""
    return answer(request.scope, Problem(400, "A value is out of range"))


def _busy(request: Request, _error: Exception) -> ExactJSON:
    return busy(request.scope)


def busy(scope: Scope) -> ExactJSON:
    """The database does not answer, or a large change such as an import holds it for longer than we wait."""
    reference = str(scope.get("request_id", "unknown"))
    _log.warning("the database did not answer in time", reference=reference, route=route_of(scope))
    said = "The database is busy with a large change. Try again in a minute."
    return answer(scope, Problem(503, said, reference=reference, headers={"Retry-After": "60"}))


def _unexpected(request: Request, error: Exception) -> ExactJSON:
    """A bug: the log has the error under the reference that the program gets."""
    reference = noted(request.scope, error)
    said = getattr(request.state, "failed", _INTERNAL)
    return answer(request.scope, Problem(500, said, reference=reference))


def _reference(request: Request) -> str:
    return str(request.scope.get("request_id", "unknown"))

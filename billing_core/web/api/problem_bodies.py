"""The bodies in which the published APIs say what went wrong: their definitions, and how they are made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from billing_core.web.requests.mistakes import NONE_OF_THEM, NULL, REQUIRED, UNKNOWN

NO_CREDENTIALS = "Authentication credentials were not provided."
NOT_FOUND = "Not found."
_CODES = {
    400: "VALIDATION_ERROR",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    412: "PRECONDITION_FAILED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "IDEMPOTENCY_KEY_REUSED",
    429: "RATE_LIMITED",
    502: "UPSTREAM_FAILED",
    503: "BUSY",
}
# The words of the invoices document's table of errors, and ours in their manner.
_SHORT = {
    401: "Invalid authentication",
    402: "Payment required",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    412: "Precondition failed",
    413: "Payload too large",
    415: "Unsupported media type",
    422: "Idempotency key reused",
    429: "Too many requests",
    500: "Internal server error",
}
# In the plain dialect these say "detail", the others "error".
_DETAILED = (401, 403, 404, 405, 429)


@dataclass(frozen=True, slots=True)
class Problem:
    """``fields``: what is wrong with which input. ``missing``: a needed one is not there."""

    status: int
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)
    missing: bool = False
    reference: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@with_config(extra="forbid", json_schema_extra={"example": {"error": "Start date must be before end date"}})
class PlainProblem(TypedDict):
    """`detail` with 401, 403, 404, 405 and 429, else `error`"""

    detail: NotRequired[str]
    error: NotRequired[str]
    reference: NotRequired[str]


class EnvelopeError(TypedDict):
    """`details`: what is wrong with which field, and the `reference` under which the log knows the fault"""

    code: str
    message: str
    details: dict[str, str]


_ENVELOPE_PROBLEM: dict[str, Any] = {
    "success": False,
    "error": {
        "code": "VALIDATION_ERROR",
        "message": "limit: must be a whole number",
        "details": {"limit": "must be a whole number"},
    },
}


@with_config(extra="forbid", json_schema_extra={"example": _ENVELOPE_PROBLEM})
class EnvelopeProblem(TypedDict):
    success: Literal[False]
    error: EnvelopeError


class _Extras(TypedDict):
    fields: NotRequired[dict[str, str]]
    reference: NotRequired[str]


_REFUSAL: dict[str, Any] = {
    "error": "Invalid quantity",
    "message": "line_items.0.quantity: must be more than 0",
    "fields": {"line_items.0.quantity": "must be more than 0"},
}


@with_config(json_schema_extra={"example": _REFUSAL})
class Refusal(TypedDict):
    """``error`` is one of the document's words, ``message`` a sentence, ``fields`` what is wrong with which field.

    ``reference`` is there where our log knows more.
    """

    error: str
    message: str
    fields: NotRequired[dict[str, str]]
    reference: NotRequired[str]


_OTHER_PROBLEM: dict[str, Any] = {"detail": "email: is required", "fields": {"email": "is required"}}


@with_config(extra="forbid", json_schema_extra={"example": _OTHER_PROBLEM})
class OtherProblem(TypedDict):
    """`reference` is there where our log knows more"""

    detail: str
    fields: NotRequired[dict[str, str]]
    reference: NotRequired[str]


def plain(problem: Problem) -> PlainProblem:
    message = NOT_FOUND if problem.status == 404 else problem.message
    # The document shows this one member; which field is meant stands in the text.
    body: PlainProblem = {"detail": message} if problem.status in _DETAILED else {"error": message}
    if problem.reference:
        body["reference"] = problem.reference
    return body


def envelope(problem: Problem) -> EnvelopeProblem:
    code = _CODES.get(problem.status, "INTERNAL_ERROR" if problem.status >= 500 else "BAD_REQUEST")
    details = dict(problem.fields) | ({"reference": problem.reference} if problem.reference else {})
    return {"success": False, "error": {"code": code, "message": problem.message, "details": details}}


def of_invoices(problem: Problem) -> Refusal:
    return {"error": _short(problem), "message": problem.message, **_extras(problem)}


def other(problem: Problem) -> OtherProblem:
    message = "Not authenticated" if problem.message == NO_CREDENTIALS else problem.message
    return {"detail": message, **_extras(problem)}


def _short(problem: Problem) -> str:
    """The word for it in the invoices document's table of errors."""
    match problem.status:
        case 400:
            return _short_refusal(problem)
        case status if status in _SHORT:
            return _SHORT[status]
        case status if status > 500:
            return problem.message
        case _:
            return "Invalid request"


def _short_refusal(problem: Problem) -> str:
    """Which word it is: the document's, where exactly that is wrong. What the address does not take is none of it."""
    absent = {name for name, reason in problem.fields.items() if reason in (REQUIRED, NULL, NONE_OF_THEM)}
    wrong = {name for name, reason in problem.fields.items() if not reason.startswith(UNKNOWN)} - absent
    if problem.missing and absent != {"line_items"}:
        return "Missing required fields"
    if "line_items" in absent:
        return "Line items required"
    if "customer_email" in wrong:
        return "Invalid email format"
    return "Invalid quantity" if any(name.endswith(".quantity") for name in wrong) else "Invalid data"


def _extras(problem: Problem) -> _Extras:
    extras: _Extras = {}
    if problem.fields:
        extras["fields"] = dict(problem.fields)
    if problem.reference:
        extras["reference"] = problem.reference
    return extras

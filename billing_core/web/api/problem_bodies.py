"""The bodies in which the published APIs say what went wrong: their definitions, and how they are made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

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
            return "Internal server error" if status == 500 else problem.message
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


def _extras(problem: Problem) -> _Extras:
    extras: _Extras = {}
    if problem.fields:
        extras["fields"] = dict(problem.fields)
    if problem.reference:
        extras["reference"] = problem.reference
    return extras

"""What people and programs see when something goes wrong: the one translation of errors for the web."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from billing_core import errors
from billing_core.database.files import opened_file
from billing_core.web import forms
from billing_core.web.requests.methods import methods_at
from billing_core.web.requests.mistakes import name_of, reason_of

STATUS = {
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Invalid: 400,
    errors.Forbidden: 403,
    errors.UpstreamFailed: 502,
}
_MESSAGES = {
    401: "Sign in first.",
    404: "There is nothing at this address.",
    405: "This address does not take that.",
}
_log = structlog.get_logger()


def install(app: FastAPI) -> None:
    app.add_exception_handler(errors.BillingError, _expected)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(OperationalError, busy)
    app.add_exception_handler(Exception, unexpected)


def status_of(error: errors.BillingError) -> int:
    return next(status for kind, status in STATUS.items() if isinstance(error, kind))


def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.BillingError)  # noqa: S101  # registered for this kind alone
    return _answer(request, status_of(error), str(error), fields=error.fields)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this kind alone
    answer = _answer(request, error.status_code, _MESSAGES.get(error.status_code, str(error.detail)))
    answer.headers.update(error.headers or {})
    if error.status_code == 405 and (taken := methods_at(request.app.state.addresses, request.url.path)):
        answer.headers["Allow"] = ", ".join(taken)
    return answer


def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this kind alone
    fields = {name_of(mistake): reason_of(mistake) for mistake in error.errors()}
    message = "; ".join(f"{name}: {reason}" for name, reason in fields.items())
    return _answer(request, 400, f"The request cannot be read: {message}", fields=fields)


def busy(request: Request, error: Exception) -> Response:
    """The database does not answer, has lost its file, or a large change such as an import holds it for longer than we
    wait.
    """
    reference = logged_as_busy(request.scope, error)
    response = _answer(request, 503, reason_busy(error), reference=reference)
    response.headers["Retry-After"] = "60"
    return response


def logged_as_busy(scope: Scope, error: Exception) -> str:
    """Log why the database could not be asked; returns the reference that people see."""
    reference = str(scope.get("request_id", "unknown"))
    gone = opened_file.reason_of(error)
    what = "the database file is gone" if gone else "the database did not answer in time"
    _log.warning(what, reference=reference, route=route_of(scope))
    return reference


def reason_busy(error: Exception) -> str:
    return opened_file.reason_of(error) or "The database is busy with a large change. Try again in a minute."


def unexpected(request: Request, error: Exception) -> Response:
    """A bug: the log has the error under the reference that people see."""
    reference = logged(request.scope, error)
    return _answer(request, 500, "Something went wrong on our side. It has been logged.", reference=reference)


def logged(scope: Scope, error: Exception) -> str:
    """Log a bug, once; returns the reference that people see. The traceback, logged later by the server, has it too."""
    reference = str(scope.get("request_id", "unknown"))
    mark = f"Reference: {reference}"
    if mark not in getattr(error, "__notes__", ()):
        error.add_note(mark)
        _log.error("unexpected error", reference=reference, kind=type(error).__name__, route=route_of(scope))
    return reference


def route_of(scope: Scope) -> str:
    """The declared route. The address itself may hold a secret, such as a customer's link to an invoice."""
    return str(getattr(scope.get("route"), "path", ""))


def _answer(
    request: Request, status: int, message: str, *, fields: dict[str, str] | None = None, reference: str = ""
) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return forms.page(request, "problem.html", status=status, message=message, reference=reference)
    body = (
        {"detail": message} | ({"fields": fields} if fields else {}) | ({"reference": reference} if reference else {})
    )
    return JSONResponse(body, status)


# For failures outside our own addresses, such as in the authentication.
HANDLERS = {OperationalError: busy, Exception: unexpected}

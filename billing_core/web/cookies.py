"""The cookies that we set: the session's token and the forms' token."""

from starlette.requests import Request
from starlette.responses import Response

from billing_core.identity import SESSION_COOKIE
from billing_core.settings import settings

FORM_COOKIE = "billing_form"


def session_token(request: Request) -> str:
    return request.cookies.get(SESSION_COOKIE, "")


def keep_session(response: Response, token: str) -> None:
    """Set the session's cookie, and a new form token with it."""
    _set(response, SESSION_COOKIE, token, max_age=settings().session_max_hours * 3600)
    _forget(response, FORM_COOKIE)


def forget_session(response: Response) -> None:
    _forget(response, SESSION_COOKIE)
    _forget(response, FORM_COOKIE)


def keep_form_token(response: Response, token: str) -> None:
    _set(response, FORM_COOKIE, token, max_age=None)


def _set(response: Response, name: str, value: str, *, max_age: int | None) -> None:
    """``SafeAnswers`` makes it Secure where the browser speaks HTTPS."""
    response.set_cookie(name, value, max_age=max_age, path="/", httponly=True, samesite="lax")


def _forget(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", httponly=True, samesite="lax")

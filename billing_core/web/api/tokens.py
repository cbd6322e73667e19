"""Getting a token with an e-mail address and a password, and the token that a browser's changes need."""

from fastapi import Request

from billing_core.web import cookies
from billing_core.web.api.access import CurrentCaller, csrf_token
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.routing import router as described_router

router = described_router(tags=["Credentials"], prefix="/api/v1/auth")


@router.get("/csrf")
def get_csrf_token(request: Request, _caller: CurrentCaller) -> ExactJSON:
    """What a signed-in browser sends as ``X-CSRF-Token`` with each change."""
    return ExactJSON({"csrf_token": csrf_token(cookies.session_token(request))})

"""The overview by its name, as people type it: the dashboard knows it as ``/`` only, and would say "Page not found"."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse

router = APIRouter()


@router.api_route("/overview", methods=["GET", "HEAD"])
def overview(request: Request) -> RedirectResponse:
    """The filters in the address go along."""
    return RedirectResponse(str(request.url.replace(scheme="", netloc="", path="/")), 303)

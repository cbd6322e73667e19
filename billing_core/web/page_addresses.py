"""Alternative addresses of pages, which people type or have bookmarked, where the dashboard would say "Page not found".

The dashboard knows the overview only as ``/``.
"""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse

router = APIRouter()

NOW_AT = {
    "/overview": "/",
    "/admin_subscribers": "/admin_outgoing_webhooks",
    "/admin_webhooks": "/admin_incoming_webhooks",
    "/admin_collecting": "/admin_online_payments",
}


def _redirect(request: Request) -> RedirectResponse:
    """Keeps the filters in the address."""
    return RedirectResponse(str(request.url.replace(scheme="", netloc="", path=NOW_AT[request.url.path])), 303)


for known_as in NOW_AT:
    router.add_api_route(known_as, _redirect, methods=["GET", "HEAD"])

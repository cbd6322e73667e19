"""The published APIs as one application: their routers, their errors, and the middleware in front of them."""

from functools import cache
from itertools import chain

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from billing_core.settings import settings
from billing_core.web.access import APIS
from billing_core.web.api import businesses, problems, tokens
from billing_core.web.api.access import CSRF_HEADER
from billing_core.web.api.analytics import organizations
from billing_core.web.api.analytics import routes as analytics_routes
from billing_core.web.api.billing import entitlements, promo_codes, subscription_changes, subscriptions
from billing_core.web.api.billing import invoices as open_invoices
from billing_core.web.api.description import docs_page, openapi
from billing_core.web.api.imports import routes as imports_routes
from billing_core.web.api.invoices import payment_links, routes
from billing_core.web.api.middleware import rate_limit
from billing_core.web.api.middleware.api_middleware import ApiMiddleware
from billing_core.web.api.middleware.idempotency import REPLAYED, Idempotent
from billing_core.web.api.reports import routes as reports_routes
from billing_core.web.api.routing import RoutesTogether
from billing_core.web.api.usage import alerts, prepaid_credit
from billing_core.web.api.usage import routes as usage_routes
from billing_core.web.requests.methods import with_head

# In the order of the published description.
ROUTERS = (
    tokens.router,
    reports_routes.router,
    businesses.router,
    routes.router,
    payment_links.router,
    open_invoices.router,
    subscriptions.router,
    subscription_changes.router,
    entitlements.router,
    promo_codes.router,
    organizations.router,
    usage_routes.router,
    alerts.router,
    prepaid_credit.router,
    imports_routes.router,
    analytics_routes.router,
    openapi.router,
    docs_page.router,
)
# What scripts of trusted sites may read of an answer.
_EXPOSED = ["ETag", "Link", "Content-Disposition", "Retry-After", "X-Request-ID", REPLAYED]
# What they may send besides what every page may.
_ACCEPTED = ["Authorization", "Content-Type", CSRF_HEADER, "Idempotency-Key", "If-Match", "If-None-Match"]


def api_app() -> FastAPI:
    """The routes alone, as they are described."""
    addresses = [[route for route in router.routes if isinstance(route, APIRoute)] for router in ROUTERS]
    # Not included one by one: every request would go through each router's own bookkeeping, twice.
    app = FastAPI(
        routes=[RoutesTogether(list(map(with_head, of_router))) for of_router in addresses],
        title="Billing",
        version="2.0.0",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    app.state.addresses = list(chain.from_iterable(addresses))
    openapi.install(app)
    return app


@cache
def guarded() -> ASGIApp:
    """The routes behind everything that a request passes first, the outermost last."""
    app: ASGIApp = ApiMiddleware(Idempotent(api_app()))
    if trusted := settings().trusted:
        app = CORSMiddleware(
            app,
            allow_origins=sorted(trusted),
            allow_credentials=True,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=_ACCEPTED,
            expose_headers=[*_EXPOSED, *rate_limit.HEADERS],
        )
    return app


class ApiAddresses(BaseRoute):
    """Everything below the addresses of the APIs, so that a mistyped address is not answered by the dashboard."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        ours = scope["type"] == "http" and (scope["path"] + "/").startswith(APIS)
        return (Match.FULL, {"endpoint": guarded}) if ours else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await guarded()(scope, receive, send)

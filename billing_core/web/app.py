"""Every address that is ours rather than the dashboard's, as one FastAPI application."""

from functools import cache
from pathlib import Path

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Match, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from billing_core.settings import settings
from billing_core.web import bounces, failures, health, metrics, page_addresses, webhooks
from billing_core.web.accounts import set_up, sign_in
from billing_core.web.api.app import ApiAddresses
from billing_core.web.authentication import SignedInOnly
from billing_core.web.doors.body_limits import A_FORM, BodyLimits
from billing_core.web.doors.client_address import RealClient
from billing_core.web.downloads import (
    figures,
    imports,
    invoices,
    online_payments,
    outbox,
    promo_codes,
    receivables,
    reports,
    subscriptions,
    tax_returns,
    usage,
)
from billing_core.web.headers import SafeAnswers
from billing_core.web.public import card, invoice, pay
from billing_core.web.requests.methods import with_head

ROUTERS = (
    page_addresses.router,
    health.router,
    metrics.router,
    sign_in.router,
    set_up.router,
    reports.router,
    figures.router,
    invoices.router,
    receivables.router,
    online_payments.router,
    imports.router,
    outbox.router,
    usage.router,
    promo_codes.router,
    subscriptions.router,
    tax_returns.router,
    invoice.router,
    pay.router,
    card.router,
    webhooks.router,
    bounces.router,
)


@cache
def own_app() -> FastAPI:
    addresses = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    app = FastAPI(
        routes=list(map(with_head, addresses)),
        title="Billing",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        form_limits={"max_fields": 50, "max_files": 1, "max_part_size": A_FORM},
    )
    app.state.addresses = addresses
    failures.install(app)
    app.mount("/auth/static", StaticFiles(directory=Path(__file__).parent / "static"))
    return app


class OwnAddresses(BaseRoute):
    """Passes whole addresses on, unlike a mount: our routes are written with the paths that people see. Everything
    below a first segment of ours is ours, so that a mistyped address is not answered by the dashboard.
    """

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        paths = [route.path for router in ROUTERS for route in router.routes if isinstance(route, Route)]
        self.segments = frozenset(map(_first_segment, paths))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        ours = scope["type"] == "http" and _first_segment(scope["path"]) in self.segments
        return (Match.FULL, {"endpoint": self.app}) if ours else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def routes() -> list[BaseRoute]:
    """The routes that precede the dashboard's own."""
    return [ApiAddresses(), OwnAddresses(own_app())]


def middleware() -> list[Middleware]:
    """What every request passes, the outermost first."""
    measured = [Middleware(metrics.Measured)] if settings().metrics_token is not None else []
    return [
        Middleware(RealClient),
        *measured,
        Middleware(SafeAnswers),
        Middleware(BodyLimits),
        Middleware(SignedInOnly),
    ]


def _first_segment(path: str) -> str:
    return path.split("/", 2)[1] if path.startswith("/") else ""

"""Routes of the published APIs: numbers in bodies are exact, and nothing that was sent is silently ignored."""

from collections.abc import Callable, Coroutine, Sequence
from posixpath import commonpath
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from billing_core.web.api.exact_json import ExactJSON, ExactRequest
from billing_core.web.requests.parameters import StrictRoute


class ExactRoute(StrictRoute):
    """Refuses bodies that are compressed, too, whose size is bounded before they are read, and those that it does not
    take.
    """

    def __init__(self, path: str, *arguments: Any, **named: Any) -> None:
        super().__init__(path, *arguments, **named)
        self._beginning = path.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        # Most addresses differ in their beginning, which takes less to see than the pattern.
        if not scope["path"].startswith(self._beginning):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None or "requestBody" in (self.openapi_extra or {})

        async def exactly(asked: Request) -> Response:
            request = ExactRequest(asked.scope, asked.receive)
            if (encoding := request.headers.get("content-encoding", "").strip().lower()) not in ("", "identity"):
                reason = f"The body has Content-Encoding: {encoding[:40]}. Send it as it is, without a Content-Encoding"
                raise HTTPException(415, reason, {"Accept-Encoding": "identity"})
            if not takes_body:
                await _refuse_body(request)
            return await handle(request)

        return exactly


async def _refuse_body(request: ExactRequest) -> None:
    """Nothing, and an object with nothing in it, is what programs send where nothing is asked for."""
    if (await request.body()).strip() not in (b"", b"{}"):
        reason = "must be empty: nothing is asked for in it"
        raise RequestValidationError([{"type": "not_taken", "loc": ("body",), "msg": reason}])


class RoutesTogether(BaseRoute):
    """Routes whose addresses begin alike: those who ask elsewhere are told by a glance that none of them is theirs."""

    def __init__(self, routes: Sequence[APIRoute]) -> None:
        self.routes = routes
        self._beginning = commonpath([route.path.partition("{")[0] for route in routes])

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if not scope["path"].startswith(self._beginning):
            return Match.NONE, {}
        found: tuple[Match, Scope] = (Match.NONE, {})
        for route in self.routes:
            match, of_route = route.matches(scope)
            if match is Match.FULL:
                return match, of_route
            if found[0] is Match.NONE:
                # The right address with another method, unless a later route takes it.
                found = match, of_route
        return found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["route"].handle(scope, receive, send)


def router(*, tags: list[str], prefix: str = "") -> APIRouter:
    """A router of ours: ``tags`` is the heading of its operations in the published description."""
    return APIRouter(
        prefix=prefix,
        tags=list(tags),
        route_class=ExactRoute,
        default_response_class=ExactJSON,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )

"""Requests of tests, each with one step into the event loop: Starlette's own client takes eight, for answers that come
in pieces, which cost more than most of our answers do."""

import httpx2
from anyio.from_thread import BlockingPortal
from starlette.testclient import TestClient


class InOneGo(httpx2.BaseTransport):
    """``by_steps``: Starlette's transport, which knows web sockets too."""

    def __init__(self, portal: BlockingPortal, by_steps: httpx2.BaseTransport, app: httpx2.ASGITransport) -> None:
        self._portal, self._by_steps, self._app = portal, by_steps, app

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.scheme in ("ws", "wss"):
            return self._by_steps.handle_request(request)
        request.read()
        return self._portal.call(self._answer, request)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._app.handle_async_request(request)
        raw = b"".join([part async for part in answer.stream])
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=httpx2.ByteStream(raw))


class Client(TestClient):
    """Follows no redirect by itself."""

    def __init__(self, app, portal: BlockingPortal, address: str = "testclient") -> None:
        super().__init__(app, follow_redirects=False, raise_server_exceptions=False)
        self.portal = portal
        whole = httpx2.ASGITransport(app, raise_app_exceptions=False, client=(address, 50000))
        self._transport = InOneGo(portal, self._transport, whole)

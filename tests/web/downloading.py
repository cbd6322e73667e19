"""Downloads as a browser asks for them, through the authentication and every middleware."""

import asyncio
import csv
import io

import httpx
from starlette.applications import Starlette

from billing_core import web
from billing_core.dates import utc_now
from billing_core.identity import SESSION_COOKIE
from billing_core.identity import sessions as browser_sessions
from billing_core.identity.models import User
from billing_core.identity.sessions import Browser


def signed_in(served, role, *, customer_id=None) -> dict[str, str]:
    with served.begin() as session:
        user = User(
            email=f"{role}{customer_id or ''}@x.example",
            name=role,
            role=role,
            customer_id=customer_id,
            active=True,
            created_at=utc_now(),
        )
        session.add(user)
        session.flush()
        return {SESSION_COOKIE: browser_sessions.start(session, user.id, browser=Browser(), now=utc_now())}


def get(path: str, cookies: dict[str, str]) -> httpx.Response:
    app = Starlette(routes=web.routes(), middleware=web.middleware())

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://billing.example", cookies=cookies) as client:
            return await client.get(path)

    return asyncio.run(ask())


def read(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))

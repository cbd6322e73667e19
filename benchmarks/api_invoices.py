"""The invoices API's list: of a million invoices, against a bare endpoint and against a thousand.

Both sides are asked as a server asks them, over ASGI, one request after the other, in turns; what counts is the
processor's time, so that neither sockets nor other work are in it. Ours does all that it does for any program: finds
the key, counts the request, and gives every answer its headers. The bare one only reads and writes, and must answer
with the same bytes, or the measurement stops.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from limits import RateLimitItemPerSecond
from sqlalchemy import Engine, create_engine, select, text
from starlette.applications import Starlette
from starlette.types import ASGIApp

from benchmarks import invoicing
from billing_core import runtime, web
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database import Sessions, connect, sqlite
from billing_core.database.migrate import upgrade
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM, Role
from billing_core.invoices import lifecycle
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import LISTED, Invoice
from billing_core.people import keys
from billing_core.web.api.middleware import rate_limit

MANY, FEW = 1_000_000, 1_000
REQUESTS, TURNS = 100, 15
LIMIT = 50


def run(scratch: Path) -> list[dict]:
    many, few = (_company(scratch / f"{count}.sqlite3", count) for count in (MANY, FEW))
    with many() as session:
        business = session.scalars(select(Business.public_id)).one()
    path = f"/api/invoices?business_id={business}&limit={LIMIT}"
    ours, of_few, bare = _ours(many), _ours(few), _bare(create_engine(many.engine.url))
    with few() as session:
        of_few_path = path.replace(business, session.scalars(select(Business.public_id)).one())

    asked, of_few_asked, bare_asked = _asking(ours, path), _asking(of_few, of_few_path), _asking(bare, path)
    assert asked() == bare_asked(), "both must answer with the same bytes"
    seconds = _in_turns(asked, bare_asked, of_few_asked)
    rows = [
        _row(f"GET /api/invoices?limit={LIMIT} of {MANY:,}", *(REQUESTS / one for one in seconds[:2]), ">= 0.7"),
        _row(f"time of one of {MANY:,} against {FEW:,}", *_milliseconds(seconds[0], seconds[2]), "<= 1.3", "ms"),
    ]
    for status in (InvoiceStatus.PAID, InvoiceStatus.OVERDUE):
        large, small = (
            _asking(app, f"{wanted}&status={status}") for app, wanted in ((ours, path), (of_few, of_few_path))
        )
        name = f"time of one of {MANY:,} against {FEW:,}, status={status}"
        rows.append(_row(name, *_milliseconds(*_in_turns(large, small)), "<= 1.3", "ms"))
    return rows


def _company(file: Path, invoices: int) -> Sessions:
    sessions = Sessions(connect(f"sqlite:///{file}"))
    upgrade(sessions.engine)
    with sessions.begin() as session:
        session.add(
            Customer(id=1, business_id=1, ref="C1", name="Customer 1", currency="USD", created_at=invoicing.NOW)
        )
        session.flush()
        session.execute(text(invoicing._MANY), {"invoices": invoices})
    sqlite.refresh_statistics(sessions.engine)
    return sessions


class _Ours:
    """The whole product but the dashboard, and the key of a program."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.app = Starlette(routes=web.routes(), middleware=web.middleware())
        with sessions.begin() as session:
            made = keys.make(session, SYSTEM, name="benchmark", role=Role.ADMIN, now=utc_now())
        self.headers = [(b"authorization", f"Bearer {made.secret_key}".encode())]

    async def __call__(self, scope, receive, send) -> None:
        runtime.sessions = lambda: self.sessions
        await self.app({**scope, "headers": self.headers}, receive, send)


def _ours(sessions: Sessions) -> ASGIApp:
    unlimited = RateLimitItemPerSecond(10**9, namespace="benchmark")
    rate_limit.PER_SECOND = rate_limit.PER_MINUTE = unlimited
    return _Ours(sessions)


def _bare(engine: Engine) -> ASGIApp:
    app = FastAPI()
    today = utc_now().date()
    table = Invoice.__table__
    statement = (
        select(
            table.c.public_id,
            table.c.number,
            table.c.customer_email,
            lifecycle.status_sql(today).label("status"),
            table.c.subtotal_minor,
            table.c.tax_minor,
            table.c.total_minor,
            table.c.currency,
            table.c.issued_on,
            table.c.due_on,
            table.c.created_at,
            table.c.updated_at,
        )
        .where(text(f"({LISTED})"), table.c.business_id == 1)
        .order_by(table.c.id.desc())
        .limit(LIMIT)
    )

    @app.get("/api/invoices")
    def listed(business_id: str, limit: int) -> JSONResponse:
        with engine.connect() as connection:
            rows = connection.execute(statement).all()
        invoices = [
            {
                "invoice_id": row.public_id,
                "business_id": business_id,
                "invoice_number": row.number,
                "customer_email": row.customer_email,
                "status": row.status,
                "amount": _major(row.subtotal_minor),
                "tax_amount": _major(row.tax_minor),
                "total_amount": _major(row.total_minor),
                "currency": row.currency,
                "issued_date": _midnight(row.issued_on),
                "due_date": _midnight(row.due_on),
                "created_at": f"{row.created_at:%Y-%m-%dT%H:%M:%SZ}",
                "updated_at": f"{row.updated_at:%Y-%m-%dT%H:%M:%SZ}",
            }
            for row in rows
        ]
        answer = {"invoices": invoices, "count": len(invoices), "business_id": business_id}
        return JSONResponse(answer | {"filter": {"status": None, "limit": limit}})

    return app


def _major(minor: int) -> float | int:
    return minor / 100 if minor % 100 else minor // 100


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def _asking(app: ASGIApp, address: str) -> Callable[[], bytes]:
    """Ask ``REQUESTS`` times; the last answer's body."""
    path, _, query = address.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }

    async def once() -> bytes:
        parts, status = [], 0

        async def receive() -> dict:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict) -> None:
            nonlocal status
            status = message.get("status", status)
            parts.append(message.get("body", b""))

        await app(dict(scope), receive, send)
        assert status == 200, b"".join(parts)
        return b"".join(parts)

    async def often() -> bytes:
        for _ in range(REQUESTS):
            body = await once()
        return body

    return lambda: asyncio.run(often())


def _in_turns(*asked: Callable[[], bytes]) -> list[float]:
    """Processor seconds of each, the least of a few turns after a first that imports and compiles."""
    taken: list[list[float]] = [[] for _ in asked]
    for _ in range(1 + TURNS):
        for ask, times in zip(asked, taken, strict=True):
            began = time.process_time()
            ask()
            times.append(time.process_time() - began)
    return [min(times[1:]) for times in taken]


def _milliseconds(*seconds: float) -> list[float]:
    return [one / REQUESTS * 1000 for one in seconds]


def _row(name: str, ours: float, limit: float, aim: str, unit: str = "requests/s") -> dict:
    return {
        "name": name,
        "ours": round(ours, 2),
        "limit": round(limit, 2),
        "unit": unit,
        "ratio": round(ours / limit, 2),
        "aim": aim,
    }

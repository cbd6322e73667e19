"""Taking in the payment gateway's events: on an inbox of a million of them against an empty one.

Both sides are asked as a server asks them, over ASGI, several requests at a time, in turns. An answer means that the
event is on the disk, so that it is the wall's time that counts; the best turn of each side is compared.
"""

import asyncio
import json
import secrets
import time
from pathlib import Path

import httpx
from sqlalchemy import text
from starlette.applications import Starlette

from billing_core import runtime, web
from billing_core.database import Sessions, connect, sqlite
from billing_core.database.migrate import upgrade
from billing_core.dates import utc_now
from billing_core.online_payments import configured
from billing_core.online_payments.stripe import signature as stripe_signature
from billing_core.settings import settings

MANY = 1_000_000
REQUESTS, AT_ONCE, TURNS = 1_000, 8, 7

# A payment's event, as large as Stripe's are.
_FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :events)
INSERT INTO webhook_events (event_id, type, livemode, api_version, created_at, received_at, payload, state, attempts,
                            not_before, last_error, outcome, handled_at)
    SELECT 'evt_' || lower(hex(randomblob(12))),
           CASE i % 2 WHEN 0 THEN 'payment_intent.succeeded' ELSE 'charge.succeeded' END, 0, '2026-10-28.endive',
           '2026-03-01 00:00:00.000000', '2026-03-01 00:00:00.000000', :payload, 'handled', 1,
           '2026-03-01 00:00:00.000000', '', '100.00 EUR paid the invoice', '2026-03-01 00:00:00.000000' FROM n
"""


def run(scratch: Path) -> list[dict]:
    sides = {events: _inbox(scratch / f"{events}.sqlite3", events) for events in (MANY, 0)}
    times: dict[int, list[tuple[float, float]]] = {events: [] for events in sides}
    for _ in range(TURNS):
        for events, sessions in sides.items():
            runtime.sessions = lambda sessions=sessions: sessions
            times[events].append(asyncio.run(_turn()))
    rate, none_rate = (max(rate for rate, _ in times[events]) for events in (MANY, 0))
    slowest, none_slowest = (min(slow for _, slow in times[events]) for events in (MANY, 0))
    return [
        {
            "name": f"webhooks accepted with {MANY:,} stored, against none",
            "ours": round(rate),
            "limit": round(none_rate),
            "unit": "per second",
            "ratio": round(none_rate / rate, 2),
            "aim": "<= 1.3",
        },
        {
            "name": f"p99 of accepting one with {MANY:,} stored, against none",
            "ours": round(slowest * 1000, 1),
            "limit": round(none_slowest * 1000, 1),
            "unit": "ms",
            "ratio": round(slowest / none_slowest, 2),
            "aim": "<= 1.3",
        },
    ]


def _inbox(file: Path, events: int) -> Sessions:
    engine = connect(f"sqlite:///{file}")
    upgrade(engine)
    sessions = Sessions(engine)
    if events:
        with sessions.begin() as session:
            session.execute(text(_FILL), {"events": events, "payload": json.dumps(_event())})
        sqlite.refresh_statistics(sessions.engine)
    return sessions


def _event() -> dict:
    number = secrets.token_hex(12)
    thing = {
        "id": f"pi_{number}",
        "object": "payment_intent",
        "amount": 10_000,
        "amount_received": 10_000,
        "currency": "eur",
        "metadata": {"link_id": f"lnk_{number}", "invoice_id": f"inv_{number}"},
        "description": "x" * 1_000,
    }
    return {
        "id": f"evt_{number}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "livemode": False,
        "type": "payment_intent.succeeded",
        "data": {"object": thing},
    }


async def _turn() -> tuple[float, float]:
    """(accepted per second, the time under which 99 of 100 were answered, in seconds)."""
    app = Starlette(routes=web.routes(), middleware=web.middleware())
    secret = configured.webhook_secret(settings())
    contents = [json.dumps(_event()).encode() for _ in range(REQUESTS)]
    told = [(content, stripe_signature.signed(content, secret, utc_now())) for content in contents]
    waiting = iter(told)
    taken: list[float] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://billing") as client:

        async def send_on() -> None:
            for content, signature in waiting:
                began = time.perf_counter()
                answer = await client.post("/webhooks/stripe", content=content, headers={"Stripe-Signature": signature})
                taken.append(time.perf_counter() - began)
                assert answer.status_code == 200, answer.text

        began = time.perf_counter()
        await asyncio.gather(*(send_on() for _ in range(AT_ONCE)))
        seconds = time.perf_counter() - began
    return REQUESTS / seconds, sorted(taken)[int(REQUESTS * 0.99) - 1]

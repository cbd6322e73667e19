"""``GET /api/v2/reports/{id}/`` in requests a second, against a bare FastAPI endpoint that returns the same bytes.

Ours passes everything that the product puts before a program: security headers, the gate, its key, the rate limit
(many programs ask in turn, so that none reaches it), the permissions. The other has one route, four statements of
SQLAlchemy Core and no questions. Both are asked as servers ask applications, without a network, in turns; the fastest
turn of each counts.
"""

import asyncio
import time
from collections.abc import Iterator
from itertools import cycle, groupby, islice
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Response
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session
from starlette.applications import Starlette

from billing_core import runtime, web
from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM, Role
from billing_core.people import keys
from billing_core.reports.models import BillingReport, ReportCharge, ReportOrder, ReportServiceTotal
from tests.web.api.reporting import ACME, a_customer, a_report, an_order

PROGRAMS = 100
REQUESTS = 100
ROUNDS = 15
# A month of a customer who ships some times a day, and the document's own example.
SIZES = {1_000: "", 100: ">= 0.7", 1: ""}


def run(scratch: Path) -> list[dict]:
    rows = []
    for orders, aim in SIZES.items():
        file = scratch / f"orders-{orders}.sqlite3"
        sessions = _company(file, orders)
        runtime.sessions = lambda sessions=sessions: sessions
        secrets = cycle(_programs(sessions))
        ours = Starlette(routes=web.routes(), middleware=web.middleware())
        bare = _bare(create_engine(f"sqlite:///{file}"))
        one, other = (_rates(app, secrets) for app in (ours, bare))
        assert asyncio.run(_get(ours, next(secrets))) == asyncio.run(_get(bare, next(secrets)))
        reached, limit = [], []
        for _ in range(1 + ROUNDS):
            reached.append(next(one))
            limit.append(next(other))
        rows.append(
            {
                "name": f"GET /api/v2/reports/1/ of {orders} orders, against a bare endpoint",
                "ours": round(max(reached)),
                "limit": round(max(limit)),
                "unit": "requests/s",
                "ratio": round(max(reached) / max(limit), 2),
                "aim": aim,
            }
        )
    return rows


def _rates(app: Any, secrets: Iterator[str]) -> Iterator[float]:
    """Requests a second of one turn after the other."""

    async def turn() -> float:
        began = time.process_time()
        for secret in islice(secrets, REQUESTS):
            await _get(app, secret)
        return REQUESTS / (time.process_time() - began)

    while True:
        yield asyncio.run(turn())


async def _get(app: Any, secret: str) -> bytes:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/api/v2/reports/1/",
        "raw_path": b"/api/v2/reports/1/",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"billing.example.com"), (b"authorization", f"Bearer {secret}".encode())],
        "client": ("203.0.113.7", 1),
        "server": ("billing.example.com", 80),
        "state": {},
    }
    parts: list[bytes] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return b"".join(parts)


def _bare(engine: Engine) -> FastAPI:
    app = FastAPI()

    def reading() -> Iterator[Session]:
        with Session(engine) as session:
            yield session

    @app.get("/api/v2/reports/{report_id}/")
    def report(report_id: int, session: Annotated[Session, Depends(reading)]) -> Response:
        return Response(_written(session, report_id), media_type="application/json")

    return app


def _written(session: Session, report_id: int) -> str:
    """The same document as text, from the rows and nothing else; amounts are of a currency with two digits."""
    report, totals, orders, charges = (
        session.execute(
            select(*columns)
            .where((table.id if table is BillingReport else table.report_id) == report_id)
            .order_by(*key)
        ).all()
        for table, columns, key in (
            (
                BillingReport,
                (
                    BillingReport.id,
                    BillingReport.customer_id,
                    BillingReport.customer_name,
                    BillingReport.period_start,
                    BillingReport.period_end,
                    BillingReport.created_at,
                    BillingReport.total_minor,
                ),
                (),
            ),
            (
                ReportServiceTotal,
                (ReportServiceTotal.service_id, ReportServiceTotal.service_name, ReportServiceTotal.amount_minor),
                (ReportServiceTotal.service_id,),
            ),
            (
                ReportOrder,
                (
                    ReportOrder.order_id,
                    ReportOrder.reference_number,
                    ReportOrder.order_date,
                    ReportOrder.total_minor,
                ),
                (ReportOrder.order_id,),
            ),
            (
                ReportCharge,
                (ReportCharge.order_id, ReportCharge.service_id, ReportCharge.amount_minor),
                (ReportCharge.order_id, ReportCharge.service_id),
            ),
        )
    )
    ((number, customer_id, name, start, end, made, total),) = report
    names = {service_id: service for service_id, service, _ in totals}
    by_service = ", ".join(
        f'"{service_id}": {{"service_name": "{service}", "amount": {_amount(minor)}}}'
        for service_id, service, minor in totals
    )
    costs = {
        order_id: ", ".join(
            f'{{"service_id": {service_id}, "service_name": "{names[service_id]}", "amount": {_amount(minor)}}}'
            for _, service_id, minor in group
        )
        for order_id, group in groupby(charges, key=lambda charge: charge[0])
    }
    lines = ",\n".join(
        f'{{"order_id": {order_id}, "reference_number": "{reference}", "order_date": "{day}", '
        f'"total_amount": {_amount(minor)}, "service_costs": [{costs[order_id]}]}}'
        for order_id, reference, day, minor in orders
    )
    return (
        f'{{"id": {number}, "customer_id": {customer_id}, "customer_name": "{name}", "start_date": "{start}", '
        f'"end_date": "{end}", "created_at": "{made:%Y-%m-%dT%H:%M:%SZ}", "total_amount": {_amount(total)}, '
        f'"service_totals": {{{by_service}}}, "orders": [{lines}]}}\n'
    )


def _amount(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def _company(file: Path, orders: int) -> Sessions:
    sessions = Sessions(connect(f"sqlite:///{file}"))
    upgrade(sessions.engine)
    with sessions.begin() as session:
        a_customer(session, ACME, "ACME Corp")
        for number in range(orders):
            an_order(session, ACME, 1 + number, f"2023-01-{1 + number % 31:02}", picking=5 + number, shipping=10)
        a_report(session, ACME, "2023-02-01T12:00:00Z")
    return sessions


def _programs(sessions: Sessions) -> list[str]:
    with sessions.begin() as session:
        made = [
            keys.make(session, SYSTEM, name=f"Program {number}", role=Role.MANAGER, now=utc_now())
            for number in range(PROGRAMS)
        ]
    return [key.secret_key for key in made]

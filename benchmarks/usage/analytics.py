"""The analytics endpoint: with a hundred million calls, against a bare endpoint and against a thousand calls.

Asked as ``api_invoices`` asks. The bare one only reads by four SQLAlchemy Core statements and writes, with an engine as
SQLAlchemy makes it, and must answer with the same bytes, apart from the second at which they were made.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from sqlalchemy import Engine, Select, and_, create_engine, func, select
from starlette.types import ASGIApp

from benchmarks.api_invoices import REQUESTS, _asking, _in_turns, _milliseconds, _ours, _row
from benchmarks.usage import company
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.metering.models import UsageDay, UsageUser
from billing_core.plans.models import CustomerPlan, Plan, PlanVersion

# In the middle of the many.
ORGANIZATION = 5_000
USERS_OF_ONE = 1_000
QUERY = "billing_period_start=2026-03-01&billing_period_end=2026-03-31T23:59:59"


def run(scratch: Path) -> list[dict]:
    many, few = company.many_and_few(scratch)
    one = company.build(
        scratch / "one.sqlite3",
        organizations=1,
        users=USERS_OF_ONE,
        calls=company.MANY // (USERS_OF_ONE * company.DAYS),
    )
    address = _address(ORGANIZATION)
    asked, bare = _asking(_ours(many), address), _asking(_bare(create_engine(many.engine.url)), address)
    assert _timeless(asked()) == _timeless(bare()), (asked(), bare())
    small, alone = (_asking(_ours(sessions), _address(1)) for sessions in (few, one))
    ours, limit, of_few, of_one = _in_turns(asked, bare, small, alone)
    name = f"the analytics document with {company.MANY:,} calls"
    return [
        _row(f"{name}, a bare endpoint", REQUESTS / ours, REQUESTS / limit, ">= 0.7"),
        _row(f"{name}, its time with {company.FEW:,}", *_milliseconds(ours, of_few), "<= 1.3", "ms"),
        _row(f"the same of one organization of {USERS_OF_ONE:,} users", *_milliseconds(of_one, of_few), "", "ms"),
    ]


def _address(organization: int) -> str:
    return f"/api/v1/analytics/billing/invoice/00000000-0000-4000-8000-{organization:012d}?{QUERY}"


def _timeless(answer: bytes) -> str:
    return re.sub(r'"generated_at":"[^"]+"', "", answer.decode())


def _bare(engine: Engine) -> ASGIApp:
    app = FastAPI()
    customers, days, users = (model.__table__ for model in (Customer, UsageDay, UsageUser))
    versions, plans, on_plans = (model.__table__ for model in (PlanVersion, Plan, CustomerPlan))
    found = select(customers.c.id, customers.c.name)
    used = select(
        func.count(func.distinct(days.c.user)), *(func.sum(days.c[name]) for name in ("calls", "response_time"))
    ).where(days.c.zone_kind == "utc", days.c.meter_id == 1)
    known: Select = select(func.count()).select_from(users)
    agreed = (
        select(versions.c.included_calls, versions.c.price_per_call, plans.c.code)
        .join_from(on_plans, versions, versions.c.id == on_plans.c.plan_version_id)
        .join(plans, plans.c.id == versions.c.plan_id)
    )

    @app.get("/api/v1/analytics/billing/invoice/{org_id}")
    def document(org_id: str, billing_period_start: str, billing_period_end: str) -> JSONResponse:
        start, end = (
            datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (billing_period_start, billing_period_end)
        )
        with engine.connect() as connection:
            customer_id, name = connection.execute(found.where(customers.c.uuid == org_id)).one()
            active, calls, response_time = connection.execute(
                used.where(days.c.customer_id == customer_id, days.c.day.between(start.date(), end.date()))
            ).one()
            total = connection.scalar(
                known.where(
                    and_(users.c.customer_id == customer_id, users.c.first_seen_at < end + timedelta(seconds=1))
                )
            )
            included, price, tier = connection.execute(
                agreed.where(on_plans.c.customer_id == customer_id, on_plans.c.valid_from <= start.date())
            ).one()
        over = max(0, calls - included)
        written = {"start": f"{start:%Y-%m-%dT%H:%M:%S}", "end": f"{end:%Y-%m-%dT%H:%M:%S}"}
        return JSONResponse(
            {
                "invoice_number": f"INV-{org_id}-{start:%Y%m}",
                "organization": {"id": org_id, "name": name, "subscription_tier": tier},
                "billing_period": written,
                "usage": {
                    "organization_id": org_id,
                    "total_users": total,
                    "active_users": active,
                    "total_api_calls": calls,
                    "average_response_time": round(float(response_time) / calls, 2),
                    "period": {"start_date": written["start"], "end_date": written["end"]},
                },
                "billing": {
                    "included_api_calls": included,
                    "total_api_calls": calls,
                    "overage_calls": over,
                    "price_per_call": float(price),
                    "total_cost": _plain(round(over * float(price), 2)),
                    "currency": "USD",
                },
                "generated_at": f"{utc_now():%Y-%m-%dT%H:%M:%S}",
                "due_date": f"{end + timedelta(days=30):%Y-%m-%dT%H:%M:%S}",
            }
        )

    return app


def _plain(number: float) -> float | int:
    return int(number) if number == int(number) else number

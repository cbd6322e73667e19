"""Programs that use the APIs: a key of a role, or a browser's session; with the limits lifted unless asked for."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from limits import RateLimitItemPerSecond
from starlette.testclient import TestClient

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM, Role
from billing_core.identity.api_keys import KeyMode
from billing_core.imports import steps
from billing_core.imports.posted import queries as posted_imports
from billing_core.imports.posted import service as posting
from billing_core.imports.posted.queries import Poster
from billing_core.metering import ingestion
from billing_core.metering.alerts import AlertMeasure
from billing_core.people import keys
from billing_core.subscriptions import service as subscriptions
from billing_core.subscriptions.service import Wanted
from billing_core.usage import alerts
from billing_core.usage.alerts import Threshold, Told
from billing_core.web import rate_limiter
from billing_core.web.api import app
from billing_core.web.api.app import guarded
from billing_core.web.api.middleware import rate_limit
from tests.invoices.company import a_customer, an_invoice
from tests.plans.agreed import a_plan, terms
from tests.promotions.codes import a_code
from tests.web.api import conformance, probe
from tests.web.api.reporting import ACME, two_customers


@pytest.fixture
def api(product, monkeypatch):
    """The product with room for as many requests as a test makes."""
    monkeypatch.setattr(rate_limit, "PER_SECOND", RateLimitItemPerSecond(1_000_000, namespace="test"))
    monkeypatch.setattr(rate_limit, "PER_MINUTE", RateLimitItemPerSecond(1_000_000, namespace="test-minute"))
    rate_limiter.reset()
    guarded.cache_clear()
    yield product
    rate_limiter.reset()
    guarded.cache_clear()


@pytest.fixture
def browser(browser) -> Callable[[], TestClient]:
    """A fresh browser that takes no answer of the APIs which differs from the published description."""

    def open_browser() -> TestClient:
        client = browser()
        client.event_hooks["response"].append(conformance.check)
        return client

    return open_browser


@pytest.fixture
def probed(api, monkeypatch):
    """The product with the routes of ``probe`` too, which are not part of the published description."""
    conformance.described()
    monkeypatch.setattr(app, "ROUTERS", (*app.ROUTERS, probe.router))
    probe.began.clear()
    probe.go_on.clear()
    guarded.cache_clear()
    return api


@pytest.fixture
def key_of(sessions) -> Callable[..., keys.Secret]:
    """``key_of("admin", customer_id=3)``: a new key."""

    def make(role: str, *, customer_id: int | None = None, mode: KeyMode = KeyMode.LIVE) -> keys.Secret:
        with sessions.begin() as session:
            return keys.make(
                session,
                SYSTEM,
                name=f"{role}'s program",
                role=Role(role),
                customer_id=customer_id,
                mode=mode,
                now=utc_now(),
            )

    return make


@pytest.fixture
def program(api, key_of, browser) -> Callable[..., TestClient]:
    """``program("manager", customer_id=3)``: a client that sends the bearer key of a new program."""

    def connect(role: str = "admin", *, customer_id: int | None = None) -> TestClient:
        client = browser()
        client.headers["Authorization"] = f"Bearer {key_of(role, customer_id=customer_id).secret_key}"
        return client

    return connect


@pytest.fixture
def front_end(api, signed_in) -> Callable[..., TestClient]:
    """``front_end("manager")``: a browser with a session, which sends the CSRF token with everything."""

    def connect(role: str = "admin", *, customer_id: int | None = None) -> TestClient:
        client = signed_in(role, customer_id=customer_id)
        client.headers["X-CSRF-Token"] = client.get("/api/v1/auth/csrf").json()["csrf_token"]
        return client

    return connect


@pytest.fixture
def known(sessions, quick_hashes) -> dict[str, Any]:
    """What there is, under the names that requests give it."""
    with sessions.begin() as session:
        two_customers(session)
        invoice = an_invoice(session, a_customer(session)).public_id
        event = {"id": "1", "customer_ref": "ACME", "time": "2023-10-01T12:00:00Z"}
        ingestion.record(session, SYSTEM, [event], now=utc_now(), atomic=True)
        alert = alerts.create(session, SYSTEM, None, Threshold(AlertMeasure.CALLS, 7), Told(), now=utc_now())
        watched = {"organization_id": "ACME", "{alert_id}": str(alert.id), "{change_id}": "1"}
        coded = {"plan_id": a_plan(session, "plan_pro_monthly", terms(0, "0")), "{code}": a_code(session, "OTHER").code}
        business = default_business(session).public_id
        customer = session.get_one(Customer, ACME).public_id
        wanted = Wanted(customer, a_plan(session, "plan_basic_monthly"), trial_days=5)
        subscription = subscriptions.create(session, SYSTEM, wanted, method_id=None, now=utc_now())[0].public_id
    imports = a_checked_import(sessions)
    # The documents' due date is before the day on which this runs.
    due = (utc_now() + timedelta(days=30)).date().isoformat()
    ids = {
        "/api/invoices": invoice,
        "/v1/billing/invoice": invoice,
        "/api/v2/reports": "1",
        "/api/v1/usage": "1",
        "/v1/billing/subscriptions": subscription,
        "{org_id}": "ACME",
    }
    facts = {"business_id": business, "cus": customer, "due_date": due, "events": [event]}
    return {**facts, **ids, **watched, **coded, **imports}


def a_checked_import(sessions) -> dict[str, str]:
    """What the first key has posted, and the token that confirms it."""
    first_key, content = Poster(SYSTEM, "key:1"), b"customer_ref,name\nB,Bolt\n"
    posted, job = posting.post(
        sessions, first_key, "c.csv", [content], {}, when_certain=False, now=utc_now(), also=lambda _: None
    )
    steps.work_off(sessions, job)
    with sessions() as session:
        token = posted_imports.one(session, first_key, posted).confirm_token
    return {"{import_id}": str(posted), "confirm_token": token}

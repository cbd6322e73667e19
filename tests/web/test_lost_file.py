"""A database file that is gone while the product runs: what people, programs and whoever watches it are told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM, Role
from billing_core.identity.attempts import SignInAttempt
from billing_core.people import keys
from billing_core.web import health
from tests.web.forms import PASSWORD, submit

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
REASON = "was deleted while the product runs. Nothing is changed until it is back in its place"


@contextmanager
def without_its_file(sessions) -> Iterator[None]:
    file = Path(sessions.engine.url.database)
    elsewhere = file.rename(file.with_name("elsewhere"))
    yield
    elsewhere.rename(file)


def test_it_is_not_ready_says_why_and_is_again_once_the_file_is_back(visitor, sessions, monkeypatch):
    monkeypatch.setattr(health, "running_jobs", lambda: {"outbox": True})
    assert visitor.get("/readyz").status_code == 200
    with without_its_file(sessions):
        answer = visitor.get("/readyz")
        assert (answer.status_code, REASON in answer.json()["status"]) == (503, True)
        assert visitor.get("/healthz").status_code == 200
    assert visitor.get("/readyz").status_code == 200


def test_programs_and_people_are_told_why_nothing_is_changed(visitor, sessions, ana):
    with sessions.begin() as session:
        key = keys.make(session, SYSTEM, name="a", role=Role.ADMIN, now=utc_now()).secret_key
    with without_its_file(sessions), capture_logs() as entries:
        alert = {"name": "Much", "metric": "cost", "threshold": "10", "org_id": "x"}
        program = {"Authorization": f"Bearer {key}", "Idempotency-Key": "once"}
        answer = visitor.post("/api/v1/usage/alerts", json=alert, headers=program)
        assert (answer.status_code, REASON in answer.json()["detail"]) == (503, True)
        answer = submit(visitor, "/auth/sign-in", "/auth/sign-in", email="ana@example.com", password=PASSWORD)
        assert (answer.status_code, REASON in answer.text) == (503, True)
    assert [entry["event"] for entry in entries if entry["log_level"] == "warning"] == ["the database file is gone"] * 2
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(SignInAttempt)) == 0
        assert session.scalar(select(func.count()).select_from(Customer)) == 0

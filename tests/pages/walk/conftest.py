"""The demo company and an empty one, to walk through as somebody with a role."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit import config

from billing_core import runtime
from billing_core.database import Sessions, connect
from billing_core.dates import utc_now
from billing_core.identity import SESSION_COOKIE, Role
from billing_core.imports import steps
from billing_core.jobs import bill_run, bill_run_work, imports
from billing_core.settings import settings
from pages.ui import reads
from tests.demo_company import settled
from tests.pages.conftest import Visitor, signed_in_user
from tests.pages.walk.companies import Company
from tests.pages.walk.offers import Thoroughness
from tests.pages.walk.prepared import prepare
from tests.pages.walk.walk import Walk
from tests.pages.walk.window import Recorder, Window
from tests.web.downloading import get

# Seven months are the least in which every kind of payment link has come to its end.
SIZE = {"months": 7, "orders": 600, "calls": 6_000, "subscriptions": 16}


@pytest.fixture(scope="session")
def demo_file(demo_company) -> Path:
    """The demo company, with what it lacks added."""
    now = utc_now()
    return demo_company("walked", lambda sessions: prepare(sessions, now=now), today=now.date(), now=now, **SIZE)


@pytest.fixture
def recorder(monkeypatch) -> Recorder:
    recorder = Recorder()
    recorder.listen(monkeypatch)
    return recorder


@pytest.fixture
def walk_through(recorder, tmp_path, monkeypatch, components_found) -> Iterator[Callable[..., Walk]]:
    """``walk_through(file, "admin", how)``: a Walk through a copy of that company, at its beginning."""
    companies = []
    kept = reads._kept
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path / "data"))
    settings.cache_clear()
    monkeypatch.setattr(bill_run, "begin", bill_run_work.run_here)
    monkeypatch.setattr(imports, "begin", lambda job_id: steps.work_off(runtime.sessions(), job_id))
    # The whole truth: pages redact it.
    shown, rich = config.get_option("client.showErrorDetails"), config.get_option("logger.enableRich")
    config.set_option("client.showErrorDetails", "full")
    config.set_option("logger.enableRich", False)

    def begin(file: Path, role: str, how: Thoroughness, *, customer_id: int | None = None) -> Walk:
        # Without jobs nothing leaves; with a mail server pages offer to release what was held back.
        monkeypatch.setenv("BILLING_SMTP_URL", "smtp://mail.example.com" if "walked" in file.name else "")
        settings.cache_clear()
        template = tmp_path / f"{len(companies)}.sqlite3"
        shutil.copyfile(file, template)
        sessions = Sessions(connect(f"sqlite:///{template}"))
        user_id, token = signed_in_user(sessions, Role(role), customer_id=customer_id, now=utc_now())
        settled(sessions)
        company = Company(template, tmp_path / f"{len(companies)}_walked.sqlite3")
        companies.append(company)
        monkeypatch.setattr(runtime, "sessions", lambda: company.sessions)
        monkeypatch.setattr("pages.ui.context.session_token", lambda: token)
        # What pages remember of a company holds whenever it is as it was then.
        monkeypatch.setattr(reads, "_kept", lambda key, **facts: kept(key=f"{company.moment} {key}", **facts))

        def anew() -> Window:
            return Window(Visitor(user_id, (role, customer_id is None)))

        def status(address: str) -> int:
            return get(address, {SESSION_COOKIE: token}).status_code

        return Walk(recorder, how, company, anew, status)

    yield begin
    for company in companies:
        company.close()
    config.set_option("client.showErrorDetails", shown)
    config.set_option("logger.enableRich", rich)
    settings.cache_clear()

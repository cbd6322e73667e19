"""A company in a file, a backup of it, and the database that the process has."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from billing_core import runtime
from billing_core.__main__ import main
from billing_core.database import Sessions, connect
from billing_core.identity import Role
from billing_core.identity.models import User, UserSession
from billing_core.settings import settings

NOW = datetime(2026, 11, 21, 9, 0, 0, 123_456, tzinfo=UTC)
SIZE = {"orders": 50, "months": 2, "calls": 500, "subscriptions": 4}


@pytest.fixture(scope="module")
def filled_file(demo_company, tmp_path_factory) -> Path:
    """The demo company, with somebody who is signed in."""
    file = demo_company("copied", somebody_signed_in, today=date(2026, 11, 21), now=NOW, **SIZE)
    return Path(shutil.copyfile(file, tmp_path_factory.mktemp("copies") / "filled.sqlite3"))


def somebody_signed_in(sessions):
    with sessions.begin() as session:
        user = User(email="a@b.example", name="Ada", role=Role.ADMIN, created_at=NOW)
        session.add(user)
        session.flush()
        facts = {"created_at": NOW, "last_seen_at": NOW, "expires_at": NOW, "address": "", "user_agent": ""}
        session.add(UserSession(user_id=user.id, token_hash="0" * 64, **facts))


@pytest.fixture(scope="module")
def backup_file(filled_file, tmp_path_factory) -> Path:
    """A backup of that company."""
    file = tmp_path_factory.mktemp("backup") / "backup.sqlite3"
    sessions = Sessions(connect(f"sqlite:///{filled_file}"))
    with pytest.MonkeyPatch.context() as in_use:
        in_use.setattr(runtime, "sessions", lambda: sessions)
        assert main(["backup", "-o", str(file)]) == 0
    sessions.engine.dispose()
    return file


@pytest.fixture
def in_use(monkeypatch, tmp_path):
    """Says which database the process has."""
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path / "data"))
    settings.cache_clear()
    opened = []

    def use(url: str | Path) -> Sessions:
        sessions = Sessions(connect(f"sqlite:///{url}" if isinstance(url, Path) else url))
        opened.append(sessions)
        monkeypatch.setattr(runtime, "sessions", lambda: sessions)
        return sessions

    yield use
    for sessions in opened:
        sessions.engine.dispose()
    settings.cache_clear()


@pytest.fixture
def filled(filled_file, tmp_path) -> Path:
    """A company of this test's own."""
    return Path(shutil.copyfile(filled_file, tmp_path / "filled.sqlite3"))


@pytest.fixture
def unused(sqlite_template, tmp_path) -> Path:
    return Path(shutil.copyfile(sqlite_template, tmp_path / "unused.sqlite3"))


def left_in(folder: Path) -> set[str]:
    return {file.name for file in folder.rglob("*")} if folder.exists() else set()

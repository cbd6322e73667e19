"""The dashboard's pages without a browser: a role signed in, on the test's own database."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import AppTest, app_test, element_tree, local_script_runner

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import Role
from billing_core.identity import sessions as browser_sessions
from billing_core.identity.models import User
from billing_core.identity.sessions import Browser
from pages.ui import sorting

NAVIGATION = Path(__file__).parents[2] / "pages" / "navigation.py"
NAMES = {Role.FINANCE: "Fatima Finance", Role.MANAGER: "Mario Manager", Role.ADMIN: "Ada Admin"}


class Visitor:
    """Somebody with a role, at the dashboard. ``visit("reports.py", report="3")`` opens a page and returns it run."""

    # The menu of each kind of visitor. It must have been drawn once before a page of it can be opened.
    _menus: ClassVar[dict[object, dict[Any, Any]]] = {}

    def __init__(self, user_id: int, kind: object) -> None:
        self.user_id, self._kind = user_id, kind
        self.app = AppTest.from_file(NAVIGATION, default_timeout=300)
        self.app._registered_pages = dict(self._menus.get(kind, {}))

    def visit(self, page: str = "", **query: str) -> AppTest:
        if page:
            if not self.app._registered_pages:
                self._menus[self._kind] = self.app.run()._registered_pages
            self.app.switch_page(page)
        self.app.query_params.clear()
        self.app.query_params.update(query)
        return self.app.run()


def wait_for_end(runner: local_script_runner.LocalScriptRunner, timeout: float) -> None:
    """Streamlit's own looks a thousand times a second, which takes a tenth of the processor from the page."""
    thread = runner._script_thread
    assert thread is not None
    thread.join(timeout)
    if thread.is_alive():
        runner.request_stop()
        runner.join()
        raise TimeoutError(f"the page was not drawn within {timeout} seconds")


@pytest.fixture(scope="session")
def components_found() -> Iterator[None]:
    """What Streamlit looks for in the metadata of every installed package, each time an AppTest is made: found once.
    So are the pages compiled once, as in a server, and not for each run; and nobody looks all the time whether a page
    is drawn.
    """
    found, compiled = manifest_scanner.scan_component_manifests(), ScriptCache()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(manifest_scanner, "scan_component_manifests", lambda: found)
        for module in (app_test, local_script_runner):
            patched.setattr(module, "ScriptCache", lambda: compiled)
        patched.setattr(local_script_runner, "require_widgets_deltas", wait_for_end)
        yield


@pytest.fixture(scope="session", autouse=True)
def tables_as_people_see_them() -> Iterator[None]:
    """Texts of AppTest's tables have before them what their columns are sorted by: these have not."""
    underlying = element_tree.Dataframe.value.fget

    def value(table: element_tree.Dataframe) -> pd.DataFrame:
        return underlying(table).map(lambda cell: sorting.shown(cell) if isinstance(cell, str) else cell)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(element_tree.Dataframe, "value", property(value))
        yield


@pytest.fixture
def page_as(sessions, monkeypatch, components_found) -> Callable[..., Visitor]:
    """``page_as("manager")``: a Visitor with that role, in the database of the test (``sessions``).

    ``customer_id`` binds them to one customer.
    """
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    st.cache_data.clear()
    st.cache_resource.clear()

    def sign_in(role: Role | str, *, customer_id: int | None = None, now: datetime | None = None) -> Visitor:
        user_id, token = signed_in_user(sessions, Role(role), customer_id=customer_id, now=now or utc_now())
        monkeypatch.setattr("pages.ui.context.session_token", lambda: token)
        return Visitor(user_id, (role, customer_id is None))

    return sign_in


def signed_in_user(sessions, role: Role, *, customer_id: int | None = None, now: datetime) -> tuple[int, str]:
    """A new user with this role and the token of a session of theirs."""
    with sessions.begin() as session:
        count = session.query(User).count()
        user = User(
            email=f"{role}{count}@example.com",
            name=NAMES[role],
            role=role,
            password_hash="not a hash: this person signs in by session",
            customer_id=customer_id,
            active=True,
            created_at=now,
            last_sign_in_at=now,
        )
        session.add(user)
        session.flush()
        return user.id, browser_sessions.start(session, user.id, browser=Browser("203.0.113.7", "a test"), now=now)

"""Server time of each page: with a million orders, with a thousand, on an empty database, and of an empty script.

A page is run as the dashboard runs it (menu, permissions, reads, elements), without a browser, with every cached
read forgotten before each run: what is measured is the first person on Monday morning.
"""

import logging
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks import large_company
from billing_core import runtime
from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import utc_now
from billing_core.identity import Role
from billing_core.identity import sessions as browser_sessions
from billing_core.identity.models import User
from billing_core.identity.sessions import Browser
from pages.ui import context

# Outside a server Streamlit warns at every run that there is none.
logging.getLogger("streamlit").setLevel(logging.ERROR)

NAVIGATION = Path(__file__).parent.parent / "pages" / "navigation.py"
PAGES: dict[str, dict[str, str]] = {
    "overview.py": {},
    "customers.py": {},
    "reports.py": {},
    "rate_cards.py": {},
    "imports.py": {},
    "admin_people.py": {},
    "admin_business.py": {},
    "admin_audit.py": {},
}
DETAILS = {"customers.py": {"customer": "1"}, "reports.py": {"report": "1"}}
RUNS = 7


def run(scratch: Path) -> list[dict]:
    million = large_company.build(scratch / "million.sqlite3", orders=1_000_000)
    thousand = large_company.build(scratch / "thousand.sqlite3", orders=1_000)
    empty = Sessions(connect(f"sqlite:///{scratch / 'empty.sqlite3'}"))
    upgrade(empty.engine)

    nothing = _milliseconds(AppTest.from_string("import streamlit as st\nst.title('Empty')").run)
    rows = []
    for page, query in [*PAGES.items(), *DETAILS.items()]:
        name = page.removesuffix(".py") + ("".join(f"?{key}={value}" for key, value in query.items()))
        large, small = _page(million, page, query), _page(thousand, page, query)
        rows.append(_row(f"{name}: 1,000,000 orders against 1,000", large, small, "<= 1.5"))
        if not query:
            bare = _page(empty, page, query)
            rows.append(_row(f"{name}: 1,000,000 orders against an empty database", large, bare, "<= 1.5"))
        rows.append(_row(f"{name}: 1,000,000 orders against an empty script", large, nothing, ""))
    return rows


def _row(name: str, ours: float, limit: float, aim: str) -> dict:
    return {
        "name": name,
        "ours": round(ours, 1),
        "limit": round(limit, 1),
        "unit": "ms",
        "ratio": round(ours / limit, 2),
        "aim": aim,
    }


def _page(sessions: Sessions, page: str, query: dict[str, str]) -> float:
    token = _signed_in(sessions)
    runtime.sessions, context.session_token = lambda: sessions, lambda: token
    app = AppTest.from_file(NAVIGATION, default_timeout=120)
    app.run()
    app.switch_page(page)
    app.query_params.update(query)

    def once() -> None:
        st.cache_data.clear()
        app.run()
        assert not app.exception, app.exception

    return _milliseconds(once)


def _milliseconds(once: Callable[[], object]) -> float:
    """The median of a few runs, after one that imports and compiles."""
    once()
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        once()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1000


def _signed_in(sessions: Sessions) -> str:
    now = utc_now()
    with sessions.begin() as session:
        user = User(email=f"{now.timestamp()}@example.com", name="Ada", role=Role.ADMIN, active=True, created_at=now)
        session.add(user)
        session.flush()
        return browser_sessions.start(session, user.id, browser=Browser("203.0.113.7", "benchmark"), now=now)

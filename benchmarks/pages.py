"""Processor time of each page: with a million orders, with a thousand, on an empty database, and of an empty script.

A page is run as the dashboard runs it (menu, permissions, reads, elements), without a browser, with every cached
read forgotten before each run: what is measured is the first person on Monday morning. The runs on the different
databases take turns, and the fastest of each counts: whatever else the machine does can only add to it.
"""

import logging
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
PAGES = (
    "customers.py",
    "reports.py",
    "rate_cards.py",
    "imports.py",
    "admin/people.py",
    "admin/business.py",
    "admin/audit.py",
)
# A period that holds reports, whatever the day: of a month without any the page would have little to draw.
OVERVIEW = {"period": "Last 12 months"}
DETAILS = {"customers.py": {"customer": "1"}, "reports.py": {"report": "1"}}
RUNS = 9


def run(scratch: Path) -> list[dict]:
    million = large_company.build(scratch / "million.sqlite3", orders=1_000_000)
    thousand = large_company.build(scratch / "thousand.sqlite3", orders=1_000)
    empty = Sessions(connect(f"sqlite:///{scratch / 'empty.sqlite3'}"))
    upgrade(empty.engine)

    nothing = AppTest.from_string("import streamlit as st\nst.title('Empty')").run
    rows = []
    for page, query in [("overview.py", OVERVIEW), *((page, {}) for page in PAGES), *DETAILS.items()]:
        name = page.removesuffix(".py") + ("".join(f"?{key}={value}" for key, value in query.items()))
        large, small, script, *bare = milliseconds(
            visit(million, page, query),
            visit(thousand, page, query),
            nothing,
            # What a detail shows is not there on an empty database.
            *([] if DETAILS.get(page) == query else [visit(empty, page, query)]),
        )
        rows.append(row(f"{name}: 1,000,000 orders against 1,000", large, small, "<= 1.5"))
        rows += [row(f"{name}: 1,000,000 orders against an empty database", large, each, "<= 1.5") for each in bare]
        rows.append(row(f"{name}: 1,000,000 orders against an empty script", large, script, ""))
    return rows


def row(name: str, ours: float, limit: float, aim: str) -> dict:
    return {
        "name": name,
        "ours": round(ours, 1),
        "limit": round(limit, 1),
        "unit": "ms",
        "ratio": round(ours / limit, 2),
        "aim": aim,
    }


def visit(sessions: Sessions, page: str, query: dict[str, str]) -> Callable[[], None]:
    token = _signed_in(sessions)
    app = AppTest.from_file(NAVIGATION, default_timeout=120)

    def once() -> None:
        runtime.sessions, context.session_token = lambda: sessions, lambda: token
        st.cache_data.clear()
        # Before the first run: a filter that was drawn already keeps what it shows.
        app.query_params.update(query)
        app.run()
        assert not app.exception, app.exception

    once()
    app.switch_page(page)
    return once


def milliseconds(*runs: Callable[[], object]) -> list[float]:
    """Of the processor, the fastest of each over a few turns, after one that imports and compiles."""
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(1 + RUNS):
        for once, times in zip(runs, taken, strict=True):
            start = time.process_time()
            once()
            times.append(time.process_time() - start)
    return [min(times[1:]) * 1000 for times in taken]


def _signed_in(sessions: Sessions) -> str:
    now = utc_now()
    with sessions.begin() as session:
        user = User(email=f"{now.timestamp()}@example.com", name="Ada", role=Role.ADMIN, active=True, created_at=now)
        session.add(user)
        session.flush()
        return browser_sessions.start(session, user.id, browser=Browser("203.0.113.7", "benchmark"), now=now)

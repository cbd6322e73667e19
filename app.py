"""Composes the one process: the dashboard, the web routes, sign-in, and what runs beside them. No logic."""

import sys
from pathlib import Path

# The project's own folder, however the process was started.
sys.path.insert(0, str(Path(__file__).parent))

import streamlit as st

from billing_core import web
from billing_core.settings import settings
from pages.ui.failures import tell

app = st.App(
    Path(__file__).parent / "pages" / "navigation.py",
    routes=web.routes(),
    middleware=web.middleware(),
    lifespan=web.lifespan,
    exception_handlers=web.HANDLERS,
    on_script_error=tell,
)

if __name__ == "__main__":
    # A folder or a secret that cannot be used ends in one sentence here, and in a traceback once the server starts.
    settings().signing_key()
    # With an address of its own, the dashboard does not ask the internet for the machine's.
    app.run(config={"server.port": settings().port, "browser.serverAddress": settings().host})

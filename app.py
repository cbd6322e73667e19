"""Composes the one process: the dashboard, the web routes, sign-in, and what runs beside them. No logic."""

import sys
from pathlib import Path

# The project's own folder, however the process was started.
sys.path.insert(0, str(Path(__file__).parent))

import streamlit as st
from starlette.middleware import Middleware

from billing_core import runtime, web

app = st.App(
    Path(__file__).parent / "pages" / "navigation.py",
    routes=web.routes(),
    middleware=[Middleware(web.SignedInOnly)],
    lifespan=web.lifespan,
)

if __name__ == "__main__":
    app.run(config={"server.port": runtime.settings().port})

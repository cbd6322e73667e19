"""Composes the one process: the dashboard, the web routes, sign-in, and what runs beside them. No logic."""

import gc
import os
import sys
from pathlib import Path

# The project's own folder, however the process was started.
sys.path.insert(0, str(Path(__file__).parent))

from billing_core.settings import settings

if __name__ == "__main__":
    # A folder or a secret that cannot be used ends in one sentence here, before the seconds that all else takes to load
    # (once the server starts, in a traceback).
    settings().signing_key()
    # Whatever is loaded stays: to look through it for garbage again and again takes a quarter of these seconds.
    gc.disable()

import streamlit as st

from billing_core import web
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
    gc.enable()
    # The server would believe a proxy on this machine: the product itself does, where the settings say so.
    os.environ["FORWARDED_ALLOW_IPS"] = ""
    # With an address of its own, the dashboard does not ask the internet for the machine's.
    app.run(config={"server.port": settings().port, "browser.serverAddress": settings().host})

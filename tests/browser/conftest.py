"""The whole product in a process of its own with an empty data folder, and a real browser in front of it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

PROJECT = Path(__file__).parents[2]
TIMEOUT_MS = 300_000
TROUBLE = re.compile(r"warning|error|traceback|exception|critical", re.IGNORECASE)


class Product:
    """A running server: its address, and what it has written to its terminal so far. ``port`` 0: any that is free."""

    def __init__(self, data: Path, *, port: int = 0, **settings: str) -> None:
        with socket.socket() as free:
            # A server that was killed leaves its port in a state in which only this allows to take it again.
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
            self.port = free.getsockname()[1]
        self.address = f"http://localhost:{self.port}"
        self.lines: list[str] = []
        self._set_up = threading.Event()
        self._answers = threading.Event()
        self.set_up_address = ""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BILLING_", "STREAMLIT_"))}
        self.process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=PROJECT,
            env={**kept, "BILLING_DATA_DIR": str(data), "PORT": str(self.port), "PYTHONUNBUFFERED": "1", **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def set_up_link(self) -> str:
        """The one-time link that the terminal shows on a first start."""
        assert self._set_up.wait(TIMEOUT_MS / 1000), "".join(self.lines)
        assert self.set_up_address, "".join(self.lines)
        return self.set_up_address

    def wait_until_it_answers(self) -> None:
        """Where somebody was signed up before: the terminal says when it runs."""
        assert self._answers.wait(TIMEOUT_MS / 1000), "".join(self.lines)

    def stop(self) -> None:
        self.process.terminate()
        self._gone()

    def kill(self) -> None:
        """As a power cut does: nothing is finished, nobody is told."""
        self.process.kill()
        self._gone()

    def _gone(self) -> None:
        self.process.wait(300)
        self._reader.join(300)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def trouble(self) -> list[str]:
        """What a healthy run never writes."""
        return [line for line in self.lines if TROUBLE.search(line)]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(r"https?://\S+/auth/set-up\S+", line):
                self.set_up_address = found.group()
                self._set_up.set()
            if "Billing runs" in line:
                self._answers.set()
        self._set_up.set()


@pytest.fixture
def product(tmp_path) -> Iterator[Product]:
    """Started empty; at the end its log must be clean."""
    running = Product(tmp_path / "data")
    try:
        yield running
    finally:
        running.stop()
    assert running.trouble() == []


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """Debian's Chromium where there is one, else Playwright's own.

    Closed after each test: Playwright keeps an event loop running in its thread, where no later test could run one.
    """
    installed = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=installed, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 1000}, locale="en-US", accept_downloads=True)
    context.set_default_timeout(TIMEOUT_MS)
    yield context.new_page()
    context.close()
